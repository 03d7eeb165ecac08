//! What is kept of a live playlist so that its next version costs what is new in it.

use crate::manifest::hls::variables::Variables;
use crate::presentation::TimedEvent;
use crate::presentation::index::{MovingText, Queue};
use crate::time::Timestamp;

/// What it takes to merge the next version of a playlist into the one held.
///
/// Most of the next version is, byte for byte, what this one ends with. That is found by comparing
/// the two texts, and only what comes after is read.
#[derive(Clone, Debug)]
pub(super) struct Following {
    /// The text up to the last segment.
    pub(super) text: MovingText,
    /// Where each segment's line ends: one for each segment of the index.
    pub(super) ends: Queue<SegmentEnd>,
    pub(super) variables: Variables,
    pub(super) events: EventPlaces,
    pub(super) requests: Requests,
}

/// Where a segment's last line ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct SegmentEnd {
    /// In the text.
    pub(super) place: u32,
    /// Number of that line, counted from some line before.
    pub(super) line: u32,
}

/// Where date ranges stand, and how to find one by its id.
#[derive(Clone, Debug, Default)]
pub(super) struct EventPlaces {
    /// For each, the number of the segment that it stands before.
    pub(super) before: Vec<u64>,
    /// Positions, by id.
    by_id: Vec<u32>,
}

/// When the playlist was asked for, and what came of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Requests {
    /// When the version before last was asked for that brought something new.
    pub(super) changed: Option<Timestamp>,
    /// When it was last asked for.
    pub(super) last: Option<Timestamp>,
    /// The last answer brought nothing new.
    pub(super) unchanged: bool,
    /// A delta update could not be merged: ask for the whole.
    pub(super) whole: bool,
    /// Number after the last segment of an answer that was older than what is held.
    pub(super) behind: Option<u64>,
}

impl EventPlaces {
    /// The event of an id.
    pub(super) fn find<'e>(&self, events: &'e [TimedEvent], id: &str) -> Option<&'e TimedEvent> {
        events.get(self.position(events, id)?)
    }

    /// Takes out the event of an id, to be [`put`](Self::put) again.
    pub(super) fn take(&self, events: &mut [TimedEvent], id: &str) -> Option<TimedEvent> {
        let event = events.get_mut(self.position(events, id)?)?;
        let (id, nothing) = (event.id.clone(), TimedEvent::new(String::new(), event.start));
        // The id stays, to be found by.
        Some(core::mem::replace(event, TimedEvent { id, ..nothing }))
    }

    /// Adds an event to `events`, or replaces that of the same id.
    pub(super) fn put(&mut self, events: &mut Vec<TimedEvent>, event: TimedEvent, before: u64) {
        match self.search(events, &event.id) {
            Ok(place) => {
                let position = self.by_id.get(place).map_or(0, |&position| position as usize);
                if let Some((old, place)) =
                    events.get_mut(position).zip(self.before.get_mut(position))
                {
                    (*old, *place) = (event, before);
                }
            }
            Err(place) => {
                crate::items::put(&mut self.by_id, place, events.len() as u32);
                self.before.push(before);
                events.push(event);
            }
        }
    }

    fn position(&self, events: &[TimedEvent], id: &str) -> Option<usize> {
        let place = self.search(events, id).ok()?;
        self.by_id.get(place).map(|&position| position as usize)
    }

    /// Where an id is among those sorted, or else belongs.
    fn search(&self, events: &[TimedEvent], id: &str) -> Result<usize, usize> {
        self.by_id.binary_search_by(|&position| {
            events.get(position as usize).map_or("", |event| event.id.as_str()).cmp(id)
        })
    }
}

/// How a playlist is followed says nothing of what is in it.
impl PartialEq for Following {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
