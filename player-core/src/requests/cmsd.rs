//! What a server or a cache on the way tells of the network (`CMSD-Dynamic`, CTA-5006 §3.2).

use kinora_abr::Hints;

/// Longer fields are not looked at: each cache on the way adds a few dozen bytes.
const MOST_BYTES: usize = 4096;

/// The hints in a field: a list of what each server on the way said, the one nearest to the player last (RFC 8941
/// §3.1). Of each key the nearest one's word counts.
pub(super) fn hints(field: &str) -> Option<Hints> {
    if field.len() > MOST_BYTES {
        return None;
    }
    let mut hints = Hints::default();
    let mut quoted = false;
    // Identifiers are strings, and may hold what separates things elsewhere.
    let parts = field.split(|c: char| {
        quoted ^= c == '"';
        !quoted && matches!(c, ';' | ',')
    });
    for part in parts {
        let Some((key, value)) = part.trim().split_once('=') else { continue };
        let Some(value) = value.trim().parse::<u32>().ok().filter(|value| *value > 0) else {
            continue;
        };
        let value = f64::from(value);
        match key {
            "etp" => hints.estimated_throughput_kbps = Some(value),
            "mb" => hints.max_bitrate_kbps = Some(value),
            "rtt" => hints.round_trip_s = Some(value / 1000.0),
            _ => {}
        }
    }
    (hints != Hints::default()).then_some(hints)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_counts() {
        let field = r#""origin;etp=1";etp=9000;mb=4000, "cdn, \"a\"";etp=3200;rtt=40;du"#;
        let expected = Hints {
            estimated_throughput_kbps: Some(3200.0),
            max_bitrate_kbps: Some(4000.0),
            round_trip_s: Some(0.04),
            network: None,
        };
        assert_eq!(hints(field), Some(expected));
    }

    #[test]
    fn what_says_nothing_or_nonsense_is_no_hint() {
        for field in
            ["", "\"cdn\"", "\"cdn\";du", "etp", "\"x\";etp=0", "\"x\";etp=-1;mb=1e9", "\";etp=5"]
        {
            assert_eq!(hints(field), None, "{field}");
        }
        assert_eq!(hints(&"\"x\";etp=5,".repeat(1000)), None);
    }
}
