//! `kinora-server package`.

use super::{DataDirectory, signals::stop_requested};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use kinora_server::{
    Error, Result,
    catalog::register::{self, Target},
    clock::Clock,
    package::{
        self, Addressing, Options, Step,
        ladder::RungSpec,
        presentation::Presentation,
        protect::{self, Method, cpix, systems::System},
        source::Source,
    },
    roles::Data,
    storage::sqlite::SqliteCatalogue,
    web::text::Slug,
};
use std::{
    fmt,
    io::Write,
    num::NonZeroU32,
    path::{Path, PathBuf},
    time::Instant,
};

/// Turn a video file into CMAF segments with HLS and DASH manifests
///
/// One call to ffmpeg encodes at least five video rungs (H.264) and the audio (AAC), cut at the same times.
/// OUT then holds master.m3u8, manifest.mpd, package.json and one directory for each representation. It
/// appears whole, at the end.
#[derive(Args)]
pub(crate) struct Package {
    /// A video file, or testsrc:SECONDS[:WIDTHxHEIGHT[:FPS]] for a generated clip (silent:… for one without
    /// sound)
    #[arg(value_name = "IN")]
    source: Source,
    /// The directory to write
    #[arg(value_name = "OUT", required_unless_present = "register", conflicts_with = "register")]
    output: Option<PathBuf>,
    /// Put it into the library in place of OUT, and into the catalogue as what this film or episode plays; a film that
    /// is not there is entered
    #[arg(long, value_name = "FILM|SERIES/EPISODE")]
    register: Option<Target>,
    #[command(flatten)]
    data: DataDirectory,
    /// Replace OUT if it holds something
    #[arg(long)]
    force: bool,
    /// Length of a segment; the nearest whole number of frames is taken
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0)]
    segment_seconds: f64,
    /// x264's preset: slower ones make better pictures of the same bits
    #[arg(long, default_value = "veryfast", value_parser = PRESETS)]
    preset: String,
    /// Threads of each video encoder; with 1 the same source always gives the same bytes
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroU32>,
    /// The ladder by hand, as HEIGHT:KBPS,…; chosen from the source's size and rate otherwise
    #[arg(long, value_name = "RUNGS", value_delimiter = ',')]
    ladder: Vec<RungSpec>,
    /// Rate of the audio
    #[arg(long, value_name = "KBPS", default_value_t = 128, value_parser = clap::value_parser!(u32).range(16..=512))]
    audio_kbps: u32,
    /// One file with an index for each representation, in place of one for each segment
    #[arg(long)]
    single_file: bool,
    /// How the DASH manifest addresses segments; of several, the first is manifest.mpd and the others
    /// manifest-NAME.mpd
    #[arg(long, value_name = "HOW", value_delimiter = ',')]
    dash_addressing: Vec<Addressing>,
    #[command(flatten)]
    protection: Protection,
    /// The title to show
    #[arg(long)]
    title: Option<String>,
    /// Whom to name when it is shown
    #[arg(long)]
    credit: Option<String>,
    /// The licence it is under
    #[arg(long)]
    license: Option<String>,
    /// Print progress and the result as JSON, one object a line
    #[arg(long)]
    json: bool,
}

/// How it is encrypted.
#[derive(Args)]
#[command(next_help_heading = "Encryption")]
struct Protection {
    /// Encrypt it; the keys are kept in --data, wrapped
    #[arg(long, value_name = "HOW")]
    protect: Option<Method>,
    /// Keys that wrap content keys, where they are not to be kept with the data; KINORA_CONTENT_KEKS may hold
    /// the text of such a file itself
    #[arg(long, value_name = "FILE", env = "KINORA_CONTENT_KEKS_FILE")]
    content_keks: Option<PathBuf>,
    /// The film or episode in the catalogue that it is of, if it is not registered here: who may play that may
    /// have the keys
    #[arg(long, value_name = "ID", requires = "protect")]
    item: Option<Slug>,
    /// The key systems to write initialisation data for
    #[arg(long, value_name = "SYSTEMS", value_delimiter = ',', default_value = "common")]
    drm_systems: Vec<System>,
    /// New keys after so many seconds
    #[arg(long, value_name = "SECONDS", requires = "protect")]
    rotation_seconds: Option<f64>,
    /// Where ClearKey licences are, to be written into the DASH manifest
    #[arg(long, value_name = "URL", requires = "protect")]
    license_url: Option<String>,
    /// Where the keys of whole segments are, {id} being a key's id, to be written into the HLS playlists
    #[arg(long, value_name = "URL", default_value = protect::KEY_URL)]
    key_url: String,
    /// Use the keys of this CPIX document
    #[arg(long, value_name = "FILE", requires = "protect")]
    cpix: Option<PathBuf>,
}

