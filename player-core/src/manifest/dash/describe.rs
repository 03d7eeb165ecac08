//! Descriptors, labels and events (ISO/IEC 23009-1 §5.3.10, §5.8, §5.10).

use super::names::Name;
use super::tree::Element;
use crate::manifest::{WarningCode, Warnings, binary, codecs, decimal};
use crate::presentation::{
    Asset, Continuity, Descriptor, EventData, EventTime, Interstitial, Label, Scte35, Steering,
    TimedEvent,
};
use crate::time::MediaTime;
use crate::url::{self, cut};

/// `@schemeIdUri` and `@value`.
pub(super) fn scheme(element: Element<'_>) -> (&str, &str) {
    let get = |name| element.get(name).unwrap_or("");
    (get(Name::SchemeIdUri), get(Name::Value))
}

#[inline(never)]
pub(super) fn descriptor(element: Element<'_>) -> Descriptor {
    let (scheme, value) = scheme(element);
    let id = element.owned(Name::Id);
    Descriptor { scheme: scheme.to_owned(), value: value.to_owned(), id }
}

#[inline(never)]
pub(super) fn label(element: Element<'_>) -> Label {
    Label {
        language: element.owned(Name::Lang),
        text: element.content().to_owned(),
        group: element.name() == Name::GroupLabel,
    }
}

/// `ContentSteering` (ETSI TS 103 998).
#[inline(never)]
pub(super) fn steering(mpd: Element<'_>, url: &str) -> Option<Steering> {
    let element = mpd.child(Name::ContentSteering)?;
    Some(Steering {
        url: url::resolve(url, element.content()),
        default_pathways: words(element.get(Name::DefaultServiceLocation), false),
        before_start: element.get(Name::QueryBeforeStart).is_some_and(is_true),
    })
}

/// The words of an attribute, separated by white space, and maybe by commas.
#[inline(never)]
pub(super) fn words(text: Option<&str>, commas: bool) -> Vec<String> {
    let mut words = Vec::new();
    let separates = |c: char| c.is_ascii_whitespace() || (commas && c == ',');
    for word in text.unwrap_or("").split(separates) {
        if !word.is_empty() {
            words.push(word.to_owned());
        }
    }
    words
}

pub(super) fn is_true(value: &str) -> bool {
    matches!(value, "true" | "1")
}

/// What the schemes of §5.3.2.4 begin with.
pub(super) const CONTINUITY: &str = "urn:mpeg:dash:period-con";

pub(super) fn continuity(scheme: &str, value: &str) -> Option<Continuity> {
    let timestamps = scheme == "urn:mpeg:dash:period-continuity:2015";
    if !timestamps && scheme != "urn:mpeg:dash:period-connectivity:2015" {
        return None;
    }
    Some(Continuity { periods: words(Some(value), true), timestamps })
}

/// Columns and rows, such as `10x5`.
pub(super) fn tiles(value: &str) -> Option<(u32, u32)> {
    let (columns, rows) = cut(value, b'x')?;
    let count = |text| decimal::integer(text).and_then(|count| u32::try_from(count).ok());
    Some((count(columns)?, count(rows)?)).filter(|&(columns, rows)| columns > 0 && rows > 0)
}

pub(super) fn is_dolby_vision(codecs: &str) -> bool {
    // Hardly any is, and it takes far longer to take a list apart.
    let may_be = |at: usize| matches!(codecs.as_bytes().get(at..at + 2), Some(b"da" | b"dv"));
    if !(0..codecs.len()).any(may_be) {
        return false;
    }
    codecs::list(codecs).any(|codec| {
        codec
            .get(..4)
            .is_some_and(|coding| matches!(coding, "dvh1" | "dvhe" | "dva1" | "dvav" | "dav1"))
    })
}

/// Channels of sound that an `AudioChannelConfiguration` tells of (§5.8.5.4).
#[inline(never)]
pub(super) fn channels(scheme: &str, value: &str) -> Option<u32> {
    let number = || u32::try_from(decimal::integer(value)?).ok();
    match scheme {
        "urn:mpeg:dash:23003:3:audio_channel_configuration:2011"
        | "urn:mpeg:dash:outputChannelPositionList:2012"
            if value.contains(' ') =>
        {
            u32::try_from(value.split_ascii_whitespace().count()).ok()
        }
        "urn:mpeg:dash:23003:3:audio_channel_configuration:2011" => number(),
        "urn:mpeg:mpegB:cicp:ChannelConfiguration" => {
            // ISO/IEC 23091-3 table 2; 0 is for layouts that the media itself describes.
            const CHANNELS: [u8; 21] =
                [0, 1, 2, 3, 4, 5, 6, 8, 0, 3, 4, 7, 8, 24, 8, 12, 10, 12, 14, 12, 14];
            let channels = *CHANNELS.get(number()? as usize)?;
            Some(u32::from(channels)).filter(|&channels| channels > 0)
        }
        "tag:dolby.com,2014:dash:audio_channel_configuration:2011"
        | "urn:dolby:dash:audio_channel_configuration:2011" => {
            // ETSI TS 102 366 table E.1.4: some bits stand for two channels.
            const PAIRS: u32 = 0x0674;
            let bytes = binary::hexadecimal(value).filter(|bytes| bytes.len() == 2)?;
            let mask = bytes.iter().fold(0, |mask, &byte| mask << 8 | u32::from(byte));
            Some(mask.count_ones() + (mask & PAIRS).count_ones())
        }
        _ => None,
    }
}

