//! `cargo xtask bench abr`: what the adaptive bitrate engine takes, natively and in WebAssembly, what
//! it weighs there, and whether both decide the same.

use std::fmt::Write as _;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Deserialize;
use serde_json::json;

use crate::size::brotli;
use crate::workspace::Workspace;
use crate::{install, process, web};

const CRATE: &str = "kinora-abr-web";
const MODULE: &str = "kinora_abr_web.wasm";
const PROGRAM: &str = "kinora-abr-native";
const SCRIPT: &str = "tests/bench/src/abr.js";
const TOOLS: &[&str] = &["rustc", "node", "npm"];
/// The session whose decisions are compared.
const SEED: &str = "2026";
/// What the engine may take: milliseconds for its tables natively and in WebAssembly, for the
/// longest slice of them there, microseconds for a decision natively, bytes after brotli.
const TABLE_MS: [f64; 2] = [50.0, 150.0];
const SLICE_MS: f64 = 4.0;
const DECIDE_US: f64 = 10.0;
const BROTLI: u64 = 25_000;

/// Options of `cargo xtask bench abr`.
#[derive(Args)]
pub(crate) struct Options {
    /// Print the figures as JSON on standard output
    #[arg(long)]
    json: bool,
    /// Sessions for each figure; given is that of the session which other programs disturbed least
    #[arg(long, default_value_t = 15)]
    rounds: u32,
}

/// What one platform took.
#[derive(Deserialize)]
struct Figures {
    fingerprint: String,
    table_ms: Vec<f64>,
    slice_ms: Vec<f64>,
    decide_us: Vec<f64>,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    install::ensure(workspace, TOOLS)?;
    let brotli = weight(workspace)?;
    let native = native(workspace, true, options.rounds)?;
    let web = in_webassembly(workspace, options.rounds)?;
    compare(&native, &web)?;
    let (native_ms, web_ms) = (least(&native.table_ms), least(&web.table_ms));
    let (native_slice, web_slice) = (least(&native.slice_ms), least(&web.slice_ms));
    let (native_us, web_us) = (least(&native.decide_us), least(&web.decide_us));
    if options.json {
        println!(
            "{:#}",
            json!({
                "fingerprint": native.fingerprint,
                "native": {"table_ms": native_ms, "slice_ms": native_slice, "decide_us": native_us},
                "wasm": {"table_ms": web_ms, "slice_ms": web_slice, "decide_us": web_us, "brotli": brotli},
            })
        );
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = String::new();
    let mut row = |name: &str, native: String, web: String, most: String| {
        let _ = writeln!(table, "{name:<22} {native:>10} {web:>12} {most:>12}"); // a String takes all
    };
    row("", "native".into(), "WebAssembly".into(), "at most".into());
    let milliseconds = |value: f64| format!("{value:.2}");
    row(
        "tables, ms",
        milliseconds(native_ms),
        milliseconds(web_ms),
        format!("{} / {}", TABLE_MS[0], TABLE_MS[1]),
    );
    let (native_slice, web_slice) = (milliseconds(native_slice), milliseconds(web_slice));
    row("longest slice, ms", native_slice, web_slice, SLICE_MS.to_string());
    row("decision, us", milliseconds(native_us), milliseconds(web_us), DECIDE_US.to_string());
    row("bytes after brotli", String::new(), brotli.to_string(), BROTLI.to_string());
    println!("{table}decisions are the same in both ({})", native.fingerprint);
    Ok(ExitCode::SUCCESS)
}

/// Fails unless WebAssembly decides as native code does, to the last bit.
pub(crate) fn same_decisions(workspace: &Workspace) -> Result<()> {
    compare(&native(workspace, false, 1)?, &in_webassembly(workspace, 1)?)
}

fn compare(native: &Figures, web: &Figures) -> Result<()> {
    if native.fingerprint != web.fingerprint {
        bail!(
            "the same session is decided one way natively ({}) and another in WebAssembly ({})",
            native.fingerprint,
            web.fingerprint
        );
    }
    Ok(())
}

fn native(workspace: &Workspace, release: bool, rounds: u32) -> Result<Figures> {
    let mut command = workspace.cargo("run");
    command.args(["--quiet", "--package", CRATE, "--bin", PROGRAM]);
    if release {
        command.arg("--release");
    }
    command.args(["--", SEED]).arg(rounds.to_string());
    figures(&mut command)
}

fn in_webassembly(workspace: &Workspace, rounds: u32) -> Result<Figures> {
    let folder = workspace.target().join("bench/abr");
    let compiled = web::compile(workspace, &["--package", CRATE])?;
    web::bind(workspace, &compiled.join(MODULE), &folder, "abr")?;
    let mut command = workspace.command("node");
    command.arg(workspace.path(SCRIPT)).arg(&folder).arg(SEED).arg(rounds.to_string());
    figures(&mut command)
}

fn figures(command: &mut Command) -> Result<Figures> {
    serde_json::from_str(&process::output(command)?).context("no figures")
}

/// Bytes after brotli of the engine: a module with it less one without.
fn weight(workspace: &Workspace) -> Result<u64> {
    let folder = workspace.target().join("bench/abr-sizes");
    std::fs::create_dir_all(&folder)?;
    let mut modules = Vec::new();
    for (name, features) in [("none", ""), ("engine", "engine")] {
        let compiled = web::compile(
            workspace,
            &["--package", CRATE, "--no-default-features", "--features", features],
        )?;
        web::bind(workspace, &compiled.join(MODULE), &folder, name)?;
        modules.push(folder.join(format!("{name}_bg.wasm")));
    }
    match brotli(workspace, &modules)?[..] {
        [none, engine] => Ok(engine.saturating_sub(none)),
        _ => bail!("two modules have no two sizes"),
    }
}

fn least(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}
