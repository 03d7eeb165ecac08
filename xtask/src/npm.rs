//! The JavaScript packages of the workspace.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::lock::Lock;
use crate::process;
use crate::stamp::{Inputs, Stamp};
use crate::workspace::Workspace;

/// A folder with a `package.json`.
pub(crate) struct Package<'a> {
    workspace: &'a Workspace,
    relative: &'static str,
    folder: PathBuf,
}

impl<'a> Package<'a> {
    pub(crate) fn new(workspace: &'a Workspace, relative: &'static str) -> Self {
        Self { workspace, relative, folder: workspace.path(relative) }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Installs exactly what the package's lock file says, when that has changed.
    pub(crate) fn install(&self) -> Result<()> {
        let lock_file = self.folder.join("package-lock.json");
        if !lock_file.exists() {
            bail!("{} has no package-lock.json", self.relative);
        }
        let step = format!("npm-{}", self.relative.replace('/', "-"));
        let _lock = Lock::acquire(&self.workspace.state().join(format!("{step}.lock")))?;
        let inputs = Inputs::default()
            .tree(&self.folder.join("package.json"))?
            .tree(&lock_file)?
            .value(process::output(Command::new("node").arg("--version"))?);
        let stamp = Stamp::new(self.workspace, &step, inputs);
        if stamp.is_fresh(&self.folder.join("node_modules")) {
            return Ok(());
        }
        stamp.clear();
        let mut command = self.npm();
        command.args(["ci", "--no-audit", "--no-fund"]);
        process::run(self.workspace, &format!("npm ci in {}", self.relative), &mut command)?;
        stamp.write()
    }

    /// A command of npm in this package.
    pub(crate) fn npm(&self) -> Command {
        let mut command = self.workspace.command("npm");
        command.current_dir(&self.folder).env("NPM_CONFIG_UPDATE_NOTIFIER", "false");
        command
    }

    /// `npm run SCRIPT`.
    pub(crate) fn script(&self, script: &str) -> Command {
        let mut command = self.npm();
        command.args(["run", "--silent", script]);
        command
    }

    /// A tool among the package's dependencies.
    pub(crate) fn tool(&self, name: &str) -> Result<Command> {
        let path = self.folder.join("node_modules/.bin").join(name);
        if !path.exists() {
            bail!("{name} is not among the dependencies of {}", self.relative);
        }
        let mut command = self.workspace.command(path);
        command.current_dir(&self.folder);
        Ok(command)
    }
}
