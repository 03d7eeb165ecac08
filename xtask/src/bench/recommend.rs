//! `cargo xtask bench recommend`: the recommender beside implicit's alternating least squares.
//!
//! Both get the same splits, choose their settings by the same validation part, train on one thread, and are
//! measured by the same code. The datasets lie inside packages of others; they are fetched into the user's
//! cache and stay there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::{Value, json};

use crate::lock::Lock;
use crate::stamp::hash_file;
use crate::workspace::Workspace;
use crate::{install, process};

const SCRIPTS: &str = "tests/peers/recommend";
const TOOLS: &[&str] = &["rustc", "pip"];
/// What the peer runs on, to the digit, so that figures of two days compare.
const PACKAGES: &[&str] = &["implicit==0.7.3", "numpy", "scipy", "pandas", "rdata"];
/// A wheel that carries MovieLens-100K, and what must come out of it.
const RECBOLE: &str = "recbole==1.2.1";
const ML_100K: &str = "4edb74e2";
/// A Debian package that carries MovieLens latest-small of 2016.
const DSLABS: &str = "r-cran-dslabs";

/// Options of `cargo xtask bench recommend`.
#[derive(Args)]
pub(crate) struct Options {
    /// Print the figures as JSON on standard output
    #[arg(long)]
    json: bool,
    /// Only cases whose name holds this: ml-100k, ml-100k-temporal, latest-small, latest-small-temporal
    #[arg(long, default_value = "")]
    filter: String,
    /// Seeds of the random splits
    #[arg(long, default_value = "1,2,3")]
    seeds: String,
    /// Measure without the peer
    #[arg(long)]
    alone: bool,
}

struct Case {
    name: &'static str,
    dataset: Dataset,
    arguments: &'static [&'static str],
}

#[derive(Clone, Copy, PartialEq)]
enum Dataset {
    Ml100k,
    LatestSmall,
}

