//! The datasets, and the peer's Python environment, in the user's cache.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::SCRIPTS;
use crate::lock::Lock;
use crate::stamp::hash_file;
use crate::workspace::Workspace;
use crate::{install, process};

/// What the peer runs on, to the digit, so that figures of two days compare.
const PACKAGES: &[&str] = &["implicit==0.7.3", "numpy", "scipy", "pandas", "rdata"];
/// A wheel that carries MovieLens-100K, and what must come out of it.
const RECBOLE: &str = "recbole==1.2.1";
const ML_100K: &str = "4edb74e2";
/// A Debian package that carries MovieLens latest-small of 2016.
const DSLABS: &str = "r-cran-dslabs";

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Dataset {
    Ml100k,
    LatestSmall,
}

/// What was fetched, outside the checkout.
pub(super) struct Cache {
    folder: PathBuf,
    _lock: Lock,
}

impl Cache {
    pub(super) fn open(workspace: &Workspace) -> Result<Self> {
        let folder = workspace.user_cache().join("recommend");
        fs::create_dir_all(&folder)?;
        let cache = Self { _lock: Lock::acquire(&folder.join("lock"))?, folder };
        cache.prepare_python(workspace)?;
        Ok(cache)
    }

    pub(super) fn python(&self) -> PathBuf {
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

    pub(super) fn dataset(&self, workspace: &Workspace, dataset: Dataset) -> Result<PathBuf> {
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
