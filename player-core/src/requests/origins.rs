//! The places content is loaded from: which is healthy, which is preferred, and which is asked next.
//!
//! One state machine for all: `healthy` → (it fails) → `penalised` until an instant → `on probation`:
//! one request that has time to spare tries it → `healthy` again, or penalised for twice as long.
//! All streams share it, so that sound follows the picture.

use core::time::Duration;

use super::backoff::Dice;
use super::wish::{Place, Wish};
use crate::context::Context;
use crate::error::{Error, Severity};
use crate::io::{Event, RequestId};
use crate::presentation::{Origin, Representation, Segments};
use crate::telemetry::{OriginHealth, OriginState};
use crate::time::Timestamp;
use crate::url;

/// Names an origin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OriginId(u16);

/// No host is so late unless the device slept.
const OVERSLEPT: Duration = Duration::from_secs(5);
/// So many are told apart; those beyond share one health.
const MOST: usize = 256;
/// The order of what no manifest has named.
const UNNAMED: u16 = u16::MAX;
/// A penalty doubles up to this many times.
const MOST_DOUBLINGS: u32 = 4;
/// An origin on probation is tried only by who can wait so long for it,
const SPARE: Duration = Duration::from_secs(4);
/// or by anybody once it has been on probation for so long.
const LONG_AGO: Duration = Duration::from_secs(120);
/// A place that wants to be left alone for no longer than this is waited for.
const POLITE: Duration = Duration::from_secs(2);
/// A trial of which nothing is heard for so long was given up.
const LONGEST_PROBE: Duration = Duration::from_secs(15);
/// After so many penalties without a failure, earlier ones are forgotten.
const FORGOTTEN_AFTER: u32 = 10;

/// The places content is loaded from.
#[derive(Debug)]
pub(crate) struct Origins {
    known: Vec<Entry>,
    /// What a steering server prefers, best first. Origins that it does not name come last.
    preferred: Vec<String>,
    /// Where media came from last, and the last request by which that was seen.
    current: Option<(OriginId, RequestId)>,
    dice: Dice,
    /// So many have been named by manifests.
    named: u16,
}

#[derive(Debug)]
struct Entry {
    /// Its pathway, or scheme and host.
    name: String,
    priority: u32,
    /// Its place among those of equal priority, once a manifest has named it; of what has no other place, nobody asks.
    order: u16,
    /// There is another place for what it has.
    redundant: bool,
    /// Penalised until then; once that has passed, on probation.
    blocked_until: Option<Timestamp>,
    /// The server wants to be left alone until then.
    asked_until: Option<Timestamp>,
    /// Penalties, those long ago not counted.
    strikes: u32,
    failed_at: Timestamp,
    /// When the request left by which it is on probation.
    probed_at: Option<Timestamp>,
    failures: u32,
    /// Failures since the last success that may be of one resource alone.
    doubts: u32,
}

/// What has come of a wish so far.
#[derive(Clone, Debug)]
pub(super) struct Trial {
    /// When it was first asked for.
    pub(super) first: Timestamp,
    /// Attempts that count.
    pub(super) attempts: u32,
    pub(super) pauses: u32,
    /// Asking others again has not helped: who wants to be left alone is waited for.
    pub(super) waits: bool,
    /// Places asked in this round, one bit each.
    pub(super) tried: u64,
    /// Places that do not have it.
    pub(super) barred: u64,
    /// Those of them that may not have it yet.
    pub(super) early: u64,
}

impl Trial {
    pub(super) fn new(first: Timestamp) -> Self {
        Self { first, attempts: 0, pauses: 0, waits: false, tried: 0, barred: 0, early: 0 }
    }

    /// A host that hands in a timeout this much too late slept: what failed before says nothing, and
    /// no time was spent since.
    pub(super) fn wake_up(&mut self, due: Timestamp, now: Timestamp) {
        if now.since(due) >= OVERSLEPT {
            *self = Self { barred: self.barred, ..Self::new(now) };
        }
    }
}

/// Which place to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pick {
    pub(super) place: usize,
    /// It has not failed this wish in this round, and it is not penalised.
    pub(super) fresh: bool,
    /// Not before then.
    pub(super) not_before: Option<Timestamp>,
}

