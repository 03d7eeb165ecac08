//! MPDs that are loaded again and patched, and multivariant playlists.

use kinora_core::manifest::dash::Document;
use kinora_core::manifest::{self, hls};
use kinora_core::presentation::{Presentation, Segments};
use wasm_bindgen::prelude::*;

/// An MPD, and what reloads and patches made of it.
#[wasm_bindgen]
pub struct LiveMpd {
    document: Document,
    presentation: Presentation,
}

#[wasm_bindgen]
impl LiveMpd {
    /// Reads an MPD.
    #[wasm_bindgen(constructor)]
    pub fn new(bytes: &[u8], url: &str) -> Result<Self, JsError> {
        let parsed = Document::parse(bytes, url).map_err(|error| told(&error))?;
        let (document, presentation) = parsed.value;
        Ok(Self { document, presentation })
    }

    /// Takes in a later state.
    pub fn refresh(&mut self, bytes: &[u8], url: &str) -> Result<(), JsError> {
        let refreshed = self.document.refresh(&mut self.presentation, bytes, url);
        refreshed.map(|_| ()).map_err(|error| told(&error))
    }

    /// Applies a patch.
    pub fn patch(&mut self, bytes: &[u8]) -> Result<(), JsError> {
        let patched = self.document.patch(&mut self.presentation, bytes);
        patched.map(|_| ()).map_err(|error| told(&error))
    }

    /// How many periods there are.
    pub fn periods(&self) -> usize {
        self.presentation.periods.len()
    }

    /// How many segments the representations have in all.
    pub fn segments(&self) -> usize {
        let mut count = 0;
        for period in &self.presentation.periods {
            for representation in period.sets.iter().flat_map(|set| &set.representations) {
                if let Segments::Known(index) = &representation.segments {
                    count += index.len();
                }
            }
        }
        count
    }
}

/// Reads a playlist of either kind, and says how many representations there are.
#[wasm_bindgen]
pub fn variants(bytes: &[u8], url: &str) -> Result<usize, JsError> {
    let parsed = hls::parse(bytes, url).map_err(|error| told(&error))?;
    let sets = parsed.value.periods.iter().flat_map(|period| &period.sets);
    Ok(sets.map(|set| set.representations.len()).sum())
}

/// Has the code compiled that will read a manifest from there, as the player does while it is on its way.
#[wasm_bindgen]
pub fn rehearse(url: &str) {
    manifest::rehearse(url);
}

fn told(error: &dyn core::error::Error) -> JsError {
    JsError::new(&error.to_string())
}
