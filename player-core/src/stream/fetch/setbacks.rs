//! What to do when a segment does not come: look elsewhere, in another quality, or give up.

use core::time::Duration;

use crate::error::Error;
use crate::io::MediaKind;
use crate::presentation::{Presentation, Segments};
use crate::requests::{OriginId, Place};
use crate::stream::init::InitKey;
use crate::stream::{Fetch, Key, Stream, World, representation};
use crate::time::{TimeRange, Timestamp};

/// A representation whose beginning could not be had is left alone for so long, twice as long the next time,
const ASIDE: Duration = Duration::from_secs(20);
/// and never for longer than this.
const LONGEST_ASIDE: Duration = Duration::from_secs(60);
/// What nobody asked for since is like new after so long.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(600);
/// A segment is looked for in this many representations before playback gives up.
const MAX_FAILED: usize = 3;
/// A segment is looked for so often at another place before another representation is tried.
const MAX_DETOURS: u32 = 8;

/// What has failed on the way to the next segment.
#[derive(Debug, Default)]
pub(in crate::stream) struct Setbacks {
    /// Representations that could not deliver it.
    pub(super) failed: Vec<usize>,
    /// Those of them that are the last resort: they were set aside before, or came too slowly.
    pub(super) recalled: Vec<usize>,
    /// How often it was looked for at another place.
    pub(super) detours: u32,
    /// Representations of which a place sent what is no use.
    spoiled: Vec<(usize, OriginId)>,
    /// It was asked for before it was there.
    pub(in crate::stream) early: bool,
    /// Even the places that are penalised were turned to.
    insisted: bool,
    /// Representations that came too slowly, which is not to say that they will again.
    slow: Vec<usize>,
    /// One that was asked says that there is no such segment.
    pub(super) gap: Option<TimeRange>,
    /// Live: some had nothing yet, and, if so, whether they have been asked again since.
    pub(super) bare: Option<bool>,
}

/// A representation that is left alone.
#[derive(Debug)]
pub(in crate::stream) struct Aside {
    pub(in crate::stream) key: Key,
    until: Timestamp,
    /// So often before.
    times: u32,
}

impl Setbacks {
    /// What came of a representation from a place was no use, or nothing came: it is not asked for this again while there is
    /// another.
    /// Of other representations it may have what it should.
    pub(in crate::stream) fn spoil(&mut self, representation: usize, origin: OriginId) {
        if !self.spoiled.contains(&(representation, origin)) {
            self.spoiled.push((representation, origin));
        }
    }

    /// Whether a place is turned to because others gave what is no use.
    pub(super) fn turns_to(&self, representation: usize, origin: OriginId) -> bool {
        !self.is_spoiled(representation, origin)
            && self.spoiled.iter().any(|(other, _)| *other == representation)
    }

    pub(super) fn is_spoiled(&self, representation: usize, origin: OriginId) -> bool {
        self.spoiled.contains(&(representation, origin))
    }

    /// Leaves out the places that gave what is no use, if any others are left.
    pub(super) fn leave_out(&self, representation: usize, places: &mut Vec<Place>) {
        let good = |place: &Place| !self.is_spoiled(representation, place.origin);
        if places.iter().any(good) {
            places.retain(good);
        }
    }
}

impl Stream {
    /// Whether an outage is worth waiting for: something has been played, and nothing else is left to
    /// ask for.
    pub(super) fn is_patient(&self, world: &World<'_, '_>, key: Key) -> bool {
        world.cx.totals.startup.is_some() && !self.has_alternative(world.presentation, key)
    }

    /// Whether, should this representation fail, another is asked for.
    pub(in crate::stream) fn has_alternative(&self, presentation: &Presentation, key: Key) -> bool {
        let period = presentation.periods.get(key.period);
        let set = period.and_then(|period| period.sets.get(key.set));
        let count = set.map_or(0, |set| set.representations.len());
        let failed = &self.setbacks.failed;
        let new = usize::from(!failed.contains(&key.representation));
        failed.len() + new < count.min(MAX_FAILED + self.setbacks.recalled.len())
    }

    /// A place does not have all of a playlist, as it seems or as has shown: others are preferred from now on. Whether it
    /// was doubted less than so often.
    pub(super) fn doubt(&mut self, key: Key, origin: OriginId, most: usize) -> bool {
        let new = self.doubts(key, origin) < most;
        if new {
            self.doubted.push((key, origin));
        }
        new
    }

