//! Players on one link, each with the whole engine: audio beside video, live and on demand.
//!
//! [`play`](crate::sim::play) measures rules the way they were published. Here the calls are those of a
//! real player: requests overlap, compete for the link, and are reported to an [`Abr`](crate::Abr) as they
//! go.

mod fetch;
mod link;
mod moment;
mod requests;
mod viewer;

use crate::sim::{Movie, Session, Trace};
use crate::{CatchUp, Config, Estimate};

use link::SharedLink;
use viewer::Client;

/// Someone who watches.
#[derive(Clone, Debug)]
pub struct Viewer {
    /// What. Live, it begins again at its end.
    pub movie: Movie,
    /// How the engine decides.
    pub config: Config,
    /// The most the buffer may hold, milliseconds.
    pub capacity_ms: f64,
    /// From when on, milliseconds.
    pub joins_ms: f64,
    /// Bitrate of audio that is fetched beside the video, kbit/s. Its segments are as long.
    pub audio_kbps: Option<f64>,
    /// How close to the live edge; `None`: on demand.
    pub live: Option<Live>,
}

/// Watching what is being made.
#[derive(Clone, Copy, Debug)]
pub struct Live {
    /// The latency aimed for, milliseconds.
    pub target_ms: f64,
    /// How many chunks a segment is made and sent in; with 1 it is there when it is whole.
    pub chunks: u32,
    /// How the playback rate keeps the latency.
    pub catch_up: CatchUp,
}

/// What someone got to see.
#[derive(Clone, Debug)]
pub struct Viewing {
    /// Segments, stalls and transfers of the video. Times count from the beginning of the simulation,
    /// the start-up from joining.
    pub session: Session,
    /// What the engine believed about the network at the end.
    pub estimate: Estimate,
    /// Live, once a second while playing: time, and media between the live edge and the playhead;
    /// milliseconds.
    pub latency: Vec<(f64, f64)>,
}

/// Lets viewers watch over one link until all are done, at most until `until_ms`: live, nobody ever is
/// done. Movies and trace have to be sound.
///
/// A request waits one latency of the trace. After that the rate of the trace is divided equally among
/// the transfers that have something to receive, as TCP connections of equal round-trip time do.
pub fn watch(trace: &Trace, viewers: &[Viewer], until_ms: f64) -> Vec<Viewing> {
    let mut link = SharedLink::new(trace);
    let mut clients: Vec<Client<'_>> =
        viewers.iter().enumerate().map(|(n, viewer)| Client::new(viewer, n as u64)).collect();
    let mut now_ms = 0.0;
    while now_ms < until_ms && !clients.iter().all(Client::is_done) {
        for client in &mut clients {
            client.act(now_ms, &mut link);
        }
        let events = clients.iter().map(|client| client.until_event(now_ms));
        let pause_ms = events.fold(link.until_event().min(TICK_MS), f64::min);
        for client in &mut clients {
            client.advance(pause_ms, &link);
        }
        link.advance(pause_ms);
        now_ms += pause_ms;
    }
    clients.into_iter().map(Client::into_viewing).collect()
}

/// Progress is reported no less often than this.
const TICK_MS: f64 = 50.0;
/// Nothing shorter than this is told apart.
const MOMENT_MS: f64 = 1e-6;
