//! The output directory: laid out in a hidden directory beside it, then moved into place in one step.

use super::{
    cmaf::Cut,
    dash::{self, Addressing},
    hls,
    presentation::{Kind, Layout, Presentation, Protected, Representation, Segment, SegmentNames},
    protect::Encrypter,
};
use crate::{Error, Result};
use kinora_cenc::ContentKey;
use sha2::{Digest, Sha256};
use std::{
    fs,
    io::{BufWriter, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tempfile::TempDir;

/// A presentation being written. Dropped before [`Staging::publish`], it leaves nothing behind.
pub(super) struct Staging {
    /// Holds `out`, the directory to be, and `scratch`.
    root: TempDir,
    output: PathBuf,
    scratch: PathBuf,
    abandoned: Arc<AtomicBool>,
}

/// Tells a [`Staging`] on another thread to give up, when dropped.
pub(super) struct Abandon(Arc<AtomicBool>);

impl Drop for Abandon {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Writes representations into a staging directory.
pub(super) struct MediaWriter<'a> {
    staging: &'a Staging,
    single_file: bool,
    names: SegmentNames,
}

/// How the segments of a package are laid out, before anything about them is known.
pub(super) fn layout(single_file: bool, addressing: &[Addressing]) -> Layout {
    if single_file {
        Layout::SingleFile { initialization: 0, index: 0 }
    } else {
        Layout::Files { names: segment_names(addressing) }
    }
}

fn segment_names(addressing: &[Addressing]) -> SegmentNames {
    if addressing.contains(&Addressing::Time) { SegmentNames::Time } else { SegmentNames::Number }
}

impl Staging {
    /// Starts a presentation that will become `output`.
    pub(super) fn beside(output: &Path, force: bool) -> Result<Self> {
        let output = std::path::absolute(output).map_err(Error::io("find", output))?;
        let (Some(parent), Some(name)) = (output.parent(), output.file_name()) else {
            let reason = format!("{} cannot be replaced", output.display());
            return Err(Error::Option { flag: "OUT", reason });
        };
        let occupied = match fs::read_dir(&output) {
            Ok(mut entries) => entries.next().is_some(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
            Err(error) => return Err(Error::io("look into", &output)(error)),
        };
        if occupied && !force {
            return Err(Error::OutputNotEmpty { path: output });
        }
        fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
        let root = tempfile::Builder::new()
            .prefix(&format!(".{}.", name.to_string_lossy()))
            .tempdir_in(parent)
            .map_err(Error::io("create a directory in", parent))?;
        let scratch = root.path().join("scratch");
        for directory in [&scratch, &root.path().join("out")] {
            fs::create_dir(directory).map_err(Error::io("create", directory))?;
        }
        Ok(Self { root, output, scratch, abandoned: Arc::default() })
    }

    /// A guard for the task that waits for this presentation.
    pub(super) fn abandon_on_drop(&self) -> Abandon {
        Abandon(self.abandoned.clone())
    }

    fn check_wanted(&self) -> Result<()> {
        if self.abandoned.load(Ordering::Relaxed) { Err(Error::Interrupted) } else { Ok(()) }
    }

    /// Where files may be put that are not part of the result.
    pub(super) fn scratch(&self) -> &Path {
        &self.scratch
    }

    pub(super) fn writer(&self, single_file: bool, addressing: &[Addressing]) -> MediaWriter<'_> {
        let names = segment_names(addressing);
        MediaWriter { staging: self, single_file, names }
    }

    /// Writes every manifest, and `package.json` that sums the presentation up for a user interface.
    pub(super) fn write_manifests(
        &self,
        presentation: &mut Presentation,
        addressing: &[Addressing],
    ) -> Result<()> {
        let staged = self.staged();
        let manifest_name = |(index, kind): (usize, &Addressing)| match index {
            0 => "manifest.mpd".to_owned(),
            _ => format!("manifest-{}.mpd", kind.name()),
        };
        presentation.dash = addressing.iter().enumerate().map(manifest_name).collect();
        for (name, kind) in presentation.dash.iter().zip(addressing) {
            write_file(&staged.join(name), dash::manifest(presentation, *kind)?.as_bytes())?;
        }
        for representation in presentation.video.iter().chain(&presentation.audio) {
            let path = staged.join(&representation.directory).join(hls::MEDIA_PLAYLIST);
            write_file(&path, &hls::media(representation)?)?;
        }
        write_file(&staged.join(&presentation.hls), &hls::multivariant(presentation)?)?;
        let summary = serde_json::to_vec_pretty(presentation)
            .map_err(|error| Error::Manifest { reason: error.to_string() })?;
        write_file(&staged.join("package.json"), &summary)
    }

    /// Moves the directory into place. What was there before goes only when the new one is ready.
    pub(super) fn publish(self) -> Result<()> {
        self.check_wanted()?;
        let old = self.root.path().join("old");
        match fs::rename(&self.output, &old) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io("replace", &self.output)(error));
            }
            _ => {}
        }
        fs::rename(self.staged(), &self.output).map_err(|error| {
            // A best effort to put back what was there.
            let _ = fs::rename(&old, &self.output);
            Error::io("move the result to", &self.output)(error)
        })
    }

    /// What will become the output.
    pub(super) fn staged(&self) -> PathBuf {
        self.root.path().join("out")
    }
}

