//! `cargo xtask soak`: random worlds around the whole player, thousands of hours of them.

use std::process::{Command, ExitCode};

use anyhow::Result;
use clap::Args;

use crate::workspace::Workspace;
use crate::{install, process};

/// Worlds that are lived through at every change: so many hours, from this seed on.
const USUAL: [&str; 4] = ["--hours", "2000", "--seed", "1"];
/// Optimised, with overflows and the core's own assertions checked.
const PROFILE: [&str; 2] = ["--profile", "soak"];

/// Options of `cargo xtask soak`.
#[derive(Args)]
pub(crate) struct Options {
    /// What `kinora-lab soak` takes: --hours N, --seed S, --jobs N, --json, --only SEED; see its --help
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTIONS")]
    arguments: Vec<String>,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    install::ensure(workspace, &["rustc"])?;
    process::run(workspace, "build the soak", &mut build(workspace))?;
    let mut soak = lab(workspace);
    let status = soak.args(&options.arguments).status()?;
    process::wait_if_interrupted();
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, Into::into))
}

/// Compiles what soaks.
pub(crate) fn build(workspace: &Workspace) -> Command {
    let mut command = workspace.cargo("build");
    command.args(PROFILE).args(["--package", "kinora-tests", "--bin", "kinora-lab"]);
    command
}

/// Lives through the worlds that every change has to pass.
pub(crate) fn usual(workspace: &Workspace) -> Command {
    let mut command = lab(workspace);
    command.args(USUAL);
    command
}

fn lab(workspace: &Workspace) -> Command {
    let mut command = workspace.command(workspace.target().join("soak").join("kinora-lab"));
    command.arg("soak");
    command
}
