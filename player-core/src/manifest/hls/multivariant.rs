//! Multivariant playlists (RFC 8216bis §4.4.6).

use super::attributes::Attributes;
use super::lines::{Content, Lines};
use super::variables::Variables;
use crate::io::MediaKind;
use crate::manifest::{
    Fault, ManifestErrorKind, Parsed, WarningCode, Warnings, codecs, sort_by_bandwidth,
};
use crate::presentation::{Period, Presentation, Representation, Segments, SwitchingSet};
use crate::url;

/// The most variants, and the most renditions.
const MOST: usize = 1000;

/// Reads a multivariant playlist whose text has been checked for its first line.
pub(super) fn parse(text: &str, url: &str) -> Result<Parsed<Presentation>, Fault> {
    let mut reader = MultivariantReader {
        url,
        variants: Vec::new(),
        renditions: Vec::new(),
        pending: None,
        variables: Variables::default(),
        warnings: Warnings::default(),
    };
    let mut lines = Lines::new(text);
    for line in lines.by_ref() {
        match line.content {
            Content::Tag { name, value } => reader.tag(name, value, line.number)?,
            Content::Uri(reference) => reader.uri(reference, line.number)?,
        }
    }
    if let Some((_, line)) = reader.pending {
        reader.warnings.add(
            line,
            WarningCode::Missing,
            "EXT-X-STREAM-INF is not followed by a URI",
        );
    }
    if reader.variants.is_empty() {
        return Err(ManifestErrorKind::Empty.at(lines.number()));
    }
    let MultivariantReader { variants, renditions, mut warnings, .. } = reader;
    let sets = sets(variants, &renditions, &mut warnings);
    let period = Period { sets, ..Period::default() };
    Ok(warnings.with(Presentation { periods: vec![period], ..Presentation::default() }))
}

/// `EXT-X-STREAM-INF` (RFC 8216bis §4.4.6.2).
#[derive(Clone, Debug, Default)]
struct Variant {
    /// Absolute.
    url: String,
    bandwidth: u64,
    codecs: String,
    resolution: Option<(u32, u32)>,
    frame_rate: Option<f64>,
    video_range: Option<String>,
    audio: Option<String>,
    subtitles: Option<String>,
    stable_id: Option<String>,
}

impl Variant {
    /// Whether it is sound without picture, as far as its attributes tell.
    fn is_audio_only(&self) -> bool {
        self.resolution.is_none()
            && !self.codecs.is_empty()
            && codecs::list(&self.codecs).all(|codec| codecs::kind(codec) == Some(MediaKind::Audio))
    }
}

/// `EXT-X-MEDIA` (RFC 8216bis §4.4.6.1).
#[derive(Clone, Debug)]
struct Rendition {
    kind: MediaKind,
    /// Absolute; none if it is muxed into the variants.
    url: Option<String>,
    group: String,
    name: String,
    language: Option<String>,
    default: bool,
    forced: bool,
    characteristics: String,
    channels: Option<u64>,
    stable_id: Option<String>,
    line: u64,
}

struct MultivariantReader<'a> {
    url: &'a str,
    variants: Vec<Variant>,
    renditions: Vec<Rendition>,
    /// A variant whose URI is still to come, and its line.
    pending: Option<(Variant, u64)>,
    variables: Variables,
    warnings: Warnings,
}

