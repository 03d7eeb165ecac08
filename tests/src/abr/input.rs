//! Titles, recorded networks and listings of them, from files that may hold anything.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use kinora_abr::sim::{Movie, Trace};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Best;

/// Why input cannot be used. Each names the file.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// A file or folder cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A file is larger than anything of its kind.
    #[error("{} is larger than {LARGEST_FILE} bytes: is it the right file?", path.display())]
    TooLarge {
        /// Which.
        path: PathBuf,
    },
    /// A file is not of the expected form.
    #[error("{} is not {expected}: {error}", path.display())]
    Form {
        /// Which.
        path: PathBuf,
        /// What was expected.
        expected: &'static str,
        /// What is wrong.
        error: serde_json::Error,
    },
    /// A file is of the right form, but nothing can be played with it.
    #[error("{}: {problem}", path.display())]
    Senseless {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
}

const LARGEST_FILE: u64 = 64 << 20;
const TITLE: &str =
    "a title ({\"segment_duration_ms\", \"bitrates_kbps\", \"segment_sizes_bits\"})";
const TRACE: &str =
    "a recorded network (a list of {\"duration_ms\", \"bandwidth_kbps\", \"latency_ms\"})";
const LISTING: &str =
    "a list of sets ({\"name\", \"traces\", \"movie\", \"buffer\", \"segments\"})";
const RESULTS: &str = "results of an earlier run";

const MOST_RUNGS: usize = 64;
const MOST_SEGMENTS: usize = 20_000;
/// No duration, rate, latency or size is beyond this.
const LARGEST_NUMBER: f64 = 1e12;
/// A title that lasts for more periods of a network than this would be played for hours.
const MOST_PERIODS: f64 = 1e7;
/// A network this many times slower than the lowest rung would be simulated for days.
const HOPELESS: f64 = 200.0;

/// Networks, a title, and how much of it the buffer may hold.
#[derive(Clone, Debug)]
pub struct Set {
    /// Its name in tables and files.
    pub name: String,
    /// The title.
    pub movie: Movie,
    /// The most the buffer may hold, seconds.
    pub buffer_s: f64,
    /// Recorded networks by file name, in order.
    pub traces: Vec<(String, Trace)>,
}

/// Where to find what makes up a [`Set`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetDescription {
    /// Its name; the folder's name if there is none.
    pub name: Option<String>,
    /// A folder of recorded networks; other than `.json` files are ignored.
    pub traces: PathBuf,
    /// The title.
    pub movie: PathBuf,
    /// The most the buffer may hold, seconds.
    pub buffer: f64,
    /// Only so many segments of the title.
    pub segments: Option<usize>,
}

impl SetDescription {
    /// Reads a listing of sets; its paths are relative to the folder it is in.
    pub fn read_listing(path: &Path) -> Result<Vec<Self>, InputError> {
        let mut sets: Vec<Self> = read(path, LISTING)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        for set in &mut sets {
            set.traces = folder.join(&set.traces);
            set.movie = folder.join(&set.movie);
        }
        let plain =
            |name: &str| !name.is_empty() && !name.contains(['/', '\\', '\0']) && name != "..";
        if let Some(set) = sets.iter().find(|set| !plain(&set.name())) {
            let problem = format!("{:?} cannot be the name of a file", set.name());
            return Err(InputError::Senseless { path: path.to_owned(), problem });
        }
        let mut names: Vec<String> = sets.iter().map(Self::name).collect();
        names.sort();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            let problem = format!("two sets are called {}; give each a \"name\"", twice[0]);
            return Err(InputError::Senseless { path: path.to_owned(), problem });
        }
        Ok(sets)
    }

    fn name(&self) -> String {
        let folder = || self.traces.file_name().map(|name| name.to_string_lossy().into_owned());
        self.name.clone().or_else(folder).unwrap_or_else(|| "traces".into())
    }

    /// Reads what it names.
    pub fn read(&self) -> Result<Set, InputError> {
        let mut movie: Movie = read(&self.movie, TITLE)?;
        let senseless = |path: &Path, problem: String| {
            Err(InputError::Senseless { path: path.to_owned(), problem })
        };
        if let Some(problem) = problem_with_title(&movie) {
            return senseless(&self.movie, problem);
        }
        if let Some(segments) = self.segments {
            movie = movie.beginning(segments);
        }
        let longest_s = 1e6;
        if !(self.buffer * 1000.0 >= movie.segment_duration_ms && self.buffer <= longest_s) {
            let problem = format!(
                "a buffer of {} s does not hold one of its segments of {} s, or is absurdly long",
                self.buffer,
                movie.segment_duration_ms / 1000.0
            );
            return senseless(&self.movie, problem);
        }
        let traces = self.read_traces(&movie)?;
        Ok(Set { name: self.name(), movie, buffer_s: self.buffer, traces })
    }

    fn read_traces(&self, movie: &Movie) -> Result<Vec<(String, Trace)>, InputError> {
        let unreadable = |error| InputError::Read { path: self.traces.clone(), error };
        let mut traces = Vec::new();
        for entry in fs::read_dir(&self.traces).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.extension().is_none_or(|extension| extension != "json") || !path.is_file() {
                continue;
            }
            let trace: Trace = read(&path, TRACE)?;
            if let Some(problem) = problem_with_trace(&trace, movie) {
                return Err(InputError::Senseless { path, problem });
            }
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            traces.push((name, trace));
        }
        traces.sort_by(|a, b| a.0.cmp(&b.0));
        if traces.is_empty() {
            let problem = "there is no .json file in this folder".to_owned();
            return Err(InputError::Senseless { path: self.traces.clone(), problem });
        }
        Ok(traces)
    }
}

