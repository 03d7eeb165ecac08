//! Transport streams and packed audio: what they are turned into is a whole fragment, and holds what its boxes say.
#![no_main]

use kinora_core::media::ts::{Remuxed, Remuxer, Wanted};
use kinora_core::media::{Boxes, boxes_before_mdat, fragment, init};
use kinora_core::time::MediaTime;
use kinora_fuzz::bounded_by;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // As two segments, so that what the first leaves behind meets the second.
    let (one, other) = data.split_at(data.len() / 2 / 188 * 188);
    for wanted in [Wanted::All, Wanted::Picture, Wanted::Sound] {
        let mut remuxer = Remuxer::default();
        check(&mut remuxer, data, wanted, None);
        check(&mut remuxer, one, wanted, Some(MediaTime::from_secs(95_000)));
        check(&mut remuxer, other, wanted, Some(MediaTime::MIN));
    }
});

fn check(remuxer: &mut Remuxer, segment: &[u8], wanted: Wanted, near: Option<MediaTime>) {
    let most = (1 << 16) + segment.len() * 16;
    let Ok(Remuxed { init, media }) = bounded_by(most, || remuxer.remux(segment, wanted, near))
    else {
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