impl MultivariantReader<'_> {
    fn tag(&mut self, name: &str, value: &str, line: u64) -> Result<(), Fault> {
        match name {
            "EXT-X-STREAM-INF" => {
                if self.pending.is_some() {
                    self.warnings.add(
                        line,
                        WarningCode::Missing,
                        "the EXT-X-STREAM-INF before has no URI",
                    );
                }
                self.pending = Some((self.variant(value, line)?, line));
                Ok(())
            }
            "EXT-X-MEDIA" => self.rendition(value, line),
            "EXT-X-DEFINE" => self.variables.define(value, line, self.url, &mut self.warnings),
            "EXTINF" | "EXT-X-TARGETDURATION" | "EXT-X-MEDIA-SEQUENCE" => {
                let empty = self.variants.is_empty() && self.renditions.is_empty();
                Err(if empty && self.pending.is_none() {
                    ManifestErrorKind::NotMultivariantPlaylist
                } else {
                    ManifestErrorKind::MixedPlaylist
                }
                .at(line))
            }
            // Whatever else there is does not change what can be played (RFC 8216bis §6.3.1).
            _ => Ok(()),
        }
    }

    fn variant(&mut self, value: &str, line: u64) -> Result<Variant, Fault> {
        const TAG: &str = "EXT-X-STREAM-INF";
        let warnings = &mut self.warnings;
        let attributes = Attributes::read(TAG, value, line, warnings);
        let text = |name: &str, warnings: &mut Warnings| {
            let text = attributes.text(name, &self.variables, warnings)?;
            Ok::<_, Fault>(text.map(|text| text.into_owned()))
        };
        let bandwidth = match attributes.integer("BANDWIDTH", warnings) {
            Some(bandwidth) => bandwidth,
            None => {
                warnings.add(line, WarningCode::Missing, "EXT-X-STREAM-INF lacks its BANDWIDTH");
                attributes.integer("AVERAGE-BANDWIDTH", warnings).unwrap_or(0)
            }
        };
        let mut variant = Variant { bandwidth, ..Variant::default() };
        variant.codecs = text("CODECS", warnings)?.unwrap_or_default();
        variant.audio = text("AUDIO", warnings)?;
        variant.subtitles = text("SUBTITLES", warnings)?;
        variant.stable_id = text("STABLE-VARIANT-ID", warnings)?;
        variant.resolution = attributes.resolution("RESOLUTION", warnings);
        variant.frame_rate = attributes.float("FRAME-RATE", warnings).filter(|&rate| rate > 0.0);
        variant.video_range = attributes.word("VIDEO-RANGE").map(str::to_owned);
        Ok(variant)
    }

    fn rendition(&mut self, value: &str, line: u64) -> Result<(), Fault> {
        const TAG: &str = "EXT-X-MEDIA";
        let warnings = &mut self.warnings;
        let attributes = Attributes::read(TAG, value, line, warnings);
        let kind = match attributes.word("TYPE") {
            Some("AUDIO") => MediaKind::Audio,
            Some("SUBTITLES") => MediaKind::Text,
            // Other camera angles, and captions inside the video, are not tracks of their own.
            Some("VIDEO" | "CLOSED-CAPTIONS") => return Ok(()),
            _ => {
                warnings.add(
                    line,
                    WarningCode::Missing,
                    "EXT-X-MEDIA without a known TYPE is left out",
                );
                return Ok(());
            }
        };
        if self.renditions.len() >= MOST {
            return Err(ManifestErrorKind::limit("renditions", MOST).at(line));
        }
        let mut text = |name: &str| {
            let text = attributes.text(name, &self.variables, warnings)?;
            Ok::<_, Fault>(text.map(|text| text.into_owned()))
        };
        let (group, name) = (text("GROUP-ID")?, text("NAME")?);
        let language = text("LANGUAGE")?.filter(|language| !language.is_empty());
        let url = text("URI")?.map(|reference| url::resolve(self.url, &reference));
        let characteristics = text("CHARACTERISTICS")?.unwrap_or_default();
        let channels = text("CHANNELS")?;
        let stable_id = text("STABLE-RENDITION-ID")?;
        let Some(group) = group else {
            warnings.add(line, WarningCode::Missing, "EXT-X-MEDIA without GROUP-ID is left out");
            return Ok(());
        };
        if name.is_none() {
            warnings.add(line, WarningCode::Missing, "EXT-X-MEDIA lacks its NAME");
        }
        if kind == MediaKind::Text && url.is_none() {
            warnings.add(line, WarningCode::Missing, "subtitles without URI are left out");
            return Ok(());
        }
        let channels = channels
            .as_deref()
            .and_then(|text| text.split('/').next())
            .and_then(crate::manifest::decimal::integer);
        self.renditions.push(Rendition {
            kind,
            url,
            group,
            name: name.or_else(|| language.clone()).unwrap_or_default(),
            language,
            default: attributes.yes("DEFAULT"),
            forced: attributes.yes("FORCED"),
            characteristics,
            channels,
            stable_id,
            line,
        });
        Ok(())
    }

    fn uri(&mut self, reference: &str, line: u64) -> Result<(), Fault> {
        let Some((mut variant, _)) = self.pending.take() else {
            self.warnings.add(
                line,
                WarningCode::Misplaced,
                "a URI without EXT-X-STREAM-INF is left out",
            );
            return Ok(());
        };
        if self.variants.len() >= MOST {
            return Err(ManifestErrorKind::limit("variants", MOST).at(line));
        }
        let reference = self.variables.substitute(reference, line)?;
        variant.url = url::resolve(self.url, &reference);
        self.variants.push(variant);
        Ok(())
    }
}

