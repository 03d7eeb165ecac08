//! The DASH manifest of a presentation (ISO/IEC 23009-1), typed by `dash-mpd-core`, in each of the ways a
//! manifest can address segments.

mod protection;

use super::presentation::{Kind, Layout, Presentation, Representation, SegmentNames};
use crate::{Error, Result};
use dash_mpd_core::{
    AdaptationSet, AudioChannelConfiguration, BaseURL, Copyright, Initialization, MPD, Period,
    ProgramInformation, S, SegmentBase, SegmentList, SegmentTemplate, SegmentTimeline, SegmentURL,
    SupplementalProperty, Title,
};
use std::time::Duration;

const LIVE_PROFILE: &str = "urn:mpeg:dash:profile:isoff-live:2011,urn:mpeg:dash:profile:cmaf:2019";
const ON_DEMAND_PROFILE: &str =
    "urn:mpeg:dash:profile:isoff-on-demand:2011,urn:mpeg:dash:profile:cmaf:2019";
const MAIN_PROFILE: &str = "urn:mpeg:dash:profile:isoff-main:2011";
/// The value counts channels (ISO/IEC 23009-1, 5.8.5.4).
const CHANNEL_COUNT: &str = "urn:mpeg:dash:23003:3:audio_channel_configuration:2011";

/// How a manifest says where segments are (ISO/IEC 23009-1, 5.3.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Addressing {
    /// `SegmentTemplate` with `$Number$` and a `SegmentTimeline` of exact durations.
    Timeline,
    /// `SegmentTemplate` with `$Number$` and one nominal duration.
    Number,
    /// `SegmentTemplate` with `$Time$` and a `SegmentTimeline`; names the segments' files by their time.
    Time,
    /// `SegmentList`.
    List,
    /// `SegmentBase` with the byte range of the `sidx`; needs single files.
    Base,
}

impl Addressing {
    /// Whether this addressing can find segments laid out so.
    pub(super) fn fits(self, layout: &Layout) -> bool {
        match (self, layout) {
            (Self::List, _) | (Self::Base, Layout::SingleFile { .. }) => true,
            (Self::Timeline | Self::Number, Layout::Files { names }) => {
                *names == SegmentNames::Number
            }
            (Self::Time, Layout::Files { names }) => *names == SegmentNames::Time,
            _ => false,
        }
    }

    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Timeline => "timeline",
            Self::Number => "number",
            Self::Time => "time",
            Self::List => "list",
            Self::Base => "base",
        }
    }
}

/// The manifest.
pub(super) fn manifest(presentation: &Presentation, addressing: Addressing) -> Result<String> {
    let profiles = match addressing {
        Addressing::Timeline | Addressing::Number | Addressing::Time => LIVE_PROFILE,
        Addressing::Base => ON_DEMAND_PROFILE,
        Addressing::List => MAIN_PROFILE,
    };
    // Representations of one set have one key; between sets of several keys a player may switch all the same.
    let tier = |r: &Representation| r.protected.as_ref().map(|protected| protected.tier);
    let tiers = presentation.video.chunk_by(|a, b| tier(a) == tier(b));
    // The audio has had the number 1 since there was one set of video.
    let video: Vec<(u32, &[Representation])> = [0].into_iter().chain(2..).zip(tiers).collect();
    let ids: Vec<u32> = video.iter().map(|(id, _)| *id).collect();
    let audio = (1, presentation.audio.as_slice());
    let longest = presentation
        .video
        .iter()
        .chain(&presentation.audio)
        .flat_map(|r| r.segments.iter().map(|s| r.segment_seconds(s)))
        .fold(0.0, f64::max);
    let mpd = MPD {
        xmlns: Some("urn:mpeg:dash:schema:mpd:2011".into()),
        profiles: Some(profiles.into()),
        mpdtype: Some("static".into()),
        mediaPresentationDuration: Some(milliseconds(duration(presentation, addressing))),
        minBufferTime: Some(milliseconds(presentation.segment_duration * 2.0)),
        maxSegmentDuration: Some(milliseconds(longest)),
        ProgramInformation: vec![ProgramInformation {
            Title: Some(Title { content: Some(presentation.title.clone()) }),
            Copyright: copyright(presentation),
            ..ProgramInformation::default()
        }],
        periods: vec![Period {
            id: Some("0".into()),
            start: Some(Duration::ZERO),
            adaptations: video
                .into_iter()
                .chain([audio])
                .filter(|(_, set)| !set.is_empty())
                .map(|(id, set)| {
                    let mut element = adaptation_set(id, set, presentation, addressing);
                    if ids.len() > 1 && ids.contains(&id) {
                        element.supplemental_property = vec![switching(id, &ids)];
                    }
                    element
                })
                .collect(),
            ..Period::default()
        }],
        ..MPD::default()
    };
    write(&mpd)
}

