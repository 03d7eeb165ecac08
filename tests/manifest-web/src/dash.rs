//! MPDs.

use kinora_core::manifest::dash::follow_mpd;
use kinora_core::presentation::{Presentation, Segments};
use wasm_bindgen::prelude::*;

/// An MPD.
#[wasm_bindgen]
pub struct Mpd {
    presentation: Presentation,
}

#[wasm_bindgen]
impl Mpd {
    /// Reads an MPD.
    #[wasm_bindgen(constructor)]
    pub fn new(bytes: &[u8], url: &str) -> Result<Self, JsError> {
        let parsed = follow_mpd(bytes, url).map_err(|error| JsError::new(&error.to_string()))?;
        let (_, presentation) = parsed.value;
        Ok(Self { presentation })
    }

    /// How many periods there are.
    pub fn periods(&self) -> usize {
        self.presentation.periods.len()
    }

    /// Makes every segment of every representation, and says how many there were.
    pub fn expand(&self) -> usize {
        let sets = self.presentation.periods.iter().flat_map(|period| &period.sets);
        let representations = sets.flat_map(|set| &set.representations);
        let expanded =
            representations.filter_map(|representation| match &representation.segments {
                Segments::Known(index) => Some(crate::expand(index)),
                Segments::Playlist { .. } | Segments::IndexBox { .. } => None,
            });
        let (count, bytes) =
            expanded.fold((0, 0), |(count, bytes), (more, longer)| (count + more, bytes + longer));
        if bytes > 0 { count } else { 0 }
    }
}
