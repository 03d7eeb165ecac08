//! Sorts variants and renditions into tracks.

use super::{Rendition, RenditionKind, Variant};
use crate::io::MediaKind;
use crate::manifest::hls::reading::Reading;
use crate::manifest::{Fault, ManifestErrorKind, WarningCode, codecs, sort};
use crate::presentation::{
    Descriptor, Origin, Purpose, Representation, Segments, SwitchingSet, VideoRange,
};

/// The tracks of a playlist. `still`: variants of key frames or images. Of pathways, `first` is loaded
/// from first; if there is none, that of the first variant.
pub(super) fn sets(
    mut variants: Vec<Variant>,
    still: &[Variant],
    renditions: &[Rendition],
    first: Option<&String>,
    reading: &mut Reading<'_>,
) -> Result<Vec<SwitchingSet>, Fault> {
    let first = first.cloned().or_else(|| variants.first().and_then(|v| v.pathway.clone()));
    // Of equals the one of the first pathway comes first.
    sort(&mut variants, &|variant| u64::from(variant.pathway != first));
    // The lowest bandwidth first; equals in the order the author prefers them.
    sort(&mut variants, &|variant| variant.bandwidth);
    find_redundant(&mut variants);
    let has_picture = variants.iter().any(|variant| !variant.is_audio_only());
    let groups = AudioGroups::new(&variants, renditions, has_picture, reading);

    let mut tracks = Tracks { reading, groups: &groups, sets: Vec::new(), renditions: 0 };
    if has_picture {
        // Sound without picture, in a ladder that has pictures, is for lines too thin for any.
        let pictures = variants.iter().filter(|variant| !variant.is_audio_only());
        tracks.add_variants(&mut pictures.clone(), MediaKind::Video, &Purpose::Playback)?;
        tracks.add_angles(&mut pictures.clone(), renditions)?;
    }
    tracks.add_sound(renditions)?;
    if !has_picture && tracks.sets.is_empty() {
        tracks.add_variants(&mut variants.iter(), MediaKind::Audio, &Purpose::Playback)?;
    }
    tracks.add_text(&variants, renditions)?;
    let trick_play = Purpose::TrickPlay { of: None };
    let (images, frames): (Vec<_>, Vec<_>) = still.iter().partition(|variant| variant.images);
    tracks.add_variants(&mut frames.into_iter(), MediaKind::Video, &trick_play)?;
    tracks.add_variants(&mut images.into_iter(), MediaKind::Video, &Purpose::Thumbnails)?;

    let mut sets = tracks.sets;
    for set in &mut sets {
        sort(&mut set.representations, &|representation| representation.bandwidth);
        name_apart(&mut set.representations);
    }
    // Of pictures in several codecs, the first that can be played is as good as the next.
    if let Some(first) = sets.iter_mut().find(|set| set.kind == MediaKind::Video) {
        first.default = true;
    }
    Ok(sets)
}

/// Finds variants that are another's stream from another place. `variants` must be sorted by
/// bandwidth.
fn find_redundant(variants: &mut [Variant]) {
    for position in 1..variants.len() {
        let (before, rest) = variants.split_at_mut(position);
        let Some(variant) = rest.first_mut() else { return };
        let equal = before.iter().rev().take_while(|other| other.bandwidth == variant.bandwidth);
        variant.redundant = equal
            .into_iter()
            .any(|other| other.reference != variant.reference && variant.is_twin_of(other));
    }
}

impl Variant {
    /// Whether it is sound without picture, as far as its attributes tell.
    fn is_audio_only(&self) -> bool {
        self.resolution.is_none()
            && !self.codecs.is_empty()
            && codecs::list(&self.codecs).all(|codec| codecs::kind(codec) == Some(MediaKind::Audio))
    }

    /// Whether it is the same stream from another place (RFC 8216bis §6.2.4, redundant variants).
    fn is_twin_of(&self, other: &Self) -> bool {
        self.stable_id == other.stable_id
            && self.bandwidth == other.bandwidth
            && self.resolution == other.resolution
            && self.frame_rate == other.frame_rate
            && self.codecs == other.codecs
    }

    fn id(&self) -> String {
        match (&self.stable_id, self.resolution) {
            (Some(id), _) => id.clone(),
            (_, Some((width, height))) => format!("{width}x{height}-{}", self.bandwidth),
            _ => self.bandwidth.to_string(),
        }
    }
}

