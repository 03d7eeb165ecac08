//! Puts the playlists of one presentation on one timeline (RFC 8216bis §6.2.4, §6.3.3).
//!
//! Each playlist read for the first time begins at zero, but those of a live presentation do not all
//! begin with the same moment, nor do they have to count their segments alike.

use super::{MediaPlaylist, PlaylistType};
use crate::time::MediaTime;

/// How the times of one playlist follow from those of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alignment {
    /// What to [`shift`](MediaPlaylist::shift) the playlist by.
    pub shift: MediaTime,
    /// How that is known.
    pub by: AlignedBy,
}

/// What two playlists have in common, the surest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlignedBy {
    /// Both are dated (`EXT-X-PROGRAM-DATE-TIME`).
    Date,
    /// Both have the beginning of a discontinuity of the same number.
    Discontinuity,
    /// Both begin where the presentation does.
    Beginning,
    /// Both have a segment of the same number. That these are of the same time is usual, but not
    /// promised.
    Number,
    /// Both end at the live edge.
    Edge,
}

impl MediaPlaylist {
    /// How to put this playlist on the timeline of `other`, another rendition of the same
    /// presentation. None if either has no segments.
    pub fn alignment(&self, other: &Self) -> Option<Alignment> {
        let (list, others) = (self.index.list()?, other.index.list()?);
        if list.len() == 0 || others.len() == 0 {
            return None;
        }
        let start = self.index.start();
        let to = |time: MediaTime, by| Some(Alignment { shift: time - start, by });
        let date = self.index.wall_time_at(start);
        if let Some(time) = date.and_then(|date| other.index.time_at(date)) {
            return to(time, AlignedBy::Date);
        }
        if let Some((own, theirs)) = list.common_discontinuity(others) {
            return to(start + (theirs - own), AlignedBy::Discontinuity);
        }
        let whole = |one: &Self| !one.live || one.playlist_type == Some(PlaylistType::Event);
        if whole(self) && whole(other) {
            return to(other.index.start(), AlignedBy::Beginning);
        }
        let number = list.first_number().max(others.first_number());
        if let Some((own, theirs)) = list.span_of(number).zip(others.span_of(number)) {
            return to(start + (theirs.0 - own.0), AlignedBy::Number);
        }
        to(start + (other.index.end() - self.index.end()), AlignedBy::Edge)
    }

    /// Moves everything on the timeline by `by`. Versions that are merged later follow.
    pub fn shift(&mut self, by: MediaTime) {
        if let Some(list) = self.index.list_mut() {
            list.shift(by, 0);
        }
        for part in &mut self.parts {
            part.start = part.start + by;
        }
        for tag in &mut self.unknown {
            tag.start = tag.start.map(|start| start + by);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::hls::parse_media;
    use crate::time::Timestamp;

    const URL: &str = "https://cdn.example/main.m3u8";

    fn playlist(tags: &str, first: u64, segments: &[&str]) -> MediaPlaylist {
        let text = text(tags, first, segments);
        parse_media(text.as_bytes(), URL).expect("a sound playlist").value
    }

    fn text(tags: &str, first: u64, segments: &[&str]) -> String {
        let head =
            format!("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:{first}\n{tags}");
        let segment = |text, (place, before): (usize, &&str)| {
            format!("{text}{before}#EXTINF:4,\n{}.m4s\n", first + place as u64)
        };
        segments.iter().enumerate().fold(head, segment)
    }

    /// What the alignment is by, and where the first segment comes to lie, in seconds.
    fn aligned(own: &MediaPlaylist, other: &MediaPlaylist) -> Option<(AlignedBy, i64)> {
        let alignment = own.alignment(other)?;
        let mut own = own.clone();
        own.shift(alignment.shift);
        Some((alignment.by, own.index.start().flicks() / crate::time::FLICKS_PER_SECOND))
    }

    #[test]
    fn dates_count_most() {
        let video = playlist("", 100, &["#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00Z\n", "", ""]);
        let date = "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:06Z\n";
        assert_eq!(aligned(&playlist("", 7, &[date, ""]), &video), Some((AlignedBy::Date, 6)));
        let before = "#EXT-X-PROGRAM-DATE-TIME:2025-12-31T23:59:50Z\n";
        let early = playlist("", 100, &[before, "", "", ""]);
        assert_eq!(aligned(&early, &video), Some((AlignedBy::Date, -10)));
    }

    #[test]
    fn discontinuities_of_one_number_begin_together() {
        let cut = "#EXT-X-DISCONTINUITY\n";
        let video = playlist("#EXT-X-DISCONTINUITY-SEQUENCE:4\n", 100, &["", "", cut, "", cut]);
        let audio = playlist("#EXT-X-DISCONTINUITY-SEQUENCE:4\n", 9, &["", cut, ""]);
        assert_eq!(aligned(&audio, &video), Some((AlignedBy::Discontinuity, 4)));
        // The beginning of the first is not known.
        let audio = playlist("#EXT-X-DISCONTINUITY-SEQUENCE:6\n", 103, &["", ""]);
        assert_eq!(aligned(&audio, &video), Some((AlignedBy::Number, 12)));
    }

    #[test]
    fn without_either_it_is_guessed() {
        let video = playlist("", 100, &["", "", ""]);
        let audio = playlist("", 98, &["", "", "", ""]);
        assert_eq!(aligned(&audio, &video), Some((AlignedBy::Number, -8)));
        let elsewhere = playlist("", 7, &["", ""]);
        assert_eq!(aligned(&elsewhere, &video), Some((AlignedBy::Edge, 4)));
        assert_eq!(aligned(&playlist("", 7, &[]), &video), None);
        let event =
            |first, segments: &[&str]| playlist("#EXT-X-PLAYLIST-TYPE:EVENT\n", first, segments);
        let (video, audio) = (event(3, &["", ""]), event(1, &["", "", ""]));
        assert_eq!(aligned(&audio, &video), Some((AlignedBy::Beginning, 0)));
    }

    #[test]
    fn later_versions_follow() {
        let mut audio = playlist("", 7, &["", ""]);
        audio.shift(MediaTime::from_secs(40));
        let next = text("", 8, &["", "", ""]);
        audio.refresh(next.as_bytes(), URL, Timestamp::default()).expect("a sound playlist");
        let starts: Vec<_> =
            audio.index.iter().map(|s| s.start.flicks() / crate::time::FLICKS_PER_SECOND).collect();
        assert_eq!(starts, [44, 48, 52]);
    }
}
