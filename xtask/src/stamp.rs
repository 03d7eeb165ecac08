//! Skips a step whose inputs are what they were: the hash of the inputs is kept beside the output.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::workspace::Workspace;

/// Folders that hold what is made, never what it is made from.
const OUTPUTS: [&str; 4] = ["node_modules", "dist", "target", ".git"];

/// Collects everything a step's result depends on.
#[derive(Default)]
pub(crate) struct Inputs(Sha256);

impl Inputs {
    /// An argument, a version, the result of an earlier step.
    pub(crate) fn value(mut self, value: impl AsRef<[u8]>) -> Self {
        let value = value.as_ref();
        self.0.update(value.len().to_le_bytes());
        self.0.update(value);
        self
    }

    /// A file, or a folder with all below it but build outputs; paths count relative to it.
    pub(crate) fn tree(mut self, path: &Path) -> Result<Self> {
        let mut files = Vec::new();
        list(path, &mut files)?;
        files.sort();
        for file in files {
            let name = file.strip_prefix(path).unwrap_or(&file).to_string_lossy().into_owned();
            self = self.value(name).value(hash_file(&file)?);
        }
        Ok(self)
    }

    pub(crate) fn hash(self) -> String {
        hex(&self.0.finalize())
    }
}

/// The record of the inputs that a step last ran with.
pub(crate) struct Stamp {
    path: PathBuf,
    hash: String,
}

impl Stamp {
    pub(crate) fn new(workspace: &Workspace, step: &str, inputs: Inputs) -> Self {
        let path = workspace.state().join("stamps").join(step);
        Self { path, hash: inputs.hash() }
    }

    /// Whether the step already ran with these inputs and its `output` still stands.
    pub(crate) fn is_fresh(&self, output: &Path) -> bool {
        output.exists() && fs::read_to_string(&self.path).is_ok_and(|hash| hash == self.hash)
    }

    /// Forget the last run: call before the output is touched.
    pub(crate) fn clear(&self) {
        let _ = fs::remove_file(&self.path); // usually absent
    }

    /// The step has succeeded.
    pub(crate) fn write(&self) -> Result<()> {
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&self.path, &self.hash)
            .with_context(|| format!("cannot write {}", self.path.display()))
    }
}

/// SHA-256 of a file, in hexadecimal.
pub(crate) fn hash_file(path: &Path) -> Result<String> {
    let mut file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&hash.finalize())),
            length => hash.update(buffer.get(..length).unwrap_or_default()),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn list(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if !OUTPUTS.iter().any(|output| entry.file_name() == *output) {
            list(&entry.path(), files)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_follow_contents_and_names_but_not_outputs() {
        let dir = tempfile::tempdir().unwrap();
        let hash = || Inputs::default().tree(dir.path()).unwrap().hash();
        fs::create_dir(dir.path().join("src")).unwrap();
        fs::write(dir.path().join("src/a.ts"), "1").unwrap();
        let first = hash();

        fs::create_dir(dir.path().join("node_modules")).unwrap();
        fs::write(dir.path().join("node_modules/b.js"), "2").unwrap();
        assert_eq!(hash(), first);

        fs::rename(dir.path().join("src/a.ts"), dir.path().join("src/b.ts")).unwrap();
        assert_ne!(hash(), first);
    }

    #[test]
    fn values_do_not_run_into_each_other() {
        let of = |parts: [&str; 2]| Inputs::default().value(parts[0]).value(parts[1]).hash();
        assert_ne!(of(["ab", "c"]), of(["a", "bc"]));
    }

    #[test]
    fn sha256_of_a_file_is_the_standard_one() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("abc"), "abc").unwrap();
        assert_eq!(
            hash_file(&dir.path().join("abc")).unwrap(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
