//! The journal as a host holds it.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use kinora_core::io::PlaybackStatus;
use kinora_core::time::{MediaTime, Timestamp};

use crate::happening::{EndReason, Interaction, ReportedPlayback};
use crate::outbox::{Moment, Outbox};
use crate::watch::{Observation, Watch, WatchId};

/// Events of a batch: the service takes 200.
const MOST_AT_ONCE: usize = 150;
/// Titles of a row: the service takes no more.
const MOST_TITLES: usize = 50;
/// Pauses after failures: doubled each time, with jitter.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// A service may ask for a longer one, up to this.
const LONGEST_ASKED: Duration = Duration::from_secs(3600);

/// Who tells, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Names this journal among all that the profile ever has: random, of letters and digits, 40 at most. The names of events
    /// begin with it, and its jitter comes from it.
    pub name: String,
    /// What the service is told that it runs on: `web`, `android`, `ios`, `tv`, `terminal` or `other`.
    pub platform: String,
    /// Sends what has gathered every so often.
    pub interval: Duration,
}

impl Default for Options {
    fn default() -> Self {
        let (name, platform) = (String::new(), "other".to_owned());
        Self { name, platform, interval: Duration::from_secs(30) }
    }
}

/// What came of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The service answered.
    Status {
        /// With this status.
        status: u16,
        /// And this in `Retry-After`.
        retry_after: Option<String>,
    },
    /// There was no answer.
    Unreachable,
    /// It was not sent, as nobody is signed in.
    Unsent,
}

/// What has happened and has no verdict yet, and the playbacks that are followed.
pub struct Journal {
    platform: String,
    outbox: Outbox,
    watches: BTreeMap<WatchId, Watch>,
    next: u64,
    /// What is under way.
    sending: Option<Sending>,
    /// Batches follow each other until nothing waits.
    going_on: bool,
    /// Events of the next batch.
    most: usize,
    /// Not before, whatever has gathered.
    not_before: Timestamp,
    failures: u32,
    jitter: u64,
}

struct Sending {
    numbers: RangeInclusive<u64>,
    count: usize,
}

impl Journal {
    /// A journal with nothing in it.
    pub fn new(options: Options, at: Moment) -> Self {
        let Options { name, platform, interval } = options;
        // FNV-1a
        let seed = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        Self {
            platform,
            jitter: name.bytes().fold(0xcbf2_9ce4_8422_2325, seed),
            outbox: Outbox::new(name, interval),
            watches: BTreeMap::new(),
            next: 0,
            sending: None,
            going_on: false,
            most: MOST_AT_ONCE,
            not_before: at.now,
            failures: 0,
        }
    }

    /// Takes over what an earlier journal of the profile kept; it is sent at once. What is no such thing is left out. If that
    /// journal still lives and sends it too, the service counts it once.
    pub fn adopt(&mut self, kept: &str, at: Moment) {
        if self.outbox.adopt(kept) {
            self.outbox.want(at.now);
        }
    }

    /// Follows a player through one playback, from before it loads.
    pub fn watch(&mut self, playback: ReportedPlayback, at: Moment) -> WatchId {
        let id = WatchId(self.next);
        self.next += 1;
        self.watches.insert(id, Watch::new(playback, at.now));
        id
    }

    /// The player told this; [`Observation::of`] makes it of an event.
    pub fn hear(&mut self, id: WatchId, observation: Observation, at: Moment) {
        let Some(watch) = self.watches.get_mut(&id) else { return };
        watch.hear(observation, at, &mut self.outbox);
        if watch.is_over() {
            self.watches.remove(&id);
        }
    }

    /// This is how the player is; to be told a few times a second.
    pub fn look(&mut self, id: WatchId, status: PlaybackStatus, position: MediaTime, at: Moment) {
        let Some(watch) = self.watches.get_mut(&id) else { return };
        watch.look(status, position, at, &mut self.outbox);
        // While something is played there is something to tell.
        if self.outbox.wanted().is_none() && self.sending.is_none() {
            self.outbox.rest(at.now, true);
        }
    }

    /// The viewer has left this playback. One that ended by itself, or failed, is over already.
    pub fn end(&mut self, id: WatchId, at: Moment) {
        if let Some(mut watch) = self.watches.remove(&id) {
            watch.end(EndReason::Left, at, &mut self.outbox);
        }
    }

