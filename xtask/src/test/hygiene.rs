//! Nothing in the repository is of one machine: no path on it, no registry that it happens to use.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;

use super::{Run, no_findings};
use crate::process;
use crate::workspace::Workspace;

/// Folders that exist on the machine of whoever wrote the line. In two parts, so that this list
/// does not find itself.
const MACHINE_FOLDERS: [&str; 6] = [
    concat!("/", "work/"),
    concat!("/", "root/"),
    concat!("/", "home/"),
    concat!("/", "tmp/"),
    concat!("/", "Users/"),
    concat!("/", "workspace/"),
];

pub(super) fn run(run: &Run<'_>) -> Result<()> {
    let mut findings = Vec::new();
    for file in tracked_files(run.workspace)? {
        let Ok(bytes) = fs::read(run.workspace.root().join(&file)) else {
            continue; // deleted, and not yet committed
        };
        let Ok(text) = String::from_utf8(bytes) else {
            continue;
        };
        let is_npm_lock = file.file_name().is_some_and(|name| name == "package-lock.json");
        for (number, line) in (1..).zip(text.lines()) {
            let fault = if let Some(folder) = machine_folder(line) {
                format!("names {folder} of one machine")
            } else if is_npm_lock && line.contains("\"resolved\": \"http") {
                "names a registry; see omit-lockfile-registry-resolved of npm".to_owned()
            } else {
                continue;
            };
            findings.push(format!("{}:{number}: {fault}", file.display()));
        }
    }
    no_findings(run, "lines belong to one machine", &findings)
}

/// The files of the repository, relative to its root.
pub(super) fn tracked_files(workspace: &Workspace) -> Result<Vec<PathBuf>> {
    let mut command = workspace.command("git");
    let list = process::output(command.args(["ls-files", "-z"]))?;
    Ok(list.split_terminator('\0').map(PathBuf::from).collect())
}

/// The first absolute path into a machine's folder. In the middle of a word it is the path of a
/// URL or of something relative.
fn machine_folder(line: &str) -> Option<&'static str> {
    MACHINE_FOLDERS.into_iter().find(|folder| {
        line.match_indices(folder).any(|(at, _)| {
            let before = line.get(..at).and_then(|text| text.chars().next_back());
            before.is_none_or(|c| !c.is_alphanumeric() && !"._-/*]})>$".contains(c))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absolute_paths_are_found() {
        for folder in MACHINE_FOLDERS {
            for line in [format!("{folder}me/x"), format!("let p = \"{folder}x\";")] {
                assert_eq!(machine_folder(&line), Some(folder), "{line}");
            }
        }
    }

    #[test]
    fn paths_of_urls_and_relative_paths_are_not() {
        for folder in MACHINE_FOLDERS {
            for line in [format!("https://example.com{folder}x"), format!("target{folder}x")] {
                assert_eq!(machine_folder(&line), None, "{line}");
            }
        }
    }
}
