//! The stages, cheap ones first: what fails soon should be known soon.

use std::fs;
use std::path::Path;

use anyhow::{Result, bail};

use super::{Run, Stage, hygiene, licences, purity};
use crate::npm::Package;
use crate::size::{Budget, Sizes};
use crate::{bench, demo, soak, web};

const END_TO_END: &str = "tests/e2e";

/// Everything that proves the project.
pub(crate) const STAGES: &[Stage] = &[
    Stage {
        name: "format",
        proves: "rustfmt has nothing to change",
        tools: &["rustc", "rustfmt"],
        after: &[],
        run: |run| run.step(run.workspace.cargo("fmt").args(["--all", "--check"])),
    },
    Stage {
        name: "hygiene",
        proves: "no file names a path or a registry of one machine",
        tools: &[],
        after: &[],
        run: hygiene::run,
    },
    Stage {
        name: "licences",
        proves: "every dependency is under an allowed licence, and the lock file is current",
        tools: &["rustc"],
        after: &[],
        run: licences::run,
    },
    Stage {
        name: "purity",
        proves: "the core depends on nothing that does I/O, and compiles for the web",
        tools: &["rustc"],
        after: &[],
        run: purity::run,
    },
    Stage {
        name: "lint",
        proves: "clippy finds nothing",
        tools: &["rustc", "clippy", "c++"],
        after: &[],
        run: lint,
    },
    Stage {
        name: "rust",
        proves: "the Rust tests pass: units, properties, scenarios, the simulator, documentation",
        tools: &["rustc", "c++", "ffmpeg", "ffprobe"],
        after: &[],
        run: rust,
    },
    Stage {
        name: "soak",
        proves: "2 000 hours of random worlds around the player break no invariant",
        tools: &["rustc"],
        after: &[],
        run: |run| {
            run.step(&mut soak::build(run.workspace))?;
            run.step(&mut soak::usual(run.workspace))
        },
    },
    Stage {
        name: "docs",
        proves: "the core's documentation is whole and its links lead somewhere",
        tools: &["rustc"],
        after: &[],
        run: docs,
    },
    Stage {
        name: "web",
        proves: "the npm package builds within its budget, names no path of this machine, and decides as native code does",
        tools: web::TOOLS,
        after: &[],
        run: web_package,
    },
    Stage {
        name: "types",
        proves: "the TypeScript of the package and of the page is sound",
        tools: web::TOOLS,
        after: &["web"],
        run: types,
    },
    Stage {
        name: "npm",
        proves: "the npm package's own tests pass",
        tools: web::TOOLS,
        after: &["web"],
        run: npm,
    },
    Stage {
        name: "e2e",
        proves: "films play in Chromium, over HTTP from the real server",
        tools: &["rustc", "c++", "node", "npm", "ffmpeg", "ffprobe", "chromium"],
        after: &["web"],
        run: end_to_end,
    },
    Stage {
        name: "kotlin",
        proves: "the Kotlin library plays on a JVM",
        tools: &["rustc", "c++", "node", "npm", "ffmpeg", "ffprobe", "java", "jna"],
        after: &[],
        run: kotlin,
    },
];

fn lint(run: &Run<'_>) -> Result<()> {
    let mut command = run.workspace.cargo("clippy");
    run.step(command.args(["--workspace", "--all-targets", "--", "-D", "warnings"]))
}

fn rust(run: &Run<'_>) -> Result<()> {
    // One that fails does not hide others.
    run.step(run.workspace.cargo("test").args(["--workspace", "--no-fail-fast"]))?;
    // What members of the workspace ask of each other decides whether the simulator was in that.
    let mut command = run.workspace.cargo("test");
    run.step(command.args(["--package", "kinora-abr", "--features", "sim"]))
}

fn docs(run: &Run<'_>) -> Result<()> {
    let mut command = run.workspace.cargo("doc");
    command.args(["--no-deps", "--package", "kinora-abr", "--package", "kinora-core"]);
    command.args(["--features", "kinora-abr/sim"]);
    run.step(command.env("RUSTDOCFLAGS", "-D warnings"))
}

fn web_package(run: &Run<'_>) -> Result<()> {
    let dist = web::build(run.workspace)?;
    let sizes = Sizes::of(run.workspace, &dist)?;
    let budget = Budget::read(&run.workspace.path(web::NPM_PACKAGE).join("size-budget.json"))?;
    run.note(&sizes.table(&budget))?;
    eprint!("{}", sizes.table(&budget));
    budget.check(&sizes)?;
    bench::abr::same_decisions(run.workspace)?;
    names_no_path(run, &dist)
}

/// What is published must not say where it was built.
fn names_no_path(run: &Run<'_>, dist: &Path) -> Result<()> {
    let root = run.workspace.root().to_string_lossy().into_owned();
    for entry in fs::read_dir(dist)? {
        let path = entry?.path();
        if path.is_file() && contains(&fs::read(&path)?, root.as_bytes()) {
            bail!("{} names {root}", path.display());
        }
    }
    Ok(())
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len().max(1)).any(|window| window == wanted)
}

fn types(run: &Run<'_>) -> Result<()> {
    for relative in [web::NPM_PACKAGE, demo::PAGE] {
        let package = Package::new(run.workspace, relative);
        package.install()?;
        run.step(&mut package.script("check"))?;
    }
    Ok(())
}

fn npm(run: &Run<'_>) -> Result<()> {
    let package = Package::new(run.workspace, web::NPM_PACKAGE);
    package.install()?;
    run.step(&mut package.script("test"))
}

fn end_to_end(run: &Run<'_>) -> Result<()> {
    demo::build_page(run.workspace)?;
    // One by one, as the Kotlin tests do: what is built together shares its features, and would
    // have to be compiled again for them.
    for package in ["kinora-server", "kinora-tests"] {
        run.step(run.workspace.cargo("build").args(["--package", package, "--bins"]))?;
    }
    let tests = Package::new(run.workspace, END_TO_END);
    tests.install()?;
    let mut command = tests.script("test");
    command
        .env("KINORA_SERVER", run.workspace.binary("kinora-server"))
        .env("KINORA_LAB", run.workspace.binary("kinora-lab"));
    run.step(&mut command)
}

fn kotlin(run: &Run<'_>) -> Result<()> {
    let script = run.workspace.path("platforms/mobile/kotlin/test.sh");
    run.step(&mut run.workspace.command(script))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_found_anywhere_in_a_file() {
        assert!(contains(b"\0\x01/srv/kinora/src\0", b"/srv/kinora"));
        assert!(!contains(b"kinora/src", b"/srv/kinora"));
        assert!(!contains(b"", b"/srv"));
    }
}