    /// How often a place was doubted.
    pub(super) fn doubts(&self, key: Key, origin: OriginId) -> usize {
        self.doubted.iter().filter(|doubted| **doubted == (key, origin)).count()
    }

    /// Whether a place is turned to because others are doubted.
    pub(super) fn turns_to(&self, key: Key, origin: OriginId) -> bool {
        self.doubts(key, origin) == 0 && self.doubted.iter().any(|(other, _)| *other == key)
    }

    /// Whether there is another place or representation to turn to.
    pub(super) fn is_elsewhere(&self, world: &mut World<'_, '_>, key: Key, error: &Error) -> bool {
        let (setbacks, now) = (&self.setbacks, world.cx.now);
        let spoiled = |place| setbacks.is_spoiled(key.representation, place);
        let origins = &mut world.requests.origins;
        self.has_alternative(world.presentation, key)
            || representation(world.presentation, key)
                .is_some_and(|one| origins.elsewhere(one, error, now, spoiled))
    }

    /// Whether, should this representation come too slowly, a smaller one is asked for.
    pub(super) fn has_smaller(&self, key: Key) -> bool {
        let usable =
            |index| !self.setbacks.failed.contains(&index) && !self.locked.contains(&index);
        self.kind == MediaKind::Video
            && self.pinned.is_none()
            && (0..key.representation).any(usable)
    }

    /// Looks for the next segment elsewhere than in this representation.
    pub(crate) fn avoid(&mut self, key: Key) {
        self.setbacks.failed.push(key.representation);
    }

    /// A representation could not deliver. Another may; when enough have been tried, none will.
    pub(in crate::stream) fn fail(
        &mut self,
        world: &mut World<'_, '_>,
        key: Key,
        error: Error,
    ) -> Result<(), Error> {
        if world.presentation.periods.get(key.period).is_none() {
            // The manifest went on without it: nobody needs it any more.
            return Ok(());
        }
        // The same may be had elsewhere, now that the place it came from is penalised.
        let now = world.cx.now;
        let (origins, setbacks) = (&mut world.requests.origins, &mut self.setbacks);
        if let Some(representation) = representation(world.presentation, key) {
            // To it nobody turns back, as well as it may do for others.
            if representation.has_playlist()
                && let Some(own) = representation.origins.first()
            {
                setbacks.spoil(key.representation, origins.find(own));
            }
            let spoiled = |place| setbacks.is_spoiled(key.representation, place);
            if setbacks.detours < MAX_DETOURS
                && origins.elsewhere(representation, &error, now, spoiled)
            {
                setbacks.detours += 1;
                return Ok(());
            }
        }
        self.fail_here(world, key, error)
    }

    /// The same, where it is not to be had from another place.
    pub(super) fn fail_here(
        &mut self,
        world: &mut World<'_, '_>,
        key: Key,
        error: Error,
    ) -> Result<(), Error> {
        if !self.setbacks.failed.contains(&key.representation) {
            self.setbacks.failed.push(key.representation);
            if matches!(error, Error::TooSlow { .. })
                && !self.setbacks.slow.contains(&key.representation)
            {
                self.setbacks.slow.push(key.representation);
                self.setbacks.recalled.push(key.representation);
            }
        }
        let alternatives = world
            .presentation
            .periods
            .get(key.period)
            .and_then(|period| period.sets.get(key.set))
            .map_or(0, |set| set.representations.len());
        let recalled = self.setbacks.recalled.len();
        if self.setbacks.failed.len() < alternatives.min(MAX_FAILED + recalled) {
            return Ok(());
        }
        if recalled == 0 {
            if let Some(gap) = self.setbacks.gap {
                self.setbacks = Setbacks::default();
                self.pass_gap(gap, world.playhead);
                return Ok(());
            }
            return if self.insist(world, key, &error) { Ok(()) } else { Err(error) };
        }
        // What was set aside is the last resort: it is asked for at once, but remembered to have failed.
        self.aside.iter_mut().for_each(|aside| aside.until = world.cx.now);
        let recalled = core::mem::take(&mut self.setbacks.recalled);
        self.setbacks.failed.retain(|index| !recalled.contains(index));
        Ok(())
    }

