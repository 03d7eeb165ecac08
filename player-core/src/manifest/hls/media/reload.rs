//! When to ask for the next version of a playlist, and what to ask (RFC 8216bis §6.2.5, §6.3.4,
//! §6.3.7).

use super::MediaPlaylist;
use crate::manifest::hls::low_latency::RenditionReport;
use crate::time::{MediaTime, Timestamp};
use crate::url::cut;

/// The next request for a playlist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reload {
    /// The playlist's URL with delivery directives.
    pub url: String,
    /// Not before this.
    pub at: Timestamp,
    /// The server answers once there is something new; else with what there is.
    pub blocking: bool,
    /// The server may leave out what is held already.
    pub delta: bool,
}

impl MediaPlaylist {
    /// Notes when the first version was asked for, from which on its age counts.
    pub fn requested(&mut self, at: Timestamp) {
        if let Some(following) = &mut self.following {
            following.requests.last.get_or_insert(at);
            following.requests.changed.get_or_insert(at);
        }
    }

    /// The next request for the playlist at `url`; none if it has ended.
    pub fn reload(&self, url: &str, now: Timestamp) -> Option<Reload> {
        let requests = &self.following.as_ref()?.requests;
        let last = requests.last.unwrap_or(now);
        let mut directives = Vec::new();
        // A server that answers at once with nothing new would be asked without end.
        let blocking = self.control.can_block_reload && !requests.unchanged;
        if blocking {
            let (number, part) = self.edge();
            directives.push(("_HLS_msn", number.to_string()));
            if self.part_target.is_some() {
                directives.push(("_HLS_part", part.to_string()));
            }
        }
        // Only of a version younger than half the skip boundary, and if that leaves anything out.
        let delta = !requests.whole
            && self.control.can_skip_until.is_some_and(|boundary| {
                let age = now.since(requests.changed.unwrap_or(last));
                MediaTime::from_duration(age).times(2) < boundary
                    && self.index.end() - self.index.start() > boundary
            });
        if delta {
            let kind = if self.control.can_skip_dateranges { "v2" } else { "YES" };
            directives.push(("_HLS_skip", kind.to_owned()));
        }
        let wait = match blocking {
            true => MediaTime::ZERO,
            false if requests.unchanged => {
                MediaTime::from_flicks(self.target_duration.flicks() / 2)
            }
            false => self.target_duration,
        };
        let at = last + wait.to_duration();
        Some(Reload { url: with_directives(url, &directives), at, blocking, delta })
    }

    /// What the playlist last said of another rendition, whose playlist is at `url`.
    pub fn report(&self, url: &str) -> Option<&RenditionReport> {
        let place = |url: &str| url.find(['?', '#']).unwrap_or(url.len());
        let path = url.get(..place(url));
        self.reports.iter().find(|report| report.url.get(..place(&report.url)) == path)
    }
}

impl RenditionReport {
    /// The URL with which to ask for the rendition for the first time, such that the answer is as
    /// new as the playlist that the report is in.
    pub fn request(&self) -> String {
        let mut directives = vec![("_HLS_msn", self.last_number.to_string())];
        directives.extend(self.last_part.map(|part| ("_HLS_part", part.to_string())));
        with_directives(&self.url, &directives)
    }
}

/// The URL of a playlist without any delivery directives it was loaded with.
pub(crate) fn plain(url: &str) -> String {
    with_directives(url, &[])
}

/// A URL with delivery directives in place of any it has. They come in the order of their names, so
/// that caches see one URL for one thing (RFC 8216bis §6.2.5).
fn with_directives(url: &str, directives: &[(&str, String)]) -> String {
    let url = url.split('#').next().unwrap_or(url);
    let (path, query) = cut(url, b'?').unwrap_or((url, ""));
    let mut out = path.to_owned();
    let mut add = |parameter: &str| {
        out.push(if out.len() == path.len() { '?' } else { '&' });
        out.push_str(parameter);
    };
    for parameter in query.split('&').filter(|text| !text.is_empty()) {
        if !parameter.starts_with("_HLS_") {
            add(parameter);
        }
    }
    for (name, value) in directives {
        add(&format!("{name}={value}"));
    }
    out
}
