//! Where things lie.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::wasm_toolchain::Source;

/// The checkout, the folders that builds write to, and what the caller chose for all of them.
pub(crate) struct Workspace {
    root: PathBuf,
    target: PathBuf,
    /// The only source of a WebAssembly compiler to use, where the caller insists on one.
    pub(crate) wasm_source: Option<Source>,
}

impl Workspace {
    pub(crate) fn find(wasm_source: Option<Source>) -> Self {
        let manifest = env::var_os("CARGO_MANIFEST_DIR")
            .unwrap_or_else(|| OsString::from(env!("CARGO_MANIFEST_DIR")));
        let manifest = PathBuf::from(manifest);
        let root = manifest.parent().map(Path::to_path_buf).unwrap_or(manifest);
        let target = env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| root.join("target"), |dir| root.join(dir));
        Self { root, target, wasm_source }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// A binary of the workspace, built with the development profile.
    pub(crate) fn binary(&self, name: &str) -> PathBuf {
        self.target.join("debug").join(name)
    }

    /// Stamps, locks and logs of these commands.
    pub(crate) fn state(&self) -> PathBuf {
        self.target.join("xtask")
    }

    /// Kept between checkouts: what takes long to get and does not depend on the sources.
    pub(crate) fn user_cache(&self) -> PathBuf {
        let absolute =
            |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        absolute("XDG_CACHE_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
            .map_or_else(|| self.state().join("cache"), |cache| cache.join("kinora"))
    }

    /// A command that runs in the root of the checkout.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        command
    }

    /// The cargo that runs this program, with the lock file as it stands.
    pub(crate) fn cargo(&self, subcommand: &str) -> Command {
        let mut command =
            self.command(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
        command.arg(subcommand);
        // What cargo told this program about itself is not for another build to read.
        for name in ["CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH", "CARGO_PKG_NAME"] {
            command.env_remove(name);
        }
        command
    }
}
