//! One load: from the manifest's request to the last frame.

use crate::config::RetryConfig;
use crate::context::Context;
use crate::error::Error;
use crate::io::{
    BodyHandling, ElementState, Event, Input, MediaCommand, MediaFailure, MediaKind, OperationId,
    OperationResult, PlaybackStatus, Quality, RequestKind, Selection, Source, SourceFormat,
    TrackInfo, Warning,
};
use crate::manifest;
use crate::playback::Playback;
use crate::presentation::{Presentation, SwitchingSet};
use crate::stream::choice;
use crate::stream::requests::{Outcome, Requests, Ticket, Wish};
use crate::stream::timeline::Timeline;
use crate::stream::{Stream, World};
use crate::support;
use crate::telemetry::{State, TimerReason, TimerState};
use crate::time::{MediaTime, Timestamp};

/// No stream fetches so much further than another: sound far ahead is no use while the picture is
/// late, and takes the bandwidth that the picture waits for.
const MAX_LEAD: MediaTime = MediaTime::from_secs(4);
/// A hole up to this wide is jumped over.
const MAX_GAP: MediaTime = MediaTime::from_secs(2);

/// One load.
#[derive(Debug)]
pub(crate) struct Session {
    source: Source,
    loaded_at: Timestamp,
    manifest: Option<Ticket>,
    requests: Requests,
    playback: Playback,
    timeline: Timeline,
    presentation: Option<Presentation>,
    streams: Vec<Stream>,
    opening: OperationId,
    /// Operations on the element as a whole that have not been answered.
    operations: Vec<OperationId>,
    /// The last seek of them.
    seeking: Option<OperationId>,
    attached: bool,
    end_of_stream: bool,
    rate: f64,
    shown: Vec<(MediaKind, Quality)>,
}

impl Session {
    /// Asks for the manifest, and for an empty media source meanwhile.
    pub(crate) fn start(cx: &mut Context<'_>, source: Source, rate: f64) -> Self {
        let mut requests = Requests::new(cx.config.seed);
        let opening = cx.out.media(MediaCommand::Open);
        let wish = Wish {
            kind: RequestKind::Manifest,
            url: source.url.clone(),
            range: None,
            body: BodyHandling::Deliver,
            rung: None,
        };
        let manifest = Some(requests.start(cx, wish));
        let start = source.start.unwrap_or(MediaTime::ZERO).max(MediaTime::ZERO);
        Self {
            source,
            loaded_at: cx.now,
            manifest,
            requests,
            playback: Playback::new(cx.now, start),
            timeline: Timeline::default(),
            presentation: None,
            streams: Vec::new(),
            opening,
            operations: vec![opening],
            seeking: None,
            attached: false,
            end_of_stream: false,
            rate,
            shown: Vec::new(),
        }
    }

    /// Gives everything back.
    pub(crate) fn close(mut self, cx: &mut Context<'_>) {
        self.requests.cancel_all(cx);
        cx.out.media(MediaCommand::Close);
    }

    pub(crate) fn handle(&mut self, cx: &mut Context<'_>, input: Input) {
        if self.playback.status() == PlaybackStatus::Failed {
            return;
        }
        let result = self.dispatch(cx, input).and_then(|()| self.advance(cx));
        if let Err(error) = result {
            self.requests.cancel_all(cx);
            self.playback.fail(cx);
            cx.out.fatal(&error);
        }
    }

    fn dispatch(&mut self, cx: &mut Context<'_>, input: Input) -> Result<(), Error> {
        match input {
            Input::Timeout => {
                while let Some(outcome) = self.requests.tick(cx) {
                    self.take(cx, outcome)?;
                }
                Ok(())
            }
            Input::Seek(to) => {
                self.seek(cx, to);
                Ok(())
            }
            Input::SetRate(rate) => self.set_rate(cx, rate),
            Input::Select(selection) => self.select(cx, selection),
            Input::Configure(_) => {
                self.streams.iter_mut().for_each(Stream::reconsider);
                Ok(())
            }
            Input::Element(element) => self.take_element(cx, element),
            Input::MediaResult { id, result } => self.take_result(cx, id, &result),
            input => match self.requests.handle(cx, input) {
                Some(outcome) => self.take(cx, outcome),
                None => Ok(()),
            },
        }
    }

