use super::super::webm::tests as webm_files;
use super::*;
use crate::media::BoxErrorKind;
use proptest::prelude::*;

const URL: &str = "https://a/v.mp4";

/// A `sidx` box, version 1, of milliseconds: its first time, the bytes between it and what it refers
/// to, and what it refers to as (index, bytes, duration).
fn sidx(time: u64, first_offset: u64, references: &[(bool, u32, u32)]) -> Vec<u8> {
    let mut body = vec![1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0x03, 0xe8];
    body.extend(time.to_be_bytes());
    body.extend(first_offset.to_be_bytes());
    body.extend([0, 0]);
    body.extend((references.len() as u16).to_be_bytes());
    for &(is_index, size, duration) in references {
        body.extend((u32::from(is_index) << 31 | size).to_be_bytes());
        body.extend(duration.to_be_bytes());
        body.extend(0x9000_0000u32.to_be_bytes());
    }
    boxed(b"sidx", &body)
}

fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut whole = (body.len() as u32 + 8).to_be_bytes().to_vec();
    whole.extend(kind);
    whole.extend(body);
    whole
}

/// Serves what is wanted from a file that begins with `file`. Gives the index and how many pieces it
/// took.
fn read(file: &[u8], mut reader: FileIndex) -> Result<(SegmentIndex, usize), BoxError> {
    for pieces in 1.. {
        let ByteRange { start, length } = reader.wanted();
        let rest = file.get(start as usize..).unwrap_or_default();
        let length = length.map_or(rest.len(), |length| rest.len().min(length as usize));
        match reader.take(&rest[..length])? {
            IndexProgress::Needs(more) => reader = more,
            IndexProgress::Complete(index) => return Ok((index, pieces)),
        }
    }
    unreachable!("the numbers do not end")
}

fn reader(range: Option<(u64, u64)>) -> FileIndex {
    let range = range.map(|(start, length)| ByteRange { start, length: Some(length) });
    FileIndex::new(URL, range, None, MediaTime::ZERO, None)
}

/// Start and end in milliseconds, and the bytes.
type Brief = (i64, i64, u64, Option<u64>);

fn brief(index: &SegmentIndex) -> Vec<Brief> {
    let millis = |time: MediaTime| time.scaled(1000);
    let segments = index.iter().map(|segment| {
        let range = segment.range.expect("a range");
        (millis(segment.start), millis(segment.end()), range.start, range.length)
    });
    segments.collect()
}

#[test]
fn damage_has_no_whole_file_read() {
    // A reference to segments became one to a further index: there is a box without an end.
    let endless = [&b"\0\0\0\0uuid"[..], &[0; 4 << 20]].concat();
    let size = endless.len() as u32;
    let file = [sidx(0, 0, &[(true, size, 2_000)]), endless].concat();
    let (mut wanted, mut pieces) = (reader(Some((0, 44))), 0);
    let error = loop {
        let ByteRange { start, length } = wanted.wanted();
        let rest = &file[file.len().min(start as usize)..];
        let asked = length.map_or(rest.len(), |length| rest.len().min(length as usize));
        pieces += 1;
        match wanted.take(&rest[..asked]) {
            Ok(IndexProgress::Needs(more)) => wanted = more,
            Ok(IndexProgress::Complete(index)) => panic!("{} segments", index.len()),
            Err(error) => break error,
        }
    };
    assert!(pieces <= 20, "{pieces} pieces");
    assert_eq!(
        error.to_string(),
        format!("byte {}: an index of so many pieces cannot be played", error.offset)
    );
}

#[test]
fn a_flat_index_becomes_the_segments_of_the_period() {
    let head = boxed(b"ftyp", &[0; 100]);
    let index = sidx(500, 10, &[(false, 100, 2000), (false, 50, 2000), (false, 60, 2000)]);
    let file = [head.clone(), index].concat();
    let (offset, end) = (MediaTime::from_millis(9500), Some(MediaTime::from_secs(13)));
    let wanted = FileIndex::new(URL, None, None, offset, end);
    let (index, pieces) = read(&file, wanted).expect("a flat index");
    assert_eq!((index.len(), pieces), (2, 1));
    let first = file.len() as u64 + 10;
    assert_eq!(
        brief(&index),
        [(10_000, 12_000, first, Some(100)), (12_000, 13_000, first + 100, Some(50))]
    );
    let segment = index.get(1).expect("two segments");
    assert_eq!((segment.url.as_str(), segment.size), (URL, Some(50)));
    let init = index.init(&segment).expect("all before the index");
    assert_eq!(init.range, Some(ByteRange { start: 0, length: Some(head.len() as u64) }));
}

