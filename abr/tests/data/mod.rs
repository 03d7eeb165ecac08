//! Recorded networks that are not part of this repository: a folder that holds `traces/` and `golden/`,
//! named in `KINORA_ABR_DATA`.

use std::fs;
use std::path::PathBuf;

use kinora_abr::sim::{Movie, Trace};
use serde_json::Value;

/// Traces, a title and a buffer, and the file of the figures known for them.
pub(crate) struct Set {
    pub(crate) name: &'static str,
    traces: &'static str,
    title: &'static str,
    segments: usize,
    pub(crate) buffer_s: f64,
}

const fn set(
    name: &'static str,
    traces: &'static str,
    title: &'static str,
    segments: usize,
    buffer_s: f64,
) -> Set {
    Set { name, traces, title, segments, buffer_s }
}

pub(crate) const SETS: [Set; 8] = [
    set("3g_vod25", "3g", "movie_bbb", 199, 25.0),
    set("3g_live10", "3g", "movie_bbb", 199, 10.0),
    set("4g_4k25", "4g", "movie_bbb4k", 199, 25.0),
    set("4g_4k10", "4g", "movie_bbb4k", 199, 10.0),
    set("4g_bbb25", "4g", "movie_bbb", 199, 25.0),
    set("fccsd_25", "fcc_sd", "movie_bbb", 60, 25.0),
    set("fcchd_4k25", "fcc_hd", "movie_bbb4k", 60, 25.0),
    set("oboe_bbb25", "oboe", "movie_bbb", 199, 25.0),
];

impl Set {
    pub(crate) fn known(&self) -> Value {
        json(&format!("golden/{}.json", self.name))
    }

    pub(crate) fn movie(&self) -> Movie {
        json::<Movie>(&format!("traces/{}.json", self.title)).beginning(self.segments)
    }

    pub(crate) fn trace(&self, file: &str) -> Trace {
        json(&format!("traces/{}/{file}", self.traces))
    }
}

fn json<T: serde::de::DeserializeOwned>(relative: &str) -> T {
    let folder = std::env::var_os("KINORA_ABR_DATA").expect("KINORA_ABR_DATA names a folder");
    let path = PathBuf::from(folder).join(relative);
    let bytes = fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_slice(&bytes).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}