    /// After any input: whatever can be done next.
    fn advance(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        self.each_stream(cx, |stream, world| stream.pump(world))?;
        if !self.attached && self.attach(cx) {
            self.each_stream(cx, |stream, world| stream.pump(world))?;
        }
        self.jump_gap(cx);
        self.finish(cx);
        self.report_quality(cx);
        Ok(())
    }

    fn each_stream(
        &mut self,
        cx: &mut Context<'_>,
        mut act: impl FnMut(&mut Stream, &mut World<'_, '_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let Some(presentation) = &mut self.presentation else { return Ok(()) };
        let slowest = self.streams.iter().filter_map(Stream::front).min();
        let mut world = World {
            fetch_limit: slowest.map_or(MediaTime::MAX, |slowest| slowest + MAX_LEAD),
            playhead: self.playback.playhead(cx.now),
            phase: self.playback.phase(),
            rate: self.playback.rate(),
            attached: self.attached,
            cx,
            presentation,
            requests: &mut self.requests,
            timeline: &mut self.timeline,
        };
        self.streams.iter_mut().try_for_each(|stream| act(stream, &mut world))
    }

    // ---- requests -----------------------------------------------------------------------------------

    fn take(&mut self, cx: &mut Context<'_>, outcome: Outcome) -> Result<(), Error> {
        match outcome {
            Outcome::Delivered { ticket, body, url, content_type }
                if self.manifest == Some(ticket) =>
            {
                self.manifest = None;
                self.take_manifest(cx, &body, &url, content_type)
            }
            Outcome::Failed { ticket, error } if self.manifest == Some(ticket) => Err(error),
            outcome => {
                let mut left = Some(outcome);
                self.each_stream(cx, |stream, world| {
                    if let Some(outcome) = left.take() {
                        left = stream.handle(world, outcome)?;
                    }
                    Ok(())
                })
            }
        }
    }

    fn take_manifest(
        &mut self,
        cx: &mut Context<'_>,
        body: &[u8],
        url: &str,
        content_type: Option<String>,
    ) -> Result<(), Error> {
        let sniffed = manifest::sniff(body, content_type.as_deref());
        let parsed = match sniffed.or(self.source.format) {
            Some(SourceFormat::Hls) => manifest::hls::parse(body, url),
            Some(SourceFormat::Dash) => manifest::dash::parse_mpd(body, url),
            None => return Err(Error::UnknownFormat { url: url.to_owned(), content_type }),
        };
        let parsed = parsed.map_err(|error| Error::Manifest { url: url.to_owned(), error })?;
        for warning in parsed.warnings {
            cx.out.warn(Warning::Manifest {
                url: url.to_owned(),
                line: warning.line,
                message: warning.message,
            });
        }
        let mut presentation = parsed.value;
        support::keep_playable(&mut presentation).map_err(|feature| Error::Unsupported {
            url: url.to_owned(),
            feature: feature.to_owned(),
        })?;
        let start = self.playback.playhead(cx.now);
        for kind in [MediaKind::Video, MediaKind::Audio] {
            let sets = choose_sets(&presentation, kind, |set| set.default);
            if sets.iter().any(Option::is_some) {
                self.streams.push(Stream::new(kind, sets, start));
            }
        }
        if self.streams.is_empty() {
            return Err(Error::NothingPlayable { url: url.to_owned() });
        }
        self.presentation = Some(presentation);
        // Enters the period of the start position.
        self.each_stream(cx, |stream, world| {
            stream.seek(world, start);
            Ok(())
        })
    }

    // ---- the platform -------------------------------------------------------------------------------

    /// Asks for the platform's buffers once every stream knows its type. Whether that was now.
    fn attach(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(presentation) = &mut self.presentation else { return false };
        let types: Option<Vec<String>> =
            self.streams.iter().map(|stream| stream.initial_mime_type(presentation)).collect();
        let Some(types) = types else { return false };
        let known_end =
            self.streams.iter().filter_map(|stream| stream.known_end(presentation)).max();
        presentation.duration = presentation.duration.or(known_end);
        for (stream, mime_type) in self.streams.iter_mut().zip(types) {
            let command =
                MediaCommand::AddBuffer { kind: stream.kind, mime_type: mime_type.clone() };
            self.operations.push(cx.out.media(command));
            stream.attach(mime_type);
        }
        if let Some(duration) = presentation.duration {
            self.operations.push(cx.out.media(MediaCommand::SetDuration(duration)));
        }
        if self.rate != 1.0 {
            self.operations.push(cx.out.media(MediaCommand::SetRate(self.rate)));
        }
        cx.out.event(Event::Loaded {
            duration: presentation.duration,
            live: presentation.live.is_some(),
            tracks: tracks(presentation, &self.streams),
        });
        let end = presentation.duration.unwrap_or(MediaTime::MAX);
        let start = self.playback.playhead(cx.now).min(end);
        if start > MediaTime::ZERO {
            self.move_element(cx, start);
        }
        self.attached = true;
        true
    }

    fn move_element(&mut self, cx: &mut Context<'_>, to: MediaTime) {
        let operation = cx.out.media(MediaCommand::Seek(to));
        self.operations.push(operation);
        self.seeking = Some(operation);
        self.playback.seek(to);
    }

    fn take_result(
        &mut self,
        cx: &mut Context<'_>,
        id: OperationId,
        result: &OperationResult,
    ) -> Result<(), Error> {
        if let Some(position) = self.operations.iter().position(|known| *known == id) {
            self.operations.remove(position);
            if self.seeking == Some(id) {
                self.seeking = None;
            }
            return match result {
                OperationResult::Done { .. } => Ok(()),
                OperationResult::Failed(MediaFailure::NotSupported(reason))
                    if id != self.opening =>
                {
                    Err(Error::NotSupported {
                        kind: MediaKind::Video,
                        mime_type: String::new(),
                        reason: reason.clone(),
                    })
                }
                OperationResult::Failed(
                    MediaFailure::NotSupported(reason)
                    | MediaFailure::InvalidState(reason)
                    | MediaFailure::Decode(reason),
                ) => Err(Error::Element { reason: reason.clone() }),
                OperationResult::Failed(MediaFailure::QuotaExceeded) => {
                    Err(Error::Element { reason: "the platform has no buffer to spare".to_owned() })
                }
            };
        }
        let mut taken = false;
        self.each_stream(cx, |stream, world| {
            if !taken {
                taken = stream.handle_result(world, id, result)?;
            }
            Ok(())
        })
    }

    fn take_element(&mut self, cx: &mut Context<'_>, element: ElementState) -> Result<(), Error> {
        let (status, ready) = (self.playback.status(), self.playback.is_ready());
        let moved = self.playback.update(cx, element, self.seeking.is_some())?;
        if !ready && self.playback.is_ready() {
            cx.totals.startup = Some(cx.now.since(self.loaded_at));
        }
        if let Some(to) = moved {
            cx.abr.handle(cx.now.micros(), kinora_abr::Event::Seeked);
            self.end_of_stream = false;
            self.each_stream(cx, |stream, world| {
                stream.seek(world, to);
                Ok(())
            })?;
        }
        if status != self.playback.status() {
            self.streams.iter_mut().for_each(Stream::reconsider);
        }
        Ok(())
    }

    /// Tells the platform when it has everything.
    fn finish(&mut self, cx: &mut Context<'_>) {
        let finished = self.attached && self.streams.iter().all(Stream::is_finished);
        if finished && !self.end_of_stream {
            self.operations.push(cx.out.media(MediaCommand::EndOfStream));
        }
        self.end_of_stream = finished;
    }

    /// A playhead that waits although every stream has media close ahead stands before a hole.
    fn jump_gap(&mut self, cx: &mut Context<'_>) {
        if self.playback.stuck_at().is_none_or(|at| at > cx.now) || !self.attached {
            return;
        }
        let from = self.playback.playhead(cx.now);
        let mut to = from;
        for stream in &self.streams {
            if stream.buffer.covers(from) {
                continue;
            }
            match stream.buffer.next_range(from) {
                Some(start) if start - from <= MAX_GAP && stream.has_passed(start) => {
                    to = to.max(start);
                }
                _ => return,
            }
        }
        if to > from {
            // A hair inside the range, or rounding could leave the element outside.
            let to = to + MediaTime::from_millis(1);
            cx.out.warn(Warning::GapJumped { from, to });
            self.move_element(cx, to);
            self.playback.leave_hole(cx.now, to);
        }
    }

    // ---- the viewer ---------------------------------------------------------------------------------

    fn seek(&mut self, cx: &mut Context<'_>, to: MediaTime) {
        let end = self.presentation.as_ref().and_then(|presentation| presentation.duration);
        let to = to.max(MediaTime::ZERO).min(end.unwrap_or(MediaTime::MAX));
        if self.attached {
            self.move_element(cx, to);
        } else {
            self.playback.seek(to);
        }
        cx.abr.handle(cx.now.micros(), kinora_abr::Event::Seeked);
        self.end_of_stream = false;
        let sought = self.each_stream(cx, |stream, world| {
            stream.seek(world, to);
            Ok(())
        });
        debug_assert!(sought.is_ok());
    }

    fn set_rate(&mut self, cx: &mut Context<'_>, rate: f64) -> Result<(), Error> {
        // What browsers accept (HTML: they may refuse others with NotSupportedError).
        if rate != 0.0 && !(0.0625..=16.0).contains(&rate) {
            cx.out.warn(Warning::InvalidArgument {
                message: "the playback rate must be 0 or between 0.0625 and 16".to_owned(),
            });
            return Ok(());
        }
        self.rate = rate;
        if self.attached {
            self.operations.push(cx.out.media(MediaCommand::SetRate(rate)));
        }
        self.streams.iter_mut().for_each(Stream::reconsider);
        Ok(())
    }

    fn select(&mut self, cx: &mut Context<'_>, selection: Selection) -> Result<(), Error> {
        let Some(presentation) = &self.presentation else { return Ok(()) };
        match selection {
            Selection::Representation { kind, id } => {
                let known = id.as_ref().is_none_or(|id| {
                    let sets = presentation.periods.iter().flat_map(|period| &period.sets);
                    sets.flat_map(|set| &set.representations).any(|one| one.id == *id)
                });
                if !known {
                    cx.out.warn(Warning::InvalidArgument {
                        message: "no representation has this id; see the tracks of `loaded`"
                            .to_owned(),
                    });
                    return Ok(());
                }
                self.each_stream(cx, |stream, world| {
                    if stream.kind == kind {
                        stream.pin(world, id.clone());
                    }
                    Ok(())
                })
            }
            Selection::Track { kind, index } => {
                let wanted = all_sets(presentation, kind).nth(index as usize).map(same_track);
                let Some(wanted) = wanted else {
                    cx.out.warn(Warning::InvalidArgument {
                        message: "no track has this number; see the tracks of `loaded`".to_owned(),
                    });
                    return Ok(());
                };
                let sets = choose_sets(presentation, kind, |set| same_track(set) == wanted);
                self.end_of_stream = false;
                self.each_stream(cx, |stream, world| {
                    if stream.kind == kind {
                        stream.select(world, sets.clone());
                    }
                    Ok(())
                })
            }
        }
    }

    // ---- telling ------------------------------------------------------------------------------------

    /// Tells when the playhead enters a segment of another quality.
    fn report_quality(&mut self, cx: &mut Context<'_>) {
        if !self.playback.is_ready() {
            return;
        }
        let playhead = self.playback.playhead(cx.now);
        for stream in &self.streams {
            let Some(held) = stream.buffer.held_at(playhead) else { continue };
            let known = self.shown.iter_mut().find(|(kind, _)| *kind == stream.kind);
            let from = match known {
                Some((_, shown)) if *shown == held.quality => continue,
                Some((_, shown)) => Some(core::mem::replace(shown, held.quality.clone())),
                None => {
                    self.shown.push((stream.kind, held.quality.clone()));
                    None
                }
            };
            let (to, reason) = (held.quality.clone(), held.cause);
            if from.is_some() {
                cx.totals.quality_changes = cx.totals.quality_changes.saturating_add(1);
            }
            cx.out.event(Event::QualityChanged { kind: stream.kind, from, to, reason });
        }
    }

    /// What the session waits for, soonest first.
    pub(crate) fn timers(&self, now: Timestamp, retry: &RetryConfig) -> Vec<TimerState> {
        let mut timers = Vec::new();
        // Inserted where they belong: they are few, and sorting code is large.
        let mut add = |timer: TimerState| {
            let key = |timer: &TimerState| (timer.at, timer.reason);
            let position = timers.partition_point(|other| key(other) <= key(&timer));
            timers.insert(position, timer);
        };
        if self.playback.status() == PlaybackStatus::Failed {
            return timers;
        }
        self.requests.timers(retry).for_each(&mut add);
        self.streams.iter().filter_map(Stream::timer).for_each(&mut add);
        // A playhead that was looked at and left where it is needs no second look by the clock.
        if self.attached
            && let Some(at) = self.playback.stuck_at().filter(|at| *at > now)
        {
            add(TimerState { reason: TimerReason::Gap, at });
        }
        timers
    }

    /// Fills in what a session knows.
    pub(crate) fn describe(&self, state: &mut State, now: Timestamp, goal: MediaTime) {
        let playhead = self.playback.playhead(now);
        state.status = self.playback.status();
        state.position = playhead;
        state.duration = self.presentation.as_ref().and_then(|presentation| presentation.duration);
        state.streams = self.streams.iter().map(|stream| stream.state(goal, playhead)).collect();
        state.requests = self.requests.states();
    }
}

fn all_sets(presentation: &Presentation, kind: MediaKind) -> impl Iterator<Item = &SwitchingSet> {
    let first =
        presentation.periods.iter().find(|period| period.sets.iter().any(|set| set.kind == kind));
    first.into_iter().flat_map(|period| &period.sets).filter(move |set| set.kind == kind)
}

/// What makes sets of different periods the same track.
fn same_track(set: &SwitchingSet) -> (Option<String>, Option<String>, Vec<String>) {
    (set.language.clone(), set.label.clone(), set.roles.clone())
}

/// For each period the set of a kind that is preferred, else its first.
fn choose_sets(
    presentation: &Presentation,
    kind: MediaKind,
    preferred: impl Fn(&SwitchingSet) -> bool,
) -> Vec<Option<usize>> {
    presentation
        .periods
        .iter()
        .map(|period| {
            let of_kind =
                || (0..period.sets.len()).filter(|&index| period.sets[index].kind == kind);
            of_kind().find(|&index| preferred(&period.sets[index])).or_else(|| of_kind().next())
        })
        .collect()
}

fn tracks(presentation: &Presentation, streams: &[Stream]) -> Vec<TrackInfo> {
    let mut tracks = Vec::new();
    for stream in streams {
        let Some(period) = presentation
            .periods
            .iter()
            .position(|period| period.sets.iter().any(|set| set.kind == stream.kind))
        else {
            continue;
        };
        let sets = &presentation.periods[period].sets;
        let of_kind = sets.iter().enumerate().filter(|(_, set)| set.kind == stream.kind);
        for (number, (index, set)) in of_kind.enumerate() {
            tracks.push(TrackInfo {
                kind: set.kind,
                index: number as u32,
                language: set.language.clone(),
                label: set.label.clone(),
                qualities: set.representations.iter().map(choice::quality).collect(),
                selected: stream.set_of(period) == Some(index),
            });
        }
    }
    tracks
}
