//! `cargo xtask bench startup`: how much later an encrypted film starts than the clear one, in Chromium; and that other
//! players play the same files with the same licence service.

use std::process::{ExitCode, Stdio};

use anyhow::Result;
use clap::Args;

use crate::npm::Package;
use crate::workspace::Workspace;
use crate::{demo, install, process};

const END_TO_END: &str = "tests/e2e";
/// Where the other players are among the dependencies.
const PEERS: &str = "tests/bench";
const TOOLS: &[&str] = &["rustc", "c++", "node", "npm", "ffmpeg", "ffprobe", "chromium"];

/// What the script ends with where the goal is missed, which it has told.
const MISSED: i32 = 4;

/// Options of `cargo xtask bench startup`.
#[derive(Args)]
pub(crate) struct Options {
    /// Print the figures as JSON on standard output
    #[arg(long)]
    json: bool,
    /// Have Shaka Player and dash.js play the films to their end, and measure them, too
    #[arg(long)]
    peers: bool,
    /// Starts that each median is of
    #[arg(long, default_value_t = 41, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Milliseconds to the server and back, one after another
    #[arg(long, value_delimiter = ',', default_values_t = [0, 40])]
    round_trips: Vec<u32>,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    install::ensure(workspace, TOOLS)?;
    demo::build_page(workspace)?;
    let mut command = workspace.cargo("build");
    command.args(["--release", "--package", "kinora-server", "--bins"]);
    process::run(workspace, "compile the server", &mut command)?;
    let tests = Package::new(workspace, END_TO_END);
    tests.install()?;
    let round_trips: Vec<String> = options.round_trips.iter().map(u32::to_string).collect();
    let mut command = tests.npm();
    command
        .args(["run", "--silent", "startup", "--", "--rounds", &options.rounds.to_string()])
        .args(["--round-trips", &round_trips.join(",")])
        .env("KINORA_SERVER", workspace.target().join("release/kinora-server"))
        .stdin(Stdio::null());
    if options.json {
        command.arg("--json");
    }
    if options.peers {
        let peers = Package::new(workspace, PEERS);
        peers.install()?;
        command.arg("--peers").arg(peers.folder());
    }
    let mut group = process::Group::spawn(&mut command)?;
    let status = group.child().wait()?;
    process::wait_if_interrupted();
    if status.code() == Some(MISSED) {
        return Ok(ExitCode::FAILURE);
    }
    process::check(status, &command)?;
    Ok(ExitCode::SUCCESS)
}
