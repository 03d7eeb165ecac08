//! Media playlists.

use kinora_core::manifest::hls::{MediaPlaylist, parse_media};
use kinora_core::time::Timestamp;
use wasm_bindgen::prelude::*;

/// A media playlist, and what its reloads made of it.
#[wasm_bindgen]
pub struct Playlist {
    url: String,
    playlist: MediaPlaylist,
}

#[wasm_bindgen]
impl Playlist {
    /// Reads a playlist.
    #[wasm_bindgen(constructor)]
    pub fn new(bytes: &[u8], url: String) -> Result<Self, JsError> {
        let playlist = read(bytes, &url)?;
        Ok(Self { url, playlist })
    }

    /// Takes in a later state of the playlist.
    pub fn refresh(&mut self, bytes: &[u8]) -> Result<(), JsError> {
        let requested = Timestamp::default();
        let refreshed = self.playlist.refresh(bytes, &self.url, requested);
        refreshed.map(|_| ()).map_err(|error| JsError::new(&error.to_string()))
    }

    /// How many segments there are.
    pub fn segments(&self) -> usize {
        self.playlist.index.len()
    }

    /// Number of the last segment.
    pub fn last(&self) -> u64 {
        let last = self.playlist.index.len().saturating_sub(1);
        self.playlist.index.get(last).map_or(0, |segment| segment.number)
    }

    /// Makes every segment, and says how many there were.
    pub fn expand(&self) -> usize {
        let (count, bytes) = crate::expand(&self.playlist.index);
        if bytes > 0 { count } else { 0 }
    }
}

fn read(bytes: &[u8], url: &str) -> Result<MediaPlaylist, JsError> {
    let parsed = parse_media(bytes, url).map_err(|error| JsError::new(&error.to_string()))?;
    Ok(parsed.value)
}
