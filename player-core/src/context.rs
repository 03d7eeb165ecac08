//! What every room of the player works with during one input.

use kinora_abr::{Abr, Event as Transfer};

use crate::config::Config;
use crate::io::{Environment, Request, RequestId, Warning};
use crate::manifest::ManifestWarning;
use crate::outbox::Outbox;
use crate::telemetry::Totals;
use crate::time::Timestamp;

/// What every room of the player works with during one input.
pub(crate) struct Context<'a> {
    pub(crate) now: Timestamp,
    /// The platform says that there is no network.
    pub(crate) offline: bool,
    /// What the device's wall clock is ahead of the monotonic one, in microseconds, if it was told.
    pub(crate) device_clock: Option<i64>,
    /// Whether the viewer hears nothing, if that was told.
    pub(crate) muted: Option<bool>,
    /// The last reports of sessions that have ended.
    pub(crate) parting: &'a mut Vec<Request>,
    pub(crate) config: &'a Config,
    pub(crate) environment: &'a Environment,
    pub(crate) abr: &'a mut Abr,
    pub(crate) totals: &'a mut Totals,
    pub(crate) out: &'a mut Outbox,
}

impl Context<'_> {
    /// Tells how a manifest breaks its specification.
    pub(crate) fn tell(&mut self, url: &str, warnings: Vec<ManifestWarning>) {
        for ManifestWarning { line, code, message, .. } in warnings {
            self.out.warn(Warning::Manifest { url: url.to_owned(), line, code, message });
        }
    }

    /// Cancels a request that still runs.
    pub(crate) fn give_up(&mut self, id: RequestId) {
        self.abr.handle(self.now.micros(), Transfer::RequestCancelled { id: id.0 });
        self.out.cancel(id);
    }
}