impl Protection {
    async fn options(
        self,
        data: &Path,
        registered: Option<&Slug>,
    ) -> Result<Option<protect::Options>> {
        let Some(method) = self.protect else { return Ok(None) };
        let keys = match &self.cpix {
            None => Vec::new(),
            Some(path) => {
                let text = std::fs::read_to_string(path).map_err(|error| Error::Io {
                    action: "read",
                    path: path.clone(),
                    kind: error.kind(),
                })?;
                cpix::read(&text).map_err(|error| Error::Cpix { path: path.clone(), error })?
            }
        };
        let mut data = Data::new(data);
        data.content_keks =
            super::secret_text(self.content_keks.as_deref(), "KINORA_CONTENT_KEKS")?;
        Ok(Some(protect::Options {
            systems: self.drm_systems,
            rotation_seconds: self.rotation_seconds,
            license_url: self.license_url,
            key_url: self.key_url,
            item: self.item.or(registered.cloned()).map(String::from),
            keys,
            ..protect::Options::new(method, data.vault().await?)
        }))
    }
}

pub(super) const PRESETS: [&str; 9] = [
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
];

impl Package {
    pub(crate) async fn run(self) -> Result<()> {
        let mut display = Display::new(self.json);
        let output = match (self.output, &self.register) {
            (Some(output), _) => output,
            (None, Some(target)) => Data::packages(&self.data.path).join(target.item().as_str()),
            (None, None) => return Err(Error::Option { flag: "OUT", reason: "is missing".into() }),
        };
        let item = self.register.as_ref().map(Target::item);
        let options = Options {
            source: self.source,
            output: output.clone(),
            force: self.force,
            segment_seconds: self.segment_seconds,
            preset: self.preset,
            threads: self.threads,
            ladder: self.ladder,
            audio_kbps: self.audio_kbps,
            single_file: self.single_file,
            addressing: self.dash_addressing,
            protect: self.protection.options(&self.data.path, item).await?,
            title: self.title,
            credit: self.credit,
            license: self.license,
        };
        let result = tokio::select! {
            result = package::package(&options, |step| display.show(&step)) => result,
            () = stop_requested() => Err(Error::Interrupted),
        };
        display.bar.finish_and_clear();
        let presentation = result?;
        if let Some(target) = &self.register {
            let poster =
                register::artwork(&output, &Data::artwork(&self.data.path), target.item())?;
            let catalogue = SqliteCatalogue::open(&self.data.path).await?;
            let now = Clock::default().now();
            register::register(&catalogue, target, &presentation, poster, now).await?;
        }
        display.finish(&presentation);
        Ok(())
    }
}

/// Shows how far it has come: a bar on a terminal, or lines of JSON.
struct Display {
    json: bool,
    bar: ProgressBar,
    started: Instant,
    duration: f64,
}

impl Display {
    fn new(json: bool) -> Self {
        let bar = if json { ProgressBar::hidden() } else { ProgressBar::no_length() };
        Self { json, bar, started: Instant::now(), duration: 0.0 }
    }

    fn show(&mut self, step: &Step) {
        match step {
            Step::Encoding { duration, rungs } => {
                self.duration = *duration;
                self.bar.set_length((duration * 1000.0) as u64);
                let style = "{msg} [{bar:32}] {percent:>3} %  {elapsed} gone, {eta} left  {prefix}";
                if let Ok(style) = ProgressStyle::with_template(style) {
                    self.bar.set_style(style.progress_chars("=> "));
                }
                let heights: Vec<String> = rungs.iter().map(|r| format!("{}p", r.height)).collect();
                self.bar.set_message(format!("Encoding {}", heights.join(" ")));
                let ladder: Vec<_> = rungs
                    .iter()
                    .map(|r| serde_json::json!({"width": r.width, "height": r.height, "bitrate": r.bitrate}))
                    .collect();
                self.line(serde_json::json!({"event": "encoding", "duration": duration, "ladder": ladder}));
            }
            Step::Encoded(progress) => {
                self.bar.set_position((progress.done * 1000.0) as u64);
                if let Some(speed) = progress.speed {
                    self.bar.set_prefix(format!("{speed:.1}x"));
                }
                let fraction = (progress.done / self.duration.max(1e-3)).clamp(0.0, 1.0);
                let elapsed = self.started.elapsed().as_secs_f64();
                let left = (fraction > 0.0).then(|| elapsed * (1.0 - fraction) / fraction);
                self.line(serde_json::json!({
                    "event": "progress", "fraction": fraction, "done": progress.done,
                    "speed": progress.speed, "seconds_left": left,
                }));
            }
            Step::Writing => {
                self.bar.set_message("Writing segments");
                self.line(serde_json::json!({"event": "writing"}));
            }
        }
    }

    fn finish(&self, presentation: &Presentation) {
        let elapsed = self.started.elapsed().as_secs_f64();
        self.line(serde_json::json!({
            "event": "done", "elapsed": elapsed, "presentation": presentation,
        }));
        if self.json {
            return;
        }
        print(format_args!("{:.3} s packaged in {elapsed:.0} s", presentation.duration));
        for representation in presentation.video.iter().chain(&presentation.audio) {
            print(format_args!(
                "  {:<12} {:<12} {:>4} segments, {:>6} kbit/s on average, {:>6} at the peak",
                representation.id,
                representation.codecs,
                representation.segments.len(),
                representation.average_bandwidth / 1000,
                representation.bandwidth / 1000,
            ));
        }
    }

    fn line(&self, value: serde_json::Value) {
        if self.json {
            print(format_args!("{value}"));
        }
    }
}

/// A line on standard output. A reader that has gone away is no reason to stop.
fn print(line: fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
