//! Dates of HTTP header fields (RFC 9110 §5.6.7).

use crate::manifest::read_date;
use crate::time::WallTime;

/// Reads an IMF-fixdate, such as `Thu, 26 Nov 2026 11:45:59 GMT`. The obsolete forms, which no server
/// has sent for decades, are not understood.
pub(super) fn read(text: &str) -> Option<WallTime> {
    const MONTHS: &[u8] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    let (_, date) = text.trim().split_once(", ")?;
    let mut words = date.split(' ');
    let (day, month, year, time) = (words.next()?, words.next()?, words.next()?, words.next()?);
    if words.next() != Some("GMT") || day.len() != 2 || year.len() != 4 {
        return None;
    }
    let place = MONTHS.chunks(3).position(|name| name == month.as_bytes())?;
    let month = place + 1;
    let mut iso = String::with_capacity(20);
    for part in [year, "-", if month < 10 { "0" } else { "" }, &month.to_string(), "-", day, "T"] {
        iso.push_str(part);
    }
    iso.push_str(time);
    iso.push('Z');
    read_date(&iso)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_servers_send_is_read() {
        let read = |text| read(text).map(WallTime::micros);
        assert_eq!(read("Thu, 01 Jan 1970 00:00:10 GMT"), Some(10_000_000));
        assert_eq!(read("Thu, 26 Nov 2026 11:45:59 GMT"), Some(1_795_693_559_000_000));
        for bad in [
            "",
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
}
