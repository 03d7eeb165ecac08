//! `kinora-server serve`.

use super::signals::stop_requested;
use clap::Args;
use kinora_server::{
    Error, Result, access,
    chaos::{self, Chaos},
    delivery::{self, Mount},
    http,
};
use std::{io::Write, net::SocketAddr, path::PathBuf, time::Duration};
use tokio::net::TcpListener;

/// Serve packaged films, and pages, over HTTP/1.1 and HTTP/2
///
/// Prints one line, `listening on http://ADDRESS`, to standard output when it is ready, and logs requests to
/// standard error (RUST_LOG sets how much). Stops on SIGINT or SIGTERM when the running requests are done.
#[derive(Args)]
#[command(group = clap::ArgGroup::new("content").required(true).multiple(true).args(["directory", "mounts"]))]
pub(crate) struct Serve {
    /// The directory to serve at /
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Serve another directory under a path; repeatable. The longest path that fits a request wins
    #[arg(long = "mount", value_name = "PATH=DIR")]
    mounts: Vec<Mount>,
    /// The address; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// How long running requests may take to finish after a stop
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    grace: u64,
    /// Send media at this rate at most, all connections together
    #[arg(long, value_name = "KBPS")]
    throttle: Option<u64>,
    /// Let anyone who reaches the address change the throttle, inject faults and read the request log, under
    /// /_control
    #[arg(long)]
    control: bool,
}

impl Serve {
    pub(crate) async fn run(self) -> Result<()> {
        let mut mounts = self.mounts;
        if let Some(directory) = self.directory {
            mounts.push(Mount::new("/", directory)?);
        }
        let mut router = delivery::router(&mounts)?;
        let chaos = Chaos::default();
        chaos.shaper.set_rate(self.throttle);
        if self.control || self.throttle.is_some() {
            router = chaos.apply(router);
        }
        let ledger = self.control.then(|| chaos.ledger.clone());
        router = access::observe(router, move |access| {
            access::log(&access);
            if let Some(ledger) = &ledger {
                ledger.record(access);
            }
        });
        if self.control {
            router = router.merge(chaos::router(chaos));
        }

        let cannot_listen = |error: std::io::Error| Error::Listen {
            address: self.listen.to_string(),
            kind: error.kind(),
        };
        let listener = TcpListener::bind(self.listen).await.map_err(cannot_listen)?;
        let address = listener.local_addr().map_err(cannot_listen)?;
        // Whoever started this may be waiting for the line behind a pipe; if nobody reads it, so be it.
        let mut stdout = std::io::stdout();
        let _ = writeln!(stdout, "listening on http://{address}").and_then(|()| stdout.flush());

        let grace = Duration::from_secs(self.grace);
        if !http::serve(listener, router, stop_requested(), grace).await {
            tracing::warn!("stopped with requests still running");
        }
        Ok(())
    }
}
