//! Kinora in a terminal: plays a manifest and shows what the player does and why.

mod app;
mod farewell;
mod journey;
mod keys;
mod screen;
#[cfg(test)]
mod screen_tests;
mod service;
mod subtitles;
mod title;
mod view;

use std::io::{IsTerminal, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use app::Showing;
use journey::Start;
use kinora_native::{Config, drm};
use service::Service;

/// Plays an HLS or DASH presentation in the terminal and shows what the player does and why: the
/// buffers, the network, the qualities and every decision.
#[derive(Parser)]
#[command(name = "kinora-tui", version, after_help = AFTER_HELP)]
struct Arguments {
    /// URL of an HLS multivariant or media playlist, or of a DASH MPD.
    #[arg(required_unless_present = "service", conflicts_with = "service")]
    url: Option<String>,
    /// Sign in to the service at this URL, and choose there what to watch.
    #[arg(long, value_name = "URL")]
    service: Option<String>,
    /// With what to sign in; the password comes from KINORA_PASSWORD or is asked for.
    #[arg(long, value_name = "ADDRESS", env = "KINORA_EMAIL", requires = "service")]
    email: Option<String>,
    /// Start so many seconds into the media.
    #[arg(long, value_name = "S", default_value_t = 0.0)]
    start: f64,
    /// Where ClearKey licences are, for an encrypted film; otherwise where the manifest says.
    #[arg(long, value_name = "URL", conflicts_with = "service")]
    license_url: Option<String>,
    /// A header field of requests for licences and keys, such as `Authorization=Bearer …`; repeatable.
    #[arg(long = "license-header", value_name = "NAME=VALUE", value_parser = drm::header, conflicts_with = "service")]
    license_headers: Vec<(String, String)>,
}

const AFTER_HELP: &str = "\
Keys:
  space           pause and play
  left, right     10 seconds back and forth
  1 to 9          pin a quality, lowest first
  a               choose the quality automatically again
  s               show the next subtitles, or none after the last
  up, down, page up, page down, end
                  scroll the log
  q, Esc, Ctrl-C  quit

Exit codes:
  0  quit by the viewer
  1  playback failed
  2  the command line makes no sense, or there is no terminal";

const FAILED: u8 = 1;
const NO_TERMINAL: u8 = 2;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if !stdout().is_terminal() {
        eprintln!("kinora-tui: the output is not a terminal; try kinora-headless");
        return ExitCode::from(NO_TERMINAL);
    }
    let start = match arguments.service.as_deref().map(Service::new).transpose() {
        Ok(service) => service.map(|service| Start {
            service,
            email: arguments.email,
            password: std::env::var("KINORA_PASSWORD").ok(),
            storage: state_folder(),
        }),
        Err(error) => {
            eprintln!("kinora-tui: {error}");
            return ExitCode::from(FAILED);
        }
    };
    // Also sees to it that a panic gives the terminal back before it is reported.
    let mut terminal = match ratatui::try_init() {
        Ok(terminal) => terminal,
        Err(error) => {
            eprintln!("kinora-tui: the terminal cannot be set up: {error}");
            return ExitCode::from(NO_TERMINAL);
        }
    };
    let outcome = match (start, arguments.url) {
        (Some(start), _) => journey::run(&mut terminal, start).await,
        (None, Some(url)) => {
            let drm = drm::clear_key(arguments.license_url, arguments.license_headers);
            let (start, config) = (arguments.start, Config { drm, ..Config::default() });
            let showing =
                Showing { url, start, config, filter: None, position: None, reported: None };
            app::run(&mut terminal, showing).await
        }
        (None, None) => Ok(()),
    };
    ratatui::restore();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kinora-tui: {error}");
            ExitCode::from(FAILED)
        }
    }
}

/// Where programs of this user keep what is to last and matters to nobody else (XDG Base Directory Specification).
fn state_folder() -> Option<PathBuf> {
    let named = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    let folder = named.filter(|folder| folder.is_absolute());
    let usual = || std::env::home_dir().map(|home| home.join(".local/state"));
    folder.or_else(usual).map(|folder| folder.join("kinora"))
}
