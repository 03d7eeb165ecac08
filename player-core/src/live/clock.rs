//! The server's time: what live playback reckons with, whatever the device's clock shows.
//!
//! Three sources, best first: servers that a manifest names (`UTCTiming`, ISO/IEC 23009-1 §5.8.5.7),
//! the device's clock as long as the `Date` header fields of manifests do not contradict it, and those
//! header fields.

use core::time::Duration;

use crate::context::Context;
use crate::io::RequestKind;
use crate::manifest::date::read_http;
use crate::manifest::read_date;
use crate::presentation::Clock as Method;
use crate::requests::{Requests, Ticket, Wish};
use crate::telemetry::ClockSource;
use crate::time::{Timestamp, WallTime};

/// A good measurement is repeated so much later, a bad one so much sooner.
const REPEAT_AFTER: Duration = Duration::from_secs(600);
const IMPROVE_AFTER: Duration = Duration::from_secs(5);
/// A measurement is good if it is no further off than this, in microseconds.
const GOOD_US: i64 = 100_000;
/// Two clocks part by so much in a million, at worst.
const DRIFT_PPM: i64 = 100;
/// How often a bad measurement is repeated soon.
const MOST_IMPROVEMENTS: u32 = 3;
/// `Date` has whole seconds.
const SECOND_US: i64 = 1_000_000;

/// The server's time.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    /// What the device's clock is ahead of the monotonic one, in microseconds.
    device: Option<i64>,
    dates: Option<Dates>,
    measured: Option<Measured>,
    methods: Vec<Method>,
    asking: Option<Asking>,
    due: Option<Timestamp>,
    improvements: u32,
    /// How often in a row nobody answered.
    failures: u32,
}

/// What is known by `Date` header fields: the offset lies between.
#[derive(Clone, Copy, Debug)]
struct Dates {
    least: i64,
    most: i64,
}

#[derive(Clone, Copy, Debug)]
struct Measured {
    offset: i64,
    /// How far off it may be, in microseconds.
    uncertainty: i64,
    at: Timestamp,
}

#[derive(Clone, Copy, Debug)]
struct Asking {
    ticket: Ticket,
    /// Position among the methods.
    method: usize,
    asked: Timestamp,
}

impl Clock {
    /// Takes the device's word: its wall clock is so far ahead of the monotonic one.
    pub(crate) fn set_device(&mut self, offset: Option<i64>) {
        self.device = offset;
    }

    /// Takes the methods of a manifest that was asked for and came at these instants.
    pub(super) fn set_methods(&mut self, methods: &[Method], asked: Timestamp, came: Timestamp) {
        if self.methods != methods {
            self.methods = methods.to_vec();
            self.due = (!methods.is_empty()).then_some(came);
            self.improvements = 0;
        }
        // A time in the manifest is the better the fresher it is.
        if let Some(Method::Direct(wall)) = methods.first() {
            self.take(*wall, asked, came, 0);
        }
    }

    /// The time now.
    pub(crate) fn now(&self, now: Timestamp) -> Option<WallTime> {
        let (offset, ..) = self.offset(now)?;
        Some(WallTime::from_micros(signed(now).saturating_add(offset)))
    }

    /// When it will be, or was, that time; none if it was before the host began to count.
    pub(crate) fn when(&self, wall: WallTime, now: Timestamp) -> Option<Timestamp> {
        let (offset, ..) = self.offset(now)?;
        let micros = u64::try_from(wall.micros().saturating_sub(offset)).ok()?;
        Some(Timestamp::from_micros(micros))
    }

    /// What the time is known from, and how far off it may be.
    pub(super) fn source(&self, now: Timestamp) -> Option<(ClockSource, Option<Duration>)> {
        let (_, source, uncertainty) = self.offset(now)?;
        let uncertainty = uncertainty.and_then(|micros| u64::try_from(micros).ok());
        Some((source, uncertainty.map(Duration::from_micros)))
    }

    fn offset(&self, now: Timestamp) -> Option<(i64, ClockSource, Option<i64>)> {
        if let Some(measured) = self.measured {
            let uncertainty = measured.uncertainty_at(now);
            return Some((measured.offset, ClockSource::UtcTiming, Some(uncertainty)));
        }
        let Some(Dates { least, most }) = self.dates else {
            return self.device.map(|offset| (offset, ClockSource::Device, None));
        };
        // The device's clock is finer than whole seconds, if it is right.
        if let Some(device) = self.device
            && (least - SECOND_US..=most + SECOND_US).contains(&device)
        {
            return Some((device, ClockSource::Device, Some(most - least + SECOND_US)));
        }
        Some((least + (most - least) / 2, ClockSource::Date, Some((most - least) / 2)))
    }