#[test]
fn indexes_of_indexes_are_followed_in_order_of_time() {
    // Both lower indexes behind the upper one, the media behind them all.
    let second = sidx(4000, 200, &[(false, 30, 1000), (false, 40, 1000)]);
    let first = sidx(0, 100 + second.len() as u64, &[(false, 100, 2000), (false, 100, 2000)]);
    let (one, two) = (first.len() as u32, second.len() as u32);
    let upper = sidx(0, 0, &[(true, one, 4000), (true, two, 2000)]);
    let media = (upper.len() + first.len() + second.len()) as u64 + 100;
    let file = [upper.clone(), first, second].concat();
    let expected = [
        (0, 2000, media, Some(100)),
        (2000, 4000, media + 100, Some(100)),
        (4000, 5000, media + 100, Some(30)),
        (5000, 6000, media + 130, Some(40)),
    ];
    let (index, pieces) = read(&file, reader(None)).expect("two levels");
    assert_eq!((brief(&index), pieces), (expected.to_vec(), 1));
    // Where only the upper one is named, the others are fetched.
    let (index, pieces) =
        read(&file, reader(Some((0, upper.len() as u64)))).expect("two levels in pieces");
    assert_eq!(brief(&index), expected);
    assert!((2..=3).contains(&pieces), "{pieces}");
}

#[test]
fn an_index_larger_than_what_is_searched_is_fetched_whole() {
    let references = vec![(false, 10, 1000); 20_000];
    let file = [boxed(b"free", &[0; 200_000]), sidx(0, 0, &references)].concat();
    let (index, pieces) = read(&file, reader(None)).expect("a large index");
    assert_eq!((index.len(), pieces), (20_000, 3));
    assert_eq!(index.end(), MediaTime::from_secs(20_000));
}

#[test]
fn what_goes_on_without_end_is_refused() {
    // Each index refers to the next, which is the same again.
    let length = sidx(0, 0, &[(true, 1, 1000)]).len() as u32;
    let one = sidx(0, 0, &[(true, length, 1000)]);
    let refused = read(&one.repeat(2_000), reader(None)).map_err(|error| error.kind);
    assert!(
        matches!(&refused, Err(BoxErrorKind::Unsupported { feature }) if feature.contains("levels"))
    );

    // Every reference leads to an index with as many again.
    let references = vec![(true, 1, 1000); 60_000];
    let large = sidx(0, 0, &references);
    let refused = read(&large.repeat(6), reader(None)).map_err(|error| error.kind);
    assert!(refused.is_err(), "{refused:?}");
}

#[test]
fn damage_is_named() {
    let file = sidx(0, 0, &[(false, 100, 2000)]);
    for length in 0..file.len() {
        assert!(read(&file[..length], reader(None)).is_err(), "{length}");
    }
    assert!(read(b"\0\0\0\x08moof", reader(None)).is_err());
    assert!(read(b"\0\0\0\x02free", reader(None)).is_err());
    let lost = sidx(0, 0, &[(true, 100, 2000)]);
    assert!(read(&lost, reader(None)).is_err());
}

/// A WebM file up to its cues: three clusters of two, two and one second.
fn webm() -> (Vec<u8>, u64, Vec<Brief>) {
    let places = [1_000, 5_000, 9_000];
    let (mut file, origin) = webm_files::head(12_000, 5_000.0);
    let cues = webm_files::cues(&[(0, places[0]), (2_000, places[1]), (4_000, places[2])]);
    file.resize(origin as usize + 12_000, 0);
    let start = file.len() as u64;
    file.extend(cues);
    let segments = vec![
        (0, 2_000, origin + 1_000, Some(4_000)),
        (2_000, 4_000, origin + 5_000, Some(4_000)),
        (4_000, 5_000, origin + 9_000, Some(3_000)),
    ];
    (file, start, segments)
}

