//! The test film: as files, and in memory.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use kinora_core::config::{AbrConfig, Config};
use kinora_native::Options;
use kinora_native::transport::{Entry, MemoryTransport};

/// Where the film is served.
pub(crate) const BASE: &str = "http://cdn.example/film/";

/// Where the film lies.
pub(crate) fn media() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/media")
}

/// A transport with the film behind [`BASE`].
pub(crate) fn film() -> MemoryTransport {
    let transport = MemoryTransport::default();
    for entry in std::fs::read_dir(media()).expect("the film is there") {
        let path = entry.expect("a file").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        let content_type = match path.extension().and_then(|extension| extension.to_str()) {
            Some("m3u8") => "application/vnd.apple.mpegurl",
            Some("m4s" | "mp4") => "video/mp4",
            Some("ts") => "video/mp2t",
            _ => continue,
        };
        let body = std::fs::read(&path).expect("a readable file");
        transport.insert(format!("{BASE}{name}"), Entry::new(content_type, body));
    }
    transport
}

/// The multivariant playlist's URL.
pub(crate) fn url() -> String {
    format!("{BASE}multivariant.m3u8")
}

/// Playing from `transport`.
pub(crate) fn options(transport: &MemoryTransport) -> Options {
    Options { transport: Some(Arc::new(transport.clone())), ..Options::default() }
}

/// Playing from `transport`, never more than this many pixels high.
pub(crate) fn options_up_to(transport: &MemoryTransport, height: u32) -> Options {
    let abr = AbrConfig { max_height: Some(height), ..AbrConfig::default() };
    Options { config: Config { abr, ..Config::default() }, ..options(transport) }
}
