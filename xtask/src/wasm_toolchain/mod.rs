//! A compiler for `wasm32-unknown-unknown`, from whichever source works first.

mod debian;

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, anyhow, bail};
use clap::ValueEnum;

use crate::install;
use crate::process;
use crate::workspace::Workspace;

pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// Where a compiler for the web may come from, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Source {
    /// The installed toolchain already has the target
    Installed,
    /// `rustup target add`
    Rustup,
    /// Debian's compiler for the web, unpacked into a cache beside the system
    Debian,
}

impl Source {
    /// For people.
    pub(crate) fn describe(self, workspace: &Workspace) -> String {
        match self {
            Self::Installed => format!("{TARGET} is installed"),
            Self::Rustup => format!("will be fetched with rustup target add {TARGET}"),
            Self::Debian if debian::ready(workspace).is_some() => {
                "Debian's compiler for the web is unpacked in the cache".to_owned()
            }
            Self::Debian => {
                "Debian's compiler for the web will be unpacked into a cache".to_owned()
            }
        }
    }
}

/// A compiler that can build for the web.
pub(crate) struct WasmToolchain {
    /// The compiler to use instead of cargo's own choice.
    rustc: Option<PathBuf>,
}

impl WasmToolchain {
    /// Finds a toolchain, or brings one.
    ///
    /// # Errors
    /// With what was tried and why it did not work.
    pub(crate) fn obtain(workspace: &Workspace) -> Result<Self> {
        let mut failures = Vec::new();
        for source in ways(workspace) {
            match bring(workspace, source) {
                Ok(toolchain) => return Ok(toolchain),
                Err(error) => {
                    process::wait_if_interrupted();
                    eprintln!("note: {error:#}");
                    failures.push(format!("{error:#}"));
                }
            }
        }
        if failures.is_empty() {
            failures.push("neither rustup nor apt-get is here".to_owned());
        }
        bail!("no compiler for {TARGET}: {}", failures.join("; "))
    }

    /// A cargo command that compiles for the web, into a target directory of its own: what
    /// another compiler made is of no use to the host's builds.
    pub(crate) fn cargo(&self, workspace: &Workspace, subcommand: &str) -> Command {
        let mut command = workspace.cargo(subcommand);
        command
            .args(["--target", TARGET])
            .env("CARGO_TARGET_DIR", workspace.target().join("wasm"))
            .env_remove("RUSTFLAGS");
        if let Some(rustc) = &self.rustc {
            command.env("RUSTC", rustc).env_remove("RUSTC_WRAPPER");
        }
        command
    }
}

/// The sources worth trying on this machine, in order.
pub(crate) fn ways(workspace: &Workspace) -> Vec<Source> {
    let facts = Facts {
        installed: has_std(&rustc()),
        rustup: is_rustups(),
        debian_ready: debian::ready(workspace).is_some(),
        apt: install::has_apt(),
    };
    choose(&facts, workspace.wasm_source)
}

/// What the choice depends on.
#[derive(Clone, Copy, Debug, Default)]
struct Facts {
    installed: bool,
    /// The compiler belongs to rustup, which could add a target to it.
    rustup: bool,
    debian_ready: bool,
    apt: bool,
}

fn choose(facts: &Facts, only: Option<Source>) -> Vec<Source> {
    let mut ways = Vec::new();
    if facts.installed {
        ways.push(Source::Installed);
    }
    // What is already on the disk is at hand before what would have to be fetched.
    if facts.debian_ready {
        ways.push(Source::Debian);
    }
    if facts.rustup && !facts.installed {
        ways.push(Source::Rustup);
    }
    if facts.apt && !facts.debian_ready {
        ways.push(Source::Debian);
    }
    if let Some(only) = only {
        ways.retain(|source| *source == only);
    }
    ways
}

fn bring(workspace: &Workspace, source: Source) -> Result<WasmToolchain> {
    match source {
        Source::Installed => Ok(WasmToolchain { rustc: None }),
        Source::Rustup => {
            let mut command = workspace.command("rustup");
            process::run(workspace, "rustup target add", command.args(["target", "add", TARGET]))?;
            if has_std(&rustc()) {
                Ok(WasmToolchain { rustc: None })
            } else {
                Err(anyhow!("rustup added {TARGET}, but not to the compiler in use"))
            }
        }
        Source::Debian => {
            let root = debian::obtain(workspace)?;
            Ok(WasmToolchain { rustc: Some(debian::rustc(&root)) })
        }
    }
}

fn rustc() -> PathBuf {
    env::var_os("RUSTC").map_or_else(|| PathBuf::from("rustc"), PathBuf::from)
}

/// Where cargo keeps what it fetches.
pub(crate) fn cargo_home() -> PathBuf {
    env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")))
        .unwrap_or_else(|| PathBuf::from(".cargo"))
}

/// Whether a compiler has the standard library for the target.
fn has_std(rustc: &Path) -> bool {
    let mut command = Command::new(rustc);
    let Ok(folder) =
        process::output(command.args(["--print", "target-libdir", "--target", TARGET]))
    else {
        return false;
    };
    Path::new(folder.trim()).read_dir().is_ok_and(|mut entries| {
        entries.any(|entry| {
            entry.is_ok_and(|entry| {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                name.starts_with("libstd-") && name.ends_with(".rlib")
            })
        })
    })
}

fn is_rustups() -> bool {
    let sysroot = process::output(Command::new(rustc()).args(["--print", "sysroot"]));
    let toolchains = process::output(Command::new("rustup").args(["show", "home"]));
    matches!((sysroot, toolchains), (Ok(sysroot), Ok(home))
        if Path::new(sysroot.trim()).starts_with(home.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_installed_comes_first() {
        let facts = Facts { installed: true, rustup: true, debian_ready: true, apt: true };
        assert_eq!(choose(&facts, None), [Source::Installed, Source::Debian]);
    }

    #[test]
    fn rustup_is_asked_before_anything_is_unpacked() {
        let facts = Facts { rustup: true, apt: true, ..Facts::default() };
        assert_eq!(choose(&facts, None), [Source::Rustup, Source::Debian]);
    }

    #[test]
    fn an_unpacked_compiler_needs_no_network() {
        let facts = Facts { rustup: true, debian_ready: true, apt: true, ..Facts::default() };
        assert_eq!(choose(&facts, None), [Source::Debian, Source::Rustup]);
    }

    #[test]
    fn the_caller_may_insist() {
        let facts = Facts { installed: true, apt: true, ..Facts::default() };
        assert_eq!(choose(&facts, Some(Source::Debian)), [Source::Debian]);
        assert_eq!(choose(&facts, Some(Source::Rustup)), []);
    }

    #[test]
    fn without_any_source_there_is_no_way() {
        assert_eq!(choose(&Facts::default(), None), []);
    }
}
