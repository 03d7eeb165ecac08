//! Playback without a screen, in real time, with an account of it.

use std::future::Future;
use std::time::Duration;

use kinora_core::PlayerError;
use kinora_core::io::{Event, PlaybackStatus};
use kinora_core::time::MediaTime;
use tokio::time::{MissedTickBehavior, interval};

use crate::driver::Snapshot;
use crate::player::{Options, Player};
use crate::report::HeadlessReport;

/// How often progress is looked at.
const TICK: Duration = Duration::from_millis(250);

/// What to play headlessly, and for how long.
#[derive(Default)]
pub struct HeadlessOptions {
    /// How to play.
    pub player: Options,
    /// Stop once so much media has been played; at the end if absent.
    pub play_for: Option<MediaTime>,
}

/// What remains of a headless run.
#[derive(Clone, Debug)]
pub struct HeadlessRun {
    /// The account.
    pub report: HeadlessReport,
    /// The session log; empty unless the configuration says `record`.
    pub session_log: Vec<u8>,
    /// `interrupt` came before the end.
    pub interrupted: bool,
}

/// Plays `url` in real time until the end, the time asked for, a fatal error or `interrupt`.
/// `progress` is called a few times a second.
pub async fn play(
    url: &str,
    options: HeadlessOptions,
    interrupt: impl Future<Output = ()>,
    mut progress: impl FnMut(&Snapshot),
) -> Result<HeadlessRun, PlayerError> {
    let mut player = Player::start(url, options.player)?;
    let mut report = HeadlessReport::new(url);
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut interrupt = std::pin::pin!(interrupt);
    let mut interrupted = false;
    player.play().await;
    loop {
        let event = tokio::select! {
            event = player.next_event() => event,
            _ = ticks.tick() => {
                let Some(snapshot) = player.state().await else { break };
                progress(&snapshot);
                match options.play_for {
                    Some(limit) if snapshot.presented.played >= limit => break,
                    _ => continue,
                }
            }
            () = &mut interrupt => {
                interrupted = true;
                break;
            }
        };
        let Some(event) = event else { break };
        let Some(snapshot) = player.state().await else { break };
        report.note(snapshot.now, &event);
        if matches!(event, Event::Ended | Event::Error(_)) {
            break;
        }
    }
    let ending = report.status;
    if let Some(snapshot) = player.state().await {
        report.take_totals(&snapshot);
        progress(&snapshot);
    }
    // What an event has said is final, whatever the player does since.
    if matches!(ending.0, PlaybackStatus::Ended | PlaybackStatus::Failed) {
        report.status = ending;
    }
    let session_log = player.session_log().await;
    player.stop().await;
    Ok(HeadlessRun { report, session_log, interrupted })
}
