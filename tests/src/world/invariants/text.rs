//! What is told of text: cues of the track that was chosen and of no other, each once and at its time.

use std::collections::BTreeSet;

use kinora_core::io::{Cue, MediaKind, Selection, Source};
use kinora_core::time::MediaTime;

use super::{Invariant, Invariants, Scene};
use crate::world::film::span_of;

/// In HLS times are mapped by a clock of so much a tick, or less.
const ROUNDING: MediaTime = MediaTime::from_millis(1);

#[derive(Debug, Default)]
pub(super) struct Text {
    /// What is loaded is HLS, where only playback tells what is at zero.
    hls: bool,
    /// The track that was chosen, if one was.
    chosen: Option<u32>,
    /// The words of the cues that hold: no two have the same.
    told: BTreeSet<String>,
}

impl Text {
    /// Something else is loaded, of which nothing has been chosen.
    pub(super) fn load(&mut self, source: &Source) {
        self.hls = source.url.ends_with(".m3u8");
        self.chosen = None;
    }

    pub(super) fn choose(&mut self, selection: &Selection) {
        match selection {
            Selection::Track { kind: MediaKind::Text, index } => self.chosen = Some(*index),
            Selection::NoTrack { kind: MediaKind::Text } => self.chosen = None,
            _ => {}
        }
    }

    /// None that was told holds any more.
    pub(super) fn clear(&mut self) {
        self.told.clear();
    }

    fn is_true(&self, cue: &Cue, scene: &Scene<'_>) -> bool {
        let close = |one: MediaTime, other, slack| (one - other).abs() <= slack;
        let Some(live) = &scene.origin.broadcast else {
            let span = self.chosen.and_then(|track| span_of(&cue.text, track));
            return span.is_some_and(|span| {
                close(cue.span.start, span.start, scene.origin.slack + ROUNDING)
                    && close(cue.span.duration(), span.duration(), ROUNDING)
            });
        };
        let Ok(number) = cue.text.parse::<u64>() else { return false };
        let millis = |millis: u64| MediaTime::from_millis(millis as i64);
        let placed = self.hls
            || live.is_unannounced(&cue.text)
            || close(cue.span.start, millis(number * live.segment_ms), ROUNDING);
        placed && close(cue.span.duration(), millis(live.segment_ms), ROUNDING)
    }
}

impl Invariants {
    /// Cues are told.
    pub(super) fn cues(&mut self, cues: &[Cue], scene: &Scene<'_>) {
        for cue in cues {
            let again = !self.text.told.insert(cue.text.clone());
            let wrong = match self.text.chosen {
                None => "nobody asked for",
                Some(_) if again => "was told before",
                Some(_) if !self.text.is_true(cue, scene) => "is not so",
                Some(_) => continue,
            };
            self.violate(Invariant::Text, format!("a cue that {wrong}: {cue:?}"));
        }
    }

    /// With nothing loaded, no cue holds.
    pub(in crate::world) fn check_cues(&mut self) {
        let count = self.text.told.len();
        if count > 0 {
            self.violate(Invariant::Text, format!("{count} cues hold after unload"));
        }
    }
}
