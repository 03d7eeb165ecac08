//! What the parsers weigh in a browser, and which of their modules weighs how much.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rustc_demangle::demangle;
use serde_json::{Value, json};
use wasmparser::{KnownCustom, Name, Parser, Payload};

use crate::size::brotli;
use crate::workspace::Workspace;

/// The most that both parsers together may take after brotli, without what any module takes.
const BUDGET: u64 = 45_000;

/// The weight of the parsers.
pub(crate) struct Report {
    /// Bytes and bytes after brotli of modules with none, one and both of the parsers.
    builds: Vec<Build>,
    /// Bytes of code by Rust module, most first.
    code: Vec<(String, u64)>,
}

struct Build {
    name: String,
    bytes: u64,
    brotli: u64,
}

impl Report {
    /// Of optimised modules, and of one that still has its names.
    pub(crate) fn of(
        workspace: &Workspace,
        modules: &[(&str, PathBuf)],
        named: &Path,
    ) -> Result<Self> {
        let paths: Vec<PathBuf> = modules.iter().map(|(_, path)| path.clone()).collect();
        let compressed = brotli(workspace, &paths)?;
        let builds = modules
            .iter()
            .zip(compressed)
            .map(|((name, path), brotli)| {
                Ok(Build { name: (*name).to_owned(), bytes: fs::metadata(path)?.len(), brotli })
            })
            .collect::<Result<_>>()?;
        let module = fs::read(named).with_context(|| format!("no {}", named.display()))?;
        Ok(Self { builds, code: code_by_module(&module)? })
    }

    fn cost(&self) -> Option<u64> {
        let brotli = |name: &str| self.builds.iter().find(|b| b.name == name).map(|b| b.brotli);
        Some(brotli("both")?.saturating_sub(brotli("none")?))
    }

    pub(crate) fn table(&self) -> String {
        let mut table = format!("{:<34} {:>9} {:>9}\n", "module with", "bytes", "brotli 11");
        for Build { name, bytes, brotli } in &self.builds {
            let _ = writeln!(table, "{name:<34} {bytes:>9} {brotli:>9}"); // a String takes all
        }
        if let Some(cost) = self.cost() {
            let _ = writeln!(table, "{:<34} {:>9} {cost:>9}", "both parsers", "");
        }
        let _ = writeln!(table, "{:<34} {:>9} {BUDGET:>9}", "budget", "");
        let total: u64 = self.code.iter().map(|(_, bytes)| bytes).sum();
        let _ = writeln!(table, "\n{:<34} {:>9} {:>9}", "code, before wasm-opt", "bytes", "");
        for (module, bytes) in &self.code {
            let share = *bytes as f64 * 100.0 / total.max(1) as f64;
            let _ = writeln!(table, "{module:<34} {bytes:>9} {share:>8.1}%");
        }
        table
    }

    pub(crate) fn as_json(&self) -> Value {
        let builds: Vec<Value> = self
            .builds
            .iter()
            .map(|b| json!({"parsers": b.name, "bytes": b.bytes, "brotli": b.brotli}))
            .collect();
        let code: Vec<Value> = self
            .code
            .iter()
            .map(|(module, bytes)| json!({"module": module, "bytes": bytes}))
            .collect();
        json!({"builds": builds, "parsers_brotli": self.cost(), "budget_brotli": BUDGET, "code": code})
    }
}

/// Bytes of function bodies by the module their names tell.
fn code_by_module(module: &[u8]) -> Result<Vec<(String, u64)>> {
    let (mut imported, mut bodies, mut names) = (0, Vec::new(), BTreeMap::new());
    for payload in Parser::new(0).parse_all(module) {
        match payload? {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    imported += u32::from(matches!(import?.ty, wasmparser::TypeRef::Func(_)));
                }
            }
            Payload::CodeSectionEntry(body) => bodies.push(body.range().len() as u64),
            Payload::CustomSection(section) => {
                let KnownCustom::Name(section) = section.as_known() else {
                    continue;
                };
                for subsection in section {
                    if let Name::Function(functions) = subsection? {
                        for naming in functions {
                            let naming = naming?;
                            names.insert(naming.index, naming.name);
                        }
                    }
                }
            }
            _ => {}
        }
    }
    let mut sizes: BTreeMap<String, u64> = BTreeMap::new();
    for (index, bytes) in (imported..).zip(bodies) {
        let name =
            names.get(&index).map_or_else(String::new, |name| format!("{:#}", demangle(name)));
        *sizes.entry(module_of(&name)).or_default() += bytes;
    }
    let mut sizes: Vec<(String, u64)> = sizes.into_iter().collect();
    sizes.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    Ok(sizes)
}

/// The module that a function belongs to: of the core down to its file's folder or file, of other
/// crates only the crate.
fn module_of(function: &str) -> String {
    const CORE: &str = "kinora_core::";
    // Generic code of other crates belongs to the type of ours that it was made for.
    if let Some(at) = function.find(CORE) {
        let path = function.get(at + CORE.len()..).unwrap_or_default();
        let modules: Vec<&str> = path
            .split("::")
            .take_while(|name| name.starts_with(|c: char| c.is_ascii_lowercase()))
            .take_while(|name| {
                name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            })
            .take(3)
            .collect();
        // The last name is the function's own, unless a type or more follows.
        let ends = path.split("::").count() == modules.len();
        let kept = if ends { modules.len().saturating_sub(1) } else { modules.len() };
        return modules.get(..kept).unwrap_or_default().join("::");
    }
    let start = function.trim_start_matches(['<', '&', '(', '[', '*']);
    let start = start.strip_prefix("dyn ").unwrap_or(start);
    let end = start.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(start.len());
    match start.get(..end) {
        Some("") | None => "(no name)".to_owned(),
        Some(name) if start.get(end..).is_some_and(|rest| rest.starts_with("::")) => {
            name.to_owned()
        }
        Some(_) => "(other)".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_belong_to_files() {
        for (function, module) in [
            ("kinora_core::manifest::hls::media::parse", "manifest::hls::media"),
            ("kinora_core::manifest::dash::xml::Xml::next", "manifest::dash::xml"),
            ("<kinora_core::url::Url as core::fmt::Display>::fmt", "url"),
            ("kinora_core::url::resolve", "url"),
            (
                "core::ptr::drop_in_place<kinora_core::manifest::dash::document::Mpd>",
                "manifest::dash::document",
            ),
            ("core::str::converts::from_utf8", "core"),
            ("<alloc::string::String as core::fmt::Write>::write_str", "alloc"),
            ("__rust_alloc", "(other)"),
            ("", "(no name)"),
        ] {
            assert_eq!(module_of(function), module, "{function}");
        }
    }
}