/// An MPD in words.
pub(crate) fn write(mpd: &MPD) -> Result<String> {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let mut writer = quick_xml::se::Serializer::new(&mut text);
    writer.indent(' ', 2);
    serde::Serialize::serialize(mpd, writer)
        .map_err(|error| Error::Manifest { reason: error.to_string() })?;
    text.push('\n');
    // Prefixes that the library writes and does not declare.
    let used = |(prefix, _): &&(&str, &str)| text.contains(&format!("<{prefix}:"));
    let declared: String = protection::NAMESPACES
        .iter()
        .filter(used)
        .map(|(prefix, name)| format!("xmlns:{prefix}=\"{name}\" "))
        .collect();
    Ok(text.replacen("<MPD ", &format!("<MPD {declared}"), 1))
}

/// Names the other sets that one may be switched to (ISO/IEC 23009-1, 5.3.3.5).
fn switching(id: u32, ids: &[u32]) -> SupplementalProperty {
    let others: Vec<String> =
        ids.iter().filter(|other| **other != id).map(u32::to_string).collect();
    SupplementalProperty {
        schemeIdUri: "urn:mpeg:dash:adaptation-set-switching:2016".into(),
        value: Some(others.join(",")),
        ..SupplementalProperty::default()
    }
}

/// Seconds. With one nominal duration a player counts segments by dividing, so an audio track that outlasts
/// its last segment's share by a few samples must not make it look for one more.
fn duration(presentation: &Presentation, addressing: Addressing) -> f64 {
    let counts = presentation.video.iter().chain(&presentation.audio).map(|r| r.segments.len());
    match addressing {
        Addressing::Number => {
            let counted = counts.max().unwrap_or(0) as f64 * presentation.segment_duration;
            presentation.duration.min(counted)
        }
        _ => presentation.duration,
    }
}

fn copyright(presentation: &Presentation) -> Option<Copyright> {
    let parts: Vec<&str> = [&presentation.credit, &presentation.license]
        .into_iter()
        .flatten()
        .map(String::as_str)
        .collect();
    (!parts.is_empty()).then(|| Copyright { content: Some(parts.join(", ")) })
}

fn adaptation_set(
    id: u32,
    representations: &[Representation],
    presentation: &Presentation,
    addressing: Addressing,
) -> AdaptationSet {
    let mut element = set(id, representations);
    if addressing == Addressing::Base {
        element.subsegmentAlignment = element.segmentAlignment.take();
        element.subsegmentStartsWithSAP = element.startWithSAP.take();
    }
    for (element, of) in element.representations.iter_mut().zip(representations) {
        address(element, of, presentation, addressing);
    }
    element
}

/// An adaptation set and its representations, but for where their segments are.
pub(crate) fn set(id: u32, representations: &[Representation]) -> AdaptationSet {
    let content_type = match representations.first().map(|r| &r.kind) {
        Some(Kind::Audio { .. }) => "audio",
        _ => "video",
    };
    AdaptationSet {
        id: Some(id.to_string()),
        contentType: Some(content_type.into()),
        mimeType: Some(format!("{content_type}/mp4")),
        segmentAlignment: Some(true),
        startWithSAP: Some(1),
        ContentProtection: representations
            .first()
            .and_then(|r| r.protected.as_ref())
            .map(protection::descriptors)
            .unwrap_or_default(),
        representations: representations.iter().map(representation).collect(),
        ..AdaptationSet::default()
    }
}

fn representation(representation: &Representation) -> dash_mpd_core::Representation {
    let mut element = dash_mpd_core::Representation {
        id: Some(representation.id.clone()),
        bandwidth: Some(representation.bandwidth),
        codecs: Some(representation.codecs.clone()),
        BaseURL: vec![BaseURL { base: base_url(representation), ..BaseURL::default() }],
        ..dash_mpd_core::Representation::default()
    };
    match &representation.kind {
        Kind::Video { width, height, frame_rate } => {
            element.width = Some((*width).into());
            element.height = Some((*height).into());
            element.frameRate = Some(frame_rate.to_string());
            element.sar = Some("1:1".into());
        }
        Kind::Audio { sample_rate, channels } => {
            element.audioSamplingRate = Some(sample_rate.to_string());
            element.AudioChannelConfiguration = vec![AudioChannelConfiguration {
                schemeIdUri: CHANNEL_COUNT.into(),
                value: Some(channels.to_string()),
                ..AudioChannelConfiguration::default()
            }];
        }
    }
    element
}

