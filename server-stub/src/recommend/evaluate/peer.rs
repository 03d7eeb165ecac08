//! Rankings that another program made of the same splits.

use super::{Contender, Judge, Scheme, Split};
use crate::recommend::{Error, Preferences, Result};
use serde::Deserialize;
use std::{
    collections::HashMap,
    fmt,
    fs::{self, File},
    io::BufReader,
    path::Path,
};

/// Another program's rankings, as JSON: `{"name": …, "splits": [{"cpu_seconds": …, "seconds": …,
/// "rankings": {PROFILE: [ITEM, …]}}]}`, the splits in the order in which [`write_splits`] numbered them.
#[derive(Debug, Deserialize)]
pub struct Peer {
    name: String,
    splits: Vec<Ranked>,
}

#[derive(Debug, Deserialize)]
struct Ranked {
    cpu_seconds: Option<f64>,
    seconds: Option<f64>,
    rankings: HashMap<String, Vec<String>>,
}

impl Peer {
    /// Reads rankings.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Input`].
    pub fn read(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(Error::io("open", path))?;
        serde_json::from_reader(BufReader::new(file)).map_err(|error| Error::Input {
            source_name: path.display().to_string(),
            line: error.line() as u64,
            reason: format!("no rankings: {error}"),
        })
    }

    /// Its figures, on the split of this number.
    pub(super) fn contender(
        &self,
        number: usize,
        scheme: Scheme,
        judge: &Judge<'_>,
    ) -> Result<Contender> {
        let missing = |what: &dyn fmt::Display| Error::Evaluation {
            reason: format!("the rankings of {} lack {what} of split `{scheme}`", self.name),
        };
        let ranked = self.splits.get(number).ok_or_else(|| missing(&"all"))?;
        let train = &judge.split.train;
        let mut rankings = Vec::new();
        for &profile in judge.asked {
            let name = &train.profiles()[profile];
            let ranking = ranked.rankings.get(name).ok_or_else(|| missing(name))?;
            // A title that was seen, or is none, takes its place and gains nothing.
            rankings.push(ranking.iter().map(|item| number_of(train, item)).collect());
        }
        let mut contender = judge.measured(&self.name, rankings.into_iter());
        (contender.cpu_seconds, contender.seconds) = (ranked.cpu_seconds, ranked.seconds);
        Ok(contender)
    }
}

fn number_of(preferences: &Preferences, item: &str) -> u32 {
    preferences
        .items()
        .binary_search_by(|known| known.as_str().cmp(item))
        .map_or(u32::MAX, |number| number as u32)
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Random { seed } => write!(f, "random {seed}"),
            Self::Temporal => f.write_str("temporal"),
        }
    }
}

/// Writes each split as `split-N.csv`, N from 0: `user,item,rating,timestamp,part`, where the part is `fit`,
/// `validation` or `test`.
///
/// # Errors
/// [`Error::Io`].
pub fn write_splits(preferences: &Preferences, schemes: &[Scheme], directory: &Path) -> Result<()> {
    fs::create_dir_all(directory).map_err(Error::io("create", directory))?;
    for (number, &scheme) in schemes.iter().enumerate() {
        let path = directory.join(format!("split-{number}.csv"));
        let split = Split::new(preferences, scheme);
        write_split(&split, &path).map_err(|error| Error::io("write", &path)(error.into()))?;
    }
    Ok(())
}

fn write_split(split: &Split, path: &Path) -> csv::Result<()> {
    let mut writer = csv::Writer::from_path(path)?;
    writer.write_record(["user", "item", "rating", "timestamp", "part"])?;
    let parts = [("fit", &split.fit), ("validation", &split.validation), ("test", &split.test)];
    for (part, preferences) in parts {
        for (profile, row) in preferences.profiles().iter().zip(preferences.rows()) {
            for entry in row {
                let item = &preferences.items()[entry.item as usize];
                let rating = entry.rating.map(|rating| rating.to_string()).unwrap_or_default();
                let at = entry.at.to_string();
                writer.write_record([profile, item, &rating, &at, part])?;
            }
        }
    }
    writer.flush()?;
    Ok(())
}