const CASES: &[Case] = &[
    Case { name: "ml-100k", dataset: Dataset::Ml100k, arguments: &["--split", "random"] },
    Case {
        name: "ml-100k-temporal",
        dataset: Dataset::Ml100k,
        arguments: &["--split", "temporal"],
    },
    Case {
        name: "latest-small",
        dataset: Dataset::LatestSmall,
        arguments: &["--split", "random", "--core", "5"],
    },
    Case {
        name: "latest-small-temporal",
        dataset: Dataset::LatestSmall,
        arguments: &["--split", "temporal", "--core", "5"],
    },
];

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    let cases: Vec<&Case> =
        CASES.iter().filter(|case| case.name.contains(&options.filter)).collect();
    if cases.is_empty() {
        bail!("no case holds `{}` in its name", options.filter);
    }
    install::ensure(workspace, TOOLS)?;
    let cache = Cache::open(workspace)?;
    let mut build = workspace.cargo("build");
    build.args(["--release", "--package", "kinora-server"]);
    process::run(workspace, "build the server", &mut build)?;

    let mut figures = serde_json::Map::new();
    for case in cases {
        let dataset = cache.dataset(workspace, case.dataset)?;
        let folder = workspace.target().join("bench/recommend").join(case.name);
        fs::create_dir_all(&folder)?;
        let evaluate = |more: &[&str]| {
            let mut command = workspace.command(workspace.target().join("release/kinora-server"));
            command.args(["recommend", "evaluate"]).arg(&dataset).args(case.arguments);
            command.args(["--seeds", &options.seeds]).args(more);
            command
        };
        let rankings = folder.join("als.json");
        if !options.alone {
            if folder.join("splits").exists() {
                fs::remove_dir_all(folder.join("splits"))?;
            }
            let mut split = evaluate(&["--write-splits"]);
            process::output(split.arg(folder.join("splits")))?;
            let mut peer = workspace.command(cache.python());
            peer.arg(workspace.path(SCRIPTS).join("als.py"))
                .arg(folder.join("splits"))
                .arg(&rankings);
            process::run(workspace, &format!("{}: the peer", case.name), &mut peer)?;
        }
        let mut measure = evaluate(if options.json { &["--json"] } else { &[] });
        if !options.alone {
            measure.arg("--compare").arg(&rankings);
        }
        if options.json {
            let report: Value = serde_json::from_str(&process::output(&mut measure)?)?;
            figures.insert(case.name.to_owned(), report);
        } else {
            println!("# {}\n", case.name);
            show(&mut measure)?;
            println!();
        }
    }
    if options.json {
        println!("{:#}", json!(figures));
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs a command that shows its progress on standard error, and prints what it says.
fn show(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    process::check(output.status, command)?;
    print!("{}", String::from_utf8_lossy(&output.stdout));
    Ok(())
}

/// What was fetched, outside the checkout.
struct Cache {
    folder: PathBuf,
    _lock: Lock,
}

impl Cache {
    fn open(workspace: &Workspace) -> Result<Self> {
        let folder = workspace.user_cache().join("recommend");
        fs::create_dir_all(&folder)?;
        let cache = Self { _lock: Lock::acquire(&folder.join("lock"))?, folder };
        cache.prepare_python(workspace)?;
        Ok(cache)
    }

    fn python(&self) -> PathBuf {
        self.folder.join("venv/bin/python")
    }

    fn prepare_python(&self, workspace: &Workspace) -> Result<()> {
        let stamp = self.folder.join("venv/kinora-packages");
        let wanted = PACKAGES.join("\n");
        if fs::read_to_string(&stamp).is_ok_and(|had| had == wanted) {
            return Ok(());
        }
        let mut venv = workspace.command("python3");
        venv.args(["-m", "venv", "--clear"]).arg(self.folder.join("venv"));
        process::run(workspace, "make a Python environment", &mut venv)
            .context("on Debian: apt-get install python3-venv")?;
        let mut pip = workspace.command(self.python());
        pip.args(["-m", "pip", "install", "--disable-pip-version-check", "--only-binary", ":all:"]);
        process::run(workspace, "pip install implicit", pip.args(PACKAGES))?;
        fs::write(stamp, wanted)?;
        Ok(())
    }

    fn dataset(&self, workspace: &Workspace, dataset: Dataset) -> Result<PathBuf> {
        let file = match dataset {
            Dataset::Ml100k => self.folder.join("ml-100k.inter"),
            Dataset::LatestSmall => self.folder.join("ml-latest-small.csv"),
        };
        if !file.exists() {
            let fetched = self.folder.join("fetch");
            if fetched.exists() {
                fs::remove_dir_all(&fetched)?;
            }
            fs::create_dir_all(&fetched)?;
            match dataset {
                Dataset::Ml100k => self.fetch_ml_100k(workspace, &fetched)?,
                Dataset::LatestSmall => self.fetch_latest_small(workspace, &fetched)?,
            }
            for entry in fs::read_dir(fetched.join("out"))? {
                let entry = entry?;
                fs::rename(entry.path(), self.folder.join(entry.file_name()))?;
            }
            fs::remove_dir_all(&fetched)?;
        }
        if dataset == Dataset::Ml100k && !hash_file(&file)?.starts_with(ML_100K) {
            bail!("{} is not MovieLens-100K; remove it and try again", file.display());
        }
        Ok(file)
    }

    fn fetch_ml_100k(&self, workspace: &Workspace, to: &Path) -> Result<()> {
        let mut pip = workspace.command(self.python());
        pip.args(["-m", "pip", "download", "--no-deps", "--disable-pip-version-check"]);
        process::run(workspace, "fetch MovieLens-100K", pip.arg("--dest").arg(to).arg(RECBOLE))?;
        self.extract(workspace, "recbole", &with_extension(to, "whl")?, to)
    }

    fn fetch_latest_small(&self, workspace: &Workspace, to: &Path) -> Result<()> {
        let mut apt = install::apt_get();
        apt.current_dir(to).args(["download", DSLABS]);
        process::run(workspace, "fetch MovieLens latest-small", &mut apt)
            .context("the dataset lies in a Debian package; elsewhere use --filter ml-100k")?;
        let package = with_extension(to, "deb")?;
        let mut unpack = workspace.command("dpkg-deb");
        unpack.arg("--extract").arg(package).arg(to.join("package"));
        process::output(&mut unpack)?;
        let tables = to.join("package/usr/lib/R/site-library/dslabs/data");
        self.extract(workspace, "dslabs", &tables, to)
    }

    fn extract(&self, workspace: &Workspace, what: &str, from: &Path, to: &Path) -> Result<()> {
        let out = to.join("out");
        fs::create_dir_all(&out)?;
        let mut script = workspace.command(self.python());
        script.arg(workspace.path(SCRIPTS).join("datasets.py")).arg(what).arg(from).arg(out);
        process::output(&mut script).map(drop)
    }
}

fn with_extension(folder: &Path, extension: &str) -> Result<PathBuf> {
    fs::read_dir(folder)?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|found| found == extension))
        .with_context(|| format!("no .{extension} was fetched into {}", folder.display()))
}
