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
    let span = |name: Name| mpd.span(name);
    Live {
        origin: date(mpd, Name::AvailabilityStartTime),
        until: date(mpd, Name::AvailabilityEndTime),
        window: span(Name::TimeShiftBufferDepth),
        delay: span(Name::SuggestedPresentationDelay),
        part_delay: None,
        clocks: mpd.all(Name::UtcTiming).flat_map(|clock| clocks(clock, url)).collect(),
    }
}

/// `UTCTiming` (§5.8.4.11): servers are separated by white space.
#[inline(never)]
fn clocks(element: Element<'_>, base: &str) -> Vec<Clock> {
    let (scheme, value) = describe::scheme(element);
    let Some((method, _year)) =
        scheme.strip_prefix("urn:mpeg:dash:utc:").and_then(|rest| rest.split_once(':'))
    else {
        return Vec::new();
    };
    if method == "direct" {
        return Dates::default().read(value).map(Clock::Direct).into_iter().collect();
    }
    let make = match method {
        "http-head" => Clock::HttpHead,
        "http-xsdate" => Clock::HttpXsDate,
        "http-iso" => Clock::HttpIso,
        "http-ntp" => Clock::HttpNtp,
        _ => return Vec::new(),
    };
    value.split_ascii_whitespace().map(|server| make(url::resolve(base, server))).collect()
}

#[inline(never)]
pub(super) fn date(element: Element<'_>, name: Name) -> Option<WallTime> {
    Dates::default().read(element.get(name)?)
}

/// How to load the MPD again. A static one may still say where it is.
#[inline(never)]
pub(super) fn update(mpd: Element<'_>, url: &str, dynamic: bool) -> Update {
    let published = date(mpd, Name::PublishTime);
    let link = |element: Element<'_>| url::resolve(url, element.content());
    let patches = mpd.all(Name::PatchLocation).map(|element| {
        let ttl = element.get(Name::Ttl).and_then(decimal::seconds);
        let until = published.zip(ttl).map(|(published, ttl)| after(published, ttl));
        (link(element), until)
    });
    Update {
        period: match dynamic {
            true => mpd.span(Name::MinimumUpdatePeriod),
            false => None,
        },
        published,
        locations: mpd.all(Name::Location).map(link).collect(),
        patches: patches.collect(),
    }
}

/// So long after a moment.
pub(super) fn after(moment: WallTime, span: MediaTime) -> WallTime {
    WallTime::from_micros(moment.micros().saturating_add(span.micros()))
}

/// `ServiceDescription` (Annex K).
#[inline(never)]
pub(super) fn service(element: Element<'_>) -> ServiceDescription {
    let bounds = |name: Name| {
        element
            .child(name)
            .map(|child| [Name::Min, Name::Target, Name::Max].map(|name| child.get(name)))
    };
    let latency = bounds(Name::Latency).map(|bounds| {
        target(bounds, |value| {
            let millis = decimal::integer(value)?;
            Some(MediaTime::from_millis(i64::try_from(millis).unwrap_or(i64::MAX)))
        })
    });
    let reference = element.child(Name::Latency).and_then(|child| child.owned(Name::ReferenceId));
    ServiceDescription {
        id: element.owned(Name::Id),
        scopes: element
            .all(Name::Scope)
            .map(|scope| describe::scheme(scope).0.to_owned())
            .collect(),
        latency,
        latency_reference: reference,
        rate: bounds(Name::PlaybackRate).map(|bounds| target(bounds, decimal::float)),
        bandwidth: bounds(Name::OperatingBandwidth).map(|bounds| target(bounds, decimal::integer)),
    }
}

fn target<T>(bounds: [Option<&str>; 3], parse: fn(&str) -> Option<T>) -> Target<T> {
    let [least, target, most] = bounds.map(|bound| bound.and_then(parse));
    Target { least, target, most }
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
