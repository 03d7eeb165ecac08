//! Giving up a download that comes too slowly.

use kinora_abr::{InFlight, Verdict};

use crate::error::Error;
use crate::io::{MediaKind, Warning};
use crate::stream::choice;
use crate::stream::{Fetch, Key, Stream, Target, World};
use crate::time::Timestamp;

impl Stream {
    /// Gives a download up when the rule says that a smaller one comes sooner.
    pub(in crate::stream) fn check_in_flight(
        &mut self,
        world: &mut World<'_, '_>,
    ) -> Result<(), Error> {
        if let Fetch::Segment { chosen, .. } = &self.fetch {
            self.lift(chosen.key.set, world.cx.now);
        }
        let Fetch::Segment { ticket, chosen, begun } = &self.fetch else { return Ok(()) };
        // What is shown already, or is not made yet, is not given up.
        let growing = chosen.chunks > 0 || begun.is_some() || chosen.hinted;
        if self.kind != MediaKind::Video || self.pinned.is_some() || growing {
            return Ok(());
        }
        let Some(transferred) = world.requests.transferred(*ticket) else { return Ok(()) };
        let in_flight = InFlight {
            rung: chosen.key.representation,
            started_us: transferred.started.micros(),
            first_byte_us: transferred.first_byte.map(Timestamp::micros),
            bytes_loaded: transferred.received,
            bytes_total: transferred.total,
            abandoned: self.abandoned,
            replaces_ahead_s: match chosen.target {
                Target::Next => None,
                Target::Instead(range) => Some((range.start - world.playhead).seconds()),
            },
        };
        let key = chosen.key;
        // What a manifest does not list any more may still be on its way.
        let period = world.presentation.periods.get(key.period);
        let Some(set) = period.and_then(|period| period.sets.get(key.set)) else { return Ok(()) };
        let goal = self.goal(world.cx);
        let mut moment =
            self.moment(world.decoders, (world.playhead, world.phase, world.rate), goal, set);
        moment.behind = world.behind();
        let (ladder, allowed) = (choice::ladder(set), moment.allowed());
        let sizes = moment.sizes();
        let situation = moment.situation(world.cx.now, &ladder, &allowed, &sizes);
        let check = world.cx.abr.check_in_flight(&in_flight, &situation);
        let rung = match check.verdict {
            Verdict::Continue => return Ok(()),
            Verdict::AbandonTo { rung } => rung,
            Verdict::Drop => {
                self.drop_replacement(world);
                return Ok(());
            }
        };
        world
            .cx
            .out
            .warn(Warning::Abandoned { kind: self.kind, segment_start: chosen.segment.start });
        self.drop_fetch(world);
        self.abandoned += 1;
        let key = Key { representation: rung, ..key };
        self.fetch_from(world, key, check.reasons, Target::Next).map(|_| ())
    }
}