/// Says where a representation's segments are.
fn address(
    element: &mut dash_mpd_core::Representation,
    representation: &Representation,
    presentation: &Presentation,
    addressing: Addressing,
) {
    let timescale = Some(u64::from(representation.timescale));
    match addressing {
        Addressing::Timeline | Addressing::Number | Addressing::Time => {
            let nominal = presentation.segment_duration * f64::from(representation.timescale);
            element.SegmentTemplate = Some(SegmentTemplate {
                timescale,
                initialization: Some("init.mp4".into()),
                media: Some(
                    match addressing {
                        Addressing::Time => "seg-$Time$.m4s",
                        _ => "seg-$Number%05d$.m4s",
                    }
                    .into(),
                ),
                startNumber: (addressing != Addressing::Time).then_some(1),
                endNumber: (addressing == Addressing::Number)
                    .then_some(representation.segments.len() as u64),
                duration: (addressing == Addressing::Number).then(|| nominal.round()),
                SegmentTimeline: (addressing != Addressing::Number)
                    .then(|| timeline(representation)),
                ..SegmentTemplate::default()
            });
        }
        Addressing::List => {
            element.SegmentList = Some(SegmentList {
                timescale,
                Initialization: Some(initialization(representation)),
                SegmentTimeline: Some(timeline(representation)),
                segment_urls: representation
                    .segments
                    .iter()
                    .map(|s| segment_url(representation, s))
                    .collect(),
                ..SegmentList::default()
            });
        }
        Addressing::Base => {
            element.SegmentBase = Some(SegmentBase {
                timescale,
                indexRange: index_range(&representation.layout),
                indexRangeExact: Some(true),
                Initialization: Some(initialization(representation)),
                ..SegmentBase::default()
            });
        }
    }
}

/// What the names in the manifest are relative to: the directory, or the one file in it.
fn base_url(representation: &Representation) -> String {
    let directory = &representation.directory;
    match representation.layout {
        Layout::Files { .. } => format!("{directory}/"),
        Layout::SingleFile { .. } => format!("{directory}/media.mp4"),
    }
}

fn initialization(representation: &Representation) -> Initialization {
    match representation.layout {
        Layout::Files { .. } => {
            Initialization { sourceURL: Some("init.mp4".into()), ..Initialization::default() }
        }
        Layout::SingleFile { initialization, .. } => {
            Initialization { range: byte_range(0, initialization), ..Initialization::default() }
        }
    }
}

fn segment_url(
    representation: &Representation,
    segment: &super::presentation::Segment,
) -> SegmentURL {
    match representation.layout {
        Layout::Files { .. } => {
            SegmentURL { media: Some(segment.file.clone()), ..SegmentURL::default() }
        }
        Layout::SingleFile { .. } => SegmentURL {
            mediaRange: byte_range(segment.offset, segment.size),
            ..SegmentURL::default()
        },
    }
}

fn index_range(layout: &Layout) -> Option<String> {
    match layout {
        Layout::SingleFile { initialization, index } => byte_range(*initialization, *index),
        Layout::Files { .. } => None,
    }
}

/// `first-last`, both inclusive.
fn byte_range(offset: u64, size: u64) -> Option<String> {
    Some(format!("{offset}-{}", (offset + size).checked_sub(1)?))
}

/// Runs of equal durations.
fn timeline(representation: &Representation) -> SegmentTimeline {
    let mut runs: Vec<S> = Vec::new();
    for segment in &representation.segments {
        match runs.last_mut() {
            Some(run) if run.d == segment.duration => run.r = Some(run.r.unwrap_or(0) + 1),
            _ => {
                let t = runs.is_empty().then_some(segment.start);
                runs.push(S { t, d: segment.duration, ..S::default() });
            }
        }
    }
    SegmentTimeline { segments: runs }
}

/// `xs:duration` is written to the millisecond. Rounded up, so that no end is cut off.
fn milliseconds(seconds: f64) -> Duration {
    Duration::from_millis((seconds * 1000.0 - 1e-6).ceil().max(0.0) as u64)
}

