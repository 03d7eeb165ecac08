//! `cargo xtask`: builds, tests and demonstrates the project.

mod bench;
mod demo;
mod doctor;
mod film;
mod install;
mod lock;
mod npm;
mod process;
mod progress;
mod requirements;
mod size;
mod soak;
mod stamp;
mod test;
mod wasm_toolchain;
mod web;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::install::MissingTools;
use crate::wasm_toolchain::Source;
use crate::workspace::Workspace;

/// Exit status when a tool is missing that only an administrator can install.
const EXIT_MISSING_TOOLS: u8 = 3;

const AFTER_HELP: &str = "\
Exit status: 0 all went well; 1 something failed; 2 wrong usage; 3 a tool is missing (the command \
that installs it is printed); 130 interrupted.";

/// Build, test and demonstrate Kinora.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", after_help = AFTER_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Compile for the web with this toolchain only, instead of the first that works
    #[arg(long, global = true, env = "KINORA_WASM_TOOLCHAIN", value_enum)]
    wasm_toolchain: Option<Source>,
}

#[derive(Subcommand)]
enum Command {
    /// Say which tools are here, which are missing, and what each is for
    Doctor(doctor::Options),
    /// Build the npm package into platforms/web/npm/dist and check its size
    Web(web::Options),
    /// Play the film: in a page, in the terminal, or without a screen
    Demo(demo::Options),
    /// Run everything that proves the project
    Test(test::Options),
    /// Live through random worlds, thousands of hours of them, and check what must hold
    Soak(soak::Options),
    /// Measure the project beside its peers
    Bench(bench::Options),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    process::end_children_when_interrupted();
    match run(cli) {
        Ok(code) => code,
        Err(error) => {
            process::wait_if_interrupted();
            eprintln!("error: {error:#}");
            if error.is::<MissingTools>() {
                ExitCode::from(EXIT_MISSING_TOOLS)
            } else {
                ExitCode::FAILURE
            }
        }
    }
}

fn run(cli: Cli) -> Result<ExitCode> {
    let workspace = Workspace::find(cli.wasm_toolchain);
    match cli.command {
        Command::Doctor(options) => doctor::run(&workspace, &options),
        Command::Web(options) => web::run(&workspace, &options),
        Command::Demo(options) => demo::run(&workspace, &options),
        Command::Test(options) => test::run(&workspace, &options),
        Command::Soak(options) => soak::run(&workspace, &options),
        Command::Bench(options) => bench::run(&workspace, &options),
    }
}
