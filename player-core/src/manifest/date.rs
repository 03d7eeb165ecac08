//! Dates of manifests (RFC 3339, ISO 8601, `xs:dateTime`) and of HTTP, read without a calendar library.

use crate::time::WallTime;
use crate::url::cut_word;

/// Reads dates. Those of a manifest are mostly of one day, so the day of the last one is kept.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Dates {
    day: [u8; 10],
    /// Microseconds from the epoch to `day`.
    start: i64,
}

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

impl Dates {
    /// Reads `2026-02-19T10:12:30.250+01:00`, to the microsecond. The offset may lack its colon or
    /// its minutes; a date without any is one of UTC. Hour 24 and second 60 are those that follow.
    pub(crate) fn read(&mut self, text: &str) -> Option<WallTime> {
        let bytes = text.as_bytes();
        let (day, time) = bytes.split_first_chunk::<10>()?;
        if *day != self.day {
            self.start = start_of(day)?;
            self.day = *day;
        }
        let (&[t, h, hours, colon, m, minutes, colon_too, s, seconds], rest) =
            time.split_first_chunk::<9>()?;
        if !matches!(t, b'T' | b't' | b' ') || colon != b':' || colon_too != b':' {
            return None;
        }
        let (hours, minutes, seconds) = (two(h, hours)?, two(m, minutes)?, two(s, seconds)?);
        if hours > 24 || minutes > 59 || seconds > 60 {
            return None;
        }
        let mut micros = self.start + (hours * 3600 + minutes * 60 + seconds) * SECOND;
        let mut rest = rest;
        if let [b'.' | b',', digits @ ..] = rest {
            let mut scale = SECOND;
            rest = digits;
            while let [digit @ b'0'..=b'9', after @ ..] = rest {
                scale /= 10;
                micros += i64::from(digit - b'0') * scale;
                rest = after;
            }
            if rest.len() == digits.len() {
                return None;
            }
        }
        let offset = match *rest {
            [] | [b'Z' | b'z'] => 0,
            [sign @ (b'+' | b'-'), ref offset @ ..] => {
                let (hours, minutes) = match *offset {
                    [h, hours] => (two(h, hours)?, 0),
                    [h, hours, m, minutes] | [h, hours, b':', m, minutes] => {
                        (two(h, hours)?, two(m, minutes)?)
                    }
                    _ => return None,
                };
                let offset = (hours * 60 + minutes) * 60 * SECOND;
                if sign == b'-' { -offset } else { offset }
            }
            _ => return None,
        };
        Some(WallTime::from_micros(micros - offset))
    }
}

/// Reads an IMF-fixdate, such as `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 §5.6.7). The obsolete forms,
/// which no server has sent for decades, are not understood.
pub(crate) fn read_http(text: &str) -> Option<WallTime> {
    const MONTHS: &[u8] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    let (_, rest) = cut_word(text.trim(), ", ")?;
    let &[d, day, b' ', m0, m1, m2, b' ', y0, y1, y2, y3, b' ', ref time @ ..] = rest.as_bytes()
    else {
        return None;
    };
    let month = MONTHS.chunks_exact(3).position(|name| *name == [m0, m1, m2])? + 1;
    let (tens, ones) = (b'0' + (month / 10) as u8, b'0' + (month % 10) as u8);
    let mut iso = vec![y0, y1, y2, y3, b'-', tens, ones, b'-', d, day, b'T'];
    iso.extend_from_slice(time.strip_suffix(b" GMT")?);
    Dates::default().read(core::str::from_utf8(&iso).ok()?)
}

