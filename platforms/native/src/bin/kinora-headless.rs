//! Plays a manifest in real time without a screen, and accounts for every second of it.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use kinora_core::abr::Rule;
use kinora_core::config::{AbrConfig, Config};
use kinora_core::io::MediaKind;
use kinora_core::time::MediaTime;
use kinora_native::headless::{self, HeadlessOptions, HeadlessRun};
use kinora_native::{HeadlessReport, Options, Snapshot, drm};

/// Plays a manifest in real time without a screen: the sound is decoded, the pictures are counted,
/// and a report accounts for every second that was played.
#[derive(Parser)]
#[command(name = "kinora-headless", version, after_help = EXIT_CODES)]
struct Arguments {
    /// URL of an HLS multivariant or media playlist, or of a DASH MPD.
    #[arg(value_parser = http_url)]
    url: String,
    /// Stop once so many seconds of media have been played; otherwise at the end.
    #[arg(long, value_name = "N", value_parser = seconds)]
    seconds: Option<f64>,
    /// Start so many seconds into the media.
    #[arg(long, value_name = "S", value_parser = seconds)]
    start: Option<f64>,
    /// Print the report as JSON on standard output.
    #[arg(long)]
    json: bool,
    /// Write the session log to this file, for `kinora-lab replay`.
    #[arg(long, value_name = "LOG")]
    record: Option<PathBuf>,
    /// The rule that chooses qualities.
    #[arg(long, value_name = "NAME", value_parser = rule_name)]
    rule: Option<String>,
    /// Never choose a picture taller than so many pixels (unless all are).
    #[arg(long, value_name = "PIXELS")]
    max_height: Option<u32>,
    /// Where ClearKey licences are, for an encrypted film; otherwise where the manifest says.
    #[arg(long, value_name = "URL", value_parser = http_url)]
    license_url: Option<String>,
    /// A header field of licence requests, such as `Authorization=Bearer …`; repeatable.
    #[arg(long = "license-header", value_name = "NAME=VALUE", value_parser = drm::header)]
    license_headers: Vec<(String, String)>,
}

const EXIT_CODES: &str = "\
Exit codes:
  0    played as asked
  1    playback failed: the report's last error says why; or the log could not be written
  2    the command line makes no sense
  130  interrupted; the report covers what was played until then";

const FAILED: u8 = 1;
const INTERRUPTED: u8 = 130;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let options = HeadlessOptions {
        player: Options {
            config: Config {
                abr: AbrConfig {
                    rule: arguments.rule.clone(),
                    max_height: arguments.max_height,
                    ..AbrConfig::default()
                },
                drm: drm::clear_key(
                    arguments.license_url.clone(),
                    arguments.license_headers.clone(),
                ),
                record: arguments.record.is_some(),
                ..Config::default()
            },
            start: arguments.start.map(MediaTime::from_seconds),
            ..Options::default()
        },
        play_for: arguments.seconds.map(MediaTime::from_seconds),
    };
    let mut line = ProgressLine::new();
    let interrupt = async {
        // Without a handler Ctrl-C ends the process anyway.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let run =
        headless::play(&arguments.url, options, interrupt, |snapshot| line.show(snapshot)).await;
    line.finish();
    match run {
        Ok(run) => finish(&arguments, &run),
        Err(error) => {
            eprintln!("kinora-headless: {error}");
            ExitCode::from(FAILED)
        }
    }
}

fn finish(arguments: &Arguments, run: &HeadlessRun) -> ExitCode {
    if arguments.json {
        match serde_json::to_string_pretty(&run.report) {
            Ok(json) => println!("{json}"),
            Err(error) => {
                eprintln!("kinora-headless: the report cannot be written as JSON: {error}");
                return ExitCode::from(FAILED);
            }
        }
    } else {
        print_summary(&run.report);
    }
    if let Some(path) = &arguments.record
        && let Err(error) = std::fs::write(path, &run.session_log)
    {
        eprintln!("kinora-headless: cannot write {}: {error}", path.display());
        return ExitCode::from(FAILED);
    }
    if let Some(error) = run.report.fatal() {
        eprintln!("kinora-headless: {error}");
        return ExitCode::from(FAILED);
    }
    if run.interrupted { ExitCode::from(INTERRUPTED) } else { ExitCode::SUCCESS }
}

fn print_summary(report: &HeadlessReport) {
    println!("{}: {}", report.url, report.status.0);
    println!(
        "played {:.1} s, started in {}, {} stalls of {:.1} s together",
        report.played_s,
        report.startup_ms.map_or("no time".to_owned(), |ms| format!("{ms:.0} ms")),
        report.stalls,
        report.stall_s
    );
    println!(
        "sound {:.1} s (missing {:.3} s, silent {:.1} s, level {:.3}), {} pictures",
        report.decoded_audio_s,
        report.missing_audio_s,
        report.silent_audio_s,
        report.audio_rms,
        report.video_frames
    );
    println!(
        "{:.0} kbit/s on average, {} switches, {} requests, {:.1} MB",
        report.mean_bitrate / 1e3,
        report.switches,
        report.requests,
        report.bytes as f64 / 1e6
    );
    for shown in &report.qualities {
        let height = shown.height.map(|height| format!(" {height}p")).unwrap_or_default();
        println!(
            "{:>8.1} s  {}{height} {} ({} kbit/s): {}",
            shown.at_s,
            shown.kind,
            shown.id,
            shown.bandwidth / 1000,
            shown.reason
        );
    }
    for error in &report.errors {
        println!("{error}");
    }
}

/// One line on standard error, rewritten in place; silent when that is no terminal.
struct ProgressLine {
    shown: bool,
    terminal: bool,
}

impl ProgressLine {
    fn new() -> Self {
        Self { shown: false, terminal: std::io::stderr().is_terminal() }
    }

    fn show(&mut self, snapshot: &Snapshot) {
        if !self.terminal {
            return;
        }
        let state = &snapshot.state;
        let duration =
            state.duration.map(|duration| format!(" / {duration} s")).unwrap_or_default();
        let ahead =
            state.streams.iter().map(|stream| stream.buffer_ahead).min().unwrap_or_default();
        let quality = state
            .streams
            .iter()
            .find(|stream| stream.kind == MediaKind::Video)
            .and_then(|stream| stream.shown.as_ref())
            .map(|shown| format!(", {} kbit/s", shown.bandwidth / 1000))
            .unwrap_or_default();
        let position = snapshot.element.position;
        // A progress line that cannot be written is no reason to stop.
        let _ = write!(
            std::io::stderr(),
            "\r\x1b[K{} {position} s{duration}, {ahead} s ahead{quality}",
            state.status
        );
        self.shown = true;
    }

    fn finish(&self) {
        if self.shown {
            eprintln!();
        }
    }
}

fn http_url(text: &str) -> Result<String, String> {
    if text.starts_with("http://") || text.starts_with("https://") {
        return Ok(text.to_owned());
    }
    Err("an absolute http or https URL is needed".into())
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() && seconds >= 0.0 => Ok(seconds),
        _ => Err("a number of seconds, not negative, is needed".into()),
    }
}

fn rule_name(text: &str) -> Result<String, String> {
    match Rule::from_name(text) {
        Some(_) => Ok(text.to_owned()),
        None => {
            let names: Vec<_> = Rule::ALL.iter().map(|rule| rule.name()).collect();
            Err(format!("the rules are {}", names.join(", ")))
        }
    }
}