#[cfg(test)]
mod tests {
    use super::{super::presentation::fixture, *};

    fn parsed(single_file: bool, addressing: Addressing) -> MPD {
        let names = match addressing {
            Addressing::Time => SegmentNames::Time,
            _ => SegmentNames::Number,
        };
        let text = manifest(&fixture::presentation(single_file, names), addressing).unwrap();
        dash_mpd_core::parse(&text).unwrap()
    }

    fn video(mpd: &MPD) -> &dash_mpd_core::Representation {
        &mpd.periods[0].adaptations[0].representations[0]
    }

    fn runs(timeline: &Option<SegmentTimeline>) -> Vec<(Option<u64>, u64, Option<i64>)> {
        timeline.iter().flat_map(|t| &t.segments).map(|s| (s.t, s.d, s.r)).collect()
    }

    #[test]
    fn a_manifest_names_the_whole_presentation() {
        let mpd = parsed(false, Addressing::Timeline);
        assert_eq!(mpd.mediaPresentationDuration, Some(Duration::from_millis(4171)));
        let information = &mpd.ProgramInformation[0];
        assert_eq!(information.Title.as_ref().unwrap().content.as_deref(), Some("A & B"));
        let copyright = information.Copyright.as_ref().unwrap();
        assert_eq!(copyright.content.as_deref(), Some("© Someone, CC-BY 3.0"));
        let representation = video(&mpd);
        assert_eq!(representation.bandwidth, Some(1_000_000));
        assert_eq!(representation.frameRate.as_deref(), Some("30000/1001"));
        assert_eq!(representation.BaseURL[0].base, "video-360p.0a1b2c3d/");
    }

    #[test]
    fn templates_with_a_timeline_are_exact() {
        for (addressing, media) in
            [(Addressing::Timeline, "seg-$Number%05d$.m4s"), (Addressing::Time, "seg-$Time$.m4s")]
        {
            let mpd = parsed(false, addressing);
            let template = video(&mpd).SegmentTemplate.as_ref().unwrap();
            assert_eq!(template.media.as_deref(), Some(media));
            assert_eq!(
                runs(&template.SegmentTimeline),
                [(Some(0), 60_060, Some(1)), (None, 5005, None)]
            );
        }
    }

    #[test]
    fn a_template_with_one_duration_counts_in_its_own_ticks() {
        let mpd = parsed(false, Addressing::Number);
        let template = video(&mpd).SegmentTemplate.as_ref().unwrap();
        assert_eq!((template.duration, template.timescale), (Some(60_060.0), Some(30_000)));
        assert_eq!(template.SegmentTimeline, None);
        assert_eq!(template.endNumber, Some(3));
    }

    #[test]
    fn counting_by_division_never_finds_a_segment_too_many() {
        let mut presentation = fixture::presentation(false, SegmentNames::Number);
        for representation in presentation.video.iter_mut().chain(&mut presentation.audio) {
            representation.segments.pop();
        }
        presentation.duration = 2.0 * 96_256.0 / 48_000.0;
        let length = |addressing| {
            let text = manifest(&presentation, addressing).unwrap();
            dash_mpd_core::parse(&text).unwrap().mediaPresentationDuration
        };
        assert_eq!(length(Addressing::Number), Some(Duration::from_millis(4004)));
        assert_eq!(length(Addressing::Timeline), Some(Duration::from_millis(4011)));
    }

    #[test]
    fn a_list_names_files_or_ranges() {
        let urls = |single_file| {
            let mpd = parsed(single_file, Addressing::List);
            let list = video(&mpd).SegmentList.clone().unwrap();
            list.segment_urls
                .into_iter()
                .map(|u| u.media.or(u.mediaRange).unwrap())
                .collect::<Vec<_>>()
        };
        assert_eq!(urls(false), ["seg-00001.m4s", "seg-00002.m4s", "seg-00003.m4s"]);
        assert_eq!(urls(true), ["768-251017", "251018-451217", "451218-511217"]);
    }

    #[test]
    fn a_base_points_at_the_index() {
        let mpd = parsed(true, Addressing::Base);
        let representation = video(&mpd);
        assert_eq!(representation.BaseURL[0].base, "video-360p.0a1b2c3d/media.mp4");
        let base = representation.SegmentBase.as_ref().unwrap();
        assert_eq!(base.indexRange.as_deref(), Some("700-767"));
        assert_eq!(base.Initialization.as_ref().unwrap().range.as_deref(), Some("0-699"));
    }
}