/// Sorts variants and renditions into tracks.
fn sets(
    mut variants: Vec<Variant>,
    renditions: &[Rendition],
    warnings: &mut Warnings,
) -> Vec<SwitchingSet> {
    // The lowest bandwidth first; equals in the order the author prefers them.
    sort_by_bandwidth(&mut variants, |variant| variant.bandwidth);
    let has_picture = variants.iter().any(|variant| !variant.is_audio_only());
    let groups = AudioGroups::new(&variants, renditions, has_picture, warnings);

    let mut sets = Vec::new();
    if has_picture {
        // Sound without picture, in a ladder that has pictures, is for lines too thin for any.
        let mut pictures = variants.iter().filter(|variant| !variant.is_audio_only());
        add_variants(&mut pictures, &groups, MediaKind::Video, &mut sets);
    }
    groups.add_to(&mut sets);
    if !has_picture && sets.is_empty() {
        add_variants(&mut variants.iter(), &groups, MediaKind::Audio, &mut sets);
    }
    let used =
        |group: &str| variants.iter().any(|variant| variant.subtitles.as_deref() == Some(group));
    for rendition in renditions {
        if rendition.kind == MediaKind::Text && used(&rendition.group) {
            add_rendition(rendition, "text/vtt", "", 1, &mut sets);
        }
    }
    for set in &mut sets {
        sort_by_bandwidth(&mut set.representations, |representation| representation.bandwidth);
        name_apart(&mut set.representations);
    }
    // Of pictures in several codecs, the first that can be played is as good as the next.
    if let Some(first) = sets.iter_mut().find(|set| set.kind == MediaKind::Video) {
        first.default = true;
    }
    sets
}

/// The variants' own streams: one set for each combination of codecs that can be switched within.
fn add_variants(
    variants: &mut dyn Iterator<Item = &Variant>,
    groups: &AudioGroups<'_>,
    kind: MediaKind,
    sets: &mut Vec<SwitchingSet>,
) {
    let mut keys: Vec<(String, usize)> = Vec::new();
    let mut by_url: Vec<&Variant> = Vec::new();
    for variant in variants {
        // The same stream with another audio group.
        if !core::ptr::eq(first_of_url(&mut by_url, variant), variant) {
            continue;
        }
        let apart = variant.audio.as_deref().and_then(|group| groups.separate(group));
        let codecs = match apart {
            Some(_) => codecs::of_kind(&variant.codecs, MediaKind::Video),
            None => variant.codecs.clone(),
        };
        let mut key = String::new();
        for codec in codecs::list(&codecs) {
            key.push_str(codecs::family(codec));
            key.push(',');
        }
        key.push_str(variant.video_range.as_deref().unwrap_or("SDR"));

        let position = match keys.iter().find(|(known, _)| *known == key) {
            Some(&(_, position)) => position,
            None => {
                sets.push(SwitchingSet::new(kind));
                keys.push((key, sets.len() - 1));
                sets.len() - 1
            }
        };
        let Some(set) = sets.get_mut(position) else { continue };
        let audio = apart.map_or(0, |group| group.bandwidth);
        // Taking different sound from different variants must not change their order.
        let least = set.representations.last().map_or(1, |before| before.bandwidth);
        let bandwidth = variant.bandwidth.saturating_sub(audio).max(least);
        let (width, height) = variant.resolution.unzip();
        let twin = set.representations.iter().any(|other| {
            (other.bandwidth, other.width, other.height) == (bandwidth, width, height)
                && other.codecs == codecs
                && other.frame_rate == variant.frame_rate
        });
        // The same quality from another server (RFC 8216bis §6.2.4, redundant variants).
        if twin {
            continue;
        }
        let container = if kind == MediaKind::Audio { "audio/mp4" } else { "video/mp4" };
        let id = match &variant.stable_id {
            Some(id) => id.clone(),
            None => variant_id(variant),
        };
        let segments = Segments::Playlist { url: variant.url.clone() };
        set.representations.push(Representation {
            container: container.to_owned(),
            codecs,
            width,
            height,
            frame_rate: variant.frame_rate,
            ..Representation::new(id, bandwidth, segments)
        });
    }
}