/// The optima that an earlier run wrote for a set: `path` is its results, or a folder with `SET.json`.
pub fn known_optimum(path: &Path, set: &Set) -> Result<Vec<Best>, InputError> {
    #[derive(Deserialize)]
    struct Known {
        #[serde(rename = "OPT")]
        optimum: BTreeMap<String, Best>,
    }
    let path =
        if path.is_dir() { path.join(format!("{}.json", set.name)) } else { path.to_owned() };
    let known: Known = read(&path, RESULTS)?;
    let of = |(name, _): &(String, Trace)| {
        known.optimum.get(name).copied().ok_or_else(|| InputError::Senseless {
            path: path.clone(),
            problem: format!("there is no optimum for {name}; compute it with --optimum"),
        })
    };
    set.traces.iter().map(of).collect()
}

fn problem_with_title(movie: &Movie) -> Option<String> {
    let in_range = |x: &f64| *x <= LARGEST_NUMBER;
    let problem = if movie.bitrates_kbps.len() > MOST_RUNGS {
        format!("more than {MOST_RUNGS} bitrates")
    } else if movie.segment_sizes_bits.len() > MOST_SEGMENTS {
        format!("more than {MOST_SEGMENTS} segments")
    } else if !movie.is_sound() {
        "bitrates must ascend, and every segment needs a size above 0 for each".to_owned()
    } else if !movie.bitrates_kbps.iter().all(in_range)
        || !movie.segment_sizes_bits.iter().flatten().all(in_range)
        || !in_range(&movie.segment_duration_ms)
    {
        format!("a number is beyond {LARGEST_NUMBER:e}")
    } else {
        return None;
    };
    Some(problem)
}

fn problem_with_trace(trace: &Trace, movie: &Movie) -> Option<String> {
    if !trace.is_sound() {
        return Some("numbers must not be negative, and some bandwidth must last some time".into());
    }
    let numbers = trace.0.iter().flat_map(|p| [p.duration_ms, p.bandwidth_kbps, p.latency_ms]);
    if numbers.clone().any(|x| x > LARGEST_NUMBER) {
        return Some(format!("a number is beyond {LARGEST_NUMBER:e}"));
    }
    let duration_ms: f64 = trace.0.iter().map(|p| p.duration_ms).sum();
    let bits: f64 = trace.0.iter().map(|p| p.duration_ms * p.bandwidth_kbps).sum();
    let lowest = movie.bitrates_kbps.first().copied().unwrap_or(0.0);
    let latency_ms = trace.0.iter().map(|p| p.latency_ms).fold(0.0, f64::max);
    let mean = bits / duration_ms;
    let title_ms = movie.segment_duration_ms * movie.segment_sizes_bits.len() as f64;
    if title_ms / (duration_ms / trace.0.len() as f64) > MOST_PERIODS {
        return Some("its periods are too short for a title of this length; join some".into());
    }
    (mean < lowest / HOPELESS || latency_ms > HOPELESS * movie.segment_duration_ms).then(|| {
        format!(
            "{mean:.3} kbit/s on average, up to {latency_ms} ms late, are no network for a title of \
             {lowest} kbit/s and more"
        )
    })
}

fn read<T: DeserializeOwned>(path: &Path, expected: &'static str) -> Result<T, InputError> {
    let unreadable = |error| InputError::Read { path: path.to_owned(), error };
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(unreadable)?;
    file.take(LARGEST_FILE + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(InputError::TooLarge { path: path.to_owned() });
    }
    serde_json::from_slice(&bytes).map_err(|error| InputError::Form {
        path: path.to_owned(),
        expected,
        error,
    })
}
