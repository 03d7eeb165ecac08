//! A film on several hosts, and the steering server that says which of them to load it from.

use std::fmt::Write;

use super::content::{Film, Origin};

/// Where the manifests of a film on several hosts are.
pub const MAIN: &str = "https://www.example/film";
/// Where its steering server is.
pub const STEERING: &str = "https://steer.example/film.json";

/// A film on several hosts: one pathway each.
#[derive(Clone, Debug)]
pub struct Hosts {
    /// The film.
    pub film: Film,
    /// Pathway and base URL of each host, best first.
    pub hosts: Vec<(&'static str, &'static str)>,
    /// A steering server is announced.
    pub steered: bool,
    /// It is to be asked before the start, where a format can say so.
    pub before_start: bool,
}

impl Default for Hosts {
    fn default() -> Self {
        Self {
            film: Film::default(),
            hosts: vec![("A", "https://a.example/film"), ("B", "https://b.example/film")],
            steered: false,
            before_start: false,
        }
    }
}

impl Hosts {
    /// Everything the hosts hold, with `master.m3u8` and `manifest.mpd` under [`MAIN`].
    pub fn publish(&self) -> Origin {
        let mut whole = Origin::default();
        for (_, base) in &self.hosts {
            whole.join(self.film.publish(base));
        }
        let text = |name: &str| {
            let (_, base) = self.hosts[0];
            let bytes = whole.body(&format!("{base}/{name}")).expect("the film is published");
            String::from_utf8(bytes.to_vec()).expect("manifests are text")
        };
        let (master, mpd) =
            (self.multivariant(&text("master.m3u8")), self.mpd(&text("manifest.mpd")));
        whole.add(&format!("{MAIN}/master.m3u8"), "application/vnd.apple.mpegurl", master);
        whole.add(&format!("{MAIN}/manifest.mpd"), "application/dash+xml", mpd);
        whole
    }

    /// Every variant and rendition once for each host.
    fn multivariant(&self, one: &str) -> String {
        let mut text = String::from("#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n");
        if self.steered {
            let (first, _) = self.hosts[0];
            let _ = writeln!(
                text,
                "#EXT-X-CONTENT-STEERING:SERVER-URI=\"{STEERING}\",PATHWAY-ID=\"{first}\""
            );
        }
        for (pathway, base) in &self.hosts {
            for line in one.lines() {
                let line = line.replace("=\"sound\"", &format!("=\"sound-{pathway}\""));
                if line.starts_with("#EXT-X-MEDIA:") {
                    let _ = writeln!(text, "{}", line.replace("URI=\"", &format!("URI=\"{base}/")));
                } else if line.starts_with("#EXT-X-STREAM-INF:") {
                    let _ = writeln!(text, "{line},PATHWAY-ID=\"{pathway}\"");
                } else if !line.starts_with('#') {
                    let _ = writeln!(text, "{base}/{line}");
                }
            }
        }
        text
    }

    /// A `BaseURL` for each host.
    fn mpd(&self, one: &str) -> String {
        let mut places = String::new();
        if self.steered {
            let (first, _) = self.hosts[0];
            let _ = writeln!(
                places,
                "<ContentSteering defaultServiceLocation=\"{first}\" queryBeforeStart=\"{}\">\
                 {STEERING}</ContentSteering>",
                self.before_start
            );
        }
        for (pathway, base) in &self.hosts {
            let _ = writeln!(places, "<BaseURL serviceLocation=\"{pathway}\">{base}/</BaseURL>");
        }
        let (head, periods) = one.split_once("<Period").expect("a film has a period");
        format!("{head}{places}<Period{periods}")
    }
}

/// A steering manifest that prefers these pathways and wants to be asked again after so many seconds.
pub fn steering(ttl: u32, priority: &[&str]) -> String {
    steering_with(ttl, priority, "")
}

/// A steering manifest with further members, such as `,"RELOAD-URI":"again.json"`.
pub fn steering_with(ttl: u32, priority: &[&str], more: &str) -> String {
    let names: Vec<String> = priority.iter().map(|name| format!("{name:?}")).collect();
    format!("{{\"VERSION\":1,\"TTL\":{ttl},\"PATHWAY-PRIORITY\":[{}]{more}}}", names.join(","))
}
