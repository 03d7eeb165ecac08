//! What a viewer notices.

use std::time::Duration;

use kinora_core::config::RetryBudget;
use kinora_core::error::ErrorCode;
use kinora_core::io::{ElementState, Event, MediaKind, Source};
use kinora_core::time::{MediaTime, Timestamp};

use super::{Invariant, Invariants, Scene, Truth};
use crate::world::content::{Film, Origin, Struck};

/// A playhead that could move and does not for so long, nothing being wrong, is stuck.
const PATIENCE: Duration = Duration::from_secs(20);
/// Who has played moved by no more than this beyond what the time that passed makes.
const A_FRAME: MediaTime = MediaTime::from_millis(40);
/// So often a second may a player want to be woken.
const MAX_WAKES: u32 = 200;
/// What the viewer insists on may take the time of so many such segments: one that was on its way, that one, and its sound.
const INSISTED_SEGMENTS: f64 = 3.0;
/// A quality whose beginning could not be had is left alone for so long, the attempts at it included.
const ASIDE: Duration = Duration::from_secs(80);
/// A segment is looked for in so many qualities.
const QUALITIES_TRIED: usize = 3;

#[derive(Debug, Default)]
pub(super) struct Playback {
    loaded: bool,
    /// What is loaded is an MPD: segments that it has no list of are listed by its clock, not by the source's.
    by_clock: bool,
    failed: bool,
    ready: bool,
    ended: bool,
    playing: bool,
    /// Where the playhead was last seen, and since when.
    place: MediaTime,
    /// For how long it could have moved on.
    stuck: Duration,
    /// For how long it has waited for what a broadcast owed it.
    owed: Duration,
    looked: Timestamp,
    /// Faults that had struck when it last moved.
    struck: usize,
    /// Until when the slowest of them may take.
    excused_until: Timestamp,
    /// The viewer insisted on a quality while the playhead stood.
    insisted: bool,
    /// The segment of the picture asked for last.
    asked: Option<Truth>,
    /// What could have come since then, or since the last fault, in bits.
    carried: f64,
    /// How many faults had struck by then.
    struck_while_standing: usize,
    /// The largest segment of the picture asked for since the playhead last moved, or just before, and the last, in bits.
    heaviest: f64,
    last: f64,
    paused: bool,
    second: u64,
    wakes: u32,
}

impl Playback {
    pub(super) fn load(&mut self, now: Timestamp, source: &Source) {
        let by_clock = source.url.ends_with(".mpd");
        *self =
            Self { loaded: true, by_clock, looked: now, struck: self.struck, ..Self::default() };
    }

    pub(super) fn unload(&mut self) {
        self.loaded = false;
    }

    /// The playhead is somewhere else, for a good reason.
    pub(super) fn moved(&mut self, now: Timestamp) {
        (self.stuck, self.owed) = (Duration::ZERO, Duration::ZERO);
        self.looked = now;
        self.ended = false;
    }

    /// What was asked for can be had in no lower quality, although there are some.
    fn has_no_choice(&self, scene: &Scene<'_>, now: Timestamp) -> bool {
        let Some(asked) = &self.asked else { return false };
        let lost = |url: &str| {
            let folder = url.rsplit_once('/').map_or("", |(folder, _)| folder);
            scene.origin.struck.iter().any(|struck| {
                let begins = struck.url.starts_with(folder) && !struck.url.ends_with(".m4s");
                struck.is_final && struck.url == url || begins && now.since(struck.at) < ASIDE
            })
        };
        let lower = scene.origin.lower(asked);
        !lower.is_empty() && lower.into_iter().all(lost)
    }

    pub(super) fn element(&mut self, _: Timestamp, state: &ElementState) {
        if state.paused != self.paused {
            self.paused = state.paused;
            self.playing = false;
        }
        if !state.ended {
            self.ended = false;
        }
    }
}

impl Invariants {
    pub(super) fn woken(&mut self) {
        let second = self.now.micros() / 1_000_000;
        let playback = &mut self.playback;
        if playback.second != second {
            (playback.second, playback.wakes) = (second, 0);
        }
        playback.wakes += 1;
        if playback.wakes == MAX_WAKES {
            self.violate(Invariant::Spin, format!("woken {MAX_WAKES} times in a second"));
        }
    }

    /// A segment of the picture is about to be asked for.
    pub(super) fn choose(&mut self, truth: &Truth) {
        self.playback.asked = Some(truth.clone());
    }

    /// A segment of the picture, of so many bytes, has been asked for.
    pub(in crate::world) fn weigh(&mut self, bytes: u64) {
        let playback = &mut self.playback;
        playback.last = bytes as f64 * 8.0;
        playback.heaviest = playback.heaviest.max(playback.last);
    }

