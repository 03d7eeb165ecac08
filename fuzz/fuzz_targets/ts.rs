//! Transport streams and packed audio: what they are turned into is a whole fragment, and holds what its boxes say.
#![no_main]

use kinora_cenc::{ContentKey, TransportCipher};
use kinora_core::media::ts::{Options, Remuxed, Remuxer, Wanted};
use kinora_core::media::{Boxes, boxes_before_mdat, fragment, init};
use kinora_core::time::MediaTime;
use kinora_fuzz::bounded_by;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // As two segments, so that what the first leaves behind meets the second.
    let (one, other) = data.split_at(data.len() / 2 / 188 * 188);
    for wanted in [Wanted::All, Wanted::Picture, Wanted::Sound] {
        let mut remuxer = Remuxer::default();
        let options = |near| Options { wanted, near, cipher: None };
        check(&mut remuxer, data, &options(None));
        check(&mut remuxer, one, &options(Some(MediaTime::from_secs(95_000))));
        check(&mut remuxer, other, &options(Some(MediaTime::MIN)));
    }
    let cipher = Some(TransportCipher::new(&ContentKey::from([7; 16]), [1; 16]));
    check(&mut Remuxer::default(), data, &Options { wanted: Wanted::All, near: None, cipher });
});

fn check(remuxer: &mut Remuxer, segment: &[u8], options: &Options) {
    let most = (1 << 16) + segment.len() * 16;
    let Ok(Remuxed { init, media }) = bounded_by(most, || remuxer.remux(segment, options)) else {
        return;
    };
    let info = init::parse(&init).expect("an initialisation segment");
    let head = &media[..boxes_before_mdat(&media).expect("a fragment with data")];
    let found = fragment::parse(head, &info).expect("samples");
    assert!(found.duration > MediaTime::ZERO);
    let mdat = &media[head.len()..];
    let mut boxes = Boxes::new(mdat, 0);
    let data = boxes.next().expect("data").expect("whole");
    assert_eq!(data.end(), mdat.len() as u64);
    assert_eq!(fragment::data_size(head), data.body.len() as u64, "its samples are all there is");
}
