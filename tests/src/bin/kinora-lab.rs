//! The lab: tools for people who study playback.

use std::io::{BufWriter, ErrorKind, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use kinora_tests::replay::{self, Comparison, Difference, ReplayError};

/// Tools for people who study playback.
#[derive(Parser)]
#[command(name = "kinora-lab", version)]
struct Arguments {
    #[command(subcommand)]
    tool: Tool,
}

#[derive(Subcommand)]
enum Tool {
    /// Replay a recorded session and print every output of the player as a line of JSON.
    Replay(Replay),
}

#[derive(Args)]
#[command(after_help = "\
Exit codes:
  0  replayed (and the outputs are the same)
  1  the log or a file cannot be read or written
  2  the command line makes no sense
  3  the outputs differ")]
struct Replay {
    /// The session log.
    log: PathBuf,
    /// Also write the outputs to this file, in the bytes that every build of the core agrees on.
    #[arg(long, value_name = "FILE")]
    raw: Option<PathBuf>,
    /// Instead of printing, compare with the outputs that another build wrote to this file.
    #[arg(long, value_name = "OUTPUTS")]
    verify: Option<PathBuf>,
}

const FAILED: u8 = 1;
const DIFFERENT: u8 = 3;

fn main() -> ExitCode {
    let Tool::Replay(arguments) = Arguments::parse().tool;
    match replay(&arguments) {
        Ok(code) => code,
        Err(message) => {
            eprintln!("kinora-lab: {message}");
            ExitCode::from(FAILED)
        }
    }
}

fn replay(arguments: &Replay) -> Result<ExitCode, String> {
    let log = read(&arguments.log)?;
    let in_log = |error: ReplayError| format!("{}: {error}", arguments.log.display());
    if let Some(path) = &arguments.raw {
        let raw = replay::raw(&log).map_err(in_log)?;
        std::fs::write(path, raw)
            .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    if let Some(path) = &arguments.verify {
        let theirs = read(path)?;
        return Ok(match replay::compare(&log, &theirs).map_err(in_log)? {
            Comparison::Same { outputs } => {
                println!("the same {outputs} outputs");
                ExitCode::SUCCESS
            }
            Comparison::Different(difference) => {
                println!("{}", describe(&difference));
                ExitCode::from(DIFFERENT)
            }
        });
    }
    match replay::write_json_lines(&log, BufWriter::new(stdout().lock())) {
        Ok(_) => Ok(ExitCode::SUCCESS),
        // The reader has seen enough.
        Err(ReplayError::Write(error)) if error.kind() == ErrorKind::BrokenPipe => {
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => Err(in_log(error)),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

fn describe(difference: &Difference) -> String {
    let side = |output: &Option<_>| match output {
        Some((at, output)) => format!("{at:?} {output:?}"),
        None => "nothing that can be read".to_owned(),
    };
    format!(
        "output {} differs\n  here:  {}\n  there: {}",
        difference.index,
        side(&difference.ours),
        side(&difference.theirs)
    )
}
