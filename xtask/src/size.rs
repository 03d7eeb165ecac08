//! What a page downloads of the package, and whether that is within the budget.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Value, json};

use crate::process;
use crate::workspace::Workspace;

/// Prints the size after brotli, level 11, of each file named, one number a line. Node carries the
/// reference encoder.
const BROTLI: &str = "
const { readFileSync } = require('node:fs');
const { brotliCompressSync, constants } = require('node:zlib');
for (const path of process.argv.slice(1)) {
  const bytes = readFileSync(path);
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: 11,
    [constants.BROTLI_PARAM_LGWIN]: 22,
    [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
  };
  console.log(brotliCompressSync(bytes, { params }).length);
}";

/// The files of a package that run in the page: scripts and modules, not types or source maps.
pub(crate) struct Sizes {
    files: Vec<Size>,
}

struct Size {
    name: String,
    bytes: u64,
    brotli: u64,
}

impl Sizes {
    pub(crate) fn of(workspace: &Workspace, dist: &Path) -> Result<Self> {
        let mut paths = Vec::new();
        list(dist, &mut paths)?;
        paths.sort();
        if paths.is_empty() {
            bail!("found nothing to measure in {}", dist.display());
        }
        let compressed = brotli(workspace, &paths)?;
        let files = paths
            .iter()
            .zip(compressed)
            .map(|(path, brotli)| {
                let name = path.strip_prefix(dist).unwrap_or(path).to_string_lossy().into_owned();
                Ok(Size { name, bytes: fs::metadata(path)?.len(), brotli })
            })
            .collect::<Result<_>>()?;
        Ok(Self { files })
    }

    fn bytes(&self) -> u64 {
        self.played().map(|file| file.bytes).sum()
    }

    fn brotli(&self) -> u64 {
        self.played().map(|file| file.brotli).sum()
    }

    /// The files that a page which plays downloads; replaying is for people who study sessions, and
    /// comes as an entry of its own, as does telling a service what was played.
    fn played(&self) -> impl Iterator<Item = &Size> {
        let apart = |name: &str| name.contains("replay") || name.starts_with("telemetry");
        self.files.iter().filter(move |file| !apart(&file.name))
    }

    pub(crate) fn table(&self, budget: &Budget) -> String {
        let total = Size { name: "total".to_owned(), bytes: self.bytes(), brotli: self.brotli() };
        let width =
            self.files.iter().chain([&total]).map(|file| file.name.len()).max().unwrap_or(0);
        let mut table = format!("{:<width$} {:>9} {:>9}\n", "", "bytes", "brotli 11");
        for Size { name, bytes, brotli } in self.files.iter().chain([&total]) {
            let _ = writeln!(table, "{name:<width$} {bytes:>9} {brotli:>9}"); // a String takes all
        }
        let _ = writeln!(table, "{:<width$} {:>9} {:>9}", "budget", "", budget.brotli);
        if self.files.iter().any(|file| file.name.contains("replay")) {
            table.push_str(
                "Total and budget are of what a player loads: replay is not part of it.\n",
            );
        }
        table
    }

    pub(crate) fn as_json(&self, budget: &Budget) -> Value {
        let files: Vec<Value> = self
            .files
            .iter()
            .map(|Size { name, bytes, brotli }| json!({"name": name, "bytes": bytes, "brotli": brotli}))
            .collect();
        json!({
            "files": files,
            "bytes": self.bytes(),
            "brotli": self.brotli(),
            "budget_brotli": budget.brotli,
        })
    }
}

/// Bytes of each file after brotli, level 11.
pub(crate) fn brotli(workspace: &Workspace, paths: &[PathBuf]) -> Result<Vec<u64>> {
    let mut command = workspace.command("node");
    command.args(["-e", BROTLI, "--"]).args(paths);
    let text = process::output(&mut command)?;
    let sizes: Vec<u64> = text.lines().map(str::parse).collect::<Result<_, _>>()?;
    if sizes.len() != paths.len() {
        bail!("not every file could be compressed");
    }
    Ok(sizes)
}

/// The most that a page may have to download.
pub(crate) struct Budget {
    /// Bytes of the scripts and modules that a player loads, after brotli, level 11.
    brotli: u64,
}

impl Budget {
    /// Reads `{"total_brotli_bytes": N}`.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path)
            .with_context(|| format!("cannot read the size budget {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("in {}", path.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        let value: Value = serde_json::from_str(text)?;
        let brotli = value
            .get("total_brotli_bytes")
            .and_then(Value::as_u64)
            .ok_or_else(|| anyhow!("total_brotli_bytes must be a whole number"))?;
        Ok(Self { brotli })
    }

    /// # Errors
    /// When the package is larger than this.
    pub(crate) fn check(&self, sizes: &Sizes) -> Result<()> {
        let total = sizes.brotli();
        if total > self.brotli {
            let (budget, over) = (self.brotli, total - self.brotli);
            bail!(
                "the npm package takes {total} bytes after brotli, {over} over its budget of {budget}"
            );
        }
        Ok(())
    }
}

fn list(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("no {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            list(&path, paths)?;
        } else if matches!(path.extension().and_then(|e| e.to_str()), Some("js" | "mjs" | "wasm")) {
            paths.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(brotli: &[u64]) -> Sizes {
        let file =
            |brotli: &u64| Size { name: "f.js".to_owned(), bytes: brotli * 3, brotli: *brotli };
        Sizes { files: brotli.iter().map(file).collect() }
    }

    #[test]
    fn the_budget_is_the_last_size_that_passes() {
        let budget = Budget::parse(r#"{"total_brotli_bytes": 110000}"#).unwrap();
        assert!(budget.check(&sizes(&[100_000, 10_000])).is_ok());
        let error = budget.check(&sizes(&[100_000, 10_001])).unwrap_err().to_string();
        assert!(error.contains("110001") && error.contains("1 over"), "{error}");
    }

    #[test]
    fn what_only_replays_does_not_count() {
        let mut sizes = sizes(&[1, 2]);
        sizes.files[1].name = "kinora_replay_bg.wasm".to_owned();
        assert!(Budget { brotli: 1 }.check(&sizes).is_ok());
    }

    #[test]
    fn a_budget_without_a_number_is_an_error() {
        for text in ["{}", "[]", r#"{"total_brotli_bytes": "much"}"#, "{"] {
            assert!(Budget::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_table_ends_with_total_and_budget() {
        let table = sizes(&[1, 2]).table(&Budget { brotli: 7 });
        let lines: Vec<Vec<&str>> =
            table.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[lines.len() - 2], ["total", "9", "3"]);
        assert_eq!(lines[lines.len() - 1], ["budget", "7"]);
    }
}
