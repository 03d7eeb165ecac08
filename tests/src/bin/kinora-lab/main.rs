//! The lab: tools for people who study playback. One file per tool.

mod abr;
mod files;
mod manifest;
mod replay;
mod soak;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Tools for people who study playback.
#[derive(Parser)]
#[command(name = "kinora-lab", version)]
struct Arguments {
    #[command(subcommand)]
    tool: Tool,
}

#[derive(Subcommand)]
enum Tool {
    /// Run rules that choose bitrates over recorded networks, and compare them with the best possible.
    Abr(Box<abr::Abr>),
    /// Print what the player understands of a manifest.
    Manifest(manifest::Manifest),
    /// Replay a recorded session and print every output of the player as a line of JSON.
    Replay(replay::Replay),
    /// Live through random worlds and check in each that what must hold does hold.
    Soak(soak::Soak),
}

/// Exit code when a tool could not do its work.
const FAILED: u8 = 1;

fn main() -> ExitCode {
    let result = match Arguments::parse().tool {
        Tool::Abr(arguments) => abr::run(&arguments),
        Tool::Manifest(arguments) => manifest::run(&arguments),
        Tool::Replay(arguments) => replay::run(&arguments),
        Tool::Soak(arguments) => soak::run(&arguments),
    };
    match result {
        Ok(code) => code,
        Err(message) => {
            eprintln!("kinora-lab: {message}");
            ExitCode::from(FAILED)
        }
    }
}
