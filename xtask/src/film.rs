//! The film to play: Big Buck Bunny, or one of the caller's, or a generated clip.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::lock::Lock;
use crate::process;
use crate::stamp::hash_file;
use crate::workspace::Workspace;

/// A source distribution on PyPI that carries a 720p copy of the film in its documentation.
const CARRIER: &str = "moviepy==2.1.2";
const SHA256: &str = "475fbbf34c4c367998f80c29ea03b15a743941179b12da3373fc6706e68621d0";
const BIG_BUCK_BUNNY: &str = "Big Buck Bunny";
const GENERATED: &str = "testsrc:60";

/// Copies the film out of the archive in the source distribution; nothing of it is run.
/// Arguments: the source distribution, the file to write.
const EXTRACT: &str = r#"
import io, shutil, sys, tarfile, zipfile
with tarfile.open(sys.argv[1]) as sdist:
    member = next(m for m in sdist if m.name.endswith("/moviepy_10_minutes.zip"))
    with zipfile.ZipFile(io.BytesIO(sdist.extractfile(member).read())) as archive:
        name = next(n for n in archive.namelist() if n.endswith("/resources/bbb.mp4"))
        with archive.open(name) as film, open(sys.argv[2], "wb") as out:
            shutil.copyfileobj(film, out)
"#;

/// Something to package and play.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Film {
    /// What the packager takes: a path, or the description of a clip to generate.
    pub(crate) source: String,
    /// What makes it the same film again.
    pub(crate) identity: String,
    pub(crate) title: String,
    /// Whom to name on screen, and the licence.
    pub(crate) credit: Option<(&'static str, &'static str)>,
}

impl Film {
    /// A film of the caller's.
    pub(crate) fn at(path: &Path) -> Result<Self> {
        let path = fs::canonicalize(path)
            .with_context(|| format!("cannot read the film {}", path.display()))?;
        let Some(source) = path.to_str() else {
            bail!("the film's path must be UTF-8: {}", path.display());
        };
        let title = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { source: source.to_owned(), identity: hash_file(&path)?, title, credit: None })
    }

    /// Big Buck Bunny, fetched once; a generated clip where it cannot be fetched.
    pub(crate) fn default(workspace: &Workspace) -> Result<Self> {
        match big_buck_bunny(workspace) {
            Ok(path) => Ok(Self {
                title: BIG_BUCK_BUNNY.to_owned(),
                credit: Some(("\u{a9} Blender Foundation | peach.blender.org", "CC-BY 3.0")),
                ..Self::at(&path)?
            }),
            Err(error) => {
                process::wait_if_interrupted();
                eprintln!("note: {error:#}");
                eprintln!("note: playing a generated clip in place of {BIG_BUCK_BUNNY}");
                Ok(Self::generated())
            }
        }
    }

    fn generated() -> Self {
        Self {
            source: GENERATED.to_owned(),
            identity: GENERATED.to_owned(),
            title: "Generated test clip".to_owned(),
            credit: None,
        }
    }

    /// One line that names the film and its makers.
    pub(crate) fn credit_line(&self) -> String {
        match self.credit {
            Some((credit, license)) => format!("{}, {credit}, {license}", self.title),
            None => self.title.clone(),
        }
    }
}

fn big_buck_bunny(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.target().join("demo");
    let film = folder.join("big-buck-bunny.mp4");
    let _lock = Lock::acquire(&folder.join("film.lock"))?;
    if film.exists() && hash_file(&film)? == SHA256 {
        return Ok(film);
    }
    fetch(workspace, &folder, &film).with_context(|| format!("cannot fetch {BIG_BUCK_BUNNY}"))?;
    Ok(film)
}

fn fetch(workspace: &Workspace, folder: &Path, film: &Path) -> Result<()> {
    let fetched = folder.join("fetch");
    if fetched.exists() {
        fs::remove_dir_all(&fetched)?;
    }
    fs::create_dir_all(&fetched)?;
    eprintln!("fetching {BIG_BUCK_BUNNY} (58 MB) ...");
    download(workspace, &fetched)?;
    let sdist = fs::read_dir(&fetched)?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "gz"))
        .with_context(|| format!("pip left no source distribution in {}", fetched.display()))?;
    let new = fetched.join("film.mp4");
    let mut command = workspace.command("python3");
    command.args(["-c", EXTRACT]).arg(sdist).arg(&new);
    process::run(workspace, "take the film out of its archive", &mut command)?;
    let hash = hash_file(&new)?;
    if hash != SHA256 {
        bail!("what was fetched is another file: SHA-256 {hash}, not {SHA256}");
    }
    fs::rename(new, film)?;
    fs::remove_dir_all(fetched)?;
    Ok(())
}

/// pip asks a source distribution for its metadata, for which it may need a build backend: its own
/// copy in isolation, or else one that is installed.
fn download(workspace: &Workspace, to: &Path) -> Result<()> {
    let pip = |more: &[&str]| {
        let mut command = workspace.command("python3");
        command
            .args(["-m", "pip", "download", "--no-deps", "--no-binary", "moviepy"])
            .args(["--disable-pip-version-check", "--retries", "2", "--timeout", "20"])
            .args(more)
            .arg("--dest")
            .arg(to)
            .arg(CARRIER);
        process::run_visible(&mut command)
    };
    pip(&[]).or_else(|_| {
        process::wait_if_interrupted();
        pip(&["--no-build-isolation"])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_film_of_the_callers_is_named_after_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("My holiday.mkv");
        fs::write(&path, "film").unwrap();
        let film = Film::at(&path).unwrap();
        assert_eq!(film.credit_line(), "My holiday");
        fs::write(&path, "another").unwrap();
        assert_ne!(Film::at(&path).unwrap().identity, film.identity);
    }

    #[test]
    fn a_film_that_is_not_there_is_named_in_the_error() {
        let error = Film::at(Path::new("no/such/film.mp4")).unwrap_err();
        assert!(error.to_string().contains("no/such/film.mp4"), "{error}");
    }
}