impl MediaWriter<'_> {
    /// Writes one representation's media, encrypted if it is protected, and measures it.
    pub(super) fn write(
        &self,
        id: String,
        kind: Kind,
        cut: &Cut,
        protected: Option<(Protected, Vec<ContentKey>)>,
    ) -> Result<Representation> {
        let (protected, keys) = protected.unzip();
        let encrypter = match (&protected, keys) {
            (Some(protected), Some(keys)) => Some(Encrypter::new(cut.track(), protected, keys)?),
            _ => None,
        };
        let staged = self.staging.staged().join(&id);
        fs::create_dir(&staged).map_err(Error::io("create", &staged))?;
        let mut hash = Sha256::new();
        let (layout, segments) = if self.single_file {
            self.write_single_file(&staged, cut, encrypter, &mut hash)?
        } else {
            self.write_files(&staged, cut, encrypter, &mut hash)?
        };
        // Content names the directory, so that what it holds can be cached for good and a new encode of the
        // same title is never mixed with the old one.
        let digest: String =
            hash.finalize().iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        let directory = format!("{id}.{digest}");
        let target = self.staging.staged().join(&directory);
        fs::rename(&staged, &target).map_err(Error::io("name", &target))?;
        let mut representation = Representation {
            id,
            directory,
            codecs: cut.track().codecs()?,
            kind,
            timescale: cut.track().timescale,
            bandwidth: 0,
            average_bandwidth: 0,
            layout,
            protected,
            segments,
        };
        representation.measure();
        Ok(representation)
    }

    fn write_files(
        &self,
        directory: &Path,
        cut: &Cut,
        mut encrypter: Option<Encrypter<'_>>,
        hash: &mut Sha256,
    ) -> Result<(Layout, Vec<Segment>)> {
        let initialization = initialization(cut, encrypter.as_ref())?;
        hash.update(&initialization);
        write_file(&directory.join("init.mp4"), &initialization)?;
        let mut media = cut.writer()?;
        let mut segments = Vec::with_capacity(cut.len());
        for index in 0..cut.len() {
            self.staging.check_wanted()?;
            let time = cut.time(index);
            let file = match self.names {
                SegmentNames::Number => format!("seg-{:05}.m4s", index + 1),
                SegmentNames::Time => format!("seg-{}.m4s", time.start),
            };
            let mut bytes = cut.segment_type()?;
            bytes.extend(fragment(&mut media, index, time.start, encrypter.as_mut())?);
            if let Some(encrypter) = &encrypter {
                encrypter.segment(&mut bytes, index, time.start);
            }
            hash.update(&bytes);
            write_file(&directory.join(&file), &bytes)?;
            let (size, duration) = (bytes.len() as u64, time.end - time.start);
            segments.push(Segment { file, offset: 0, size, start: time.start, duration });
        }
        Ok((Layout::Files { names: self.names }, segments))
    }

    fn write_single_file(
        &self,
        directory: &Path,
        cut: &Cut,
        mut encrypter: Option<Encrypter<'_>>,
        hash: &mut Sha256,
    ) -> Result<(Layout, Vec<Segment>)> {
        let initialization = initialization(cut, encrypter.as_ref())?;
        // The index has a fixed size for a number of segments; it is written again when their sizes are known.
        let index_size = cut.index(&vec![0; cut.len()])?.len() as u64;
        let path = directory.join("media.mp4");
        let mut out = BufWriter::new(fs::File::create(&path).map_err(Error::io("create", &path))?);
        let mut put = |bytes: &[u8]| out.write_all(bytes).map_err(Error::io("write", &path));
        put(&initialization)?;
        put(&vec![0; index_size as usize])?;
        let mut media = cut.writer()?;
        let mut segments: Vec<Segment> = Vec::with_capacity(cut.len());
        let mut offset = initialization.len() as u64 + index_size;
        hash.update(&initialization);
        for number in 0..cut.len() {
            self.staging.check_wanted()?;
            let time = cut.time(number);
            let mut bytes = fragment(&mut media, number, time.start, encrypter.as_mut())?;
            if let Some(encrypter) = &encrypter {
                encrypter.segment(&mut bytes, number, time.start);
            }
            hash.update(&bytes);
            put(&bytes)?;
            let size = bytes.len() as u64;
            let (file, duration) = ("media.mp4".into(), time.end - time.start);
            segments.push(Segment { file, offset, size, start: time.start, duration });
            offset += size;
        }
        let sizes: Vec<u64> = segments.iter().map(|s| s.size).collect();
        let index = cut.index(&sizes)?;
        out.into_inner()
            .map_err(std::io::IntoInnerError::into_error)
            .and_then(|mut file| {
                file.seek(SeekFrom::Start(initialization.len() as u64))?;
                file.write_all(&index)
            })
            .map_err(Error::io("write", &path))?;
        let layout =
            Layout::SingleFile { initialization: initialization.len() as u64, index: index_size };
        Ok((layout, segments))
    }
}

fn initialization(cut: &Cut, encrypter: Option<&Encrypter<'_>>) -> Result<Vec<u8>> {
    let clear = cut.initialization()?;
    match encrypter {
        Some(encrypter) => encrypter.initialization(clear),
        None => Ok(clear),
    }
}

fn fragment(
    media: &mut super::cmaf::Writer<'_>,
    index: usize,
    start: u64,
    encrypter: Option<&mut Encrypter<'_>>,
) -> Result<Vec<u8>> {
    let mut bytes = media.fragment(index)?;
    if let Some(encrypter) = encrypter {
        encrypter.fragment(&mut bytes, start)?;
    }
    Ok(bytes)
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).map_err(Error::io("write", path))
}
