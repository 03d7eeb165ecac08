//! What a request for a playlist asks for besides (RFC 8216bis, 6.2.5): to wait for what is not there yet, and to leave
//! out what the client has.

use super::broadcast::{Broadcast, Rendition};

/// The delivery directives of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Directives {
    /// `_HLS_msn` and `_HLS_part`.
    pub(super) until: Option<(u64, Option<u64>)>,
    /// `_HLS_skip`.
    pub(super) skip: bool,
}

/// Whether the answer can be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Readiness {
    /// Now.
    Ready,
    /// When there is more.
    Wait,
    /// Never: it is too far in the future.
    TooFar,
}

impl Directives {
    /// Reads a query; what is not a directive is not looked at.
    ///
    /// # Errors
    /// What is wrong with it, for the client to read.
    pub(super) fn parse(query: &str) -> Result<Self, &'static str> {
        let (mut msn, mut part, mut skip) = (None, None, false);
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let number = || value.parse::<u64>();
            match name {
                "_HLS_msn" => msn = Some(number().map_err(|_| "_HLS_msn is no number")?),
                "_HLS_part" => part = Some(number().map_err(|_| "_HLS_part is no number")?),
                "_HLS_skip" => skip = matches!(value, "YES" | "v2"),
                _ => {}
            }
        }
        match (msn, part) {
            (None, Some(_)) => Err("_HLS_part without _HLS_msn"),
            (None, None) => Ok(Self { until: None, skip }),
            (Some(msn), part) => Ok(Self { until: Some((msn, part)), skip }),
        }
    }

    /// Whether a rendition's playlist holds what is asked for.
    pub(super) fn readiness(&self, broadcast: &Broadcast, rendition: &Rendition) -> Readiness {
        let Some((msn, part)) = self.until.filter(|_| !broadcast.ended) else {
            return Readiness::Ready;
        };
        // A part after a segment's last is the first of the next.
        let parts = u64::from(broadcast.shape.parts);
        let (msn, part) = match part {
            Some(part) if part >= parts => (msn.saturating_add(1), Some(0)),
            other => (msn, other),
        };
        let edge = rendition.edge().unwrap_or(0);
        let made =
            rendition.segments.back().filter(|s| !s.complete).map_or(0, |s| s.parts.len() as u64);
        if msn < edge || part.is_some_and(|part| msn == edge && part < made) {
            return Readiness::Ready;
        }
        if msn > edge + 1 { Readiness::TooFar } else { Readiness::Wait }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_are_read_or_refused() {
        let parse = Directives::parse;
        assert_eq!(parse(""), Ok(Directives::default()));
        let expected = Directives { until: Some((7, Some(2))), skip: true };
        assert_eq!(parse("token=x&_HLS_msn=7&_HLS_part=2&_HLS_skip=YES"), Ok(expected));
        assert_eq!(parse("_HLS_skip=v2").map(|d| d.skip), Ok(true));
        assert!(parse("_HLS_part=2").is_err());
        assert!(parse("_HLS_msn=-1").is_err());
        assert!(parse("_HLS_msn=1&_HLS_part=x").is_err());
    }
}