impl Origins {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            known: Vec::new(),
            preferred: Vec::new(),
            current: None,
            dice: Dice::new(seed),
            named: 0,
        }
    }

    /// The places of something of a representation, of which `url` is the address at the first of its
    /// origins.
    pub(crate) fn places(&mut self, representation: &Representation, url: &str) -> Vec<Place> {
        let origins = &representation.origins;
        let Some((own, others)) = origins.split_first() else { return self.place(url) };
        self.meet(origins);
        let first = Place { origin: self.find(own), url: url::with_query(url, &own.query) };
        let mut places = vec![first];
        for other in others {
            let moved = match &representation.segments {
                // The list of another place may name other files: it is to be loaded from there.
                Segments::Known(_) if representation.has_playlist() => None,
                Segments::Playlist { url: list } => (url == list).then(|| other.url.clone()),
                // An address may be that of the file itself.
                _ if url == own.url => Some(other.url.clone()),
                _ => other.moved(url, own),
            };
            if let Some(moved) = moved {
                let url = url::with_query(&moved, &other.query);
                places.push(Place { origin: self.find(other), url });
            }
        }
        places.truncate(64);
        places
    }

    /// The one place of what has no other.
    pub(crate) fn place(&mut self, url: &str) -> Vec<Place> {
        let origin = Origin { url: url.to_owned(), priority: 1, weight: 1, ..Origin::default() };
        vec![Place { origin: self.find(&origin), url: origin.url }]
    }

    /// Where a representation with a playlist is better loaded from than from where it is; its number
    /// among the origins. To be asked before each segment. `faults` weighs what places gave that was no use.
    pub(crate) fn better(
        &mut self,
        representation: &Representation,
        now: Timestamp,
        spare: Duration,
        faults: impl Fn(OriginId) -> usize,
    ) -> Option<usize> {
        if representation.origins.len() < 2 || !representation.has_playlist() {
            return None;
        }
        self.meet(&representation.origins);
        let own = self.find(representation.origins.first()?);
        // Who has to leave a bad place anyhow loses nothing by trying one that was bad.
        let leaves = faults(own) > 0 || self.entry(own).is_penalised(now);
        let spare = if leaves { Duration::MAX } else { spare };
        let rank = |this: &mut Self, origin: &Origin| {
            let id = this.find(origin);
            (faults(id), !this.entry(id).usable(now, spare), this.rank(id))
        };
        let own = rank(self, representation.origins.first()?);
        let mut best = (0, own);
        for (index, origin) in representation.origins.iter().enumerate().skip(1) {
            let rank = rank(self, origin);
            // Nothing is gained by moving from one bad place to another.
            if rank < best.1 && !rank.1 && (rank.0 == 0 || rank.0 < own.0) {
                best = (index, rank);
            }
        }
        (best.0 > 0).then_some(best.0)
    }

    /// Where else a representation has a playlist to turn to, should this place fail.
    pub(crate) fn detours(&mut self, representation: &Representation) -> Vec<OriginId> {
        let others = representation.origins.get(1..).filter(|_| representation.has_playlist());
        others.unwrap_or_default().iter().map(|origin| self.find(origin)).collect()
    }

    /// Whether any of these may be asked now.
    pub(super) fn any_open(&self, origins: &[OriginId], now: Timestamp) -> bool {
        origins.iter().any(|id| self.entry(*id).usable(now, Duration::MAX))
    }

    /// Whether what failed so can be had from a place that is not penalised, and was not asked for it already.
    pub(crate) fn elsewhere(
        &mut self,
        representation: &Representation,
        error: &Error,
        now: Timestamp,
        spoiled: impl Fn(OriginId) -> bool,
    ) -> bool {
        let mut others = match representation.has_playlist() {
            true => self.detours(representation),
            // A wish goes to every place by itself, unless what one of them sent was no use.
            false if representation.origins.len() > 1 && error.is_of_content() => {
                representation.origins.iter().map(|origin| self.find(origin)).collect()
            }
            false => Vec::new(),
        };
        others.retain(|id| !spoiled(*id));
        self.any_open(&others, now)
    }

    /// Which of the other places where a representation has a playlist is held least against.
    pub(crate) fn least_bad(
        &mut self,
        representation: &Representation,
        now: Timestamp,
    ) -> Option<usize> {
        let mut best = None;
        for (index, id) in self.detours(representation).into_iter().enumerate() {
            let entry = self.entry(id);
            let asked = entry.asked_until.filter(|until| *until > now);
            let key = (asked, entry.blocked_until, self.rank(id));
            if best.is_none_or(|(least, _)| key < least) {
                best = Some((key, index + 1));
            }
        }
        best.map(|(_, index)| index)
    }

    /// Whether every place of a wish is penalised.
    pub(super) fn all_penalised(&self, wish: &Wish, now: Timestamp) -> bool {
        wish.places.iter().all(|place| self.entry(place.origin).is_penalised(now))
    }

    /// Learns of origins that hold the same. Of those of equal priority one is drawn by weight (ETSI
    /// TS 103 285 §10.8.2.1), once; where no weight is stated, they are taken in order.
    fn meet(&mut self, origins: &[Origin]) {
        let unknown = |this: &Self, origin: &Origin| {
            !this.known.iter().any(|entry| entry.name == name(origin) && entry.order != UNNAMED)
        };
        let mut fresh: Vec<&Origin> = origins.iter().filter(|one| unknown(self, one)).collect();
        while !fresh.is_empty() {
            let lowest = fresh.iter().map(|origin| origin.priority).min().unwrap_or(0);
            let equals = || fresh.iter().filter(|origin| origin.priority == lowest);
            let stated = equals().any(|origin| origin.weight != 1);
            let weight = |origin: &Origin| if stated { origin.weight } else { 0 };
            let total = equals().fold(0u32, |sum, origin| sum.saturating_add(weight(origin)));
            let mut drawn = if total > 0 { self.dice.below(total) } else { 0 };
            let place = fresh.iter().position(|origin| {
                let hit = origin.priority == lowest && (drawn < weight(origin) || total == 0);
                if origin.priority == lowest {
                    drawn = drawn.saturating_sub(weight(origin));
                }
                hit
            });
            let origin = fresh.remove(place.unwrap_or(0));
            let OriginId(id) = self.find(origin);
            let order = self.named;
            if let Some(entry) =
                self.known.get_mut(usize::from(id)).filter(|one| one.order == UNNAMED)
            {
                // It may be where a manifest came from, which says nothing of it.
                (entry.priority, entry.order) = (origin.priority, order);
                self.named += 1;
            }
        }
        if origins.len() > 1 {
            for origin in origins {
                let OriginId(id) = self.find(origin);
                if let Some(entry) = self.known.get_mut(usize::from(id)) {
                    entry.redundant = true;
                }
            }
        }
    }

    /// The id of an origin, which becomes known by this.
    pub(crate) fn find(&mut self, origin: &Origin) -> OriginId {
        let name = name(origin);
        let known = self.known.iter().position(|entry| entry.name == name);
        let id = known.unwrap_or_else(|| {
            if self.known.len() < MOST {
                self.known.push(Entry {
                    name: name.to_owned(),
                    priority: origin.priority,
                    order: UNNAMED,
                    redundant: false,
                    blocked_until: None,
                    asked_until: None,
                    strikes: 0,
                    failed_at: Timestamp::default(),
                    probed_at: None,
                    failures: 0,
                    doubts: 0,
                });
            }
            self.known.len() - 1
        });
        OriginId(id as u16)
    }

    fn entry(&self, OriginId(id): OriginId) -> &Entry {
        // Ids come from `find` alone, and nothing is ever taken out.
        &self.known[usize::from(id)]
    }

    /// Lower is preferred: by what the steering server says, then by priority, then by order.
    fn rank(&self, OriginId(id): OriginId) -> (usize, u32, u16) {
        let entry = self.entry(OriginId(id));
        let steered = self.preferred.iter().position(|name| *name == entry.name);
        (steered.unwrap_or(self.preferred.len()), entry.priority, entry.order)
    }

    /// What a steering server prefers, best first.
    pub(crate) fn prefer(&mut self, pathways: Vec<String>) {
        self.preferred = pathways;
    }

    /// The pathway or host that media came from last; before there was any, the one preferred.
    pub(crate) fn pathway(&self) -> Option<&str> {
        match self.current {
            Some((id, _)) => Some(&self.entry(id).name),
            None => self.preferred.first().map(String::as_str),
        }
    }

    /// The pathway or host of an origin.
    pub(crate) fn name(&self, id: OriginId) -> &str {
        &self.entry(id).name
    }

    /// Media has come from an origin, by this request.
    pub(super) fn delivered(&mut self, cx: &mut Context<'_>, id: OriginId, request: RequestId) {
        if self.current.is_some_and(|(_, last)| last > request) {
            return;
        }
        let before = self.current.replace((id, request)).map(|(before, _)| before);
        if before != Some(id) && self.entry(id).redundant {
            let from = before.map(|before| self.entry(before).name.clone());
            let to = self.entry(id).name.clone();
            cx.out.event(Event::PathwayChanged { from, to });
        }
    }

    /// Which place of a wish to ask now, or by `last`; none if none has it.
    pub(super) fn pick(
        &self,
        wish: &Wish,
        trial: &mut Trial,
        (now, last): (Timestamp, Timestamp),
    ) -> Option<Pick> {
        let spare = wish.needed_by.map_or(Duration::ZERO, |needed| needed.since(now));
        let count = wish.places.len().min(64);
        let all = u64::MAX >> (64 - count.max(1));
        if (trial.tried | trial.barred) & all == all {
            trial.tried = 0;
            // What does not have it may have it by now. That is little, but better than to ask nobody but those that
            // are gone.
            let gone = |(place, each): (usize, &Place)| {
                trial.barred >> place & 1 == 1 || self.entry(each.origin).is_penalised(now)
            };
            if trial.barred & all != all && wish.places.iter().enumerate().take(count).all(gone) {
                trial.barred = 0;
            }
        }
        let again = trial.attempts > 0 && trial.tried == 0;
        let mut best: Option<(_, Pick)> = None;
        for (place, each) in wish.places.iter().enumerate().take(count) {
            if trial.barred >> place & 1 == 1 {
                continue;
            }
            let entry = self.entry(each.origin);
            let tried = trial.tried >> place & 1 == 1;
            let blocked = count > 1 && !entry.usable(now, spare);
            // Of several that want to be left alone, the one that may be asked first.
            let waits = entry
                .asked_until
                .filter(|until| *until > now + POLITE && (!trial.waits || *until > last));
            let key = (waits, tried, blocked, self.rank(each.origin));
            if best.is_none_or(|(least, ..)| key < least) {
                let fresh = !tried && !blocked && !again;
                let not_before = entry.asked_until.filter(|until| *until > now);
                best = Some((key, Pick { place, fresh, not_before }));
            }
        }
        best.map(|(_, pick)| pick)
    }

    /// A request to an origin leaves.
    pub(super) fn asked(&mut self, OriginId(id): OriginId, now: Timestamp) {
        if let Some(entry) = self.known.get_mut(usize::from(id))
            && entry.blocked_until.is_some_and(|until| until <= now)
        {
            entry.probed_at = Some(now);
        }
    }

    /// A request that left at `started` was answered well.
    pub(super) fn succeeded(&mut self, cx: &mut Context<'_>, id: OriginId, started: Timestamp) {
        let Some(entry) = self.known.get_mut(usize::from(id.0)) else { return };
        if started >= entry.failed_at {
            entry.doubts = 0;
        }
        if entry.blocked_until.is_none() || started < entry.failed_at {
            return;
        }
        entry.blocked_until = None;
        entry.probed_at = None;
        cx.out.event(Event::OriginRecovered { origin: entry.name.clone() });
    }

    /// A request that left at `started` was not answered, or with what is no use. Whether the origin
    /// was only being tried.
    pub(crate) fn failed(
        &mut self,
        cx: &mut Context<'_>,
        id: OriginId,
        started: Timestamp,
        error: &Error,
    ) -> bool {
        let now = cx.now;
        let Some(entry) = self.known.get_mut(usize::from(id.0)) else { return false };
        entry.failures = entry.failures.saturating_add(1);
        if !entry.redundant {
            return false;
        }
        // Several requests fail at once when an origin does: that is one failure.
        if entry.blocked_until.is_some_and(|until| until > now) || started < entry.failed_at {
            return false;
        }
        // One missing file, or one connection that broke, is not yet the end of an origin.
        let doubtful = matches!(error, Error::HttpStatus { .. } | Error::Interrupted { .. });
        if doubtful && entry.doubts == 0 && entry.blocked_until.is_none() {
            entry.doubts = 1;
            return false;
        }
        let penalty = cx.config.retry.penalty;
        if now.since(entry.failed_at) > penalty.saturating_mul(FORGOTTEN_AFTER) {
            entry.strikes = 0;
        }
        let probation = entry.blocked_until.is_some() && entry.probed_at == Some(started);
        entry.strikes = entry.strikes.saturating_add(1);
        entry.failed_at = now;
        entry.probed_at = None;
        let doublings = (entry.strikes - 1).min(MOST_DOUBLINGS);
        let until = now + penalty.saturating_mul(1 << doublings);
        entry.blocked_until = Some(until);
        cx.out.event(Event::OriginFailed {
            origin: entry.name.clone(),
            error: error.to_player_error(Severity::Recoverable),
            penalty: until.since(now),
        });
        probation
    }

    /// A server asks to be left alone for so long.
    pub(super) fn leave_alone(&mut self, OriginId(id): OriginId, until: Timestamp) {
        if let Some(entry) = self.known.get_mut(usize::from(id)) {
            entry.asked_until = Some(entry.asked_until.map_or(until, |known| known.max(until)));
        }
    }

    /// The device is on another network: what was held against origins no longer holds.
    pub(super) fn forgive(&mut self) {
        for entry in &mut self.known {
            entry.strikes = 0;
            entry.blocked_until = None;
            entry.probed_at = None;
        }
    }

    /// Whether there are at least two places to choose from.
    pub(super) fn another(&self, wish: &Wish, now: Timestamp) -> bool {
        let usable = |place: &&Place| self.entry(place.origin).usable(now, Duration::MAX);
        self.any_open(&wish.detours, now) || wish.places.iter().filter(usable).count() > 1
    }

    pub(crate) fn states(&self, now: Timestamp) -> Vec<OriginState> {
        let mut states = Vec::new();
        for entry in &self.known {
            let until = entry.blocked_until.filter(|until| *until > now);
            let health = match (until, entry.blocked_until) {
                (Some(_), _) => OriginHealth::Penalised,
                (None, None) => OriginHealth::Healthy,
                (None, Some(_)) => OriginHealth::Probation,
            };
            let name = entry.name.clone();
            states.push(OriginState { name, health, until, failures: entry.failures });
        }
        states
    }
}