    /// Nothing is left but places that are penalised, or that sent what is no use: one of them may have it all the same,
    /// and before playback ends that is tried, once. Whether there is one.
    fn insist(&mut self, world: &mut World<'_, '_>, key: Key, error: &Error) -> bool {
        if core::mem::replace(&mut self.setbacks.insisted, true) {
            return false;
        }
        let period = world.presentation.periods.get_mut(key.period);
        let Some(set) = period.and_then(|period| period.sets.get_mut(key.set)) else {
            return false;
        };
        let mut found = false;
        for (index, representation) in set.representations.iter_mut().enumerate() {
            if !representation.has_playlist() {
                // All of its places were asked. One that sent a page in place of media may send media the next time.
                found |= error.is_of_content()
                    && (representation.origins.len() > 1
                        || !matches!(error, Error::Decryption { .. }));
            } else if let Some(other) =
                world.requests.origins.least_bad(representation, world.cx.now)
            {
                world.live.playlists.park(representation, Key { representation: index, ..key });
                representation.move_to(other);
                found = true;
            }
        }
        if found {
            self.setbacks.failed.clear();
            self.setbacks.spoiled.clear();
            self.aside.clear();
        }
        found
    }

    /// Not even the beginning of a representation could be had: asks for none of its segments for a
    /// while, or each would have to wait for the same failure.
    pub(in crate::stream) fn set_aside(&mut self, key: Key, now: Timestamp) {
        let before = self.aside.iter().position(|aside| aside.key == key);
        let times = before.map_or(0, |before| self.aside.swap_remove(before).times + 1);
        let until = now + (ASIDE * (1 << times.min(8))).min(LONGEST_ASIDE);
        self.aside.push(Aside { key, until, times });
    }

    /// Whether a representation was set aside, and nothing of it was had since.
    pub(super) fn was_aside(&self, key: Key) -> bool {
        self.aside.iter().any(|aside| aside.key == key)
    }

    /// Counts what is set aside among what failed.
    pub(super) fn recall(&mut self, set: usize, now: Timestamp) {
        self.aside.retain(|aside| now.since(aside.until) < FORGOTTEN_AFTER);
        for Aside { key, until, .. } in &self.aside {
            let index = key.representation;
            if *until > now
                && (key.period, key.set) == (self.period, set)
                && !self.setbacks.failed.contains(&index)
            {
                self.setbacks.failed.push(index);
                self.setbacks.recalled.push(index);
            }
        }
    }

    /// What was set aside long enough may be asked for again in place of what comes too slowly.
    pub(super) fn lift(&mut self, set: usize, now: Timestamp) {
        let (aside, period) = (&self.aside, self.period);
        let rests = |index: &usize| {
            let of_it = |one: &&Aside| {
                (one.key.period, one.key.set, one.key.representation) == (period, set, *index)
            };
            aside.iter().find(of_it).is_none_or(|one| one.until > now)
        };
        self.setbacks.failed.retain(rests);
        self.setbacks.recalled.retain(rests);
    }

    pub(in crate::stream) fn lose_init(
        &mut self,
        world: &mut World<'_, '_>,
        init: InitKey,
        error: Error,
    ) -> Result<(), Error> {
        let Some(lost) = self.inits.forget(init) else { return Ok(()) };
        let owner = representation(world.presentation, init.representation);
        // The place that did not deliver it may have been left for another, which lists one of its own.
        let left = owner.is_some_and(|owner| match &owner.segments {
            Segments::Known(index) => !index.inits().contains(&lost),
            _ => true,
        });
        if !left {
            self.set_aside(init.representation, world.cx.now);
        }
        if let Some(range) = self.replacing()
            && matches!(&self.fetch, Fetch::Segment { chosen, .. } if chosen.init == Some(init))
        {
            self.drop_fetch(world);
            self.leave_alone(range);
        }
        self.retract_replacements_of(world, init);
        let waiting = self.queue.iter_mut().find(|fetched| fetched.chosen.init == Some(init));
        let (from, setbacks) = match (waiting, &self.fetch) {
            // What failed before it came has not been made good.
            (Some(fetched), _) => {
                (fetched.chosen.segment.start, core::mem::take(&mut fetched.before))
            }
            (None, Fetch::Segment { chosen, .. }) if chosen.init == Some(init) => {
                (chosen.segment.start, core::mem::take(&mut self.setbacks))
            }
            _ => return Ok(()),
        };
        self.turn_back(world, from);
        self.setbacks = setbacks;
        if left {
            return Ok(());
        }
        self.fail(world, init.representation, error)
    }
}
