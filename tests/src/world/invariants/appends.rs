//! What is put into a buffer, and what stays in it.

use kinora_core::io::MediaKind;
use kinora_core::time::{MediaTime, TimeRange};

use super::{Invariant, Invariants, Scene, overlap};
use crate::world::content::Resource;

/// Representations may differ by a frame or two at their boundaries.
const FRAMES: MediaTime = MediaTime::from_millis(100);
/// What is behind is dropped in steps of ten seconds.
const TRIM_STEP: MediaTime = MediaTime::from_secs(10);

impl Invariants {
    /// Media is about to be appended at `place`.
    pub(in crate::world) fn append(
        &mut self,
        kind: MediaKind,
        place: TimeRange,
        resource: &Resource,
        scene: &Scene<'_>,
    ) {
        // What a manifest that stands still has yet to tell of is placed by what it told before.
        let unannounced = |name: &str| {
            scene.origin.broadcast.as_ref().is_some_and(|live| live.is_unannounced(name))
        };
        let chunks = scene.element.chunks(kind).iter().filter(|chunk| !unannounced(&chunk.name));
        let chunks = chunks.filter(|_| !unannounced(&resource.name));
        for chunk in chunks {
            let common = overlap(place, chunk.range);
            let covers =
                place.start <= chunk.range.start + FRAMES && chunk.range.end <= place.end + FRAMES;
            // After a discontinuity media is placed anew, by the first segment played of it. Where playlists are wrong about
            // both that and the first of what came before, the one reaches into the other by as much, and no player can know.
            let astray =
                |name: &str, start| scene.origin.truth(name).map(|truth| start - truth.range.start);
            let one = astray(&resource.name, place.start);
            let apart = match one.zip(astray(&chunk.name, chunk.whole.start)) {
                Some((one, other)) => (one - other).abs(),
                None => scene.origin.slack,
            };
            if common > FRAMES + apart && !covers {
                let what = format!(
                    "{} at {}..{} cuts into {} at {}..{}",
                    resource.name,
                    place.start,
                    place.end,
                    chunk.name,
                    chunk.range.start,
                    chunk.range.end
                );
                self.violate(Invariant::Overlap, what);
            }
        }
        // A piece lies within its segment.
        if let Some(truth) =
            resource.cut_from.as_ref().and_then(|(name, _)| scene.origin.truth(name))
        {
            let within = FRAMES + scene.origin.slack;
            if place.start + within < truth.range.start || truth.range.end + within < place.end {
                let what = format!(
                    "{} is within {}..{} and is put at {}..{}",
                    resource.name, truth.range.start, truth.range.end, place.start, place.end
                );
                self.violate(Invariant::Placement, what);
            }
        }
        let Some(truth) = scene.origin.truth(&resource.name) else { return };
        // What a playlist says of the first segment to be played places all that follow.
        if (place.start - truth.range.start).abs() > FRAMES + scene.origin.slack {
            let what = format!(
                "{} belongs to {} and is put at {}",
                resource.name, truth.range.start, place.start
            );
            self.violate(Invariant::Placement, what);
        }
        self.back_buffer(kind, truth.range.duration(), scene);
    }

    fn back_buffer(&mut self, kind: MediaKind, segment: MediaTime, scene: &Scene<'_>) {
        let Some(first) = scene.element.chunks(kind).first() else { return };
        let behind = scene.element.position - first.range.start;
        let bound = self.back + TRIM_STEP + segment.times(2) + MediaTime::from_secs(2);
        // A seek may leave much behind, which goes with the next removals.
        if behind > bound && self.since(self.viewer.acted) > 30.0 {
            let what = format!("{} holds {behind} s behind the playhead", kind.name());
            self.violate(Invariant::BufferBounds, what);
        }
    }
}
