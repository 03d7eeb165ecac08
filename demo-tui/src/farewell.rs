//! Being told to leave from outside, by `SIGTERM` or as the terminal goes away.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Listens for what tells the program to leave. Everyone who listens is told, and may clean up first.
pub(crate) struct Farewell {
    terminate: Signal,
    hangup: Signal,
}

impl Farewell {
    /// Once anyone has listened, the signals end the process no more: who goes on after that must listen, too.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits until the program is to leave.
    pub(crate) async fn said(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The player listens while it plays, and whoever showed it before and after.
    #[test]
    fn everyone_who_listens_is_told() {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async {
            for name in ["-HUP", "-TERM"] {
                let mut outer = Farewell::listen().expect("signals");
                {
                    let mut inner = Farewell::listen().expect("signals");
                    let own = std::process::id().to_string();
                    let sent = std::process::Command::new("kill").args([name, &own]).status();
                    assert!(sent.expect("kill").success());
                    inner.said().await;
                }
                outer.said().await;
            }
        });
    }
}