    /// Whether a better time is on its way than there is: a device may show anything.
    pub(super) fn is_awaited(&self, now: Timestamp) -> bool {
        let pending = self.asking.is_some() || self.due.is_some_and(|due| due <= now);
        pending && self.measured.is_none() && self.dates.is_none()
    }

    /// Notes the `Date` of a response whose request was sent and which came at these instants.
    pub(super) fn hear_date(&mut self, date: &str, sent: Timestamp, came: Timestamp) {
        let Some(date) = read_http(date) else { return };
        // It was written between the two instants, and cuts off the fraction of a second.
        let least = date.micros().saturating_sub(signed(came));
        let most = date.micros().saturating_add(SECOND_US).saturating_sub(signed(sent));
        self.dates = Some(match self.dates {
            Some(known) if known.least.max(least) < known.most.min(most) => {
                Dates { least: known.least.max(least), most: known.most.min(most) }
            }
            // They contradict each other. A cache hands out old dates, never future ones.
            Some(known) if least < known.least => known,
            _ => Dates { least, most },
        });
    }

    /// Asks for the time when that is due.
    pub(super) fn tick(&mut self, cx: &mut Context<'_>, requests: &mut Requests) {
        if self.asking.is_some() || self.due.is_none_or(|due| due > cx.now) {
            return;
        }
        self.ask(cx, requests, 0);
    }

    fn ask(&mut self, cx: &mut Context<'_>, requests: &mut Requests, from: usize) {
        self.due = None;
        for (method, place) in self.methods.iter().enumerate().skip(from) {
            let url = match place {
                Method::Direct(_) => {
                    // It came with the manifest; there is nothing to ask.
                    if self.measured.is_some() {
                        return;
                    }
                    continue;
                }
                Method::HttpHead(url)
                | Method::HttpXsDate(url)
                | Method::HttpIso(url)
                | Method::HttpNtp(url) => url.clone(),
            };
            let wish = Wish::new(RequestKind::Clock, requests.origins.place(&url));
            let ticket = requests.start(cx, wish);
            self.asking = Some(Asking { ticket, method, asked: cx.now });
            return;
        }
        // None of them answered; without them the device's clock may be minutes off.
        let pause = IMPROVE_AFTER.saturating_mul(1 << self.failures.min(4)).min(REPEAT_AFTER / 10);
        self.failures = self.failures.saturating_add(1);
        self.due = (!self.methods.is_empty()).then(|| cx.now + pause);
    }

    /// Whether a request is one of these.
    pub(super) fn owns(&self, ticket: Ticket) -> bool {
        self.asking.is_some_and(|asking| asking.ticket == ticket)
    }

    /// Takes the head of an answer, all that is wanted of some.
    pub(super) fn take_head(
        &mut self,
        cx: &mut Context<'_>,
        requests: &mut Requests,
        date: Option<&str>,
    ) {
        let Some(asking) = self.asking else { return };
        if !matches!(self.methods.get(asking.method), Some(Method::HttpHead(_))) {
            return;
        }
        let Some(date) = date.and_then(read_http) else { return };
        requests.cancel(cx, asking.ticket);
        self.asking = None;
        let half = SECOND_US / 2;
        let middle = WallTime::from_micros(date.micros().saturating_add(half));
        self.take(middle, asking.asked, cx.now, half);
        self.plan(cx.now);
    }

    /// Takes an answer; none if there was none.
    pub(super) fn take_answer(
        &mut self,
        cx: &mut Context<'_>,
        requests: &mut Requests,
        body: Option<&[u8]>,
    ) {
        let Some(asking) = self.asking.take() else { return };
        let wall = body.and_then(|body| match self.methods.get(asking.method)? {
            Method::HttpXsDate(_) | Method::HttpIso(_) => {
                read_date(core::str::from_utf8(body).ok()?.trim())
            }
            Method::HttpNtp(_) => body.first_chunk().map(|bytes| ntp(*bytes)),
            Method::HttpHead(_) | Method::Direct(_) => None,
        });
        match wall {
            Some(wall) => {
                self.take(wall, asking.asked, cx.now, 0);
                self.plan(cx.now);
            }
            None => self.ask(cx, requests, asking.method + 1),
        }
    }

