//! Everything the project is built of is under a licence that asks for no more than its own does.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;
use serde_json::Value;

use super::{Run, hygiene, no_findings};
use crate::process;
use crate::workspace::Workspace;

/// Licences, by SPDX identifier, that a dependency may be under.
const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "BlueOak-1.0.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0", // of data: certificates
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "Unicode-3.0",
    "Unicode-DFS-2016",
    "Unlicense",
    "Zlib",
];

/// npm packages of a version each that state their licence in a way lock files do not carry, such as
/// the list `licenses` of old. Somebody has looked.
const STATED_ELSEWHERE: &[(&str, &str, &str)] = &[("dom-walk", "0.1.2", "MIT")];

pub(super) fn run(run: &Run<'_>) -> Result<()> {
    let mut findings: Vec<String> = crates(&tree(run.workspace)?).into_iter().collect();
    for file in hygiene::tracked_files(run.workspace)? {
        if file.file_name().is_some_and(|name| name == "package-lock.json") {
            let text = std::fs::read_to_string(run.workspace.root().join(&file))?;
            findings.extend(npm_packages(&file, &serde_json::from_str(&text)?));
        }
    }
    no_findings(run, "dependencies are under a licence that is not allowed", &findings)
}

/// The crates that are compiled for some target, with what they say of their licence.
fn tree(workspace: &Workspace) -> Result<String> {
    let mut command = workspace.cargo("tree");
    command.args(["--locked", "--workspace", "--target", "all", "--edges", "normal,build,dev"]);
    process::output(command.args(["--prefix", "none", "--format", "{p}|{l}"]))
}

fn crates(tree: &str) -> BTreeSet<String> {
    let line = |line: &str| {
        let (package, licence) = line.trim_end_matches(" (*)").split_once('|')?;
        (!is_allowed(licence)).then(|| format!("crate {package}: {licence:?}"))
    };
    tree.lines().filter_map(line).collect()
}

fn npm_packages(file: &Path, lock: &Value) -> Vec<String> {
    let mut findings = Vec::new();
    for (path, package) in lock.get("packages").and_then(Value::as_object).into_iter().flatten() {
        let is_link = package.get("link").and_then(Value::as_bool).unwrap_or(false);
        if is_link || !path.contains("node_modules/") {
            continue; // of this repository
        }
        let text = |key| package.get(key).and_then(Value::as_str);
        let name = path.rsplit_once("node_modules/").map_or(path.as_str(), |(_, name)| name);
        let stated = || {
            let known = |(of, version, _): &&(&str, &str, &str)| {
                *of == name && Some(*version) == text("version")
            };
            STATED_ELSEWHERE.iter().find(known).map(|(_, _, licence)| *licence)
        };
        let licence = text("license").or_else(stated).unwrap_or_default();
        if !is_allowed(licence) {
            findings.push(format!("{}: {path}: {licence:?}", file.display()));
        }
    }
    findings
}

/// Whether an SPDX expression, as crates and npm packages write them, can be met with allowed
/// licences alone.
fn is_allowed(expression: &str) -> bool {
    // Before SPDX expressions, crates wrote a slash for OR.
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut parser = Parser { words: &words };
    parser.either() == Some(true) && parser.words.is_empty()
}

/// Evaluates `OR`, `AND` and `WITH` in the order in which they bind (SPDX annex D.4.5).
struct Parser<'a> {
    words: &'a [&'a str],
}

impl<'a> Parser<'a> {
    fn either(&mut self) -> Option<bool> {
        let mut allowed = self.both()?;
        while self.eat("OR") {
            allowed |= self.both()?;
        }
        Some(allowed)
    }

    fn both(&mut self) -> Option<bool> {
        let mut allowed = self.one()?;
        while self.eat("AND") {
            allowed &= self.one()?;
        }
        Some(allowed)
    }

    fn one(&mut self) -> Option<bool> {
        if self.eat("(") {
            let allowed = self.either()?;
            return self.eat(")").then_some(allowed);
        }
        let mut licence = self.next()?.to_owned();
        if self.eat("WITH") {
            licence = format!("{licence} WITH {}", self.next()?);
        }
        Some(ALLOWED.contains(&licence.as_str()))
    }

    fn next(&mut self) -> Option<&'a str> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        Some(first)
    }

    fn eat(&mut self, word: &str) -> bool {
        let is_next = self.words.first() == Some(&word);
        if is_next {
            self.next();
        }
        is_next
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_allowed_alternative_is_enough() {
        for expression in [
            "MIT",
            "MIT OR Apache-2.0",
            "MIT/Apache-2.0",
            "GPL-3.0-only OR MIT",
            "(MIT OR GPL-2.0-only) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT",
            "BSD-3-Clause AND MIT",
        ] {
            assert!(is_allowed(expression), "{expression}");
        }
    }

    #[test]
    fn every_part_of_a_conjunction_counts() {
        for expression in [
            "GPL-3.0-only",
            "MIT AND GPL-3.0-only",
            "MIT OR GPL-3.0-only AND LGPL-2.1-only OR",
            "Apache-2.0 WITH Classpath-exception-2.0",
            "(MIT",
            "MIT MIT",
            "SEE LICENSE IN LICENSE.md",
            "",
        ] {
            assert!(!is_allowed(expression), "{expression}");
        }
    }

    #[test]
    fn packages_of_others_are_looked_at_in_both_worlds() {
        let tree =
            "own v1.0.0 (folder)|MIT\nother v2.0.0|AGPL-3.0-only\nother v2.0.0|AGPL-3.0-only (*)\n";
        let findings: Vec<String> = crates(tree).into_iter().collect();
        assert_eq!(findings, [r#"crate other v2.0.0: "AGPL-3.0-only""#]);

        let lock = json!({"packages": {
            "": {"name": "own"},
            "node_modules/kinora": {"resolved": "../npm", "link": true},
            "node_modules/fine": {"license": "MIT"},
            "node_modules/none": {},
            "node_modules/fine/node_modules/dom-walk": {"version": "0.1.2"},
            "node_modules/dom-walk": {"version": "0.1.3"},
        }});
        let findings = npm_packages(Path::new("package-lock.json"), &lock);
        let nameless = |name| format!("package-lock.json: node_modules/{name}: {:?}", "");
        assert_eq!(findings, [nameless("dom-walk"), nameless("none")]);
    }
}