    /// Time has passed; `kbps` is what the network could deliver meanwhile, none if that was too little.
    pub(in crate::world) fn stepped(&mut self, scene: &Scene<'_>, kbps: Option<f64>) {
        let now = self.now;
        let element = scene.element;
        let playback = &mut self.playback;
        let elapsed = now.since(playback.looked);
        playback.looked = now;
        let wants_to = playback.loaded
            && !playback.failed
            && !element.paused
            && !element.has_ended()
            && element.rate() > 0.0
            && element.error().is_none();
        // To be put elsewhere is not to play.
        let moved = element.position - playback.place;
        let most = MediaTime::from_seconds(elapsed.as_secs_f64() * element.rate()) + A_FRAME;
        let jumps = playback.ready && (moved < MediaTime::ZERO || moved > most);
        if !wants_to || moved != MediaTime::ZERO && !jumps {
            if wants_to && playback.ready && kbps.is_some() {
                self.hears_choice(elapsed, scene);
            }
            let playback = &mut self.playback;
            playback.place = element.position;
            (playback.stuck, playback.owed) = (Duration::ZERO, Duration::ZERO);
            (playback.carried, playback.heaviest) = (0.0, playback.last);
            playback.insisted = false;
            let struck = &scene.origin.struck;
            for fault in &struck[playback.struck.min(struck.len())..] {
                // A transfer that crawls is only missed once the buffer has run dry, and has its time from when it began.
                playback.excused_until = playback.excused_until.max(now + fault.patience);
            }
            playback.struck = struck.len();
            playback.struck_while_standing = 0;
            return;
        }
        playback.place = element.position;
        let live = scene.origin.broadcast.as_ref();
        playback.insisted |= self.viewer.pinned;
        if jumps && playback.insisted {
            // What the viewer insists on begins to come anew there.
            (playback.stuck, playback.carried) = (Duration::ZERO, 0.0);
        }
        if playback.by_clock && live.is_some_and(|live| live.lists_nothing(now)) {
            return;
        }
        if let Some(live) = live.filter(|live| live.owes(element.position, now)) {
            playback.owed += elapsed;
            if playback.owed < live.lateness(now) {
                return;
            }
        }
        let Some(kbps) = kbps.filter(|_| live.is_none_or(|live| live.goes_on(now))) else { return };
        playback.stuck += elapsed;
        let trickles = scene.origin.struck.iter().rev().find_map(|struck| {
            let asked = playback.asked.as_ref()?;
            let folder = format!("/{}/", asked.representation);
            struck.kbps.filter(|_| struck.url.contains(&folder))
        });
        // Where the viewer insists on it, what trickles is all there is.
        let kbps = trickles.map_or(kbps, |most| kbps.min(most as f64));
        playback.carried += kbps * 1_000.0 * elapsed.as_secs_f64();
        let faults = &scene.origin.struck[playback.struck.min(scene.origin.struck.len())..];
        if std::mem::replace(&mut playback.struck_while_standing, faults.len()) < faults.len() {
            // What was asked for before that begins to come anew.
            playback.carried = 0.0;
        }
        // A segment that was begun on a network that then got slower takes its time, even if another
        // quality is asked for instead; one that the viewer insists on takes as long as it takes.
        let segment = self.requests.segment().to_duration();
        let carries = playback.carried < INSISTED_SEGMENTS * playback.heaviest;
        let bound =
            PATIENCE + segment + faults.iter().map(|fault| fault.patience).sum::<Duration>();
        if playback.stuck > bound
            && now >= playback.excused_until
            && !(carries && (playback.insisted || playback.has_no_choice(scene, now)))
        {
            let what = format!(
                "the playhead has stood at {} for {:.1} s on a network that could deliver",
                playback.place,
                playback.stuck.as_secs_f64()
            );
            playback.stuck = Duration::ZERO;
            self.violate(Invariant::Liveness, what);
        }
    }

    /// The playhead has moved on; what is heard must sooner or later be what was chosen.
    fn hears_choice(&mut self, elapsed: Duration, scene: &Scene<'_>) {
        if self.now < self.playback.excused_until {
            return;
        }
        let Some((index, since)) = &mut self.viewer.audio else { return };
        *since += elapsed;
        let position = scene.element.position;
        let chunk = scene.element.chunks(MediaKind::Audio);
        let chunk = chunk.iter().find(|chunk| chunk.range.contains(position));
        let Some(truth) = chunk.and_then(|chunk| scene.origin.truth(&chunk.name)) else { return };
        let chosen = Film::audio_name(*index);
        if truth.representation == chosen {
            // Soon after a seek, or until more of it has come, what another track left there may still be heard.
            *since = Duration::ZERO;
        } else if *since >= PATIENCE && scene.origin.has_representation(&chosen) {
            let what =
                format!("{} is heard at {position}, {index} was chosen", truth.representation);
            self.violate(Invariant::Track, what);
        }
    }

