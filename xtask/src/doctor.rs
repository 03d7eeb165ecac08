//! `cargo xtask doctor`: which tools are here, which are missing, what each is for.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use crate::install;
use crate::requirements::{Found, Package, Requirement, all};
use crate::workspace::Workspace;
use crate::{bench, demo, test, wasm_toolchain, web};

/// Options of `cargo xtask doctor`.
#[derive(Args)]
#[command(after_help = "Exit status: 0 everything is here; 1 something is missing.")]
pub(crate) struct Options {
    /// Print JSON on standard output
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    let looked: Vec<(Requirement, Found)> = all()
        .into_iter()
        .map(|requirement| {
            let found = requirement.find();
            (requirement, found)
        })
        .collect();
    let compiler = wasm_toolchain::ways(workspace).first().map(|source| source.describe(workspace));
    let healthy = compiler.is_some() && looked.iter().all(|(_, found)| found.is_usable());
    if options.json {
        println!("{:#}", as_json(&looked, compiler.as_deref(), healthy));
    } else {
        print(looked, compiler.as_deref());
    }
    Ok(if healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(looked: Vec<(Requirement, Found)>, compiler: Option<&str>) {
    for (requirement, found) in &looked {
        let state = match found {
            Found::Yes(Some(version)) => version.to_string(),
            Found::Yes(None) => "here".to_owned(),
            Found::TooOld(version) => format!("{version}, too old"),
            Found::No => "missing".to_owned(),
        };
        let mark = if found.is_usable() { "ok" } else { "--" };
        println!("{mark} {:<9} {state:<16} {}", requirement.name, requirement.purpose);
    }
    let mark = if compiler.is_some() { "ok" } else { "--" };
    let state =
        compiler.unwrap_or("no way to get it; see rustup target add wasm32-unknown-unknown");
    println!("{mark} {:<9} {state}", "wasm32");
    let missing: Vec<Requirement> = looked
        .into_iter()
        .filter(|(_, found)| !found.is_usable())
        .map(|(requirement, _)| requirement)
        .collect();
    if !missing.is_empty() {
        println!("\n{}", install::report(&missing));
    }
}

fn as_json(looked: &[(Requirement, Found)], compiler: Option<&str>, healthy: bool) -> Value {
    let tools: Vec<Value> = looked
        .iter()
        .map(|(requirement, found)| {
            let (state, version) = match found {
                Found::Yes(version) => ("ok", version.as_ref()),
                Found::TooOld(version) => ("too_old", Some(version)),
                Found::No => ("missing", None),
            };
            let (apt, advice): (&[&str], _) = match requirement.source {
                Package::Apt(packages) => (packages, None),
                Package::Advice(advice) => (&[], Some(advice)),
            };
            json!({
                "name": requirement.name,
                "state": state,
                "version": version.map(ToString::to_string),
                "minimum": requirement.minimum().map(ToString::to_string),
                "purpose": requirement.purpose,
                "needed_by": needed_by(requirement.name),
                "apt": apt,
                "advice": advice,
            })
        })
        .collect();
    json!({ "ok": healthy, "tools": tools, "wasm32": compiler })
}

/// The commands and stages that call a tool.
fn needed_by(tool: &str) -> Vec<String> {
    let commands =
        [("web", web::TOOLS), ("demo", demo::TOOLS), ("bench server", bench::server::TOOLS)];
    let stages = test::STAGES.iter().map(|stage| (stage.name, stage.tools));
    let mut names: Vec<String> = commands
        .iter()
        .filter(|(_, tools)| tools.contains(&tool))
        .map(|(name, _)| (*name).to_owned())
        .collect();
    names.extend(
        stages.filter(|(_, tools)| tools.contains(&tool)).map(|(name, _)| format!("test {name}")),
    );
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_is_needed_and_every_needed_tool_is_known() {
        let all = all();
        for requirement in &all {
            assert!(!needed_by(requirement.name).is_empty(), "{}", requirement.name);
        }
        let stages = test::STAGES.iter().flat_map(|stage| stage.tools);
        for tool in web::TOOLS.iter().chain(demo::TOOLS).chain(stages) {
            assert!(all.iter().any(|requirement| requirement.name == *tool), "{tool}");
        }
    }
}
