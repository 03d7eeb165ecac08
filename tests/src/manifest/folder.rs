//! Where a manifest lies, and the documents beside it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use kinora_core::io::SourceFormat;
use kinora_core::manifest::hls::{self, MediaPlaylist};
use kinora_core::manifest::{ManifestError, ManifestWarning, Parsed};
use kinora_core::presentation::{Presentation, Segments};

use super::parse;

/// A manifest on the disk and the URL it counts as loaded from.
#[derive(Clone, Debug)]
pub struct Place {
    file: PathBuf,
    url: String,
    /// Media playlists are looked for in this folder.
    folder: Option<PathBuf>,
}

/// A folder has not exactly one manifest to begin with.
#[derive(Debug, thiserror::Error)]
pub enum UnreadableFolder {
    /// The folder or a file cannot be read.
    #[error("cannot read {path}: {error}")]
    Unreadable {
        /// The folder or the file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// There is no manifest that says what belongs together.
    #[error("{0} has no multivariant playlist and no MPD")]
    Nothing(PathBuf),
    /// There are several; one of them has to be named.
    #[error("{0} and {1} both could be where to begin: name the file")]
    Several(PathBuf, PathBuf),
}

/// What was understood of a manifest and of the documents beside it.
#[derive(Debug)]
pub struct Answer {
    /// Its format.
    pub format: SourceFormat,
    /// What was understood, or why it was not.
    pub manifest: Result<Parsed<Presentation>, ManifestError>,
    /// The media playlists that were read, by the id of their representation.
    pub playlists: Vec<(String, MediaPlaylist)>,
    /// Warnings of the media playlists beside it, by file name.
    pub warnings: Vec<(String, ManifestWarning)>,
    /// Media playlists beside it that were not understood, by file name.
    pub refused: Vec<(String, ManifestError)>,
}

impl Place {
    /// `path` is a manifest, or the folder of all that belongs to one. `url` is where the manifest
    /// counts as loaded from; a file URL if absent.
    ///
    /// # Errors
    /// If a folder has not exactly one manifest to begin with.
    pub fn new(path: &Path, url: Option<&str>) -> Result<Self, UnreadableFolder> {
        let folder = path.is_dir().then(|| path.to_owned());
        let file = match &folder {
            Some(folder) => entry(folder)?,
            None => path.to_owned(),
        };
        let url = url.map_or_else(|| file_url(&file), str::to_owned);
        Ok(Self { file, url, folder })
    }

    /// Reads and understands the manifest, and in a folder its media playlists.
    ///
    /// # Errors
    /// If the manifest cannot be read from the disk.
    pub fn read(&self) -> Result<Answer, UnreadableFolder> {
        let bytes = read(&self.file)?;
        let (format, manifest) = parse(&bytes, &self.url);
        let mut answer = Answer {
            format,
            manifest,
            playlists: Vec::new(),
            warnings: Vec::new(),
            refused: Vec::new(),
        };
        if let (SourceFormat::Hls, Ok(parsed)) = (format, &answer.manifest)
            && let Ok(alone) = hls::parse_media(&bytes, &self.url)
            && let Some(id) = only_id(&parsed.value)
        {
            answer.playlists.push((id, alone.value));
        }
        if let (Some(folder), Ok(parsed)) = (&self.folder, &mut answer.manifest) {
            let presentation = &mut parsed.value;
            let variables = presentation.variables.clone();
            let (mut longest, mut live) = (None, None);
            let sets = presentation.periods.iter_mut().flat_map(|period| &mut period.sets);
            for representation in sets.flat_map(|set| &mut set.representations) {
                let Segments::Playlist { url } = &representation.segments else { continue };
                let Some((name, bytes)) = self.beside(folder, url) else { continue };
                match hls::parse_media_with(&bytes, url, &variables) {
                    Ok(Parsed { value, warnings }) => {
                        let warnings = warnings.into_iter().map(|warning| (name.clone(), warning));
                        answer.warnings.extend(warnings);
                        if !value.live {
                            longest = longest.max(Some(value.index.end()));
                        }
                        live = live.or(value.timing());
                        representation.segments = Segments::Known(value.index.clone());
                        answer.playlists.push((representation.id.clone(), value));
                    }
                    Err(error) => answer.refused.push((name, error)),
                }
            }
            presentation.duration = presentation.duration.or(longest);
            presentation.live = presentation.live.take().or(live);
        }
        Ok(answer)
    }

    /// The file of a URL that lies in the manifest's folder or below.
    fn beside(&self, folder: &Path, url: &str) -> Option<(String, Vec<u8>)> {
        let path = |url: &str| url.split(['?', '#']).next().unwrap_or(url).to_owned();
        let manifest = path(&self.url);
        let (base, _) = manifest.rsplit_once('/')?;
        let url = path(url);
        let name = url.strip_prefix(base)?.strip_prefix('/')?;
        if name.split('/').any(|step| step == "..") {
            return None;
        }
        let bytes = fs::read(folder.join(name)).ok()?;
        Some((name.to_owned(), bytes))
    }
}

/// The id of the only representation there is.
fn only_id(presentation: &Presentation) -> Option<String> {
    let sets = presentation.periods.iter().flat_map(|period| &period.sets);
    let mut all = sets.flat_map(|set| &set.representations);
    all.next().filter(|_| all.next().is_none()).map(|only| only.id.clone())
}

/// The one manifest of a folder that is not named by another.
fn entry(folder: &Path) -> Result<PathBuf, UnreadableFolder> {
    let unreadable = |error| UnreadableFolder::Unreadable { path: folder.to_owned(), error };
    let mut found: Option<PathBuf> = None;
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        paths.push(entry.map_err(unreadable)?.path());
    }
    paths.sort();
    for path in paths.into_iter().filter(|path| path.is_file()) {
        let bytes = read(&path)?;
        let begins = match kinora_core::manifest::sniff(&bytes, None) {
            Some(SourceFormat::Dash) => true,
            Some(SourceFormat::Hls) => hls::parse_media(&bytes, "").is_err_and(|error| {
                error.kind == kinora_core::manifest::ManifestErrorKind::NotMediaPlaylist
            }),
            None => false,
        };
        if begins {
            if let Some(other) = found {
                return Err(UnreadableFolder::Several(other, path));
            }
            found = Some(path);
        }
    }
    found.ok_or_else(|| UnreadableFolder::Nothing(folder.to_owned()))
}

fn read(path: &Path) -> Result<Vec<u8>, UnreadableFolder> {
    fs::read(path).map_err(|error| UnreadableFolder::Unreadable { path: path.to_owned(), error })
}

fn file_url(path: &Path) -> String {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    url::Url::from_file_path(&path)
        .map_or_else(|()| path.to_string_lossy().into_owned(), String::from)
}