    /// The player tells the app.
    pub(in crate::world) fn event(&mut self, event: &Event, scene: &Scene<'_>) {
        let playback = &mut self.playback;
        let mut wrong = None;
        // Who leaves takes the cues along.
        let leaves = *event == Event::CuesCleared;
        if playback.failed && !leaves {
            wrong = Some("an event after a fatal error");
        }
        if !playback.loaded && !leaves && !matches!(event, Event::Warning(_)) {
            wrong = Some("an event with nothing loaded");
        }
        match event {
            Event::Ready if std::mem::replace(&mut playback.ready, true) => {
                wrong = Some("ready twice");
            }
            Event::Playing => {
                if std::mem::replace(&mut playback.playing, true) {
                    wrong = Some("playing twice");
                }
                playback.ended = false;
            }
            Event::Buffering { .. } => playback.playing = false,
            Event::Ended => {
                playback.playing = false;
                if std::mem::replace(&mut playback.ended, true) {
                    wrong = Some("ended twice");
                }
            }
            Event::Cues(cues) => self.cues(cues, scene),
            Event::CuesCleared => self.text.clear(),
            Event::Error(error) => {
                playback.failed = true;
                if !justified(error, scene, &self.retry, self.now) {
                    let what = format!("{error:?} has no cause in this world");
                    self.violate(Invariant::Fatal, what);
                }
            }
            _ => {}
        }
        if let Some(what) = wrong {
            self.violate(Invariant::Status, format!("{what}: {event:?}"));
        }
    }
}

/// Whether the world gave a cause for a fatal error.
fn justified(
    error: &kinora_core::PlayerError,
    scene: &Scene<'_>,
    retry: &RetryBudget,
    now: Timestamp,
) -> bool {
    let element = scene.element;
    match error.code {
        ErrorCode::MediaDecode | ErrorCode::MediaElement => element.error().is_some(),
        ErrorCode::MediaNotSupported => {
            let faults = &element.faults;
            faults.refuses_change_type
                || faults.refuses_types.is_some()
                || faults.decodes_lines.is_some()
        }
        ErrorCode::BufferTooSmall => {
            element.quota < 2 * scene.origin.largest_segment()
                || element.faults.quota_at_append.is_some()
        }
        // What is not what it was: the media, or the key.
        ErrorCode::DecryptionFailed => scene.origin.struck.iter().any(|struck| {
            let of_it = error.url.as_deref() == Some(&*struck.url) || struck.url.contains("/key-");
            of_it && matches!(struck.name, "replaced" | "corrupt" | "truncated-quietly")
        }),
        _ => error.url.as_deref().is_some_and(|url| cannot_be_had(url, scene.origin, retry, now)),
    }
}

/// Whether everything that could be tried for a resource has failed: all attempts, and of a segment
/// all qualities that a player tries.
fn cannot_be_had(url: &str, origin: &Origin, retry: &RetryBudget, now: Timestamp) -> bool {
    let file = |url: &str| url.rsplit('/').next().unwrap_or_default().to_owned();
    // Hosts that have the same have it under the same path.
    let path = |url: &str| {
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        rest.split_once('/').map_or(rest, |(_, path)| path).to_owned()
    };
    let failed = |url: &str| {
        let wanted = path(url);
        let (mut weight, mut silence) = (origin.interruptions, Duration::ZERO);
        for struck in origin.struck.iter().filter(|struck| path(&struck.url) == wanted) {
            weight += if struck.is_final { retry.attempts } else { 1 };
            silence += match struck.name {
                "silence" | "delay" => retry.first_byte_timeout,
                "stalled" => retry.stall_timeout,
                // By then it has been looked at twice.
                "slow-loris" => retry.stall_timeout * 3 / 2,
                _ => Duration::ZERO,
            };
        }
        // Waiting for a connection, and for a network that was gone, takes time as well.
        let lately = origin.struck.iter().filter(|struck| path(&struck.url) == wanted);
        let lately = lately.filter(|struck| now.since(struck.at) < 2 * retry.time);
        let (count, since) = lately.fold((0, Duration::ZERO), |(count, since), struck| {
            (count + 1, since.max(now.since(struck.at)))
        });
        // No attempt begins when the time is used up, however few there were.
        weight >= retry.attempts || silence >= retry.time || count > 1 && since >= retry.time
    };
    if origin.body(url).is_none() {
        return true;
    }
    if !failed(url) {
        return false;
    }
    // All of a representation is lost with its playlist, index or initialisation segment.
    let beginning_failed = |segment: &str| {
        let folder = segment.rsplit_once('/').map_or("", |(folder, _)| folder);
        let lost =
            |struck: &&Struck| struck.url.starts_with(folder) && !struck.url.ends_with(".m4s");
        origin.struck.iter().filter(lost).any(|struck| failed(&struck.url))
    };
    let name = file(url);
    let Some(truth) = origin.truth(&format!("{url}#0")) else { return true };
    if truth.kind == MediaKind::Audio {
        return true;
    }
    let elsewhere = origin.representations(truth.number);
    let lost = |other: &&&str| file(other) == name && failed(other) || beginning_failed(other);
    let tried = elsewhere.iter().filter(lost).count();
    tried >= elsewhere.len().min(QUALITIES_TRIED)
}