#[test]
fn cues_are_found_from_either_side() {
    let (file, cues, expected) = webm();
    // From the beginning, which says where they lie.
    let (index, pieces) = read(&file, reader(None)).expect("WebM");
    assert_eq!((brief(&index), pieces), (expected.clone(), 1));
    let begun = reader(Some((0, 500)));
    let (index, pieces) = read(&file, begun).expect("WebM in pieces");
    assert_eq!((brief(&index), pieces), (expected.clone(), 2));
    // From where the MPD says they lie; what they mean stands at the beginning.
    let range = Some((cues, file.len() as u64 - cues));
    let (index, pieces) = read(&file, reader(range)).expect("WebM by its cues");
    assert_eq!((brief(&index), pieces), (expected.clone(), 2));
    let init = index.init(&index.get(0).expect("three")).expect("all before the first cluster");
    assert_eq!(init.range, Some(ByteRange { start: 0, length: Some(expected[0].2) }));
    // From a range that is too short.
    let (index, pieces) = read(&file, reader(Some((cues, 9)))).expect("WebM by a short range");
    assert_eq!((brief(&index), pieces), (expected, 3));
}

#[test]
fn a_period_cuts_what_webm_goes_on_with() {
    let (file, ..) = webm();
    let end = Some(MediaTime::from_secs(13));
    let reader = FileIndex::new(URL, None, None, MediaTime::from_secs(10), end);
    let (index, _) = read(&file, reader).expect("WebM");
    assert_eq!(
        (index.len(), index.start(), index.end()),
        (2, MediaTime::from_secs(10), MediaTime::from_secs(13))
    );
}

#[test]
fn webm_without_cues_is_refused() {
    let (file, origin) = webm_files::head(12_000, 5_000.0);
    let refused = read(&file, reader(None)).map_err(|error| error.to_string());
    assert_eq!(
        refused.map(|_| ()),
        Err(format!("byte {}: there is no box 'Cues'", origin + 12_000))
    );
}

proptest! {
    /// However the segments are spread over indexes, the segments are the same.
    #[test]
    fn levels_do_not_change_what_is_listed(
        sizes in proptest::collection::vec(1u32..1000, 1..40),
        groups in proptest::collection::vec(1usize..6, 40),
        piece in 60u64..300,
    ) {
        // Lower indexes one after another, each before its media.
        let (mut lower, mut upper, mut time) = (Vec::new(), Vec::new(), 0);
        let mut rest = &sizes[..];
        let mut groups = groups.iter();
        let mut media = Vec::new();
        while !rest.is_empty() {
            let (group, after) = rest.split_at(rest.len().min(*groups.next().expect("enough")));
            rest = after;
            let references: Vec<_> = group.iter().map(|&size| (false, size, 500)).collect();
            let index = sidx(time, 0, &references);
            let bytes: u32 = group.iter().sum();
            upper.push((true, index.len() as u32 + bytes, 500 * group.len() as u32));
            let mut start = lower.len() + index.len();
            lower.extend(index);
            lower.resize(lower.len() + bytes as usize, 0);
            for &size in group {
                media.push((time as i64, time as i64 + 500, start as u64, Some(u64::from(size))));
                time += 500;
                start += size as usize;
            }
        }
        let upper = sidx(0, 0, &upper);
        let expected: Vec<_> = media
            .into_iter()
            .map(|(start, end, place, length)| (start, end, place + upper.len() as u64, length))
            .collect();
        let file = [upper, lower].concat();
        let (whole, pieces) = read(&file, reader(None)).expect("levels");
        prop_assert_eq!((brief(&whole), pieces), (expected.clone(), 1));
        let (in_pieces, _) = read(&file, reader(Some((0, piece)))).expect("levels in pieces");
        prop_assert_eq!(brief(&in_pieces), expected);
    }

    #[test]
    fn any_answers_are_taken(
        range in proptest::option::of((0u64..100, 0u64..100)),
        answers in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 1..8),
        beginnings in proptest::collection::vec(0usize..4, 8),
        offset in any::<i64>(),
    ) {
        let range = range.map(|(start, length)| ByteRange { start, length: Some(length) });
        let mut reader = FileIndex::new("u", range, None, MediaTime::from_flicks(offset), Some(MediaTime::MAX));
        for (answer, beginning) in answers.into_iter().zip(beginnings) {
            let body = &[&b"\x01\0\0\0\0\0\0\x01"[..], &answer].concat();
            let answer = match beginning {
                0 => answer,
                1 => boxed(b"sidx", body),
                2 => webm_files::element(0x1C53_BB6B, &answer),
                _ => [webm_files::head(50, 9.0).0, answer].concat(),
            };
            match reader.take(&answer) {
                Ok(IndexProgress::Needs(more)) => reader = more,
                Ok(IndexProgress::Complete(index)) => {
                    let segments: Vec<_> = index.iter().collect();
                    prop_assert!(segments.is_sorted_by(|a, b| a.end() <= b.start));
                    break;
                }
                Err(_) => break,
            }
        }
    }
}
