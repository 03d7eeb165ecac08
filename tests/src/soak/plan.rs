//! A world that a seed makes: everything random is drawn here, before anything happens.

use std::time::Duration;

use fastrand::Rng;
use kinora_core::Config;
use kinora_core::io::Source;
use kinora_core::time::MediaTime;

use super::publication::{Publication, watched};
use super::random;
use crate::world::World;
use crate::world::content::{Fault, Film};
use crate::world::element::{ElementFaults, Managed};
use crate::world::network::{Network, Protocol, Stretch};
use crate::world::viewer::Action;

/// A world: what is there, what goes wrong, what the viewer does.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What it was drawn from.
    pub seed: u64,
    /// What is played.
    pub film: Film,
    /// Published as DASH, not as HLS.
    pub dash: bool,
    /// How it reaches the viewer.
    pub publication: Publication,
    /// The way to the server.
    pub network: NetworkPlan,
    /// What goes wrong at the server.
    pub faults: Vec<Fault>,
    /// What goes wrong at the element.
    pub element: ElementFaults,
    /// Its media source says when it wants media, and drops what it likes.
    pub managed: Option<Managed>,
    /// Bytes that a buffer takes.
    pub quota: u64,
    /// The host tells when there is no network.
    pub tells_of_network: bool,
    /// How the player is configured.
    pub config: Config,
    /// What the viewer does, and when after the start, in order.
    pub actions: Vec<(Duration, Action)>,
    /// When the viewer leaves at the latest.
    pub leaves: Duration,
}

/// A network.
#[derive(Clone, Debug)]
pub struct NetworkPlan {
    /// Its changes.
    pub trace: Vec<Stretch>,
    /// No connection is faster than this, in kbit/s.
    pub per_connection_kbps: Option<u64>,
    /// What a new connection costs.
    pub connection_setup: Duration,
    /// How requests share connections.
    pub protocol: Protocol,
    /// Up to so much is added to each latency.
    pub jitter: Duration,
    /// Lost packets a minute.
    pub losses_per_minute: f64,
    /// How often hosts report progress.
    pub progress: Duration,
}

impl Plan {
    /// The world of a seed.
    pub fn from_seed(seed: u64) -> Self {
        let mut draw = Rng::with_seed(seed);
        let dash = draw.bool();
        let mut film = random::film(&mut draw, dash);
        let length = Duration::from_secs(film.seconds.into());
        let network = random::network(&mut draw);
        let mut faults = random::faults(&mut draw, &film);
        let mut actions = random::actions(&mut draw, &film);
        let mut config = Config { seed, ..Config::default() };
        config.buffer.forward = Duration::from_secs(*pick(&mut draw, &[10, 20, 30, 30, 60]));
        config.buffer.back = Duration::from_secs(*pick(&mut draw, &[5, 30, 30, 60]));
        // Replaying costs as much as playing.
        config.record = seed.is_multiple_of(8);
        let segment = film.rungs.last().map_or(1, |rung| u64::from(rung.0))
            * 125
            * u64::from(film.segment_seconds);
        let quota = if draw.u8(0..8) == 0 { segment * draw.u64(4..12) } else { 150 << 20 };
        let element = random::element(&mut draw);
        let tells_of_network = draw.bool();
        let start = if draw.u8(0..4) == 0 { Some(draw.u32(0..film.seconds)) } else { None };
        // Drawn last, so that a seed's film stays the same whichever way it comes.
        let mut publication = Publication::draw(&mut draw, &film, dash);
        if let Some(more) = publication.faults(&mut draw) {
            match publication {
                Publication::Live { .. } => faults = more,
                _ => faults.extend(more),
            }
        }
        // From draws of their own, for the same reason.
        let mut draw = Rng::with_seed(!seed);
        random::flaws(&mut draw, &mut film, dash);
        publication.pack(&mut draw, &film, dash);
        let mut draw = Rng::with_seed(seed.rotate_left(48));
        random::text(&mut draw, &mut film, &mut publication, &mut actions);
        let managed = random::managed(&mut Rng::with_seed(seed.rotate_left(32)), segment);
        let mut leaves = length.mul_f64(1.5) + Duration::from_secs(120);
        let mut start = start.map(|start| MediaTime::from_secs(start.into()));
        if let Publication::Live { broadcast, .. } = &publication {
            leaves = watched(&film);
            start = None;
            random::stay_live(&mut actions, leaves, broadcast.lead_ms);
        }
        let url = publication.url(dash);
        let first = Source { url: url.clone(), format: None, start };
        for (_, action) in &mut actions {
            if let Action::Load(source) = action {
                source.url.clone_from(&url);
            }
        }
        actions.insert(0, (Duration::ZERO, Action::Load(first)));
        if element.refuses_autoplay {
            // The viewer clicks.
            actions.insert(1, (Duration::from_secs(3), Action::Play));
        }
        Self {
            seed,
            film,
            dash,
            publication,
            network,
            faults,
            element,
            managed,
            quota,
            tells_of_network,
            config,
            actions,
            leaves,
        }
    }

    /// The world itself.
    pub fn world(&self) -> World {
        let mut origin = self.publication.publish(&self.film);
        for Fault { part, times, kind } in &self.faults {
            origin.fail(part, *times, kind.clone());
        }
        let mut world =
            World::as_configured(self.config.clone(), origin, self.network.build(self.seed));
        world.element.quota = self.quota;
        world.element.faults = self.element.clone();
        world.element.managed = self.managed.clone();
        world.tells_of_network = self.tells_of_network;
        if let Publication::Live { skew_us, .. } = self.publication {
            world.skew_us = skew_us;
        }
        world.least_kbps = self.least_kbps();
        world.strict = false;
        world
    }

    /// Below this rate nobody can ask for playback: the lowest picture and the sound, with a third
    /// to spare.
    fn least_kbps(&self) -> u64 {
        let (rungs, audio_kbps) = match &self.publication {
            Publication::Live { broadcast, .. } => (&broadcast.rungs, broadcast.audio_kbps),
            _ => (&self.film.rungs, self.film.audio_kbps),
        };
        let video = rungs.first().map_or(0, |rung| u64::from(rung.0));
        let rate = self.actions.iter().fold(1.0_f64, |most, (_, action)| match action {
            Action::SetRate(rate) => most.max(*rate),
            _ => most,
        });
        let variation = 100 + u64::from(self.film.variation);
        let needed = (video + u64::from(audio_kbps.unwrap_or(0))) * variation / 100;
        (needed as f64 * rate * 4.0 / 3.0) as u64 + 50
    }
}

impl NetworkPlan {
    fn build(&self, seed: u64) -> Network {
        let mut network = Network::from_trace(self.trace.clone());
        network.per_connection_kbps = self.per_connection_kbps;
        network.connection_setup = self.connection_setup;
        network.protocol = self.protocol;
        network.jitter = self.jitter;
        network.losses_per_minute = self.losses_per_minute;
        network.progress = self.progress;
        network.seed(seed);
        network
    }
}

pub(super) fn pick<'a, T>(draw: &mut Rng, from: &'a [T]) -> &'a T {
    &from[draw.usize(0..from.len())]
}
