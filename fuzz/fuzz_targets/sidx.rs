//! Indexes within media files. The input is the file: whatever is asked for comes from it.
#![no_main]

use kinora_core::io::ByteRange;
use kinora_core::media::{FileIndex, IndexProgress, sidx};
use kinora_core::time::MediaTime;
use kinora_fuzz::{MOST_HELD, bounded, bounded_by, check_index};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = bounded(data, || sidx::parse(data, 0));
    let first = data.first().map_or(0, |&byte| u64::from(byte));
    // Boxes that overlap can list what lies in them again and again, up to a limit.
    let searched = bounded_by(MOST_HELD, || read(data, None));
    let begun =
        bounded_by(MOST_HELD, || read(data, Some(ByteRange { start: 0, length: Some(first + 1) })));
    for index in [searched, begun].into_iter().flatten() {
        check_index(&index);
    }
});

fn read(file: &[u8], range: Option<ByteRange>) -> Option<kinora_core::presentation::SegmentIndex> {
    let (offset, end) = (MediaTime::from_secs(-7), Some(MediaTime::from_secs(1 << 30)));
    let mut reader = FileIndex::new("https://cdn.example/v.mp4", range, None, offset, end);
    for _ in 0..2_000 {
        let ByteRange { start, length } = reader.wanted();
        let rest = usize::try_from(start).ok().and_then(|start| file.get(start..));
        let rest = rest.unwrap_or_default();
        let length = length.and_then(|length| usize::try_from(length).ok()).unwrap_or(usize::MAX);
        match reader.take(&rest[..rest.len().min(length)]).ok()? {
            IndexProgress::Needs(more) => reader = more,
            IndexProgress::Complete(index) => return Some(index),
        }
    }
    panic!("it never has enough");
}