/// The most events that one period is given.
const MOST_EVENTS: usize = 20_000;

/// How far an event may stand from its place.
const MOST_MOVED: usize = 1000;

/// `EventStream` (§5.10.2).
#[inline(never)]
pub(super) fn events(
    stream: Element<'_>,
    period: MediaTime,
    base: &str,
    out: &mut Vec<TimedEvent>,
    warnings: &mut Warnings,
) {
    let source = stream.source;
    let timescale = stream.number(Name::Timescale);
    if let Err(fault) = source.check() {
        warnings.add(fault.line, WarningCode::BadValue, fault.kind.to_string());
        return;
    }
    let timescale = timescale.and_then(|timescale| u32::try_from(timescale).ok()).unwrap_or(1);
    let (scheme, value) = scheme(stream);
    let offset = stream.count(Name::PresentationTimeOffset).unwrap_or(0);
    for event in stream.all(Name::Event) {
        if out.len() >= MOST_EVENTS {
            warnings.add(event.at(), WarningCode::Limit, "there are more events than are kept");
            return;
        }
        let time = event.number(Name::PresentationTime).unwrap_or(0);
        let duration = event.number(Name::Duration);
        if let Err(fault) = source.check() {
            warnings.add(fault.line, WarningCode::BadValue, fault.kind.to_string());
            continue;
        }
        let id = event.owned(Name::Id).unwrap_or_else(|| {
            // The same on every load.
            format!("{}@{time}", if value.is_empty() { scheme } else { value })
        });
        let in_units = |ticks: u64| MediaTime::from_unsigned(ticks, timescale);
        // By start; those that start together in the order they are written.
        let start = EventTime::Media(period + MediaTime::between(offset, time, timescale));
        let mut place = out.len();
        // What a hostile order would cost is bounded.
        while out.len() - place <= MOST_MOVED
            && let Some(before) = place.checked_sub(1).and_then(|before| out.get(before))
            && is_later(before.start, start)
        {
            place -= 1;
        }
        if out.len() - place > MOST_MOVED {
            warnings.add(
                event.at(),
                WarningCode::Misplaced,
                "an event far out of order is left out",
            );
            continue;
        }
        let event = TimedEvent {
            id,
            scheme: scheme.to_owned(),
            value: value.to_owned(),
            start,
            duration: duration.map(in_units),
            planned_duration: None,
            end_on_next: false,
            data: data(event),
            scte35: Scte35 { command: splice(event), ..Scte35::default() },
            interstitial: alternative(event, base, timescale).map(Box::new),
        };
        crate::items::put(out, place, event);
    }
}

fn is_later(one: EventTime, other: EventTime) -> bool {
    matches!((one, other), (EventTime::Media(one), EventTime::Media(other)) if one > other)
}

fn data(event: Element<'_>) -> EventData {
    let text = event.get(Name::MessageData).unwrap_or_else(|| event.content());
    let decoded = match event.get(Name::ContentEncoding) {
        Some("base64") => binary::base64(text),
        _ => None,
    };
    match decoded {
        Some(bytes) => EventData::Bytes(bytes),
        None if text.is_empty() => EventData::None,
        None => EventData::Text(text.to_owned()),
    }
}

/// `Signal/Binary` (SCTE 214-1 §6.8.4).
fn splice(event: Element<'_>) -> Option<Vec<u8>> {
    let binary = event.child(Name::Signal)?.child(Name::Binary)?;
    binary::base64(binary.content()).filter(|bytes| !bytes.is_empty())
}

/// Content to be inserted or to replace the main one (alternative MPD events).
#[inline(never)]
fn alternative(event: Element<'_>, base: &str, timescale: u32) -> Option<Interstitial> {
    let element = event.children().find(|child| {
        matches!(child.name(), Name::InsertPresentation | Name::ReplacePresentation)
    })?;
    let replaces = element.name() == Name::ReplacePresentation;
    let link = element.get(Name::Url).or_else(|| element.get(Name::Uri))?;
    let span = |name: Name| {
        let ticks = element.count(name)?;
        Some(MediaTime::from_unsigned(ticks, timescale))
    };
    let duration = event.count(Name::Duration);
    let duration = duration.map(|ticks| MediaTime::from_unsigned(ticks, timescale));
    Some(Interstitial {
        asset: Asset::Manifest(url::resolve(base, link)),
        resume_offset: match replaces {
            true => span(Name::ReturnOffset).or(duration),
            false => Some(MediaTime::ZERO),
        },
        playout_limit: span(Name::MaxDuration),
        snap_out: false,
        snap_in: false,
        restrict_jump: false,
        restrict_skip: false,
        before: false,
        after: false,
        once: false,
        may_vary: false,
        occupies_range: replaces,
        highlighted: false,
    })
}