/// The first variant of the same URL. `by_url` holds one variant of each, by URL.
fn first_of_url<'a>(by_url: &mut Vec<&'a Variant>, variant: &'a Variant) -> &'a Variant {
    match by_url.binary_search_by_key(&&variant.url, |known| &known.url) {
        Ok(known) => by_url.get(known).copied().unwrap_or(variant),
        Err(place) => {
            by_url.insert(place, variant);
            variant
        }
    }
}

fn variant_id(variant: &Variant) -> String {
    match variant.resolution {
        Some((width, height)) => format!("{width}x{height}-{}", variant.bandwidth),
        None => variant.bandwidth.to_string(),
    }
}

/// The audio groups of the variants that are played.
struct AudioGroups<'a> {
    groups: Vec<AudioGroup<'a>>,
    renditions: &'a [Rendition],
}

/// An audio group whose renditions are all streams of their own.
struct AudioGroup<'a> {
    id: &'a str,
    codecs: String,
    /// Of one rendition, in bit/s: a playlist only says what picture and sound need together.
    bandwidth: u64,
}

impl<'a> AudioGroups<'a> {
    /// `variants` must be sorted by bandwidth.
    fn new(
        variants: &'a [Variant],
        renditions: &'a [Rendition],
        has_picture: bool,
        warnings: &mut Warnings,
    ) -> Self {
        let mut groups: Vec<AudioGroup<'a>> = Vec::new();
        let mut by_url: Vec<&Variant> = Vec::new();
        for variant in variants {
            let other = first_of_url(&mut by_url, variant);
            let Some(id) = variant.audio.as_deref() else { continue };
            if (has_picture && variant.is_audio_only()) || groups.iter().any(|known| known.id == id)
            {
                continue;
            }
            let mut members = renditions
                .iter()
                .filter(|rendition| rendition.kind == MediaKind::Audio && rendition.group == id)
                .peekable();
            let Some(first) = members.peek() else {
                warnings.add(
                    1,
                    WarningCode::Inconsistent,
                    format!("there is no EXT-X-MEDIA for the audio group {id}"),
                );
                continue;
            };
            let line = first.line;
            if members.any(|rendition| rendition.url.is_none()) {
                // One of them is inside the variants' own streams, and cannot be silenced there.
                let alternatives =
                    |rendition: &Rendition| rendition.group == id && rendition.url.is_some();
                if renditions.iter().any(alternatives) {
                    let message = format!(
                        "alternatives to sound muxed with the picture are left out (group {id})"
                    );
                    warnings.add(line, WarningCode::Unsupported, message);
                }
                continue;
            }
            let own = codecs::of_kind(&variant.codecs, MediaKind::Audio);
            let codec = codecs::list(&own).next().unwrap_or_default().to_owned();
            let channels = renditions
                .iter()
                .filter(|rendition| rendition.group == id)
                .find_map(|rendition| rendition.channels);
            // What the same picture needs more with this group than with another is exact.
            let group = groups.iter().find(|known| Some(known.id) == other.audio.as_deref());
            let other = group.map(|group| (group.bandwidth, other.bandwidth));
            let bandwidth = match other {
                _ if !has_picture => variant.bandwidth,
                Some((audio, whole)) => {
                    audio.saturating_add(variant.bandwidth.saturating_sub(whole))
                }
                // Hardly more than half of what the least variant needs for picture and sound.
                None => usual_bandwidth(&codec, channels).min(variant.bandwidth / 2),
            };
            let bandwidth = bandwidth.max(1);
            groups.push(AudioGroup { id, codecs: codec, bandwidth });
        }
        Self { groups, renditions }
    }

