//! The role `gateway`: the one entry, in front of roles in the same process or in others.
//!
//! It knows who asks ([`guard`]), sends each request to the role that answers it ([`table`]), and takes care that one
//! role in trouble, or one client, does not drag the others along: so many requests at once and no more, of all and of
//! one address, a time for each body to arrive ([`upload`]) and for each answer, a second try where that is safe, and
//! none at all where a role has failed again and again ([`upstream`]).

mod forward;
mod guard;
mod survey;
pub mod table;
mod upload;
pub mod upstream;

pub(crate) use guard::{guard, shed};

use crate::{
    clock::Clock,
    roles::Role,
    token::Verifier,
    web::{
        at_once::AtOnce,
        limit::{Rate, RateLimit},
        metrics::Metrics,
    },
};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::sync::Semaphore;
use upload::Uploads;
use upstream::Upstream;

/// How the role behaves.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where roles of other processes are.
    pub upstreams: Vec<(Role, String)>,
    /// Requests to the API that are answered at once.
    pub at_once: usize,
    /// Files that are sent at once.
    pub files_at_once: usize,
    /// Requests to the API of one address that are answered at once.
    pub at_once_by_address: usize,
    /// Files that are sent to one address at once.
    pub files_at_once_by_address: usize,
    /// How long a request waits for its turn.
    pub patience: Duration,
    /// How long the body of a request that is sent on may take to arrive.
    pub upload_time: Duration,
    /// How long a role may take to begin its answer, second try included.
    pub time: Duration,
    /// Requests from one address.
    pub by_address: Rate,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            upstreams: Vec::new(),
            at_once: 256,
            files_at_once: 2048,
            at_once_by_address: 64,
            files_at_once_by_address: 256,
            patience: Duration::from_millis(500),
            upload_time: Duration::from_secs(15),
            time: Duration::from_secs(10),
            by_address: Rate { burst: 1200, seconds_each: 1 },
        }
    }
}

/// The role.
#[derive(Clone)]
pub struct Gateway(Arc<Inner>);

struct Inner {
    config: Config,
    verifier: Option<Verifier>,
    clock: Clock,
    by_address: RateLimit,
    api: Arc<Semaphore>,
    files: Arc<Semaphore>,
    api_by_address: AtOnce,
    files_by_address: AtOnce,
    uploads: Uploads,
    upstreams: BTreeMap<Role, Upstream>,
    counts: Counts,
}

#[derive(Debug, Clone, Default)]
struct Counts {
    shed: Family<Shed, Counter>,
    tries: Family<Try, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Shed {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Try {
    role: String,
    result: &'static str,
}

impl Gateway {
    /// The role. With a verifier it refuses tokens that are not valid before any role sees them.
    pub fn new(
        config: Config,
        verifier: Option<Verifier>,
        clock: Clock,
        metrics: &Metrics,
    ) -> Self {
        let mut by_role: BTreeMap<Role, Vec<String>> = BTreeMap::new();
        for (role, base) in &config.upstreams {
            by_role.entry(*role).or_default().push(base.clone());
        }
        let upstreams = by_role.into_iter().map(|(role, bases)| (role, Upstream::new(bases)));
        let inner = Inner {
            verifier,
            clock,
            by_address: RateLimit::new(config.by_address),
            api: Arc::new(Semaphore::new(config.at_once)),
            files: Arc::new(Semaphore::new(config.files_at_once)),
            api_by_address: AtOnce::new(config.at_once_by_address),
            files_by_address: AtOnce::new(config.files_at_once_by_address),
            uploads: Uploads::new(config.upload_time),
            upstreams: upstreams.collect(),
            counts: Counts::default(),
            config,
        };
        metrics.register(|registry| {
            let Counts { shed, tries } = &inner.counts;
            registry.register("gateway_shed", "Requests turned away", shed.clone());
            registry.register("gateway_tries", "Requests sent to other processes", tries.clone());
        });
        Self(Arc::new(inner))
    }

    /// Whether roles of other processes are behind it.
    pub(crate) fn forwards(&self) -> bool {
        !self.0.upstreams.is_empty()
    }
}

impl Role {
    /// Its name, as on the command line.
    pub fn name(self) -> String {
        use clap::ValueEnum;
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }
}
