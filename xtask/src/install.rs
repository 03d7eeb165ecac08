//! Brings the tools that are missing, where this process may; otherwise says what would.

use std::fmt;
use std::process::Command;

use anyhow::{Context, Result};

use crate::process;
use crate::requirements::{Found, Package, Requirement, named};
use crate::workspace::Workspace;

/// Tools are missing and this process cannot install them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct MissingTools {
    /// Name and purpose of each.
    pub(crate) tools: Vec<String>,
    /// What installs them, a command or advice a line.
    pub(crate) commands: Vec<String>,
}

impl fmt::Display for MissingTools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "missing: {}", self.tools.join(", "))?;
        write!(f, "run this, then try again:")?;
        self.commands.iter().try_for_each(|command| write!(f, "\n  {command}"))
    }
}

impl std::error::Error for MissingTools {}

/// Makes sure that every one of these tools is here.
///
/// # Errors
/// [`MissingTools`] where a tool is missing and this process may not, or cannot, install it.
pub(crate) fn ensure(workspace: &Workspace, tools: &[&str]) -> Result<()> {
    let missing = missing(tools);
    if missing.is_empty() {
        return Ok(());
    }
    let packages = apt_packages(&missing);
    if !packages.is_empty() && may_install() {
        install(workspace, &packages)?;
    }
    let missing = self::missing(tools);
    if missing.is_empty() { Ok(()) } else { Err(report(&missing).into()) }
}

/// Those of the tools that are not here or too old.
fn missing(tools: &[&str]) -> Vec<Requirement> {
    let mut missing = named(tools);
    missing.retain(|requirement| !requirement.find().is_usable());
    missing
}

/// What is missing and what would bring it.
pub(crate) fn report(missing: &[Requirement]) -> MissingTools {
    let tools = missing
        .iter()
        .map(|requirement| match requirement.find() {
            Found::TooOld(version) => {
                let minimum = requirement.minimum().map(ToString::to_string).unwrap_or_default();
                format!("{} {minimum} or newer (here: {version})", requirement.name)
            }
            _ => format!("{} ({})", requirement.name, requirement.purpose),
        })
        .collect();
    let packages = apt_packages(missing);
    let mut commands = Vec::new();
    if !packages.is_empty() {
        let sudo = if is_root() { "" } else { "sudo " };
        let packages = packages.join(" ");
        commands.push(format!(
            "{sudo}apt-get update && {sudo}apt-get install -y --no-install-recommends {packages}"
        ));
    }
    for requirement in missing {
        if let Package::Advice(advice) = requirement.source {
            commands.push(advice.to_owned());
        }
    }
    MissingTools { tools, commands }
}

fn apt_packages(missing: &[Requirement]) -> Vec<&'static str> {
    let mut packages = Vec::new();
    for requirement in missing {
        if let Package::Apt(names) = requirement.source {
            packages.extend(
                names.iter().filter(|name| !packages.contains(*name)).copied().collect::<Vec<_>>(),
            );
        }
    }
    packages
}

fn install(workspace: &Workspace, packages: &[&str]) -> Result<()> {
    process::run(workspace, "apt-get update", apt_get().arg("update"))?;
    let mut command = apt_get();
    command.args(["install", "-y", "--no-install-recommends"]).args(packages);
    process::run(workspace, "apt-get install", &mut command)
        .with_context(|| format!("could not install {}", packages.join(" ")))
}

/// apt-get, patient with whoever else is installing, asking no questions.
pub(crate) fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").args(["-o", "DPkg::Lock::Timeout=600"]);
    command
}

fn may_install() -> bool {
    is_root() && has_apt()
}

pub(crate) fn has_apt() -> bool {
    process::output(Command::new("apt-get").arg("--version")).is_ok()
}

fn is_root() -> bool {
    process::output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_named_once() {
        assert_eq!(
            apt_packages(&named(&["ffmpeg", "ffprobe", "chromium"])),
            ["ffmpeg", "chromium"]
        );
    }

    #[test]
    fn the_report_names_tools_and_whole_commands() {
        let report = report(&named(&["ffmpeg", "clippy"]));
        assert_eq!(report.tools.len(), 2);
        assert_eq!(report.commands.len(), 2);
        assert!(report.commands[0].ends_with("install -y --no-install-recommends ffmpeg"));
        assert_eq!(report.commands[1], "rustup component add clippy");
    }
}