    /// The group, if its renditions are streams of their own.
    fn separate(&self, id: &str) -> Option<&AudioGroup<'a>> {
        self.groups.iter().find(|group| group.id == id)
    }

    /// One set for each rendition, with a representation for each group it is in.
    fn add_to(&self, sets: &mut Vec<SwitchingSet>) {
        for rendition in self.renditions {
            if rendition.kind == MediaKind::Audio
                && let Some(group) = self.separate(&rendition.group)
            {
                add_rendition(rendition, "audio/mp4", &group.codecs, group.bandwidth, sets);
            }
        }
    }
}

/// What sound of a codec usually takes, in bit/s.
fn usual_bandwidth(codec: &str, channels: Option<u64>) -> u64 {
    let channels = channels.unwrap_or(2).clamp(1, 64);
    let per_channel = match codec.split('.').next().unwrap_or_default() {
        "alac" | "fLaC" | "flac" | "lpcm" | "ipcm" => 500_000,
        "opus" | "Opus" => 48_000,
        _ => 64_000,
    };
    per_channel * channels
}

/// Adds a rendition to the set of its language and name.
fn add_rendition(
    rendition: &Rendition,
    container: &str,
    codecs: &str,
    bandwidth: u64,
    sets: &mut Vec<SwitchingSet>,
) {
    let Some(url) = &rendition.url else { return };
    // Renditions that need another decoder are another track, even by the same name.
    let family = |codecs| codecs::list(codecs).map(codecs::family).next();
    let position = sets.iter().position(|set| {
        set.kind == rendition.kind
            && set.language == rendition.language
            && set.label.as_deref() == Some(&rendition.name)
            && set.representations.iter().all(|other| family(&other.codecs) == family(codecs))
    });
    let position = position.unwrap_or_else(|| {
        sets.push(SwitchingSet {
            language: rendition.language.clone(),
            label: Some(rendition.name.clone()),
            roles: roles(rendition),
            ..SwitchingSet::new(rendition.kind)
        });
        sets.len() - 1
    });
    let Some(set) = sets.get_mut(position) else { return };
    set.default |= rendition.default;
    let known = set
        .representations
        .iter()
        .any(|other| matches!(&other.segments, Segments::Playlist { url: other } if other == url));
    if known {
        return;
    }
    let id = match &rendition.stable_id {
        Some(id) => id.clone(),
        None => format!("{}/{}", rendition.group, rendition.name),
    };
    set.representations.push(Representation {
        container: container.to_owned(),
        codecs: codecs.to_owned(),
        ..Representation::new(id, bandwidth, Segments::Playlist { url: url.clone() })
    });
}

/// What `DEFAULT`, `FORCED` and `CHARACTERISTICS` amount to in DASH roles (ISO/IEC 23009-1
/// §5.8.5.5).
fn roles(rendition: &Rendition) -> Vec<String> {
    let mut roles = Vec::new();
    let mut add = |role: &str| roles.push(role.to_owned());
    if rendition.default {
        add("main");
    }
    if rendition.forced {
        add("forced-subtitle");
    }
    for characteristic in rendition.characteristics.split(',') {
        match characteristic.trim() {
            "public.accessibility.describes-video" => add("description"),
            "public.accessibility.transcribes-spoken-dialog" => add("caption"),
            "public.easy-to-read" => add("easyreader"),
            _ => {}
        }
    }
    roles
}

/// Gives representations of equal id different ones.
fn name_apart(representations: &mut [Representation]) {
    let mut taken: Vec<String> = Vec::new();
    // It never starts again, so that no choice of ids makes this slow.
    let mut count = 1;
    for representation in representations {
        let free = loop {
            match taken.binary_search(&representation.id) {
                Err(place) => break place,
                Ok(_) => {
                    count += 1;
                    representation.id = format!("{}-{count}", representation.id);
                }
            }
        };
        taken.insert(free, representation.id.clone());
    }
}
