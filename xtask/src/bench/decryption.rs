//! `cargo xtask bench decryption`: how fast media is decrypted, natively beside OpenSSL, and in WebAssembly.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use serde::Deserialize;
use serde_json::json;

use crate::workspace::Workspace;
use crate::{install, process, web};

const CRATE: &str = "kinora-cenc-web";
const MODULE: &str = "kinora_cenc_web.wasm";
const SCRIPT: &str = "tests/bench/src/decryption.js";
const TOOLS: &[&str] = &["rustc", "node"];

/// Options of `cargo xtask bench decryption`.
#[derive(Args)]
pub(crate) struct Options {
    /// Print the figures as JSON on standard output
    #[arg(long)]
    json: bool,
}

/// Millions of bytes of media a second.
#[derive(Deserialize)]
struct Figures {
    /// Whole samples of `cenc`.
    cenc: f64,
    /// Samples of `cbcs`, one block in ten encrypted.
    cbcs: f64,
    /// HLS `AES-128`.
    segments: f64,
}

/// Natively, and OpenSSL where it is installed.
#[derive(Deserialize)]
struct Native {
    kinora: Figures,
    openssl: Openssl,
}

#[derive(Deserialize)]
struct Openssl {
    cenc: Option<f64>,
    segments: Option<f64>,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    install::ensure(workspace, TOOLS)?;
    let Native { kinora: native, openssl } = native(workspace)?;
    let web = in_webassembly(workspace)?;
    let rows = [
        ("cenc", native.cenc, openssl.cenc, web.cenc),
        ("cbcs, 1:9", native.cbcs, None, web.cbcs),
        ("whole segments", native.segments, openssl.segments, web.segments),
    ];
    if options.json {
        let of = |(name, native, openssl, wasm): &(&str, f64, Option<f64>, f64)| json!({"what": name, "native_mb_s": native, "openssl_mb_s": openssl, "wasm_mb_s": wasm});
        println!("{:#}", json!(rows.iter().map(of).collect::<Vec<_>>()));
        return Ok(ExitCode::SUCCESS);
    }
    println!(
        "{:<16} {:>12} {:>12} {:>8} {:>12}",
        "MB/s", "native", "OpenSSL", "ratio", "WebAssembly"
    );
    for (name, native, openssl, web) in rows {
        let [theirs, ratio] = match openssl {
            Some(theirs) => [format!("{theirs:.0}"), format!("{:.2}", native / theirs)],
            None => [String::new(), String::new()],
        };
        println!("{name:<16} {native:>12.0} {theirs:>12} {ratio:>8} {web:>12.0}");
    }
    Ok(ExitCode::SUCCESS)
}

fn native(workspace: &Workspace) -> Result<Native> {
    let mut command = workspace.cargo("run");
    command.args(["--quiet", "--release", "--package", "kinora-cenc", "--example", "throughput"]);
    serde_json::from_str(&process::output(&mut command)?).context("no figures of native code")
}

fn in_webassembly(workspace: &Workspace) -> Result<Figures> {
    let folder = workspace.target().join("bench/decryption");
    let compiled = web::compile(workspace, &["--package", CRATE])?;
    web::bind(workspace, &compiled.join(MODULE), &folder, "cenc")?;
    let mut command = workspace.command("node");
    command.arg(workspace.path(SCRIPT)).arg(&folder);
    serde_json::from_str(&process::output(&mut command)?).context("no figures of WebAssembly")
}