    /// The viewer looks at this.
    pub fn tell(&mut self, interaction: &Interaction, at: Moment) {
        match interaction {
            Interaction::RowShown { row_id, title_ids } if title_ids.len() > MOST_TITLES => {
                let title_ids = title_ids.iter().take(MOST_TITLES).cloned().collect();
                self.outbox.add(&Interaction::RowShown { row_id: row_id.clone(), title_ids }, at);
            }
            interaction => self.outbox.add(interaction, at),
        }
    }

    /// Sends what has gathered as soon as it may be sent.
    pub fn flush(&mut self, at: Moment) {
        self.outbox.want(at.now);
    }

    /// When [`Self::batch`] has something; `None` while nothing waits, or something is under way.
    pub fn due(&self) -> Option<Timestamp> {
        match self.sending {
            Some(_) => None,
            None => self.outbox.wanted().map(|wanted| wanted.max(self.not_before)),
        }
    }

    /// The body of a `POST /v1/events` to be made now, if one is due. What comes of it is to be told by
    /// [`Self::answered`]; another may be due then at once.
    pub fn batch(&mut self, at: Moment) -> Option<String> {
        if self.due().is_none_or(|due| due > at.now) {
            return None;
        }
        if !self.going_on {
            self.progress(at);
            (self.going_on, self.most) = (true, MOST_AT_ONCE);
        }
        let Some(batch) = self.outbox.first(self.most) else {
            self.pause(at.now);
            return None;
        };
        self.sending = Some(Sending { numbers: batch.numbers(), count: batch.len() });
        Some(batch.body(&self.platform, at))
    }

    /// What came of the body that was handed out last.
    pub fn answered(&mut self, answer: &Answer, at: Moment) {
        let Some(Sending { numbers, count }) = self.sending.take() else { return };
        let (status, asked) = match answer {
            Answer::Status { status, retry_after } => (*status, retry_after.as_deref()),
            Answer::Unreachable => (0, None),
            Answer::Unsent => return self.pause(at.now),
        };
        match status {
            413 if count > 1 => self.most = count.div_ceil(2),
            // What the service will never take is not sent again, so that what comes after it is.
            200..=299 | 400 | 413 | 422 => {
                self.failures = 0;
                self.outbox.done(&numbers);
            }
            _ => return self.failed(asked, at.now),
        }
        if self.outbox.is_empty() {
            self.pause(at.now);
        } else {
            self.outbox.want(at.now);
        }
    }

    /// The viewer leaves: ends all that is followed, and has what waits due now, whatever was paused. A host waits until
    /// nothing is due, as long as it can; what has no verdict by then is in [`Self::kept`].
    pub fn leave(&mut self, at: Moment) {
        for watch in std::mem::take(&mut self.watches).values_mut() {
            watch.end(EndReason::Left, at, &mut self.outbox);
        }
        self.not_before = at.now;
        self.outbox.want(at.now);
    }

    /// What has no verdict, for [`Self::adopt`] of a later journal; `None` if that is nothing.
    pub fn kept(&self) -> Option<String> {
        self.outbox.kept()
    }

    /// Another number whenever [`Self::kept`] is something else.
    pub fn changes(&self) -> u64 {
        self.outbox.changes()
    }

    fn progress(&mut self, at: Moment) {
        for watch in self.watches.values_mut() {
            watch.progress(at, &mut self.outbox);
        }
    }

    fn failed(&mut self, asked: Option<&str>, now: Timestamp) {
        let doubled = FIRST_PAUSE.saturating_mul(1 << self.failures.min(16)).min(LONGEST_PAUSE);
        self.failures += 1;
        self.jitter = self.jitter.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        // From a half to the whole of it.
        let pause = doubled / 2 + doubled.mul_f64((self.jitter >> 33) as f64 / (1u64 << 32) as f64);
        let asked = asked.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
        self.not_before = now + pause.max(asked.unwrap_or_default().min(LONGEST_ASKED));
        self.going_on = false;
        self.outbox.want(self.not_before);
    }

    /// Goes on gathering.
    fn pause(&mut self, now: Timestamp) {
        self.going_on = false;
        self.outbox.rest(now, !self.watches.is_empty());
    }
}

#[cfg(test)]
mod tests;
