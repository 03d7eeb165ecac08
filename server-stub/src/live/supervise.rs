//! Keeps the encoder going: one that dies is followed by another.

use super::{Plan, channel::Channel, encoder};
use crate::{Error, Result};
use std::time::Duration;

/// Encoders that die one after the other without having made anything, before it is given up.
const MOST_FAILURES: u32 = 6;
/// The pause before the second attempt; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// How it goes, for whoever watches.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Status {
    /// Encoders that were started again.
    pub restarts: u32,
}

/// Broadcasts until the input ends; dropping the future ends the encoder. The channel is not told of the end.
///
/// # Errors
/// [`Error::ToolMissing`] and [`Error::Encoder`] when it cannot begin, or not go on.
pub async fn air(plan: &Plan, channel: &Channel, mut report: impl FnMut(Status)) -> Result<()> {
    let args = encoder::args(plan);
    supervise(plan, channel, &mut report, async || {
        encoder::run(&args, |item| channel.take(item)).await
    })
    .await
}

async fn supervise(
    plan: &Plan,
    channel: &Channel,
    report: &mut impl FnMut(Status),
    mut encode: impl AsyncFnMut() -> Result<()>,
) -> Result<()> {
    let finite = plan.options.once && plan.options.input.is_recorded(&plan.probe);
    let runs = || channel.look(|broadcast| broadcast.runs.back().map(|run| run.id));
    let (mut status, mut failures) = (Status::default(), 0);
    loop {
        let before = runs();
        let ended = encode().await;
        let made_something = runs() != before;
        channel.break_off();
        let error = match ended {
            Ok(()) if finite => return Ok(()),
            Ok(()) => {
                let message = "its input has ended".to_owned();
                Error::Encoder { status: "exit status: 0".into(), message }
            }
            Err(error) => error,
        };
        failures = if made_something { 0 } else { failures + 1 };
        // What never worked is not going to, and whoever started it is still there to read why.
        if runs().is_none() || failures >= MOST_FAILURES {
            return Err(error);
        }
        let pause = FIRST_PAUSE * 2_u32.pow(failures);
        tracing::warn!(%error, pause_ms = pause.as_millis() as u64, "the encoder is started again");
        status.restarts += 1;
        report(status);
        tokio::time::sleep(pause).await;
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{feed, plan},
        *,
    };

    #[tokio::test(start_paused = true)]
    async fn an_encoder_that_dies_is_followed_by_another_until_none_works() {
        let plan = plan();
        let channel = Channel::new(&plan);
        let (mut attempts, mut restarts) = (0, 0);
        let mut report = |status: Status| restarts = status.restarts;
        let ended = supervise(&plan, &channel, &mut report, async || {
            attempts += 1;
            if attempts <= 2 {
                feed(&channel, 0..3).await;
            }
            Err(Error::Encoder { status: "1".into(), message: format!("attempt {attempts}") })
        });
        let error = ended.await.unwrap_err();
        assert_eq!(attempts, 2 + MOST_FAILURES);
        assert!(error.to_string().contains("attempt 8"), "{error}");
        assert_eq!(restarts, 7);
        let runs = channel.look(|broadcast| broadcast.runs.clone());
        assert_eq!(
            runs.iter().map(|run| (run.first, run.end)).collect::<Vec<_>>(),
            [(0, Some(3)), (3, Some(6))]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_never_worked_is_not_tried_again() {
        let plan = plan();
        let channel = Channel::new(&plan);
        let mut attempts = 0;
        let mut report = |_: Status| {};
        let ended = supervise(&plan, &channel, &mut report, async || {
            attempts += 1;
            Err(Error::ToolMissing { tool: "ffmpeg" })
        });
        assert_eq!(ended.await, Err(Error::ToolMissing { tool: "ffmpeg" }));
        assert_eq!(attempts, 1);
    }
}
