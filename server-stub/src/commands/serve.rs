//! `kinora-server serve`.

use super::signals::stop_requested;
use axum::Router;
use clap::Args;
use kinora_server::{
    Error, Result, access, auth,
    chaos::{self, Chaos},
    clock::Clock,
    delivery::{self, Mount, memory::Memory},
    edge,
    gateway::{self, Gateway},
    http,
    license::{backend::System, proxy::Proxy},
    plans::{Plan, Plans},
    roles::{Data, Role},
    steering::edge::Edge,
    token::cat::DeliveryKeys,
    vault::Tier,
    web::{Limits, Service, limit::Rate, metrics::Metrics},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};
use tokio::net::TcpListener;

/// Serve packaged films and pages, accounts and the catalogue, over HTTP/1.1 and HTTP/2
///
/// Prints one line, `listening on http://ADDRESS`, to standard output when it is ready (and with --admin-listen another,
/// `admin on http://ADDRESS`), and logs requests to standard error (RUST_LOG sets how much). Stops on SIGINT or SIGTERM when the running requests are done.
///
/// Plays the role `delivery` if there is something to deliver, and the others if there is a directory for
/// their data; --roles chooses among them. Processes that share the directory share the data.
#[derive(Args)]
#[command(group = clap::ArgGroup::new("content").required(true).multiple(true).args(["directory", "mounts", "data", "upstreams", "origin"]))]
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
    /// Tell what the service counts (/metrics) at this address and not at the other; /healthz and /readyz are at both
    #[arg(long, value_name = "ADDRESS")]
    admin_listen: Option<SocketAddr>,
    /// How long a request may take to arrive and to be answered
    #[arg(long, value_name = "SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u16).range(1..))]
    request_time: u16,
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
    /// Keys that wrap the keys of encrypted films, where they are not to be kept with the data; KINORA_CONTENT_KEKS
    /// may hold the text of such a file itself
    #[arg(long, value_name = "FILE", env = "KINORA_CONTENT_KEKS_FILE")]
    content_keks: Option<PathBuf>,
    /// The best quality that ClearKey gives keys of: it protects lightly
    #[arg(long, value_name = "TIER", default_value = "uhd", value_enum)]
    clearkey_quality: Tier,
    /// Seconds after which players ask for a ClearKey licence again
    #[arg(long, value_name = "SECONDS", default_value_t = 3600, value_parser = clap::value_parser!(u32).range(10..=86_400))]
    clearkey_seconds: u32,
    /// Pass licence requests of a key system on to a vendor's server; repeatable
    #[arg(long = "license-proxy", value_name = "SYSTEM=URL", value_parser = license_proxy)]
    license_proxies: Vec<(System, String)>,
    /// Headers to add to those, credentials mostly: a JSON object of objects, by key system and name
    #[arg(long, value_name = "FILE", env = "KINORA_LICENSE_HEADERS_FILE")]
    license_headers: Option<PathBuf>,
    /// Where the role `license` answers, for players, if that is not where `playback` does
    #[arg(long, value_name = "URL", default_value = "", value_parser = base_url)]
    license_url: String,
    /// Where viewers type in the code that a television shows
    #[arg(long, value_name = "URL", default_value = "/activate", env = "KINORA_VERIFICATION_URI")]
    verification_uri: String,
    /// Keys of the tokens in the paths of media, likewise; KINORA_DELIVERY_KEYS may hold the text
    #[arg(long, value_name = "FILE", env = "KINORA_DELIVERY_KEYS_FILE")]
    delivery_keys: Option<PathBuf>,
    /// Where players reach the role `delivery`, if not where they reach `playback`
    #[arg(long, value_name = "URL", default_value = "", env = "KINORA_DELIVERY_URL", value_parser = base_url)]
    delivery_url: String,
    /// Where media of the library can be fetched from besides; repeatable. Each gets its weight's share of the
    /// playbacks, or none with 0 unless others fail
    #[arg(long = "edge", value_name = "NAME=URL[,WEIGHT]")]
    edges: Vec<Edge>,
    /// Where the role edge has media from: a role delivery of the same keys (--delivery-keys, or --data)
    #[arg(long, value_name = "URL", value_parser = base_url)]
    origin: Option<String>,
    /// The memory for media that are asked for often, of the roles delivery and edge
    #[arg(long, value_name = "MIB", default_value_t = 128, value_parser = clap::value_parser!(u32).range(16..=1_048_576))]
    media_memory: u32,
    /// Where another process plays a role, for the role gateway; repeatable, also for one role
    #[arg(long = "upstream", value_name = "ROLE=URL", value_parser = upstream)]
    upstreams: Vec<(Role, String)>,
    /// The address of a gateway in front of this process: believe it when it says whom it speaks for, and let it have as
    /// many connections as it wants; repeatable
    #[arg(long = "behind", value_name = "IP")]
    behind: Vec<IpAddr>,
    /// Requests to the API that are answered at once; more wait half a second and are then told to come back
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..))]
    at_once: u16,
    /// Train a model on what happened at the start, and again so many seconds after each training
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(10..))]
    train_every: Option<u64>,
    /// The plans that accounts may have: a JSON object of what each allows by its name, such as
    /// {"basic": {"streams": 1, "max_height": 720}}
    #[arg(long, value_name = "FILE")]
    plans: Option<PathBuf>,
    /// Days that events are kept
    #[arg(long, value_name = "DAYS", default_value_t = 400, value_parser = clap::value_parser!(u32).range(1..))]
    events_days: u32,
    /// Space for events: of more, the oldest go
    #[arg(long, value_name = "MIB", default_value_t = 8192, value_parser = clap::value_parser!(u32).range(1..))]
    events_space: u32,
    /// Devices of an account that may play at once, of one without a plan
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..))]
    streams: u8,
    /// Let each client do this many times what the limits on rates, and on what one address has at once, usually allow:
    /// for many behind one address, or a gateway in front that limits by itself
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
        let data = self.data()?;
        let metrics = Metrics::default();
        let limits = Limits { time: self.request_time(), ..Limits::default() };
        let mut service = Service::new(metrics.clone(), limits);
        service = service.behind(self.behind.clone());
        if roles.contains(&Role::Gateway) {
            let config = self.gateway();
            service = service.gateway(match &data {
                Some(data) => data.gateway(config, &metrics),
                None => Gateway::new(config, None, Clock::default(), &metrics),
            });
        }
        let memory = Memory::new(u64::from(self.media_memory) << 20, &metrics);
        let packages = match &data {
            _ if roles.contains(&Role::Edge) => {
                Some(self.edge(data.as_ref(), memory.clone()).await?.router())
            }
            Some(data) if roles.contains(&Role::Delivery) => {
                Some(data.library(memory.clone()).await?.router())
            }
            _ => None,
        };
        if roles.contains(&Role::Delivery) || packages.is_some() {
            let catch_all = delivery::catches_all(&mounts);
            service = service.files(self.delivery(&mounts, packages, &memory)?, catch_all);
        }
        if let Some(data) = data {
            let verification_uri = self.verification_uri.clone();
            let auth = auth::Config { verification_uri, ..auth::Config::default() };
            let auth = auth.limits_times(self.rate_limit_factor);
            service = data.add(service, &roles, auth, &metrics).await?;
        }
        match self.admin_listen {
            Some(admin) => {
                let (router, apart) = service.routers();
                self.serve(router, Some((admin, apart))).await
            }
            None => self.serve(service.router(), None).await,
        }
    }

    fn request_time(&self) -> Duration {
        Duration::from_secs(self.request_time.into())
    }

    async fn edge(&self, data: Option<&Data>, memory: Memory) -> Result<edge::Edge> {
        let refuse = |reason: &str| Error::Option { flag: "--roles", reason: reason.to_owned() };
        let origin = self.origin.clone().filter(|origin| !origin.is_empty());
        let origin = origin
            .ok_or_else(|| refuse("an edge has media from somewhere: --origin says where"))?;
        let clock = Clock::default();
        let given = super::secret_text(self.delivery_keys.as_deref(), "KINORA_DELIVERY_KEYS")?;
        let keys = match (data, given) {
            (Some(data), _) => data.delivery_keys().await?,
            (None, Some(text)) => Arc::new(DeliveryKeys::given(&text, clock.clone())?),
            (None, None) => {
                return Err(refuse(
                    "an edge checks tokens: --delivery-keys, or --data, says with which keys",
                ));
            }
        };
        Ok(edge::Edge::new(origin, keys, memory, clock))
    }

    fn gateway(&self) -> gateway::Config {
        let default = gateway::Config::default();
        let Rate { burst, seconds_each } = default.by_address;
        let burst = burst.saturating_mul(self.rate_limit_factor);
        gateway::Config {
            upstreams: self.upstreams.clone(),
            at_once: self.at_once.into(),
            at_once_by_address: self.so_many(default.at_once_by_address),
            files_at_once_by_address: self.so_many(default.files_at_once_by_address),
            upload_time: self.request_time(),
            by_address: Rate { burst, seconds_each },
            ..default
        }
    }

    /// What one address has at once.
    fn so_many(&self, usually: usize) -> usize {
        usually.saturating_mul(self.rate_limit_factor as usize)
    }

    /// The roles that are asked for, or all that there is something for.
    fn roles(&self, has_files: bool) -> Result<Vec<Role>> {
        let refuse =
            |reason: &str| Err(Error::Option { flag: "--roles", reason: reason.to_owned() });
        let needs_data = |role: &Role| Role::WITH_DATA.contains(role);
        let has_files = has_files || self.data.is_some();
        if self.roles.contains(&Role::Delivery) && !has_files {
            return refuse("delivery needs a directory to serve: DIR, --mount or --data");
        }
        if self.roles.iter().any(needs_data) && self.data.is_none() {
            return refuse("a role keeps data, and --data says where");
        }
        let twice = self.upstreams.iter().find(|(role, _)| self.roles.contains(role));
        if let Some((role, _)) = twice {
            let reason = format!("{} is played here already", role.name());
            return Err(Error::Option { flag: "--upstream", reason });
        }
        if !self.upstreams.is_empty() && !self.roles.contains(&Role::Gateway) {
            return refuse("--upstream is for the role gateway");
        }
        if self.roles.contains(&Role::Edge) && self.roles.contains(&Role::Delivery) {
            return refuse("an edge and what it is an edge of are two processes");
        }
        if self.origin.is_some() && self.roles.iter().all(|role| *role != Role::Edge) {
            if self.roles.is_empty() {
                return Ok(vec![Role::Edge]);
            }
            return refuse("--origin is for the role edge");
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
            roles.push(Role::Gateway);
        }
        Ok(roles)
    }

    fn delivery(
        &self,
        mounts: &[Mount],
        packages: Option<Router>,
        memory: &Memory,
    ) -> Result<Router> {
        let router = delivery::router(mounts, packages, Some(memory))?;
        Ok(observed(router, self.throttle, self.control))
    }

    fn data(&self) -> Result<Option<Data>> {
        let Some(directory) = &self.data else { return Ok(None) };
        let mut data = Data::new(directory);
        data.plans = self.plans()?;
        data.events_keep_days = self.events_days;
        data.events_keep_bytes = u64::from(self.events_space) << 20;
        data.rate_limit_factor = self.rate_limit_factor;
        data.train_every = self.train_every.map(Duration::from_secs);
        data.signing_keys =
            super::secret_text(self.signing_keys.as_deref(), "KINORA_SIGNING_KEYS")?;
        data.delivery_keys =
            super::secret_text(self.delivery_keys.as_deref(), "KINORA_DELIVERY_KEYS")?;
        data.content_keks =
            super::secret_text(self.content_keks.as_deref(), "KINORA_CONTENT_KEKS")?;
        data.license_url.clone_from(&self.license_url);
        data.clearkey_quality = self.clearkey_quality;
        data.clearkey_seconds = self.clearkey_seconds;
        data.license_proxies = self.proxies()?;
        data.delivery_url.clone_from(&self.delivery_url);
        data.edges.clone_from(&self.edges);
        let names: BTreeSet<&str> = self.edges.iter().map(|edge| edge.name.as_str()).collect();
        if names.len() < self.edges.len() {
            let reason = "two have the same name".to_owned();
            return Err(Error::Option { flag: "--edge", reason });
        }
        Ok(Some(data))
    }

    fn plans(&self) -> Result<Plans> {
        let plans = Plans::new(Plan { streams: self.streams, max_height: None });
        let Some(path) = &self.plans else { return Ok(plans) };
        let text = std::fs::read_to_string(path).map_err(|error| Error::Io {
            action: "read",
            path: path.clone(),
            kind: error.kind(),
        })?;
        plans.with(&text).map_err(|reason| Error::Option { flag: "--plans", reason })
    }

    fn proxies(&self) -> Result<Vec<(System, Proxy)>> {
        let refuse = |reason: String| Error::Option { flag: "--license-proxy", reason };
        let headers: BTreeMap<System, BTreeMap<String, String>> = match &self.license_headers {
            None => BTreeMap::new(),
            Some(path) => {
                let text = std::fs::read(path).map_err(|error| Error::Io {
                    action: "read",
                    path: path.clone(),
                    kind: error.kind(),
                })?;
                // What is wrong with it is not quoted: it holds credentials.
                serde_json::from_slice(&text).map_err(|_| {
                    let reason = "the file is not an object of objects of texts".to_owned();
                    Error::Option { flag: "--license-headers", reason }
                })?
            }
        };
        let proxy = |(system, url): &(System, String)| {
            let headers = headers.get(system).into_iter().flatten();
            let headers = headers.map(|(name, value)| (name.as_str(), value.as_str()));
            Ok((*system, Proxy::new(url, headers).map_err(refuse)?))
        };
        self.license_proxies.iter().map(proxy).collect()
    }

    async fn serve(self, router: Router, admin: Option<(SocketAddr, Router)>) -> Result<()> {
        let listener = listen(self.listen).await?;
        let mut lines = format!("listening on http://{}\n", address_of(&listener, self.listen)?);
        let grace = Duration::from_secs(self.grace);
        let mut looked_after = None;
        if let Some((address, router)) = admin {
            let listener = listen(address).await?;
            lines += &format!("admin on http://{}\n", address_of(&listener, address)?);
            looked_after = Some(http::serve(listener, router, stop_requested(), grace));
        }
        // Whoever started this may be waiting for the lines behind a pipe; if nobody reads them, so be it.
        let mut stdout = std::io::stdout();
        let _ = stdout.write_all(lines.as_bytes()).and_then(|()| stdout.flush());

        let default = http::Options::default();
        let connections_by_address = self.so_many(default.connections_by_address);
        let options =
            http::Options { grace, connections_by_address, gateways: self.behind, ..default };
        let served = http::serve_with(listener, router, stop_requested(), options);
        let (done, _) = tokio::join!(served, async {
            match looked_after {
                Some(looked_after) => looked_after.await,
                None => true,
            }
        });
        if !done {
            tracing::warn!("stopped with requests still running");
        }
        Ok(())
    }
}