impl Entry {
    fn is_penalised(&self, now: Timestamp) -> bool {
        self.blocked_until.is_some_and(|until| until > now)
    }

    /// Whether it can be asked by who can wait so long for another.
    fn usable(&self, now: Timestamp, spare: Duration) -> bool {
        if self.asked_until.is_some_and(|until| until > now) {
            return false;
        }
        match self.blocked_until {
            None => true,
            Some(until) if until > now => false,
            // On probation: one at a time, and by who has the time.
            Some(until) => {
                let being_tried = self.probed_at.is_some_and(|at| now.since(at) < LONGEST_PROBE);
                !being_tried && (spare >= SPARE || now.since(until) >= LONG_AGO)
            }
        }
    }
}

/// What an origin is known by: its pathway, or scheme and host.
fn name(origin: &Origin) -> &str {
    origin.pathway.as_deref().unwrap_or_else(|| url::site(&origin.url))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::{MediaKind, RequestKind};
    use crate::time::MediaTime;

    fn origin(url: &str, priority: u32, weight: u32) -> Origin {
        Origin { url: url.to_owned(), priority, weight, ..Origin::default() }
    }

    /// Which of those a segment is asked of first, in a session whose manifest came from `a.example`.
    fn first_of(seed: u64, all: &[Origin]) -> String {
        let mut origins = Origins::new(seed);
        origins.place("https://a.example/manifest.mpd");
        let url = format!("{}1.m4s", all[0].url);
        let segments = Segments::IndexBox {
            url: url.clone(),
            range: None,
            init: None,
            media_offset: MediaTime::ZERO,
            end: None,
        };
        let mut representation = Representation::new("v", 1, segments);
        representation.origins = all.to_vec();
        let places = origins.places(&representation, &url);
        let wish = Wish::new(RequestKind::Segment(MediaKind::Video), places);
        let now = Timestamp::default();
        let pick = origins.pick(&wish, &mut Trial::new(now), (now, now)).expect("a place");
        wish.places[pick.place].url.clone()
    }

    #[test]
    fn where_the_manifest_came_from_is_no_better_than_it_says() {
        let (a, b) = ("https://a.example/", "https://b.example/");
        let first = first_of(1, &[origin(b, 1, 1), origin(a, 2, 1)]);
        assert_eq!(first, "https://b.example/1.m4s", "by priority");
        let first = first_of(1, &[origin(b, 1, 1), origin(a, 1, 1)]);
        assert_eq!(first, "https://b.example/1.m4s", "by the author's order");
        let weighed = [origin(a, 1, 10), origin(b, 1, 90)];
        let drawn = |seed: &u64| {
            first_of(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15), &weighed).contains("b.")
        };
        let count = (0..1_000).filter(drawn).count();
        assert!((850..950).contains(&count), "{count} of 1000 by a weight of 90 in 100");
    }

    #[test]
    fn what_was_asked_of_it_during_its_penalty_is_no_trial() {
        let mut origins = Origins::new(1);
        let id = origins.find(&origin("https://a.example/", 1, 1));
        let at = |second: u64| Timestamp::from_micros(second * 1_000_000);
        origins.known[usize::from(id.0)].blocked_until = Some(at(30));
        // All others were gone, too.
        origins.asked(id, at(29));
        let usable =
            |origins: &Origins, second| origins.entry(id).usable(at(second), Duration::MAX);
        assert!(!usable(&origins, 29) && usable(&origins, 30));
        origins.asked(id, at(30));
        assert!(!usable(&origins, 31), "one at a time");
    }

    #[test]
    fn a_backup_of_a_playlist_is_not_better_for_being_where_the_manifest_is() {
        let mut origins = Origins::new(1);
        origins.place("https://a.example/master.m3u8");
        let url = "https://b.example/v.m3u8".to_owned();
        let mut representation =
            Representation::new("v", 1, Segments::Playlist { url: url.clone() });
        representation.origins = vec![origin(&url, 1, 1), origin("https://a.example/v.m3u8", 1, 1)];
        let better = origins.better(&representation, Timestamp::default(), Duration::ZERO, |_| 0);
        assert_eq!(better, None);
    }

    #[test]
    fn of_two_that_want_to_be_left_alone_the_one_that_may_be_asked_first_is_waited_for() {
        let mut origins = Origins::new(1);
        let urls = ["https://a.example/1.m4s", "https://b.example/1.m4s"];
        let segments = Segments::Playlist { url: urls[0].to_owned() };
        let mut representation = Representation::new("v", 1, segments);
        representation.origins = urls.map(|url| origin(url, 1, 1)).to_vec();
        let places = origins.places(&representation, urls[0]);
        let wish = Wish::new(RequestKind::Initialization(MediaKind::Audio), places);
        let at = |second: u64| Timestamp::from_micros(second * 1_000_000);
        for (place, until) in wish.places.iter().zip([at(29), at(5)]) {
            origins.leave_alone(place.origin, until);
        }
        let pick = origins.pick(&wish, &mut Trial::new(at(0)), (at(0), at(30))).expect("a place");
        assert_eq!((pick.place, pick.not_before), (1, Some(at(5))));
    }

    #[test]
    fn nobody_moves_between_places_that_are_equally_bad() {
        let mut origins = Origins::new(1);
        let places = ["https://a.example/v.m3u8", "https://b.example/v.m3u8"];
        let url = places[1].to_owned();
        let mut representation = Representation::new("v", 1, Segments::Playlist { url });
        representation.origins = [1, 0].map(|place| origin(places[place], 1, 1)).to_vec();
        origins.prefer(vec!["https://a.example".to_owned()]);
        let ids = places.map(|url| origins.find(&origin(url, 1, 1)));
        let mut better = |faults: [usize; 2]| {
            let now = Timestamp::default();
            let faults = |id| if id == ids[0] { faults[0] } else { faults[1] };
            origins.better(&representation, now, Duration::ZERO, faults)
        };
        assert_eq!(better([0, 0]), Some(1), "the one preferred");
        assert_eq!((better([1, 0]), better([1, 1])), (None, None));
        assert_eq!((better([1, 2]), better([0, 1])), (Some(1), Some(1)));
    }
}