struct Tracks<'t, 'v, 'r> {
    reading: &'t mut Reading<'r>,
    groups: &'t AudioGroups<'v>,
    sets: Vec<SwitchingSet>,
    /// How many renditions have been added, in all the variants they are of.
    renditions: usize,
}

/// The most renditions, each counted once for each variant it is an angle of.
const MOST_RENDITIONS: usize = 2000;

impl<'v> Tracks<'_, 'v, '_> {
    /// The variants' own streams: one set for each combination of codecs, range and layout that can be
    /// switched within.
    fn add_variants(
        &mut self,
        variants: &mut dyn Iterator<Item = &'v Variant>,
        kind: MediaKind,
        purpose: &Purpose,
    ) -> Result<(), Fault> {
        // For each set, what makes it one, and the variants its representations were made of.
        let mut keys: Vec<(String, usize, Vec<&'v Variant>)> = Vec::new();
        let mut by_url: Vec<&Variant> = Vec::new();
        for variant in variants {
            // The same stream with another audio group.
            if !core::ptr::eq(first_of_url(&mut by_url, variant), variant) {
                continue;
            }
            let url = self.reading.try_resolve(&variant.reference, variant.line)?;
            // What the author calls the same is, whatever else is said of it (§4.4.6.2).
            let stable = keys.iter().find_map(|(_, set, sources)| {
                let same = |other: &&Variant| {
                    other.stable_id.is_some() && other.stable_id == variant.stable_id
                };
                Some((*set, sources.iter().position(same)?))
            });
            let stable = stable
                .and_then(|(set, twin)| self.sets.get_mut(set)?.representations.get_mut(twin));
            if let Some(twin) = stable {
                add_origin(twin, url, variant.pathway.as_ref());
                continue;
            }
            let apart = variant.audio.as_deref().and_then(|group| self.groups.separate(group));
            let codecs = match apart {
                Some(_) => codecs::of_kind(&variant.codecs, MediaKind::Video),
                None => variant.codecs.clone(),
            };
            let mut key = String::new();
            for codec in codecs::list(&codecs) {
                // No coding's name is half as long.
                let family = codecs::family(codec);
                key.push_str(family.get(..family.floor_char_boundary(16)).unwrap_or(family));
                key.push(',');
            }
            key.push_str(match variant.video_range {
                VideoRange::Sdr => "SDR",
                VideoRange::Hlg => "HLG",
                VideoRange::Pq => "PQ",
            });
            key.push_str(variant.layout.as_deref().unwrap_or_default());

            let place = match keys.iter().position(|(known, ..)| *known == key) {
                Some(place) => place,
                None => {
                    let set = SwitchingSet { purpose: purpose.clone(), ..SwitchingSet::new(kind) };
                    self.sets.push(set);
                    keys.push((key, self.sets.len() - 1, Vec::new()));
                    keys.len() - 1
                }
            };
            let Some((_, position, sources)) = keys.get_mut(place) else { continue };
            let Some(set) = self.sets.get_mut(*position) else { continue };
            let twin = sources.iter().position(|other| variant.is_twin_of(other));
            if let Some(twin) = twin.and_then(|twin| set.representations.get_mut(twin)) {
                add_origin(twin, url, variant.pathway.as_ref());
                continue;
            }
            sources.push(variant);
            let audio = apart.map_or(0, |group| group.bandwidth);
            // Taking different sound from different variants must not change their order.
            let least = set.representations.last().map_or(1, |before| before.bandwidth);
            let bandwidth = variant.bandwidth.saturating_sub(audio).max(least);
            let container = match (kind, variant.images) {
                (_, true) => "image/jpeg",
                (MediaKind::Audio, _) => "audio/mp4",
                _ => "video/mp4",
            };
            let mut representation = represent(variant, url, bandwidth);
            representation.codecs = codecs;
            representation.container = container.into();
            let average = variant.average_bandwidth;
            representation.average_bandwidth = average.map(|it| it.saturating_sub(audio).max(1));
            set.representations.push(representation);
        }
        Ok(())
    }

    /// The same from other camera angles: renditions of video.
    fn add_angles(
        &mut self,
        variants: &mut dyn Iterator<Item = &'v Variant>,
        renditions: &[Rendition],
    ) -> Result<(), Fault> {
        for variant in variants {
            let Some(group) = &variant.video else { continue };
            let angles = renditions.iter().filter(|rendition| {
                rendition.kind == RenditionKind::Video && rendition.group == *group
            });
            for angle in angles {
                match &angle.reference {
                    Some(reference) if *reference != variant.reference => {
                        let mut other = represent(variant, String::new(), variant.bandwidth);
                        let apart = variant.audio.as_deref();
                        let apart = apart.and_then(|group| self.groups.separate(group));
                        other.codecs = match apart {
                            Some(_) => codecs::of_kind(&variant.codecs, MediaKind::Video),
                            None => variant.codecs.clone(),
                        };
                        other.container = "video/mp4".into();
                        self.add_rendition(angle, other, variant)?;
                    }
                    // This one is what the variants' own streams show.
                    _ => {
                        if let Some(own) = self.sets.first_mut() {
                            own.label.get_or_insert_with(|| angle.name.clone());
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// One set for each rendition of sound, with a representation for each group it is in.
    fn add_sound(&mut self, renditions: &[Rendition]) -> Result<(), Fault> {
        for rendition in renditions {
            if rendition.kind == RenditionKind::Audio
                && let Some(group) = self.groups.separate(&rendition.group)
            {
                let mut sound = Representation::new("", group.bandwidth, nowhere());
                sound.container = "audio/mp4".into();
                sound.codecs.clone_from(&group.codecs);
                self.add_rendition(rendition, sound, group.variant)?;
            }
        }
        Ok(())
    }

    /// Subtitles, and the captions inside the pictures.
    fn add_text(&mut self, variants: &[Variant], renditions: &[Rendition]) -> Result<(), Fault> {
        for rendition in renditions {
            let group = |variant: &Variant| match rendition.kind {
                RenditionKind::Subtitles => variant.subtitles.as_ref() == Some(&rendition.group),
                RenditionKind::Captions => variant.captions.as_ref() == Some(&rendition.group),
                _ => false,
            };
            let Some(variant) = variants.iter().find(|variant| group(variant)) else { continue };
            if rendition.kind == RenditionKind::Captions {
                let set = self.set_of(rendition, MediaKind::Text, "");
                if let Some(set) = self.sets.get_mut(set) {
                    set.in_stream.clone_from(&rendition.in_stream);
                }
                continue;
            }
            let coded = codecs::of_kind(&variant.codecs, MediaKind::Text);
            // Only TTML is always in MP4 files; whether WebVTT is, its playlist tells.
            let ttml = codecs::list(&coded).find(|codec| codec.starts_with("stpp"));
            let mut text = Representation::new("", 1, nowhere());
            text.container = ttml.map_or("text/vtt", |_| "application/mp4").into();
            text.codecs = ttml.unwrap_or_default().to_owned();
            self.add_rendition(rendition, text, variant)?;
        }
        Ok(())
    }

    /// Adds a representation of a rendition, which is in a group of `variant`, to the set of its
    /// language and name.
    fn add_rendition(
        &mut self,
        rendition: &Rendition,
        mut representation: Representation,
        variant: &Variant,
    ) -> Result<(), Fault> {
        let pathway = variant.pathway.as_ref();
        let Some(reference) = &rendition.reference else { return Ok(()) };
        // Each variant may be in a group of all renditions.
        self.renditions += 1;
        if self.renditions > MOST_RENDITIONS {
            let what = "renditions of variants";
            return Err(ManifestErrorKind::limit(what, MOST_RENDITIONS).at(rendition.line));
        }
        let kind = match rendition.kind {
            RenditionKind::Audio => MediaKind::Audio,
            RenditionKind::Video => MediaKind::Video,
            RenditionKind::Subtitles | RenditionKind::Captions => MediaKind::Text,
        };
        let url = self.reading.try_resolve(reference, rendition.line)?;
        let set = self.set_of(rendition, kind, &representation.codecs);
        let Some(set) = self.sets.get_mut(set) else { return Ok(()) };
        set.default |= rendition.default;
        set.auto_select |= rendition.auto_select;
        let same = |other: &Representation| match &other.segments {
            // From the end, where URLs differ.
            Segments::Playlist { url: other } => other.bytes().rev().eq(url.bytes().rev()),
            _ => false,
        };
        if set.representations.iter().any(same) {
            return Ok(());
        }
        let elsewhere = pathway.is_some() || variant.redundant;
        let others = if elsewhere { &mut set.representations[..] } else { &mut [] };
        let twin = others.iter_mut().find(|other| {
            (other.bandwidth, &other.codecs) == (representation.bandwidth, &representation.codecs)
                && (other.channels, other.width) == (rendition.channels, representation.width)
                && (variant.redundant || is_elsewhere(other, pathway))
        });
        if let Some(twin) = twin {
            add_origin(twin, url, pathway);
            return Ok(());
        }
        representation.id = match &rendition.stable_id {
            Some(id) => id.clone(),
            None => format!("{}/{}", rendition.group, rendition.name),
        };
        representation.channels = rendition.channels;
        representation.sampling_rate = rendition.sampling_rate;
        representation.bit_depth = rendition.bit_depth;
        representation.origins = first_origin(&url, pathway);
        representation.segments = Segments::Playlist { url };
        set.representations.push(representation);
        Ok(())
    }

    /// The set of a rendition's language and name, which is added if there is none.
    fn set_of(&mut self, rendition: &Rendition, kind: MediaKind, codecs: &str) -> usize {
        // Renditions that need another decoder are another track, even by the same name.
        let family = |codecs| codecs::list(codecs).map(codecs::family).next();
        let known = self.sets.iter().position(|set| {
            set.kind == kind
                && set.purpose == Purpose::Playback
                && set.language == rendition.language
                && set.label.as_deref() == Some(&rendition.name)
                && set.in_stream == rendition.in_stream
                && set.representations.first().is_none_or(|first| {
                    // Those after it are of the same.
                    family(&first.codecs) == family(codecs)
                })
        });
        known.unwrap_or_else(|| {
            let property = |language: &String| Descriptor {
                scheme: "ASSOC-LANGUAGE".to_owned(),
                value: language.clone(),
                id: None,
            };
            self.sets.push(SwitchingSet {
                language: rendition.language.clone(),
                label: Some(rendition.name.clone()),
                roles: roles(rendition),
                accessibility: characteristics(rendition),
                properties: rendition.associated_language.iter().map(property).collect(),
                in_stream: rendition.in_stream.clone(),
                default: rendition.default,
                auto_select: rendition.auto_select,
                ..SwitchingSet::new(kind)
            });
            self.sets.len() - 1
        })
    }
}

/// What a variant says of its own stream.
fn represent(variant: &Variant, url: String, bandwidth: u64) -> Representation {
    let (width, height) = variant.resolution.unzip();
    let origins = first_origin(&url, variant.pathway.as_ref());
    Representation {
        average_bandwidth: variant.average_bandwidth,
        supplemental_codecs: variant.supplemental_codecs.clone(),
        width,
        height,
        frame_rate: variant.frame_rate,
        video_range: variant.video_range.clone(),
        score: variant.score,
        layout: variant.layout.clone(),
        hdcp: variant.hdcp.clone(),
        allowed_cpc: variant.allowed_cpc.clone(),
        origins,
        // Rules divide by it.
        ..Representation::new(variant.id(), bandwidth.max(1), Segments::Playlist { url })
    }
}

fn nowhere() -> Segments {
    Segments::Playlist { url: String::new() }
}

fn origin(url: String, pathway: Option<&String>) -> Origin {
    let pathway = pathway.cloned();
    Origin { pathway, priority: 1, weight: 1, url, query: String::new() }
}

/// One place is worth a name only if a steering server may know it by that.
fn first_origin(url: &str, pathway: Option<&String>) -> Vec<Origin> {
    pathway.map(|pathway| origin(url.to_owned(), Some(pathway))).into_iter().collect()
}

/// The most places that one representation can be had from.
const MOST_ORIGINS: usize = 32;

/// Adds another place to load a representation from.
fn add_origin(representation: &mut Representation, url: String, pathway: Option<&String>) {
    let Segments::Playlist { url: own } = &representation.segments else { return };
    let known = representation.origins.iter().any(|known| known.url == url);
    if *own == url || known || representation.origins.len() >= MOST_ORIGINS {
        return;
    }
    if representation.origins.is_empty() {
        representation.origins.push(origin(own.clone(), None));
    }
    representation.origins.push(origin(url, pathway));
}

/// Whether a representation is of other pathways than this.
fn is_elsewhere(representation: &Representation, pathway: Option<&String>) -> bool {
    let own = representation.origins.iter().map(|origin| origin.pathway.as_ref());
    match representation.origins.is_empty() {
        true => pathway.is_some(),
        false => own.into_iter().all(|own| own != pathway),
    }
}

/// The first variant of the same reference. `by_url` holds one variant of each, by reference.
fn first_of_url<'a>(by_url: &mut Vec<&'a Variant>, variant: &'a Variant) -> &'a Variant {
    match by_url.binary_search_by_key(&&variant.reference, |known| &known.reference) {
        Ok(known) => by_url.get(known).copied().unwrap_or(variant),
        Err(place) => {
            by_url.insert(place, variant);
            variant
        }
    }
}

/// The audio groups of the variants that are played.
struct AudioGroups<'a> {
    groups: Vec<AudioGroup<'a>>,
}

/// An audio group whose renditions are all streams of their own.
struct AudioGroup<'a> {
    id: &'a str,
    codecs: String,
    /// Of one rendition, in bit/s: a playlist only says what picture and sound need together.
    bandwidth: u64,
    /// The first variant that uses it.
    variant: &'a Variant,
}

impl<'a> AudioGroups<'a> {
    /// `variants` must be sorted by bandwidth.
    fn new(
        variants: &'a [Variant],
        renditions: &'a [Rendition],
        has_picture: bool,
        reading: &mut Reading<'_>,
    ) -> Self {
        let mut groups: Vec<AudioGroup<'a>> = Vec::new();
        let mut left_out: Vec<&str> = Vec::new();
        let mut by_url: Vec<&Variant> = Vec::new();
        for variant in variants {
            let other = first_of_url(&mut by_url, variant);
            let Some(id) = variant.audio.as_deref() else { continue };
            if (has_picture && variant.is_audio_only())
                || groups.iter().any(|known| known.id == id)
                || left_out.contains(&id)
            {
                continue;
            }
            let members = renditions.iter().filter(|rendition| {
                rendition.kind == RenditionKind::Audio && rendition.group == id
            });
            let (mut line, mut apart, mut muxed, mut channels) = (None, false, false, None);
            for member in members {
                line = line.or(Some(member.line));
                apart |= member.reference.is_some();
                muxed |= member.reference.is_none();
                channels = channels.or(member.channels);
            }
            let message = match line {
                None => "there is no EXT-X-MEDIA for the audio group",
                // One of them is inside the variants' own streams, and cannot be silenced there.
                Some(_) if muxed && apart => {
                    "alternatives to sound muxed with the picture are left out: group"
                }
                _ => "",
            };
            if !message.is_empty() {
                let (line, code) = match line {
                    Some(line) => (line, WarningCode::Unsupported),
                    None => (variant.line, WarningCode::Inconsistent),
                };
                reading.warnings.add(line, code, format!("{message} {id}"));
            }
            if muxed || line.is_none() {
                left_out.push(id);
                continue;
            }
            let own = codecs::of_kind(&variant.codecs, MediaKind::Audio);
            let codec = codecs::list(&own).next().unwrap_or_default().to_owned();
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
            groups.push(AudioGroup { id, codecs: codec, bandwidth, variant });
        }
        Self { groups }
    }

    /// The group, if its renditions are streams of their own.
    fn separate(&self, id: &str) -> Option<&AudioGroup<'a>> {
        self.groups.iter().find(|group| group.id == id)
    }
}

/// What sound of a codec usually takes, in bit/s.
fn usual_bandwidth(codec: &str, channels: Option<u32>) -> u64 {
    let channels = u64::from(channels.unwrap_or(2).clamp(1, 64));
    let per_channel = match codec.split('.').next().unwrap_or_default() {
        "alac" | "fLaC" | "flac" | "lpcm" | "ipcm" => 500_000,
        "opus" | "Opus" => 48_000,
        _ => 64_000,
    };
    per_channel * channels
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

fn characteristics(rendition: &Rendition) -> Vec<Descriptor> {
    let each = rendition.characteristics.split(',').map(str::trim);
    let descriptor =
        |scheme: &str| Descriptor { scheme: scheme.to_owned(), ..Descriptor::default() };
    each.filter(|scheme| !scheme.is_empty()).map(descriptor).collect()
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
