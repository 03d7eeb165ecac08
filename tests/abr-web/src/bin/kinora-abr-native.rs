//! Times the adaptive bitrate engine natively, and prints what `tests/bench/src/abr.js` prints of it
//! in WebAssembly.

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    use std::hint::black_box;
    use std::time::Instant;

    use kinora_abr_web::{Workload, fingerprint};

    let mut arguments = std::env::args().skip(1);
    let mut number = || arguments.next().and_then(|text| text.parse().ok());
    let (Some(seed), Some(rounds), None) = (number(), number(), number()) else {
        eprintln!("usage: kinora-abr-native SEED ROUNDS");
        std::process::exit(2);
    };
    const DECISIONS: u32 = 1000;
    let (mut table_ms, mut slice_ms, mut decide_us) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let mut workload = Workload::new();
        let (start, mut longest) = (Instant::now(), 0.0_f64);
        loop {
            let slice = Instant::now();
            let done = workload.prepare();
            longest = longest.max(slice.elapsed().as_secs_f64() * 1e3);
            if done {
                break;
            }
        }
        table_ms.push(start.elapsed().as_secs_f64() * 1e3);
        slice_ms.push(longest);
        let start = Instant::now();
        for _ in 0..DECISIONS {
            black_box(workload.decide());
        }
        decide_us.push(start.elapsed().as_secs_f64() * 1e6 / f64::from(DECISIONS));
    }
    let figures = serde_json::json!({
        "fingerprint": format!("{:016x}", fingerprint(seed)),
        "table_ms": table_ms,
        "slice_ms": slice_ms,
        "decide_us": decide_us,
    });
    println!("{figures}");
}

/// The module has no program.
#[cfg(target_arch = "wasm32")]
fn main() {}
