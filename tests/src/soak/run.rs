//! Living through a plan.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::panic::{self, AssertUnwindSafe};
use std::time::Duration;

use kinora_core::io::{Event, MediaCommand, Output, PlaybackStatus};
use kinora_core::telemetry::log::{Log, replay};
use kinora_core::time::Timestamp;

use super::Plan;
use crate::world::invariants::{Invariant, Violation};
use crate::world::viewer::Action;
use crate::world::{Digest, World, without_media};

/// What came of a world.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The world's seed.
    pub seed: u64,
    /// Time that passed in it.
    pub simulated: Duration,
    /// Faults that struck.
    pub faults: BTreeMap<&'static str, u64>,
    /// What the viewer did.
    pub actions: BTreeMap<&'static str, u64>,
    /// Requests that the player made.
    pub requests: u64,
    /// How often playback ran dry.
    pub stalls: u64,
    /// Code of the error that ended it.
    pub error: Option<String>,
    /// Its session was recorded and replayed.
    pub replayed: bool,
    /// What did not hold first.
    pub violation: Option<Violation>,
}

thread_local! {
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Runs something in which panics are caught: they are kept, not printed.
pub(super) fn quietly<T>(work: impl FnOnce() -> T) -> T {
    let before = panic::take_hook();
    panic::set_hook(Box::new(|info| {
        PANIC.with(|panic| *panic.borrow_mut() = info.to_string());
    }));
    let result = work();
    panic::set_hook(before);
    result
}

/// Lives through a plan until the viewer has left or something did not hold.
pub fn run(plan: &Plan) -> Outcome {
    let mut world = plan.world();
    world.remember = false;
    world.element.remember = false;
    world.digest = plan.config.record.then(|| Digest::new(plan.publication.changes_media()));
    let (outcome, _) = live(plan, world);
    outcome
}

/// The last minutes of a plan, as a list of what happened; all of it if `whole`.
pub fn trace(plan: &Plan, whole: bool) -> String {
    let (outcome, world) = quietly(|| live(plan, plan.world()));
    let mut text = format!("{plan:#?}\n");
    let end = world.now();
    let from = end.micros().saturating_sub(if whole { u64::MAX } else { 120_000_000 });
    for (at, output) in &world.outputs {
        if at.micros() >= from {
            describe(&mut text, *at, output);
        }
    }
    let _ = writeln!(text, "{:#?}", world.player.state());
    departs(&mut text, &world, plan.publication.changes_media());
    let _ = match outcome.violation {
        Some(violation) => writeln!(text, "{violation}"),
        None => writeln!(text, "nothing is wrong"),
    };
    text
}

/// Tells where the replay of a session takes another way.
fn departs(text: &mut String, world: &World, changed: bool) {
    let Ok(log) = Log::parse(world.player.session_log()) else { return };
    let known =
        |output: &Output| if changed { without_media(output) } else { Some(output.clone()) };
    let mut seen = world.outputs.iter().filter_map(|(at, output)| Some((*at, known(output)?)));
    let mut told = false;
    let replayed = replay(log, |at, output| {
        let Some(output) = known(&output) else { return };
        let lived = seen.next();
        if !told && lived.as_ref() != Some(&(at, output.clone())) {
            told = true;
            text.push_str(
                "the replay departs: it gives the first of these, where the second was\n",
            );
            let _ = writeln!(text, "{at:?} {output:?}\n{lived:?}");
        }
    });
    if let Err(error) = replayed {
        let _ = writeln!(text, "the replay ends: {error}");
    }
}

fn describe(text: &mut String, at: Timestamp, output: &Output) {
    let seconds = at.micros() as f64 / 1e6;
    let _ = match output {
        Output::Timeout(_) => Ok(()),
        Output::Request(request) => {
            let kind = request.kind.name();
            let range = request.range.map_or_else(String::new, |range| range.header_value());
            writeln!(text, "{seconds:10.3} request {} {kind} {} {range}", request.id.0, request.url)
        }
        Output::Cancel(id) => writeln!(text, "{seconds:10.3} cancel {}", id.0),
        Output::Media(operation) => match &operation.command {
            MediaCommand::Append { kind, timestamp_offset, body, .. } => {
                let body = match body {
                    kinora_core::io::AppendBody::Bytes(bytes) => format!("{} bytes", bytes.len()),
                    kinora_core::io::AppendBody::Kept(id) => format!("request {}", id.0),
                    kinora_core::io::AppendBody::Span { id, start, end, .. } => {
                        format!("request {} bytes {start} to {end}", id.0)
                    }
                };
                writeln!(
                    text,
                    "{seconds:10.3} append {} {body} offset {timestamp_offset}",
                    kind.name()
                )
            }
            command => writeln!(text, "{seconds:10.3} {command:?}"),
        },
        Output::Event(Event::Decision(decision)) => writeln!(
            text,
            "{seconds:10.3} decision {} {} at {}: {}",
            decision.kind.name(),
            decision.quality.id,
            decision.segment_start,
            decision.reasons.cause
        ),
        Output::Event(event) => writeln!(text, "{seconds:10.3} {event:?}"),
        other => writeln!(text, "{seconds:10.3} {other:?}"),
    };
}

fn live(plan: &Plan, mut world: World) -> (Outcome, World) {
    let started = world.now();
    let mut actions = BTreeMap::new();
    let mut caught = None;
    let lived = panic::catch_unwind(AssertUnwindSafe(|| {
        go(plan, &mut world, &mut actions);
        let state = world.player.state();
        world.act(&Action::Unload);
        state
    }));
    if lived.is_err() {
        let what = PANIC.with(|panic| panic.borrow().clone());
        let invariant =
            if what.contains("time stands still") { Invariant::Spin } else { Invariant::Panic };
        caught = Some(Violation { at: world.now(), invariant, what });
    }
    let mut replayed = false;
    let mut violation = world.invariants.violations.first().cloned().or(caught);
    if let (None, Some(digest)) = (&violation, world.digest) {
        replayed = true;
        let changed = plan.publication.changes_media();
        if Digest::of_replay(world.player.session_log(), changed) != Ok(digest) {
            let what = "the replay gives other outputs".to_owned();
            violation = Some(Violation { at: world.now(), invariant: Invariant::Replay, what });
        }
    }
    let mut faults = BTreeMap::new();
    for struck in &world.origin.struck {
        *faults.entry(struck.name).or_default() += 1;
    }
    if world.evictions > 0 {
        faults.insert("evicted", world.evictions.into());
    }
    if world.origin.interruptions > 0 {
        faults.insert("offline", world.origin.interruptions.into());
    }
    let state = lived.unwrap_or_default();
    let outcome = Outcome {
        seed: plan.seed,
        simulated: world.now().since(started),
        faults,
        actions,
        requests: state.totals.requests.into(),
        stalls: state.totals.stalls.into(),
        error: world.error.clone(),
        replayed,
        violation,
    };
    (outcome, world)
}

fn go(plan: &Plan, world: &mut World, actions: &mut BTreeMap<&'static str, u64>) {
    let started = world.now();
    // Time that the world slept through puts off what comes.
    let mut slept = Duration::ZERO;
    for (at, action) in &plan.actions {
        let at = started + *at + slept;
        while world.now() < at {
            if stopped(world) {
                return;
            }
            world.step(at);
        }
        *actions.entry(action.name()).or_default() += 1;
        if let Action::Sleep(duration) = action {
            slept += *duration;
        }
        world.act(action);
    }
    let end = world.now() + plan.leaves;
    while world.now() < end && !stopped(world) {
        if world.element.has_ended() || world.player.state().status == PlaybackStatus::Failed {
            // A little longer: what is over must stay over.
            let end = world.now() + Duration::from_secs(5);
            while world.now() < end && !stopped(world) {
                world.step(end);
            }
            return;
        }
        world.step(end);
    }
}

fn stopped(world: &World) -> bool {
    !world.invariants.violations.is_empty()
}
