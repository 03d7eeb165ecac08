//! What a file is, by its name: its media type and how long an answer may be kept.

/// The kinds of file that are delivered differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A manifest or playlist.
    Manifest,
    /// A segment: video, audio, or text, whole or as a part.
    Media,
    /// Anything else: pages, scripts, pictures.
    Other,
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileType {
    /// How it is delivered.
    pub kind: Kind,
    /// The media type, where the usual tables do not know it or leave out its character set.
    pub content_type: Option<&'static str>,
}

impl FileType {
    /// The type of the file that a request's path names.
    pub fn of(path: &str) -> Self {
        let file = path.rsplit('/').next().unwrap_or_default();
        let extension = file.rsplit_once('.').map_or("", |(_, extension)| extension);
        let kind = match extension {
            "m3u8" | "mpd" => Kind::Manifest,
            "m4s" | "mp4" | "m4v" | "m4a" | "cmfv" | "cmfa" | "cmft" | "ts" | "aac" | "webm" => {
                Kind::Media
            }
            _ => Kind::Other,
        };
        let content_type = Some(match extension {
            "m3u8" => "application/vnd.apple.mpegurl",
            "mpd" => "application/dash+xml",
            "m4s" | "cmfv" | "cmfa" | "cmft" => "video/iso.segment",
            "m4a" => "audio/mp4",
            "ts" => "video/mp2t",
            "wasm" => "application/wasm",
            "js" | "mjs" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "html" => "text/html; charset=utf-8",
            "json" | "map" => "application/json",
            "webmanifest" => "application/manifest+json",
            "vtt" => "text/vtt; charset=utf-8",
            _ => return Self { kind, content_type: None },
        });
        Self { kind, content_type }
    }
}

impl Kind {
    /// The value of `Cache-Control` for a good answer.
    ///
    /// Segments never change: the packager names their directory by their content. Manifests may, so they keep
    /// for moments only; everything else is asked for again each time, which its `ETag` makes cheap.
    pub fn cache_control(self) -> &'static str {
        match self {
            Self::Manifest => "public, max-age=4",
            Self::Media => "public, max-age=31536000, immutable",
            Self::Other => "no-cache",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_part_of_a_path_tells_the_kind() {
        assert_eq!(FileType::of("/a.mp4/master.m3u8").kind, Kind::Manifest);
        assert_eq!(FileType::of("/video.1/seg-00001.m4s").kind, Kind::Media);
        assert_eq!(FileType::of("/video.m4s/").kind, Kind::Other);
        assert_eq!(FileType::of("/").content_type, None);
    }
}