/// Microseconds from the epoch to the start of a day, written as `2026-02-19`.
fn start_of(day: &[u8; 10]) -> Option<i64> {
    let &[y, ye, yea, year, dash, m, month, dash_too, d, day] = day;
    let (year, month, day) = (two(y, ye)? * 100 + two(yea, year)?, two(m, month)?, two(d, day)?);
    let leap = i64::from(year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
    let length = match month {
        2 => 28 + leap,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if dash != b'-' || dash_too != b'-' || !(1..=length).contains(&day) {
        return None;
    }
    // Years from March to March put the odd day at their end; so counted, months before it have
    // 153 days in five.
    let (year, month) = if month < 3 { (year - 1, month + 9) } else { (year, month - 3) };
    let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let days = year * 365 + leaps + (153 * month + 2) / 5 + day - 1;
    // From the first of March of the year 0 to the first of January 1970.
    Some((days - 719_468) * DAY)
}

/// Two decimal digits.
#[inline]
fn two(tens: u8, ones: u8) -> Option<i64> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| i64::from(tens * 10 + ones))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Option<i64> {
        Dates::default().read(text).map(WallTime::micros)
    }

    #[test]
    fn dates_are_microseconds_since_the_epoch() {
        for (text, micros) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01T00:00:00.000001Z", 1),
            ("1969-12-31T23:59:59.5Z", -500_000),
            ("2000-02-29T12:00:00Z", 951_825_600 * SECOND),
            ("2026-02-19T10:12:30.250+01:00", 1_771_492_350_250_000),
            ("2026-02-19T10:12:30.250+0100", 1_771_492_350_250_000),
            ("2026-02-19T08:12:30,25-01", 1_771_492_350_250_000),
            ("2026-02-19t09:12:30.2500000009z", 1_771_492_350_250_000),
            ("2026-02-19 09:12:30.250", 1_771_492_350_250_000),
            ("2016-12-31T23:59:60Z", 1_483_228_800 * SECOND),
            ("2016-12-31T24:00:00Z", 1_483_228_800 * SECOND),
        ] {
            assert_eq!(read(text), Some(micros), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "2026-02-19",
            "2026-02-19T10:12Z",
            "2026-02-30T10:12:30Z",
            "2025-02-29T10:12:30Z",
            "2026-13-01T10:12:30Z",
            "2026-00-01T10:12:30Z",
            "2026-01-00T10:12:30Z",
            "2026-01-01T25:12:30Z",
            "2026-01-01T10:60:30Z",
            "2026-01-01T10:12:30.Z",
            "2026-01-01T10:12:30+1",
            "2026-01-01T10:12:30Zulu",
            "2026/01/01T10:12:30Z",
            "2026-01-01T10-12-30Z",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn the_day_before_is_not_taken_for_this() {
        let mut dates = Dates::default();
        for (text, seconds) in
            [("1970-01-02", 86_400), ("1970-01-02", 86_400), ("1970-01-03", 2 * 86_400)]
        {
            let text = format!("{text}T00:00:01Z");
            assert_eq!(dates.read(&text), Some(WallTime::from_micros((seconds + 1) * SECOND)));
        }
        assert_eq!(dates.read("1970-01-99T00:00:00Z"), None);
        assert_eq!(dates.read("1970-01-03T00:00:00Z").map(WallTime::micros), Some(2 * DAY));
    }

    #[test]
    fn dates_of_http_are_read() {
        let read = |text| read_http(text).map(WallTime::micros);
        assert_eq!(read("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777_000_000));
        assert_eq!(read("Thu, 01 Jan 1970 00:00:10 GMT"), Some(10_000_000));
        assert_eq!(read(" Thu, 26 Nov 2026 11:45:59 GMT "), Some(1_795_693_559_000_000));
        for bad in [
            "",
            "Sun",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Thursday, 26-Nov-26 11:45:59 GMT",
            "Thu Nov 26 11:45:59 2026",
            "Thu, 26 Nov 2026 11:45:59 CET",
            "Thu, 26 Foo 2026 11:45:59 GMT",
            "Thu, 40 Nov 2026 11:45:59 GMT",
            "Thu, 26 Nov 2026 11:45 GMT",
            "Thu, ΩΩ Nov 2026 11:45:59 GMT",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn days_follow_each_other(days in 0i64..1_000_000) {
            // By counting, as a calendar does.
            let (mut year, mut left) = (1970, days);
            let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            while left >= 365 + i64::from(leap(year)) {
                left -= 365 + i64::from(leap(year));
                year += 1;
            }
            let mut month = 0;
            let lengths = [31, 28 + i64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
            while left >= lengths[month] {
                left -= lengths[month];
                month += 1;
            }
            let text = format!("{year:04}-{:02}-{:02}T00:00:00Z", month + 1, left + 1);
            prop_assert_eq!(read(&text), Some(days * DAY));
        }
    }
}
