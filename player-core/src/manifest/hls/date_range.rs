//! Date ranges (RFC 8216bis §4.4.5.1) and the interstitials they stand for (Appendix D).

use super::attributes::Attributes;
use super::reading::Reading;
use crate::manifest::WarningCode;
use crate::presentation::{Asset, EventData, EventTime, Interstitial, TimedEvent};
use crate::time::{MediaTime, WallTime};

/// The most attributes of an app that are kept of one date range.
const MOST_ATTRIBUTES: usize = 100;

/// Reads an `EXT-X-DATERANGE`. `known` gives the one of the same id before it, whose attributes hold
/// for this too.
pub(super) fn read(
    value: &str,
    line: u64,
    reading: &mut Reading<'_>,
    known: &mut dyn FnMut(&str) -> Option<TimedEvent>,
) -> Option<TimedEvent> {
    const TAG: &str = "EXT-X-DATERANGE";
    let attributes = Attributes::read(TAG, value, line, &mut reading.warnings);
    let id = attributes.need_string("ID", reading)?;
    let known = known(&id);
    let start = match (attributes.date("START-DATE", reading), &known) {
        (Some(start), _) => start,
        (None, Some(TimedEvent { start: EventTime::Wall(start), .. })) => *start,
        (None, _) => {
            if attributes.word("START-DATE").is_none() {
                attributes.lacks("START-DATE", reading);
            }
            return None;
        }
    };
    let mut event = match known {
        Some(known) => TimedEvent { start: EventTime::Wall(start), ..known },
        None => TimedEvent::new(id, EventTime::Wall(start)),
    };
    if let Some(class) = attributes.string("CLASS", reading) {
        event.scheme = class;
    }
    let until = attributes.date("END-DATE", reading).map(|end| between(start, end));
    if until.is_some_and(|length| length < MediaTime::ZERO) {
        let message = "EXT-X-DATERANGE ends before it begins";
        reading.warn(line, WarningCode::Inconsistent, message);
    }
    let until = until.filter(|&length| length >= MediaTime::ZERO);
    event.duration = attributes.seconds("DURATION", reading).or(until).or(event.duration);
    let planned = attributes.seconds("PLANNED-DURATION", reading);
    event.planned_duration = planned.or(event.planned_duration);
    event.end_on_next |= attributes.yes("END-ON-NEXT");
    for (name, to) in [
        ("SCTE35-CMD", &mut event.scte35.command),
        ("SCTE35-OUT", &mut event.scte35.out),
        ("SCTE35-IN", &mut event.scte35.back),
    ] {
        if let Some(command) = attributes.bytes(name, reading) {
            *to = Some(command);
        }
    }
    let mut data = match core::mem::take(&mut event.data) {
        EventData::Attributes(data) => data,
        _ => Vec::new(),
    };
    // A cue says when to play an interstitial, and something to the app for other classes.
    let own = attributes.iter().filter(|(name, _)| name.starts_with("X-") || *name == "CUE");
    for (name, value) in own {
        let value = reading.substitute(value, line).into_owned();
        let full = data.len() >= MOST_ATTRIBUTES;
        match data.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = value,
            None if !full => data.push((name.to_owned(), value)),
            None => {
                let message = "more attributes of a date range are not kept";
                reading.warn(line, WarningCode::Limit, message);
            }
        }
    }
    if event.scheme == "com.apple.hls.interstitial" {
        event.interstitial = interstitial(&data, line, reading).map(Box::new);
    }
    if !data.is_empty() {
        event.data = EventData::Attributes(data);
    }
    Some(event)
}

/// What an interstitial's attributes say (RFC 8216bis Appendix D.2).
fn interstitial(
    data: &[(String, String)],
    line: u64,
    reading: &mut Reading<'_>,
) -> Option<Interstitial> {
    let text = |name: &str| {
        data.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str())
    };
    let has = |name: &str, word: &str| text(name).split(',').any(|part| part.trim() == word);
    let asset = match (text("X-ASSET-URI"), text("X-ASSET-LIST")) {
        ("", "") => {
            let message = "an interstitial has neither X-ASSET-URI nor X-ASSET-LIST";
            reading.warn(line, WarningCode::Missing, message);
            return None;
        }
        ("", list) => Asset::List(reading.resolve(list, line)),
        (manifest, "") => Asset::Manifest(reading.resolve(manifest, line)),
        (manifest, _) => {
            let message = "an interstitial has both X-ASSET-URI and X-ASSET-LIST";
            reading.warn(line, WarningCode::Inconsistent, message);
            Asset::Manifest(reading.resolve(manifest, line))
        }
    };
    let mut seconds = |name: &str| {
        let text = text(name);
        let value = crate::manifest::decimal::seconds(text);
        if value.is_none() && !text.is_empty() {
            reading.bad_value(name, text, line);
        }
        value
    };
    Some(Interstitial {
        asset,
        resume_offset: seconds("X-RESUME-OFFSET"),
        playout_limit: seconds("X-PLAYOUT-LIMIT"),
        snap_out: has("X-SNAP", "OUT"),
        snap_in: has("X-SNAP", "IN"),
        restrict_jump: has("X-RESTRICT", "JUMP"),
        restrict_skip: has("X-RESTRICT", "SKIP"),
        before: has("CUE", "PRE"),
        after: has("CUE", "POST"),
        once: has("CUE", "ONCE"),
        // May vary unless it says no.
        may_vary: text("X-CONTENT-MAY-VARY") != "NO",
        occupies_range: has("X-TIMELINE-OCCUPIES", "RANGE"),
        highlighted: has("X-TIMELINE-STYLE", "HIGHLIGHT"),
    })
}

fn between(start: WallTime, end: WallTime) -> MediaTime {
    end - start
}
