//! Films of which everything is encrypted as a whole (HLS `AES-128`, RFC 8216bis §4.4.4.4).

use std::fmt::Write;

use kinora_cenc::{ContentKey, segment};

use super::super::boxes;
use super::super::content::{Origin, Resource};
use super::{Film, Rendition};

/// How a film is encrypted.
#[derive(Clone, Copy, Debug)]
pub struct Sealing {
    /// So many segments have the same key.
    pub rotation: u32,
    /// All of a representation is in one file, in byte ranges.
    pub one_file: bool,
}

impl Sealing {
    /// The key with this number: what must be found in no log.
    pub fn key(number: u32) -> [u8; 16] {
        let mut key = *b"canary of a key ";
        key[15] = number as u8;
        key
    }

    fn key_of(self, segment: u32) -> u32 {
        segment / self.rotation
    }
}

/// Initialisation segments have no number, so that their playlist has to give the vector.
const INIT_IV: [u8; 16] = [0x5a; 16];

impl Film {
    /// Everything a server needs to publish the film as `master.m3u8` under `base`, encrypted; its keys are
    /// `key-0.bin` and so on.
    pub fn publish_sealed(&self, base: &str, sealing: Sealing) -> Origin {
        let mut origin = self.origin();
        let hls = "application/vnd.apple.mpegurl";
        origin.add(&format!("{base}/master.m3u8"), hls, self.multivariant());
        for number in 0..=sealing.key_of(self.segments() - 1) {
            let (url, key) = (format!("{base}/key-{number}.bin"), Sealing::key(number));
            origin.add(&url, "application/octet-stream", key);
        }
        for rendition in self.renditions() {
            let folder = format!("{base}/{}", rendition.name);
            let playlist = self.seal(&folder, &rendition, sealing, &mut origin);
            origin.add(&format!("{folder}/media.m3u8"), hls, playlist);
        }
        origin
    }

    /// Publishes one representation; its playlist.
    fn seal(
        &self,
        folder: &str,
        rendition: &Rendition,
        sealing: Sealing,
        origin: &mut Origin,
    ) -> String {
        let mut text = format!(
            "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:{}\n#EXT-X-PLAYLIST-TYPE:VOD\n",
            self.segment_seconds
        );
        let mut file = Vec::new();
        let mut place = |name: String, bytes: Vec<u8>, origin: &mut Origin| {
            if sealing.one_file {
                let range = format!("{}@{}", bytes.len(), file.len());
                file.extend(bytes);
                return ("media.mp4".to_owned(), Some(range));
            }
            origin.add_resource(format!("{folder}/{name}"), Resource::new("video/mp4", bytes));
            (name, None)
        };
        let mut init = boxes::init_segment(self.track(0, rendition));
        segment::encrypt(&ContentKey::from(Sealing::key(0)), &INIT_IV, &mut init);
        let (uri, range) = place("init.mp4".to_owned(), init, origin);
        let iv = u128::from_be_bytes(INIT_IV);
        let _ = writeln!(text, "#EXT-X-KEY:METHOD=AES-128,URI=\"../key-0.bin\",IV={iv:#x}");
        let range = range.map_or_else(String::new, |range| format!(",BYTERANGE=\"{range}\""));
        let _ = writeln!(text, "#EXT-X-MAP:URI=\"{uri}\"{range}");
        for number in 0..self.segments() {
            let key = sealing.key_of(number);
            if number % sealing.rotation == 0 {
                // The vector is the number of the segment from here on.
                let _ = writeln!(text, "#EXT-X-KEY:METHOD=AES-128,URI=\"../key-{key}.bin\"");
            }
            let (mut bytes, size) = self.media_segment(number, rendition);
            bytes.resize(size as usize, 0x55);
            let (key, iv) = (Sealing::key(key).into(), segment::iv_of_sequence(number.into()));
            segment::encrypt(&key, &iv, &mut bytes);
            let length = bytes.len() as u64;
            let (uri, range) = place(format!("{number}.m4s"), bytes, origin);
            let start = range.as_deref().and_then(|range| range.split_once('@')?.1.parse().ok());
            let truth = self.truth(number, rendition);
            origin.know(&format!("{folder}/{uri}"), start.unwrap_or(0), length, truth);
            let (_, duration) = self.listed(number, rendition.video);
            let _ = writeln!(text, "#EXTINF:{}.{:03},", duration / 1_000, duration % 1_000);
            if let Some(range) = range {
                let _ = writeln!(text, "#EXT-X-BYTERANGE:{range}");
            }
            let _ = writeln!(text, "{uri}");
        }
        if sealing.one_file {
            let resource = Resource::new("video/mp4", file);
            origin.add_resource(format!("{folder}/media.mp4"), resource);
        }
        text + "#EXT-X-ENDLIST\n"
    }
}
