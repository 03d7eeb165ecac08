//! What the playhead passes before it has come: where something else is held, such as another track or another quality than
//! the one that the viewer insists on, playback does not wait, and what is fetched in its place may come too late each time.

use super::{Fetch, Stream, TOLERANCE, Target, World};
use crate::io::Warning;
use crate::time::MediaTime;

impl Stream {
    /// Gives up what is over by now, and goes on where there is time for it to come.
    pub(in crate::stream) fn leave_overtaken(&mut self, world: &mut World<'_, '_>) {
        let playhead = world.playhead;
        if self.complete {
            return;
        }
        if !self.buffer.holds(playhead, MediaTime::ZERO) {
            // A hole was jumped: what belongs there, and is gone, is not looked for any more.
            if self.missing > 0
                && matches!(self.fetch, Fetch::Idle)
                && self.next + TOLERANCE < playhead
            {
                self.take_on(world, playhead);
            }
            return;
        }
        let from;
        match &self.fetch {
            Fetch::Idle if self.next < playhead => {
                // It may be the same segment still, if what precedes it reaches into it.
                self.turn_within(world, playhead);
                return;
            }
            // What is asked for first is wanted all the same.
            Fetch::Index { target: Target::Next, .. } if self.next < playhead => {
                self.turn_to(world.presentation, playhead);
                return;
            }
            Fetch::Segment { ticket, chosen, begun: None }
                if chosen.target == Target::Next
                    && chosen.chunks == 0
                    && chosen.segment.end() <= playhead =>
            {
                // What follows takes as long, most likely.
                let spent = MediaTime::from_duration(world.cx.now.since(chosen.asked));
                let passes = MediaTime::from_seconds(spent.seconds() * world.rate.max(0.0));
                let held = self.buffer.end_of_range(playhead).unwrap_or(playhead);
                from = (playhead + passes).min(self.buffer.listed(held));
                let transferred = world.requests.transferred(*ticket);
                let received = transferred.map_or(0, |transferred| transferred.received);
                let totals = &mut world.cx.totals;
                totals.discarded = totals.discarded.saturating_add(received);
                let segment_start = chosen.segment.start;
                world.cx.out.warn(Warning::Abandoned { kind: self.kind, segment_start });
            }
            _ => return,
        }
        self.restart(world, from);
    }
}
