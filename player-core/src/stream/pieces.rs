//! Appending a segment while it arrives, when the playhead waits for nothing else: as soon as what has come plays until
//! the rest is there, and without asking the server for anything else.
//!
//! What has come is cut between two samples and appended as a fragment of its own, so that the platform's parser is
//! never left within one (MSE §3.5.1) and the rest may come late, or never.

use super::{Chosen, Fetch, Fetched, Stream, TOLERANCE, Target, World, representation};
use crate::io::AppendBody;
use crate::media::samples::Samples;
use crate::requests::Arriving;
use crate::time::MediaTime;

/// The playhead waits if it has less than this before it.
const SOON: MediaTime = MediaTime::from_millis(250);
/// What has come is to play for so many times as long as the rest seems to take.
const CAUTION: f64 = 1.3;

/// A segment of which the beginning has been handed over while the rest is on its way.
#[derive(Debug)]
pub(super) struct Begun {
    samples: Samples,
    timescale: u32,
    /// How much of it has been handed over.
    into: MediaTime,
}

/// What is appended is a piece of its segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    /// How far into the segment it begins.
    pub(super) into: MediaTime,
    /// It is the last, of a body of so many bytes.
    pub(super) last_of: Option<u64>,
}

impl Stream {
    /// More of the segment that is being fetched has arrived: hands it over if the playhead waits for it.
    pub(in crate::stream) fn hand_over(&mut self, world: &mut World<'_, '_>) {
        let Fetch::Segment { ticket, chosen, begun } = &self.fetch else { return };
        if begun.is_none() && !self.may_begin(world, chosen) {
            return;
        }
        let ticket = *ticket;
        let Some(arriving) = world.requests.arriving(ticket) else { return };
        let begins = match begun {
            Some(_) => None,
            None => self.begin(world, chosen, &arriving),
        };
        let Fetch::Segment { chosen, begun, .. } = &mut self.fetch else { return };
        if begins.is_some() {
            *begun = begins;
        }
        let Some(begun) = begun else { return };
        // With the last sample the whole is known to be there.
        let arrived = arriving.received.min(begun.samples.end() - 1);
        let Some(cut) = begun.samples.take(arrived) else { return };
        let mut piece = (**chosen).clone();
        let into = begun.into;
        begun.into = into + MediaTime::from_unsigned(cut.duration, begun.timescale);
        piece.piece = Some(Piece { into, last_of: None });
        piece.segment.start = piece.segment.start + into;
        piece.segment.duration = begun.into - into;
        let (id, head) = (arriving.id, arriving.head.to_vec());
        let came = (arriving.origin, world.cx.now);
        let body = AppendBody::Span { head: cut.head, id, start: cut.start, end: cut.end };
        world.requests.plays(ticket);
        self.push_part(piece, (body, head, cut.end - cut.start), came);
    }

    /// Whether the playhead waits for this segment and nothing else, as far as it may be cut.
    fn may_begin(&self, world: &World<'_, '_>, chosen: &Chosen) -> bool {
        let whole = !(chosen.remux || chosen.partial || chosen.hinted) && chosen.chunks == 0;
        let (playhead, segment) = (world.playhead, chosen.range());
        let reach = self.buffer.end_of_range(playhead).unwrap_or(playhead);
        let waits = reach - playhead < SOON && self.queue.is_empty();
        let next = segment.start <= reach + TOLERANCE && reach < segment.end;
        // What lies there already is not to be cut into.
        let (from, to) = (segment.start + TOLERANCE, segment.end - TOLERANCE);
        let free = !self.buffer.ranges().iter().any(|held| held.start < to && from < held.end);
        let owner = representation(world.presentation, chosen.key);
        let clear = owner.is_some_and(|owner| owner.protection_of(&chosen.segment).is_none());
        whole && waits && next && free && clear && chosen.target == Target::Next
    }

    /// Begins a segment, if what has come of it plays until the rest is there.
    fn begin(
        &self,
        world: &World<'_, '_>,
        chosen: &Chosen,
        arriving: &Arriving<'_>,
    ) -> Option<Box<Begun>> {
        let init = self.inits.get(chosen.init?)?;
        let timescale = init.info.tracks.first()?.timescale;
        let samples = Samples::read(arriving.head, &init.info)?;
        let received = arriving.received.min(samples.end() - 1);
        let there = MediaTime::from_unsigned(samples.arrived(received), timescale);
        let plays = chosen.segment.start + there - world.playhead.max(chosen.segment.start);
        let left = arriving.total.unwrap_or(samples.end()).saturating_sub(received);
        let (since, before) = arriving.flows;
        let took = world.cx.now.since(since).as_secs_f64();
        let takes = took * left as f64 / received.saturating_sub(before) as f64;
        // What has only begun to come may take for ever.
        (plays.seconds() > takes * CAUTION * world.rate.max(1.0))
            .then(|| Box::new(Begun { samples, timescale, into: MediaTime::ZERO }))
    }

    /// The host has let go of a body that was being handed over: what comes next is all of the segment once more.
    pub(in crate::stream) fn begin_anew(&mut self) {
        if let Fetch::Segment { begun, .. } = &mut self.fetch {
            *begun = None;
        }
    }

    /// Whether what is being fetched has been handed over in part, and plays at `time`.
    pub(in crate::stream) fn has_begun(&self, time: MediaTime) -> bool {
        matches!(&self.fetch, Fetch::Segment { chosen, begun: Some(_), .. }
            if chosen.range().contains(time))
    }
}

impl Begun {
    /// All of the segment has come: what is left of it to be handed over.
    pub(in crate::stream) fn end(mut self, fetched: &mut Fetched) {
        let AppendBody::Kept(id) = fetched.body else { return };
        let (chosen, into, end) = (&mut fetched.chosen, self.into, fetched.bytes);
        chosen.piece = Some(Piece { into, last_of: Some(end) });
        chosen.segment.start = chosen.segment.start + into;
        chosen.segment.duration = (chosen.segment.duration - into).max(MediaTime::ZERO);
        let start = self.samples.at();
        let head = self.samples.take(u64::MAX).map_or(Vec::new(), |rest| rest.head);
        fetched.bytes = end.saturating_sub(start);
        fetched.body = AppendBody::Span { head, id, start, end };
        fetched.last_of = Some(id);
    }
}
