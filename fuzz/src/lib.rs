//! What the targets hold every answer to, beyond that there is one.

use kinora_core::manifest::ManifestWarning;
use kinora_core::presentation::{Presentation, SegmentIndex, Segments};
use kinora_core::time::MediaTime;
use peak_alloc::PeakAlloc;

#[path = "../../tests/src/subtitled.rs"]
pub mod subtitled;

/// Where every manifest counts as loaded from.
pub const URL: &str = "https://cdn.example/films/one/manifest?session=1";

/// Counts the bytes that are held, and the most that ever were.
#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Runs a parser on `data`, and checks that it holds no more than a multiple of that at any time.
pub fn bounded<T>(data: &[u8], parse: impl FnOnce() -> T) -> T {
    // A byte of text can be a segment of tens of bytes, but hardly of hundreds. Patterns and
    // variables may grow to limits of their own.
    let variables = data.windows(7).any(|window| window == b"-DEFINE");
    bounded_by(if variables { MOST_HELD } else { (1 << 20) + data.len() * 64 }, parse)
}

/// The most bytes that anything from outside may make the player hold.
pub const MOST_HELD: usize = 16 << 20;

/// As [`bounded`], with a bound in bytes.
pub fn bounded_by<T>(most: usize, parse: impl FnOnce() -> T) -> T {
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let parsed = parse();
    let held = ALLOCATOR.peak_usage().saturating_sub(before);
    assert!(held <= most, "{held} bytes are held, not {most} or fewer");
    parsed
}

/// Checks what holds of every presentation.
pub fn check_presentation(presentation: &Presentation) {
    assert!(!presentation.periods.is_empty());
    let mut last = None;
    for period in &presentation.periods {
        assert!(last.is_none_or(|last| last <= period.start), "periods are in order");
        last = Some(period.start);
        for set in &period.sets {
            assert!(set.in_stream.is_some() || !set.representations.is_empty());
            assert!(
                set.representations.is_sorted_by_key(|representation| representation.bandwidth)
            );
            for representation in &set.representations {
                assert!(representation.bandwidth > 0);
                if let Segments::Known(index) = &representation.segments {
                    check_index(index);
                }
            }
        }
    }
}

/// Segments follow each other, and are found where they are.
pub fn check_index(index: &SegmentIndex) {
    // Beyond the end of time nothing can be told apart.
    if index.end() == MediaTime::MAX {
        return;
    }
    let mut before: Option<MediaTime> = None;
    let places = index.len();
    // A timeline may have as many segments as its numbers say: its two ends tell enough.
    for position in (0..places.min(300)).chain(places.saturating_sub(300)..places) {
        let segment = index.get(position).expect("a segment at every position");
        if position == places.saturating_sub(300) {
            before = None;
        }
        assert!(before.is_none_or(|before| before <= segment.start), "segments do not overlap");
        assert!(segment.duration >= MediaTime::ZERO);
        assert!(segment.start >= index.start() && segment.end() <= index.end());
        if segment.duration > MediaTime::ZERO {
            assert_eq!(index.position_at(segment.start), Some(position));
        }
        if let Some(init) = segment.init {
            assert!(init < index.inits().len());
        }
        if let Some(key) = segment.key {
            assert!(key < index.keys().len());
        }
        before = Some(segment.end());
    }
    assert_eq!(index.get(places), None);
    assert_eq!(index.position_at(index.end()), None);
}

/// There are not endless many, and each stands on a line of the text.
pub fn check_warnings(data: &[u8], warnings: &[ManifestWarning]) {
    assert!(warnings.len() <= 200);
    let lines = 1 + data.iter().filter(|&&byte| byte == b'\n').count() as u64;
    for warning in warnings {
        assert!(warning.line <= lines, "line {} of {lines}", warning.line);
        assert!(warning.message.len() < 1000);
    }
}
