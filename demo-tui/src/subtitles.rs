//! Subtitles: which there are, which is shown, and what it says at a time.

use kinora_native::core::io::{Cue, Event, MediaKind, TrackInfo};
use kinora_native::{MediaTime, Selection};

/// The text tracks of what plays, and the cues of the one that is shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct Subtitles {
    tracks: Vec<TrackInfo>,
    /// Number of the one that is shown, in `tracks`.
    shown: Option<usize>,
    cues: Vec<Cue>,
}

impl Subtitles {
    /// Takes note of an event.
    pub(crate) fn note(&mut self, event: &Event) {
        match event {
            Event::Loaded { tracks, .. } => {
                let text = tracks.iter().filter(|track| track.kind == MediaKind::Text);
                self.tracks = text.cloned().collect();
                self.shown = self.tracks.iter().position(|track| track.selected);
            }
            Event::Cues(cues) => {
                self.cues.extend_from_slice(cues);
                self.cues.sort_by_key(|cue| cue.span.start);
            }
            Event::CuesCleared => self.cues.clear(),
            _ => {}
        }
    }

    /// Shows the next track, or none after the last; what that is to the player, if there is any.
    pub(crate) fn turn(&mut self) -> Option<Selection> {
        let kind = MediaKind::Text;
        self.shown = match self.shown {
            None if self.tracks.is_empty() => return None,
            None => Some(0),
            Some(at) => Some(at + 1).filter(|next| *next < self.tracks.len()),
        };
        Some(match self.shown.and_then(|at| self.tracks.get(at)) {
            Some(track) => Selection::Track { kind, index: track.index },
            None => Selection::NoTrack { kind },
        })
    }

    /// What is shown, for people; nothing where nothing is.
    pub(crate) fn name(&self) -> Option<String> {
        let track = self.tracks.get(self.shown?)?;
        let name = track.label.as_ref().or(track.language.as_ref());
        Some(name.map_or_else(|| format!("track {}", track.index + 1), String::clone))
    }

    /// The lines to be read at a time.
    pub(crate) fn lines(&self, position: MediaTime) -> Vec<String> {
        let spoken = self.cues.iter().filter(|cue| cue.span.contains(position));
        spoken
            .flat_map(|cue| plain(&cue.text).lines().map(str::to_owned).collect::<Vec<_>>())
            .collect()
    }
}

/// The words of a cue without tags, and with the characters that references stand for (W3C WebVTT §3.5).
fn plain(text: &str) -> String {
    let mut words = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['<', '&']) {
        words.push_str(&rest[..at]);
        rest = &rest[at..];
        if rest.starts_with('<') {
            rest = rest.find('>').map_or("", |end| &rest[end + 1..]);
        } else if let Some((name, after)) = rest[1..].split_once(';')
            && let Some(character) = referred(name)
        {
            words.push(character);
            rest = after;
        } else {
            words.push('&');
            rest = &rest[1..];
        }
    }
    words + rest
}

fn referred(name: &str) -> Option<char> {
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "nbsp" => '\u{a0}',
        "lrm" => '\u{200e}',
        "rlm" => '\u{200f}',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use kinora_native::core::time::TimeRange;

    use super::*;

    fn track(kind: MediaKind, index: u32, label: Option<&str>) -> TrackInfo {
        TrackInfo {
            kind,
            index,
            language: Some("de".into()),
            label: label.map(str::to_owned),
            qualities: Vec::new(),
            selected: kind == MediaKind::Video,
        }
    }

    fn cue(start_ms: i64, end_ms: i64, text: &str) -> Cue {
        let (start, end) = (MediaTime::from_millis(start_ms), MediaTime::from_millis(end_ms));
        let (id, settings) = (String::new(), String::new());
        Cue { id, span: TimeRange { start, end }, settings, text: text.to_owned() }
    }

    fn film() -> Subtitles {
        let mut subtitles = Subtitles::default();
        let tracks = vec![
            track(MediaKind::Video, 0, None),
            track(MediaKind::Text, 0, Some("English")),
            track(MediaKind::Text, 1, None),
        ];
        subtitles.note(&Event::Loaded { duration: None, live: false, tracks });
        subtitles
    }

    #[test]
    fn the_key_goes_through_the_tracks_and_off() {
        let kind = MediaKind::Text;
        let mut subtitles = film();
        assert_eq!(subtitles.name(), None);
        for (index, name) in [(0, "English"), (1, "de")] {
            assert_eq!(subtitles.turn(), Some(Selection::Track { kind, index }));
            assert_eq!(subtitles.name().as_deref(), Some(name));
        }
        assert_eq!(subtitles.turn(), Some(Selection::NoTrack { kind }));
        assert_eq!(subtitles.name(), None);
        assert_eq!(subtitles.turn(), Some(Selection::Track { kind, index: 0 }));
        assert_eq!(Subtitles::default().turn(), None, "there is nothing to turn to");
    }

    #[test]
    fn a_time_has_the_lines_that_have_begun_and_not_ended() {
        let mut subtitles = film();
        subtitles
            .note(&Event::Cues(vec![cue(4_000, 6_000, "two\nlines"), cue(5_000, 7_000, "more")]));
        subtitles.note(&Event::Cues(vec![cue(1_000, 5_500, "first")]));
        let at = |subtitles: &Subtitles, ms| subtitles.lines(MediaTime::from_millis(ms));
        assert_eq!(at(&subtitles, 999), [""; 0]);
        assert_eq!(at(&subtitles, 5_000), ["first", "two", "lines", "more"]);
        assert_eq!(at(&subtitles, 6_000), ["more"]);
        subtitles.note(&Event::CuesCleared);
        assert_eq!(at(&subtitles, 5_000), [""; 0]);
    }

    #[test]
    fn tags_and_references_are_not_read_out() {
        assert_eq!(
            plain("<v Ann><i.loud>Who</i>?</v> <00:01.000>Tom &amp; Jerry"),
            "Who? Tom & Jerry"
        );
        assert_eq!(
            plain("a & b &unknown; &amp;amp; &lt;3 &gt;&nbsp;c"),
            "a & b &unknown; &amp; <3 >\u{a0}c"
        );
        assert_eq!(plain("cut<i"), "cut");
    }
}
