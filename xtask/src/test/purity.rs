//! The core does no I/O, reads no clock, starts no thread and draws no random number: its crates
//! depend on nothing that does, and they compile where there is nothing of the kind.
//!
//! The sources of the crates themselves are held to it by the disallowed types and methods in
//! their own `clippy.toml`.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::{Run, no_findings};
use crate::process;
use crate::wasm_toolchain::WasmToolchain;
use crate::workspace::Workspace;

const CORE: [&str; 3] = ["kinora-abr", "kinora-core", "kinora-journal"];

/// What the core may run on: crates whose code has been looked at for what it reaches. A new
/// dependency of the core belongs here once somebody has looked at it, and its own dependencies.
const COMPUTE_ONLY: &[(&str, &str)] = &[
    ("kinora-abr", "the core itself"),
    ("kinora-cenc", "ciphers"),
    ("kinora-core", "the core itself"),
    ("kinora-journal", "the core itself"),
    ("aes", "a cipher"),
    ("block-buffer", "traits of ciphers"),
    ("block-padding", "traits of ciphers"),
    ("cbc", "a mode of a cipher"),
    ("cipher", "traits of ciphers"),
    ("cobs", "byte stuffing"),
    ("cpubits", "the width of the processor"),
    ("cpufeatures", "asks the processor for its instructions, and nothing of the system"),
    ("crypto-common", "traits of ciphers"),
    ("ctr", "a mode of a cipher"),
    ("embedded-io", "traits without an implementation over a system"),
    ("hybrid-array", "arrays"),
    ("inout", "buffers that are read and written"),
    ("itoa", "writing numbers"),
    ("libc", "constants that cpufeatures names on other processors"),
    ("libm", "mathematics"),
    ("memchr", "searching bytes"),
    ("postcard", "encoding"),
    ("quick-xml", "reading XML from memory"),
    ("serde", "describing data"),
    ("serde_core", "describing data"),
    ("serde_json", "encoding, in memory"),
    ("subtle", "comparing in constant time"),
    ("thiserror", "describing errors"),
    ("typenum", "numbers in types"),
    ("zeroize", "wiping memory"),
    ("zmij", "writing numbers"),
];

pub(super) fn run(run: &Run<'_>) -> Result<()> {
    let metadata = metadata(run.workspace)?;
    let mut findings = Vec::new();
    for root in CORE {
        for path in offenders(&metadata, root)? {
            findings.push(format!("{path}: not among the reviewed dependencies of the core"));
        }
    }
    no_findings(run, "dependencies of the core have not been reviewed", &findings)?;

    let toolchain = WasmToolchain::obtain(run.workspace)?;
    let mut command = toolchain.cargo(run.workspace, "check");
    for package in CORE {
        command.args(["--package", package]);
    }
    run.step(&mut command)
}

/// What cargo knows of the workspace and everything it depends on, by the lock file as it stands.
fn metadata(workspace: &Workspace) -> Result<Value> {
    let mut command = workspace.cargo("metadata");
    command.args(["--format-version", "1", "--locked"]);
    serde_json::from_str(&process::output(&mut command)?).context("cargo metadata")
}

/// Chains of names from `root` to each dependency, near or far, that is not compute only. What
/// runs in the compiler alone (macros, build scripts) and in tests does not count.
fn offenders(metadata: &Value, root: &str) -> Result<Vec<String>> {
    let graph = Graph::read(metadata)?;
    let Some(start) = graph.names.iter().find(|(_, name)| **name == root).map(|(id, _)| *id) else {
        bail!("{root} is not in the workspace");
    };
    let mut offenders = Vec::new();
    let mut seen = BTreeSet::from([start]);
    let mut waiting = vec![(start, root.to_owned())];
    while let Some((id, path)) = waiting.pop() {
        for &dependency in graph.edges.get(id).into_iter().flatten() {
            let Some(name) = graph.names.get(dependency) else { continue };
            if !seen.insert(dependency) {
                continue;
            }
            let path = format!("{path} > {name}");
            if !COMPUTE_ONLY.iter().any(|(allowed, _)| allowed == name) {
                offenders.push(path.clone());
            }
            waiting.push((dependency, path));
        }
    }
    offenders.sort();
    Ok(offenders)
}

/// Who depends on whom at run time; by package id.
struct Graph<'a> {
    /// Without macros, which run in the compiler.
    names: BTreeMap<&'a str, &'a str>,
    edges: BTreeMap<&'a str, Vec<&'a str>>,
}

impl<'a> Graph<'a> {
    fn read(metadata: &'a Value) -> Result<Self> {
        let mut names = BTreeMap::new();
        for package in list(metadata.get("packages"))? {
            let is_macro = list(package.get("targets"))?
                .iter()
                .flat_map(|target| {
                    target.get("kind").and_then(Value::as_array).into_iter().flatten()
                })
                .any(|kind| kind == "proc-macro");
            if !is_macro {
                names.insert(text(package, "id")?, text(package, "name")?);
            }
        }
        let mut edges = BTreeMap::new();
        for node in list(metadata.pointer("/resolve/nodes"))? {
            let mut dependencies = Vec::new();
            for dependency in list(node.get("deps"))? {
                let kinds = list(dependency.get("dep_kinds"))?;
                if kinds.iter().any(|kind| kind.get("kind").is_some_and(Value::is_null)) {
                    dependencies.push(text(dependency, "pkg")?);
                }
            }
            edges.insert(text(node, "id")?, dependencies);
        }
        Ok(Self { names, edges })
    }
}

fn list(value: Option<&Value>) -> Result<&Vec<Value>> {
    value.and_then(Value::as_array).context("cargo metadata lacks a list it should have")
}

fn text<'a>(value: &'a Value, key: &str) -> Result<&'a str> {
    value.get(key).and_then(Value::as_str).with_context(|| format!("cargo metadata lacks {key}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// `kinora-core` depends on memchr, which depends on `dependency` in the way of `kind`.
    fn graph(dependency: &str, kind: Value, target: &str) -> Value {
        let package = |name: &str, target: &str| json!({"id": name, "name": name, "targets": [{"kind": [target]}]});
        let edge = |to: &str, kind: Value| json!({"pkg": to, "dep_kinds": [{"kind": kind}]});
        json!({
            "packages": [
                package("kinora-core", "lib"), package("memchr", "lib"), package(dependency, target),
            ],
            "resolve": {"nodes": [
                {"id": "kinora-core", "deps": [edge("memchr", Value::Null)]},
                {"id": "memchr", "deps": [edge(dependency, kind)]},
                {"id": dependency, "deps": []},
            ]},
        })
    }

    #[test]
    fn a_far_dependency_on_the_world_is_found_with_the_way_to_it() {
        let metadata = graph("tokio", Value::Null, "lib");
        assert_eq!(offenders(&metadata, "kinora-core").unwrap(), ["kinora-core > memchr > tokio"]);
    }

    #[test]
    fn what_runs_in_tests_or_in_the_compiler_does_not_count() {
        for (kind, target) in
            [(json!("dev"), "lib"), (json!("build"), "lib"), (Value::Null, "proc-macro")]
        {
            let metadata = graph("tokio", kind, target);
            assert_eq!(offenders(&metadata, "kinora-core").unwrap(), Vec::<String>::new());
        }
    }

    #[test]
    fn a_crate_that_is_not_there_is_an_error() {
        assert!(offenders(&graph("tokio", Value::Null, "lib"), "kinora-abr").is_err());
    }
}
