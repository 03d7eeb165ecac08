//! How fast this decrypts, beside `openssl speed` in the same run: millions of bytes a second, as JSON. `cargo xtask bench
//! decryption` shows it as a table, with WebAssembly beside it.

use kinora_cenc::{ContentKey, Layout, Pattern, SampleCipher, Scheme, Subsample, segment};
use serde_json::json;
use std::process::Command;
use std::time::{Duration, Instant};

/// As `openssl speed` has it.
const SIZE: usize = 16_384;
const TIME: Duration = Duration::from_secs(2);

fn main() {
    let key = ContentKey::from([7; 16]);
    let cipher = SampleCipher::new(&key);
    let mut sample = vec![0x5a; SIZE];
    let whole = Layout::whole(Scheme::Cenc, [1; 16]);
    let cenc = rate(|| cipher.decrypt(&whole, &mut sample).is_ok());

    let subsamples = [Subsample { clear: 384, protected: (SIZE - 384) as u32 }];
    let pattern = Layout {
        pattern: Pattern { crypt: 1, skip: 9 },
        subsamples: &subsamples,
        ..Layout::whole(Scheme::Cbcs, [1; 16])
    };
    let cbcs = rate(|| cipher.decrypt(&pattern, &mut sample).is_ok());

    let mut encrypted = vec![0x5a; SIZE];
    segment::encrypt(&key, &[1; 16], &mut encrypted);
    let segments = rate_of(
        || std::array::from_fn(|_| encrypted.clone()),
        |bytes| segment::decrypt(&key, &[1; 16], bytes).is_ok(),
    );
    let figures = json!({
        "kinora": { "cenc": cenc, "cbcs": cbcs, "segments": segments },
        "openssl": {
            "cenc": openssl(&["-evp", "aes-128-ctr"]),
            "segments": openssl(&["-decrypt", "-evp", "aes-128-cbc"]),
        },
    });
    println!("{figures}");
}

/// How many times something is done between two looks at the clock.
const ROUNDS: usize = 16;

/// Millions of bytes a second of work that can be done again and again.
fn rate(mut work: impl FnMut() -> bool) -> f64 {
    rate_of(|| [(); ROUNDS], |()| work())
}

/// Millions of bytes a second, the best of a few tries; making what is worked on is not part of it.
fn rate_of<T>(mut make: impl FnMut() -> [T; ROUNDS], mut work: impl FnMut(&mut T) -> bool) -> f64 {
    let mut best: f64 = 0.0;
    for _ in 0..4 {
        let (mut time, mut bytes) = (Duration::ZERO, 0);
        while time < TIME / 4 {
            let mut material = make();
            let started = Instant::now();
            for one in &mut material {
                assert!(work(one), "it decrypts");
            }
            time += started.elapsed();
            bytes += ROUNDS * SIZE;
        }
        best = best.max(bytes as f64 / time.as_secs_f64() / 1e6);
    }
    best
}

/// The same of `openssl speed`; none where that is not installed.
fn openssl(arguments: &[&str]) -> Option<f64> {
    let output = Command::new("openssl")
        .args(["speed", "-mr", "-seconds", "2", "-bytes", &SIZE.to_string()])
        .args(arguments)
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let figure = text.lines().find(|line| line.starts_with("+F:"))?.rsplit(':').next()?;
    Some(figure.trim().parse::<f64>().ok()? / 1e6)
}
