//! What following a presentation that is still being made takes: clocks, delays, reloads.

use super::describe;
use super::names::Name;
use super::tree::Element;
use crate::manifest::date::Dates;
use crate::manifest::decimal;
use crate::presentation::{Clock, Live, ReferenceTime, ServiceDescription, Target, Update};
use crate::time::{MediaTime, WallTime};
use crate::url;

/// Of a dynamic `MPD` (§5.3.1).
#[inline(never)]
pub(super) fn live(mpd: Element<'_>, url: &str) -> Live {
    let mut all = Vec::new();
    for element in mpd.all(Name::UtcTiming) {
        clocks(element, url, &mut all);
    }
    Live {
        origin: date(mpd, Name::AvailabilityStartTime),
        until: date(mpd, Name::AvailabilityEndTime),
        window: mpd.span(Name::TimeShiftBufferDepth),
        delay: mpd.span(Name::SuggestedPresentationDelay),
        part_delay: None,
        clocks: all,
    }
}

/// `UTCTiming` (§5.8.4.11): servers are separated by white space.
#[inline(never)]
fn clocks(element: Element<'_>, base: &str, out: &mut Vec<Clock>) {
    let (scheme, value) = describe::scheme(element);
    let Some(scheme) = scheme.strip_prefix("urn:mpeg:dash:utc:") else { return };
    // The year after the name does not matter.
    let method = scheme.split(':').next().filter(|method| method.len() < scheme.len());
    let make = match method {
        Some("direct") => return out.extend(Dates::default().read(value).map(Clock::Direct)),
        Some("http-head") => Clock::HttpHead,
        Some("http-xsdate") => Clock::HttpXsDate,
        Some("http-iso") => Clock::HttpIso,
        Some("http-ntp") => Clock::HttpNtp,
        _ => return,
    };
    for server in value.split_ascii_whitespace() {
        out.push(make(url::resolve(base, server)));
    }
}

#[inline(never)]
pub(super) fn date(element: Element<'_>, name: Name) -> Option<WallTime> {
    Dates::default().read(element.get(name)?)
}

/// How to load the MPD again. A static one may still say where it is.
#[inline(never)]
pub(super) fn update(mpd: Element<'_>, url: &str, dynamic: bool) -> Update {
    let published = date(mpd, Name::PublishTime);
    let mut update = Update {
        period: if dynamic { mpd.span(Name::MinimumUpdatePeriod) } else { None },
        published,
        locations: Vec::new(),
        patches: Vec::new(),
    };
    for element in mpd.children() {
        let link = || url::resolve(url, element.content());
        match element.name() {
            Name::Location => update.locations.push(link()),
            Name::PatchLocation => {
                let ttl = element.get(Name::Ttl).and_then(decimal::seconds);
                let until = published.zip(ttl).map(|(published, ttl)| published + ttl);
                update.patches.push((link(), until));
            }
            _ => {}
        }
    }
    update
}

/// `ServiceDescription` (Annex K).
#[inline(never)]
pub(super) fn service(element: Element<'_>) -> ServiceDescription {
    let mut service = ServiceDescription { id: element.owned(Name::Id), ..Default::default() };
    for child in element.children() {
        match child.name() {
            Name::Scope => service.scopes.push(describe::scheme(child).0.to_owned()),
            Name::Latency if service.latency.is_none() => {
                service.latency_reference = child.owned(Name::ReferenceId);
                service.latency = Some(target(child, |value| {
                    let millis = decimal::integer(value)?;
                    Some(MediaTime::from_millis(i64::try_from(millis).unwrap_or(i64::MAX)))
                }));
            }
            Name::PlaybackRate if service.rate.is_none() => {
                service.rate = Some(target(child, decimal::float));
            }
            Name::OperatingBandwidth if service.bandwidth.is_none() => {
                service.bandwidth = Some(target(child, decimal::integer));
            }
            _ => {}
        }
    }
    service
}

fn target<T>(element: Element<'_>, parse: fn(&str) -> Option<T>) -> Target<T> {
    let bound = |name: Name| element.get(name).and_then(parse);
    Target { least: bound(Name::Min), target: bound(Name::Target), most: bound(Name::Max) }
}

/// `ProducerReferenceTime` (§5.12). `timescale` and `offset` are those of the representations.
#[inline(never)]
pub(super) fn reference_time(
    element: Element<'_>,
    (timescale, offset): (u32, u64),
    period: MediaTime,
) -> Option<ReferenceTime> {
    let time = element.count(Name::PresentationTime)?;
    Some(ReferenceTime {
        id: element.string(Name::Id),
        inband: element.get(Name::Inband).is_some_and(describe::is_true),
        captured: element.get(Name::Type) == Some("captured"),
        wall: date(element, Name::WallClockTime)?,
        media: period + MediaTime::between(offset, time, timescale),
    })
}
