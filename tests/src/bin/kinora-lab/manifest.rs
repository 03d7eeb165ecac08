//! `kinora-lab manifest`: what the player understands of a manifest.

use std::io::{ErrorKind, Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use kinora_tests::manifest::{Place, PresentationView, Refusals, tree};

#[derive(Args)]
#[command(after_help = "\
Exit codes:
  0  understood
  1  refused, with the fault and its line; or a file cannot be read
  2  the command line makes no sense")]
pub(crate) struct Manifest {
    /// The manifest: an HLS playlist or an MPD. A folder stands for the one multivariant playlist or
    /// MPD in it, and media playlists are read from it, too.
    file: PathBuf,
    /// Where the manifest counts as loaded from; references resolve against it.
    #[arg(long, value_name = "BASE")]
    url: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Print up to 1000 segments of each representation, not only the first and the last (JSON only).
    #[arg(long, requires = "json")]
    segments: bool,
}

const REFUSED: u8 = 1;
const MOST_LISTED: usize = 1_000;

pub(crate) fn run(arguments: &Manifest) -> Result<ExitCode, String> {
    let place = Place::new(&arguments.file, arguments.url.as_deref());
    let answer = place.and_then(|place| place.read()).map_err(|error| error.to_string())?;
    let understood =
        PresentationView::of(&answer, if arguments.segments { MOST_LISTED } else { 0 });
    let refused = Refusals::of(&answer);
    let json = |value: serde_json::Result<String>| value.map_err(|error| error.to_string());
    let text = match (&understood, &refused) {
        (_, Some(refused)) if arguments.json => json(serde_json::to_string_pretty(refused))?,
        (Some(understood), None) if arguments.json => {
            json(serde_json::to_string_pretty(understood))?
        }
        (Some(understood), _) => tree(understood),
        (None, _) => String::new(),
    };
    if !text.is_empty() {
        match writeln!(stdout(), "{}", text.trim_end()) {
            // The reader has seen enough.
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                return Err(format!("cannot write: {error}"));
            }
            _ => {}
        }
    }
    let Some(Refusals { error, more }) = refused else {
        return Ok(ExitCode::SUCCESS);
    };
    if !arguments.json {
        for refusal in [error].iter().chain(&more) {
            let own = arguments.file.display().to_string();
            let file = refusal.file.as_deref().unwrap_or(&own);
            eprintln!("{file}, line {}: {}", refusal.line, refusal.message);
        }
    }
    Ok(ExitCode::from(REFUSED))
}