    /// Keeps a measurement unless there is a better one: what lies within the round trip is not known.
    fn take(&mut self, wall: WallTime, sent: Timestamp, came: Timestamp, coarse: i64) {
        let trip = signed(came).saturating_sub(signed(sent)).max(0);
        let uncertainty = (trip / 2).saturating_add(coarse);
        let middle = signed(sent).saturating_add(trip / 2);
        let offset = wall.micros().saturating_sub(middle);
        let better = self.measured.is_none_or(|held| uncertainty <= held.uncertainty_at(came));
        if better {
            self.measured = Some(Measured { offset, uncertainty, at: came });
            self.failures = 0;
        }
    }

    fn plan(&mut self, now: Timestamp) {
        let good = self.measured.is_some_and(|held| held.uncertainty <= GOOD_US);
        let soon = !good && self.improvements < MOST_IMPROVEMENTS;
        self.improvements += u32::from(soon);
        self.due = Some(now + if soon { IMPROVE_AFTER } else { REPEAT_AFTER });
    }

    /// When [`tick`](Self::tick) has something to do.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.due.filter(|_| self.asking.is_none())
    }
}

impl Measured {
    fn uncertainty_at(&self, now: Timestamp) -> i64 {
        let age = signed(now).saturating_sub(signed(self.at)).max(0);
        self.uncertainty.saturating_add(age / (1_000_000 / DRIFT_PPM))
    }
}

fn signed(at: Timestamp) -> i64 {
    i64::try_from(at.micros()).unwrap_or(i64::MAX)
}

/// Time as NTP has it: seconds since 1900 and fractions of 2^-32 s (RFC 5905 §6). The era that began
/// in 2036 is told by its small seconds.
pub(crate) fn ntp(bytes: [u8; 8]) -> WallTime {
    const SINCE_1900: i64 = 2_208_988_800;
    let whole = u64::from_be_bytes(bytes);
    let seconds = (whole >> 32) as i64;
    let era = if seconds < 1 << 31 { 1_i64 << 32 } else { 0 };
    let fraction = ((whole & 0xffff_ffff) * 1_000_000) >> 32;
    WallTime::from_micros((seconds + era - SINCE_1900) * 1_000_000 + fraction as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_micros(millis * 1000)
    }

    #[test]
    fn dates_narrow_each_other_down() {
        let mut clock = Clock::default();
        assert_eq!(clock.now(at(0)), None);
        // True offset: 99 999.3 s, so that at 1 s it is 00:00:00.3 of the second day.
        clock.hear_date("Fri, 02 Jan 1970 03:46:40 GMT", at(1_000), at(1_010));
        clock.hear_date("Fri, 02 Jan 1970 03:46:41 GMT", at(1_700), at(1_710));
        clock.hear_date("Fri, 02 Jan 1970 03:46:40 GMT", at(1_650), at(1_660));
        let wall = clock.now(at(1_000)).expect("a date is known").micros();
        assert!((wall - 100_000_300_000).abs() < 50_000, "{wall}");
        assert_eq!(clock.source(at(0)).expect("a source").0, ClockSource::Date);
    }

    #[test]
    fn a_device_that_is_right_is_believed_and_one_that_is_wrong_is_not() {
        let mut clock = Clock::default();
        clock.set_device(Some(50_000_000));
        clock.hear_date("Thu, 01 Jan 1970 00:01:00 GMT", at(10_000), at(10_050));
        assert_eq!(clock.now(at(0)).expect("known").micros(), 50_000_000);
        clock.set_device(Some(3_650_000_000));
        let wall = clock.now(at(0)).expect("known").micros();
        assert!((49_900_000..51_100_000).contains(&wall), "{wall}");
    }

    #[test]
    fn the_shorter_round_trip_wins() {
        let mut clock = Clock::default();
        clock.take(WallTime::from_micros(100_000_000), at(0), at(200), 0);
        clock.take(WallTime::from_micros(160_000_000), at(60_000), at(62_000), 0);
        assert_eq!(clock.now(at(0)).expect("known").micros(), 99_900_000);
        // Long afterwards, clocks may have parted.
        clock.take(WallTime::from_micros(100_101_000_000), at(100_000_000), at(100_002_000), 0);
        assert_eq!(clock.now(at(0)).expect("known").micros(), 100_000_000);
    }

    #[test]
    fn ntp_counts_from_1900() {
        assert_eq!(ntp([0x83, 0xaa, 0x7e, 0x80, 0x80, 0, 0, 0]).micros(), 500_000);
        assert_eq!(ntp([0, 0, 0, 1, 0, 0, 0, 0]).micros(), 2_085_978_497_000_000);
    }
}
