//! What the manifests of one playback are written from.

use super::{dash, hls, read};
use crate::delivery::granted::Denied;
use crate::token::cat::Terms;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// One playback of a package.
pub(super) struct Session {
    /// Where the package is.
    pub(super) directory: PathBuf,
    /// What is in it.
    pub(super) package: Package,
    /// Its directories that the viewer may have; all of them if there is none.
    pub(super) directories: Vec<String>,
    /// Where media can be fetched from, the best first. There is at least one.
    pub(super) pathways: Vec<Pathway>,
    /// Where to ask for the order again.
    pub(super) steering: Option<String>,
}

/// Where media can be fetched from.
pub(super) struct Pathway {
    /// The edge's name; empty if there is just one place.
    pub(super) name: String,
    /// What URLs in the package are relative to: a URL or a path, with a slash at the end.
    pub(super) base: String,
}

impl Session {
    /// The multivariant playlist of that name.
    pub(super) async fn hls(&self, file: &str) -> Result<Vec<u8>, Denied> {
        hls::multivariant(&read(self.directory.join(file)).await?, self).map_err(Denied::Fault)
    }

    /// The MPD of that name.
    pub(super) async fn dash(&self, file: &str) -> Result<Vec<u8>, Denied> {
        dash::manifest(&read(self.directory.join(file)).await?, self).map_err(Denied::Fault)
    }

    /// Whether the viewer may have what is in a directory of the package.
    pub(super) fn may_have(&self, directory: &str) -> bool {
        self.directories.is_empty() || self.directories.iter().any(|allowed| allowed == directory)
    }

    /// Whether they may have the representation of that id; what the package does not know is none of its own.
    pub(super) fn may_have_representation(&self, id: &str) -> bool {
        let known = self.package.all().find(|rendition| rendition.id == id);
        known.is_none_or(|rendition| self.may_have(&rendition.directory))
    }
}

/// What `package.json` says of a package, as far as it decides who gets what.
#[derive(Deserialize)]
pub(super) struct Package {
    #[serde(default)]
    video: Vec<Rendition>,
    #[serde(default)]
    audio: Vec<Rendition>,
}

/// One representation.
#[derive(Deserialize)]
pub(super) struct Rendition {
    id: String,
    directory: String,
    codecs: String,
    #[serde(default)]
    video: Option<Picture>,
}

#[derive(Deserialize)]
struct Picture {
    height: u32,
}

impl Package {
    /// Reads it from the package's directory.
    pub(super) async fn read(directory: &Path) -> Result<Self, Denied> {
        let path = directory.join("package.json");
        let text = read(path.clone()).await?;
        serde_json::from_slice(&text)
            .map_err(|error| Denied::Fault(format!("{}: {error}", path.display())))
    }

    fn all(&self) -> impl Iterator<Item = &Rendition> {
        self.video.iter().chain(&self.audio)
    }

    /// The directories that someone may have on these terms: none named is all of them. None when nothing is left
    /// of the video, or of the audio, that plays.
    pub(super) fn allowed(&self, terms: &Terms) -> Option<Vec<String>> {
        let plays = |rendition: &&Rendition| {
            let family = |codec: &str| codec.split('.').next().unwrap_or_default().to_owned();
            terms.codecs.is_empty()
                || rendition.codecs.split(',').all(|codec| terms.codecs.contains(&family(codec)))
        };
        let height = |rendition: &Rendition| rendition.video.as_ref().map_or(0, |v| v.height);
        let most = terms.max_height.map_or(u32::MAX, u32::from);
        let playable: Vec<&Rendition> = self.video.iter().filter(plays).collect();
        // Whoever may watch at all may have the smallest picture there is.
        let smallest = playable.iter().map(|rendition| height(rendition)).min();
        let most = most.max(smallest.unwrap_or(0));
        let video: Vec<_> = playable.into_iter().filter(|r| height(r) <= most).collect();
        let audio: Vec<_> = self.audio.iter().filter(plays).collect();
        let lost = |all: &[Rendition], left: &[&Rendition]| !all.is_empty() && left.is_empty();
        if lost(&self.video, &video) || lost(&self.audio, &audio) {
            return None;
        }
        if video.len() == self.video.len() && audio.len() == self.audio.len() {
            return Some(Vec::new());
        }
        Some(video.into_iter().chain(audio).map(|r| r.directory.clone()).collect())
    }
}

#[cfg(test)]
pub(super) mod fixture {
    use super::*;

    /// A package of three pictures in one coding and one in another, and a playback of it.
    pub(crate) fn package() -> Package {
        let video = |id: &str, height: u32, codecs: &str| {
            serde_json::json!({
                "id": id, "directory": format!("{id}.aa"), "codecs": codecs,
                "video": {"width": height * 16 / 9, "height": height, "frame_rate": "24"},
            })
        };
        let text = serde_json::json!({
            "title": "A film",
            "video": [
                video("v1080", 1080, "hvc1.1.6.L120"), video("v720", 720, "avc1.64001f"),
                video("v360", 360, "avc1.4d401e"),
            ],
            "audio": [{"id": "audio", "directory": "audio.aa", "codecs": "mp4a.40.2",
                       "audio": {"sample_rate": 48000, "channels": 2}}],
        });
        serde_json::from_value(text).unwrap()
    }

    pub(crate) fn session(terms: &Terms, pathways: &[(&str, &str)]) -> Session {
        let package = package();
        Session {
            directory: PathBuf::new(),
            directories: package.allowed(terms).unwrap(),
            package,
            pathways: pathways
                .iter()
                .map(|(name, base)| Pathway { name: (*name).into(), base: (*base).into() })
                .collect(),
            steering: (pathways.len() > 1).then(|| "/v1/steering/p".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(max_height: Option<u16>, codecs: &[&str]) -> Option<Vec<String>> {
        let codecs = codecs.iter().map(|codec| (*codec).to_owned()).collect();
        fixture::package().allowed(&Terms { max_height, codecs, media_seconds: 0 })
    }

    #[test]
    fn pictures_are_left_out_that_are_too_large_or_of_a_coding_that_does_not_play() {
        assert_eq!(allowed(None, &[]), Some(Vec::new()));
        assert_eq!(allowed(Some(2160), &["avc1", "hvc1", "mp4a"]), Some(Vec::new()));
        let dirs = |names: &[&str]| Some(names.iter().map(|name| format!("{name}.aa")).collect());
        assert_eq!(allowed(Some(720), &[]), dirs(&["v720", "v360", "audio"]));
        assert_eq!(allowed(None, &["avc1", "mp4a"]), dirs(&["v720", "v360", "audio"]));
        assert_eq!(allowed(Some(100), &["avc1", "mp4a"]), dirs(&["v360", "audio"]));
        assert_eq!(allowed(None, &["avc1", "opus"]), None);
        assert_eq!(allowed(None, &["vp09", "mp4a"]), None);
    }
}