fn address_of(listener: &TcpListener, asked: SocketAddr) -> Result<SocketAddr> {
    listener.local_addr().map_err(|error| cannot_listen(asked, &error))
}

/// Logs what is asked for; slows it down, and lets tests make it worse, if that is wanted.
pub(super) fn observed(router: Router, throttle: Option<u64>, control: bool) -> Router {
    let chaos = Chaos::default();
    chaos.shaper.set_rate(throttle);
    let router = if control || throttle.is_some() { chaos.apply(router) } else { router };
    let ledger = control.then(|| chaos.ledger.clone());
    let router = access::observe(router, move |access| {
        access::log(&access);
        if let Some(ledger) = &ledger {
            ledger.record(access);
        }
    });
    if control { router.merge(chaos::router(chaos)) } else { router }
}

/// Listens on an address.
pub(super) async fn listen(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| cannot_listen(address, &error))
}

pub(super) fn cannot_listen(address: SocketAddr, error: &std::io::Error) -> Error {
    Error::Listen { address: address.to_string(), kind: error.kind() }
}

fn license_proxy(text: &str) -> std::result::Result<(System, String), String> {
    let expected = || "expected widevine=URL, playready=URL or fairplay=URL".to_owned();
    let (system, url) = text.split_once('=').ok_or_else(expected)?;
    let system: System = clap::ValueEnum::from_str(system, true).map_err(|_| expected())?;
    if system == System::Clearkey {
        return Err(expected());
    }
    Ok((system, url.to_owned()))
}

/// A role and where it is played.
fn upstream(text: &str) -> std::result::Result<(Role, String), String> {
    let (role, url) = text.split_once('=').ok_or("expected ROLE=URL")?;
    let role = <Role as clap::ValueEnum>::from_str(role, true)?;
    if role == Role::Gateway {
        return Err("a gateway is in front of roles, not of another".to_owned());
    }
    base_url(url).and_then(|url| match url.is_empty() {
        true => Err("expected ROLE=URL".to_owned()),
        false => Ok((role, url)),
    })
}

/// Nothing, or the URL of an origin, with a path perhaps.
pub(super) fn base_url(text: &str) -> std::result::Result<String, String> {
    match text {
        "" => Ok(String::new()),
        url => format!("x={url},1").parse().map(|edge: Edge| edge.base),
    }
}
