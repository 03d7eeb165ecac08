//! Viewers who are not there, and what they watched.

use super::Options;
use crate::{
    events::{
        event::{EndReason, Happening, Watched},
        record::{Kept, What},
    },
    id::{ProfileId, hex},
    platform::Platform,
    storage::{catalogue::Title, event_log::Entry},
    web::text::{EventId, Region, Token},
};
use sha2::{Digest, Sha256};

/// What a crowd likes: genres, and how much.
type Taste = &'static [(&'static str, f32)];

/// The crowds, and the share of the audience that each one is.
const CROWDS: [(f32, Taste); 7] = [
    (0.22, &[("comedy", 1.0), ("romance", 0.4), ("adventure", 0.2)]),
    (0.16, &[("horror", 1.0), ("fantasy", 0.3), ("science-fiction", 0.3)]),
    (0.16, &[("crime", 1.0), ("thriller", 0.8), ("mystery", 0.5)]),
    (0.12, &[("science-fiction", 1.0), ("adventure", 0.4)]),
    (0.14, &[("drama", 1.0), ("romance", 0.6), ("war", 0.4)]),
    (0.08, &[("western", 1.0), ("adventure", 0.6)]),
    (0.12, &[("family", 1.0), ("animation", 1.0), ("comedy", 0.3)]),
];
/// What a title out of a crowd's taste weighs.
const STRAY: f32 = 0.02;
/// Those who watch at most, and at least.
const MOST: u32 = 11;
const LEAST: u32 = 4;
/// Days in which they did so.
const DAYS: f32 = 90.0;

/// The events of the whole audience, always the same for one seed but for the times, which end now.
pub(super) fn watched(titles: &[Title], options: &Options) -> Vec<Entry> {
    let mut random = fastrand::Rng::with_seed(options.seed);
    // Some films everyone knows, whatever the crowd.
    let fame: Vec<f32> = titles.iter().map(|_| 0.3 + random.f32() * random.f32() * 2.0).collect();
    let mut events = Vec::new();
    for viewer in 0..options.viewers {
        let mut share = random.f32();
        let crowd = CROWDS.iter().find(|(size, _)| {
            share -= size;
            share < 0.0
        });
        let taste = crowd.unwrap_or(&CROWDS[0]).1;
        let liking = |title: &Title| {
            let of = |genre: &str| taste.iter().find(|(liked, _)| *liked == genre);
            let likings = title.genres.iter().filter_map(|genre| of(genre.as_str()));
            STRAY + likings.map(|(_, liking)| liking * liking).sum::<f32>()
        };
        let mut weights: Vec<f32> =
            titles.iter().zip(&fame).map(|(title, fame)| liking(title) * fame).collect();
        for play in 0..random.u32(LEAST..=MOST) {
            let Some(at) = drawn(&weights, &mut random) else { break };
            // Nobody watches a film twice here.
            weights[at] = 0.0;
            let title = &titles[at];
            let liked = (liking(title) - STRAY).min(1.0);
            let fraction = (random.f32().powf(0.3 + 1.5 * (1.0 - liked))).clamp(0.02, 1.0);
            // Most of it lately.
            let days = DAYS * random.f32() * random.f32();
            events.extend(event(options, viewer, play, title, fraction, days));
        }
    }
    events
}

/// A place drawn by weight; none if all weigh nothing.
fn drawn(weights: &[f32], random: &mut fastrand::Rng) -> Option<usize> {
    let mut place = random.f32() * weights.iter().sum::<f32>();
    let found = weights.iter().position(|weight| {
        place -= weight;
        place < 0.0
    });
    found.or_else(|| weights.iter().rposition(|weight| *weight > 0.0))
}

fn event(
    options: &Options,
    viewer: u32,
    play: u32,
    title: &Title,
    fraction: f32,
    days: f32,
) -> Option<Entry> {
    let digest = Sha256::digest(format!("audience {} {viewer}", options.seed));
    let profile: ProfileId = hex(&digest[..16]).parse().ok()?;
    let item = title.items().next()?;
    let length = item.media.map_or(3600, |media| media.duration_seconds);
    let seconds = (length as f32 * fraction) as u32;
    let event_id: EventId = format!("seed-{play}").parse().ok()?;
    let playback_id: Token = format!("seed-{viewer}-{play}").parse().ok()?;
    let reason = if fraction > 0.95 { EndReason::Finished } else { EndReason::Left };
    let kept = Kept {
        profile,
        session: None,
        platform: [Platform::Web, Platform::Tv, Platform::Android][viewer as usize % 3],
        region: options.region.parse::<Region>().ok()?,
        at_ms: options.now.0 * 1000 - (days * 86_400_000.0) as i64,
        title: Some(title.id.clone()),
        fraction: Some(fraction),
        what: What::Told(Happening::PlaybackEnded {
            watched: Watched {
                playback_id,
                item_id: item.id.clone(),
                position_seconds: seconds,
                watched_ms: seconds.saturating_mul(1000).min(86_400_000),
                bandwidth_bps: Some(3_000_000),
            },
            reason,
        }),
    };
    Some(kept.entry(&event_id))
}
