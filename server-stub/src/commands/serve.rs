//! `kinora-server serve`.

use super::signals::stop_requested;
use axum::Router;
use clap::Args;
use kinora_server::{
    Error, Result, access, auth,
    chaos::{self, Chaos},
    delivery::{self, Mount},
    http,
    roles::{Data, Role},
    web::{Limits, Service, metrics::Metrics},
};
use std::{io::Write, net::SocketAddr, path::PathBuf, time::Duration};
use tokio::net::TcpListener;

/// Serve packaged films and pages, accounts and the catalogue, over HTTP/1.1 and HTTP/2
///
/// Prints one line, `listening on http://ADDRESS`, to standard output when it is ready, and logs requests to
/// standard error (RUST_LOG sets how much). Stops on SIGINT or SIGTERM when the running requests are done.
///
/// Plays the role `delivery` if there is something to deliver, and the others if there is a directory for
/// their data; --roles chooses among them. Processes that share the directory share the data.
#[derive(Args)]
#[command(group = clap::ArgGroup::new("content").required(true).multiple(true).args(["directory", "mounts", "data"]))]
pub(crate) struct Serve {
    /// The directory to serve at /
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Serve another directory under a path; repeatable. The longest path that fits a request wins
    #[arg(long = "mount", value_name = "PATH=DIR")]
    mounts: Vec<Mount>,
    /// The directory for accounts, the catalogue and all else that the service keeps
    #[arg(long, value_name = "DIR", env = "KINORA_DATA")]
    data: Option<PathBuf>,
    /// The roles to play
    #[arg(long, value_name = "ROLES", value_delimiter = ',', value_enum)]
    roles: Vec<Role>,
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
    /// Keys that sign access tokens, where they are not to be kept with the data; KINORA_SIGNING_KEYS may hold
    /// the text of such a file itself
    #[arg(long, value_name = "FILE", env = "KINORA_SIGNING_KEYS_FILE")]
    signing_keys: Option<PathBuf>,
    /// Where viewers type in the code that a television shows
    #[arg(long, value_name = "URL", default_value = "/activate", env = "KINORA_VERIFICATION_URI")]
    verification_uri: String,
    /// Devices of an account that may play at once
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..))]
    streams: u8,
    /// Let each client do this many times what the rate limits usually allow: for many behind one address, or
    /// a gateway in front that limits by itself
    #[arg(long, value_name = "FACTOR", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate_limit_factor: u32,
}

impl Serve {
    pub(crate) async fn run(mut self) -> Result<()> {
        let mut mounts = std::mem::take(&mut self.mounts);
        if let Some(directory) = self.directory.take() {
            mounts.push(Mount::new("/", directory)?);
        }
        let roles = self.roles(!mounts.is_empty())?;
        let metrics = Metrics::default();
        let mut service = Service::new(metrics.clone(), Limits::default());
        if roles.contains(&Role::Delivery) {
            service = service.files(self.delivery(&mounts)?);
        }
        if let Some(data) = self.data()? {
            let verification_uri = self.verification_uri.clone();
            let auth = auth::Config { verification_uri, ..auth::Config::default() };
            let auth = auth.limits_times(self.rate_limit_factor);
            service = data.add(service, &roles, auth, &metrics).await?;
        }
        self.serve(service.router()).await
    }

    /// The roles that are asked for, or all that there is something for.
    fn roles(&self, has_files: bool) -> Result<Vec<Role>> {
        let refuse =
            |reason: &str| Err(Error::Option { flag: "--roles", reason: reason.to_owned() });
        let needs_data = |role: &Role| Role::WITH_DATA.contains(role);
        if self.roles.contains(&Role::Delivery) && !has_files {
            return refuse("delivery needs a directory to serve, DIR or --mount");
        }
        if self.roles.iter().any(needs_data) && self.data.is_none() {
            return refuse("a role keeps data, and --data says where");
        }
        if !self.roles.is_empty() {
            return Ok(self.roles.clone());
        }
        let mut roles = Vec::new();
        if has_files {
            roles.push(Role::Delivery);
        }
        if self.data.is_some() {
            roles.extend(Role::WITH_DATA);
        }
        Ok(roles)
    }

    fn delivery(&self, mounts: &[Mount]) -> Result<Router> {
        let mut router = delivery::router(mounts)?;
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
        Ok(router)
    }

    fn data(&self) -> Result<Option<Data>> {
        let Some(directory) = &self.data else { return Ok(None) };
        let mut data = Data::new(directory);
        data.most_streams = usize::from(self.streams);
        data.signing_keys = match &self.signing_keys {
            Some(path) => Some(std::fs::read_to_string(path).map_err(|error| Error::Io {
                action: "read",
                path: path.clone(),
                kind: error.kind(),
            })?),
            None => std::env::var("KINORA_SIGNING_KEYS").ok(),
        };
        Ok(Some(data))
    }

    async fn serve(self, router: Router) -> Result<()> {
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
