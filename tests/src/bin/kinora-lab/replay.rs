//! `kinora-lab replay`: what a recorded session did, and whether another build does the same.

use std::io::{BufWriter, ErrorKind, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use kinora_tests::replay::{self, Comparison, Difference, ReplayError};

use crate::files::{read, write};

#[derive(Args)]
#[command(after_help = "\
Exit codes:
  0  replayed (and the outputs are the same)
  1  the log or a file cannot be read or written
  2  the command line makes no sense
  3  the outputs differ")]
pub(crate) struct Replay {
    /// The session log.
    log: PathBuf,
    /// Also write the outputs to this file, in the bytes that every build of the core agrees on.
    #[arg(long, value_name = "FILE")]
    raw: Option<PathBuf>,
    /// Instead of printing, compare with the outputs that another build wrote to this file.
    #[arg(long, value_name = "OUTPUTS")]
    verify: Option<PathBuf>,
}

const DIFFERENT: u8 = 3;

pub(crate) fn run(arguments: &Replay) -> Result<ExitCode, String> {
    let log = read(&arguments.log)?;
    let in_log = |error: ReplayError| format!("{}: {error}", arguments.log.display());
    if let Some(path) = &arguments.raw {
        let raw = replay::raw(&log).map_err(in_log)?;
        write(path, raw)?;
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
