//! `cargo xtask bench manifests`: the parsers beside those of other players.
//!
//! In Chromium against JavaScript and WebAssembly, each in a fresh page; natively against other
//! crates, each in a fresh process. Cold is the median of first calls, best the fastest call of all.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result};
use clap::Args;
use serde_json::json;

use super::figures::Figures;
use super::module_sizes;
use crate::npm::Package;
use crate::workspace::Workspace;
use crate::{install, process, web};

/// The contenders in the browser, and what drives them.
const PACKAGE: &str = "tests/bench";
/// The parsers as a module of their own.
const CRATE: &str = "kinora-manifest-web";
const MODULE: &str = "kinora_manifest_web.wasm";
const TOOLS: &[&str] = &["rustc", "node", "npm", "chromium"];

/// Options of `cargo xtask bench manifests`.
#[derive(Args)]
pub(crate) struct Options {
    /// Print the figures as JSON on standard output
    #[arg(long)]
    json: bool,
    /// Only cases whose name holds this
    #[arg(long, default_value = "")]
    filter: String,
    /// Fresh pages, and fresh processes, for each figure
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Print what the parsers weigh in the browser instead of how long they take
    #[arg(long)]
    sizes: bool,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    install::ensure(workspace, TOOLS)?;
    if options.sizes {
        return sizes(workspace, options);
    }
    let native = Native::build(workspace)?;
    let page = Page::build(workspace)?;
    native.write_fixtures(workspace, &page.fixtures)?;
    let in_chromium = page.measure(workspace, options)?;
    let natively = native.measure(workspace, options)?;
    if options.json {
        println!("{:#}", json!({"chromium": in_chromium.as_json(), "native": natively.as_json()}));
    } else {
        println!("In Chromium\n\n{}\nNatively\n\n{}", in_chromium.table(), natively.table());
    }
    Ok(ExitCode::SUCCESS)
}

fn sizes(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    let folder = workspace.target().join("bench/sizes");
    let mut modules = Vec::new();
    for (name, features) in [
        ("none", ""),
        ("hls", "hls"),
        ("dash", "dash"),
        ("both", "hls,dash"),
        ("all", "hls,dash,reload"),
    ] {
        let compiled = web::compile(
            workspace,
            &["--package", CRATE, "--no-default-features", "--features", features],
        )?
        .join(MODULE);
        // The names are gone once it is optimised.
        let named = folder.join(format!("{name}-named.wasm"));
        std::fs::create_dir_all(&folder)?;
        std::fs::copy(&compiled, &named)
            .with_context(|| format!("no module {}", compiled.display()))?;
        web::bind(workspace, &compiled, &folder, name)?;
        modules.push((name, folder.join(format!("{name}_bg.wasm"))));
    }
    let report = module_sizes::Report::of(workspace, &modules, &folder.join("both-named.wasm"))?;
    if options.json {
        println!("{:#}", report.as_json());
    } else {
        print!("{}", report.table());
    }
    Ok(ExitCode::SUCCESS)
}

/// The program that measures natively.
struct Native;

impl Native {
    fn build(workspace: &Workspace) -> Result<Self> {
        let mut command = Self::cargo(workspace);
        process::run(workspace, "compile the native benchmark", command.arg("--no-run"))?;
        Ok(Self)
    }

    fn cargo(workspace: &Workspace) -> Command {
        let mut command = workspace.cargo("bench");
        command.args(["--package", "kinora-tests", "--bench", "manifests"]);
        command
    }

    fn write_fixtures(&self, workspace: &Workspace, folder: &Path) -> Result<()> {
        let mut command = Self::cargo(workspace);
        command.args(["--", "--fixtures"]).arg(folder);
        process::run(workspace, "write the manifests", &mut command)
    }

    fn measure(&self, workspace: &Workspace, options: &Options) -> Result<Figures> {
        let mut command = Self::cargo(workspace);
        command
            .args(["--quiet", "--", "--filter", &options.filter, "--rounds"])
            .arg(options.rounds.to_string());
        Figures::parse(&measured(&mut command)?)
    }
}

/// The page that measures in the browser.
struct Page {
    dist: PathBuf,
    kinora: PathBuf,
    fixtures: PathBuf,
}

impl Page {
    fn build(workspace: &Workspace) -> Result<Self> {
        let folder = workspace.target().join("bench");
        let page = Self {
            dist: folder.join("dist"),
            kinora: folder.join("kinora"),
            fixtures: folder.join("manifests"),
        };
        let compiled = web::compile(workspace, &["--package", CRATE])?;
        web::bind(workspace, &compiled.join(MODULE), &page.kinora, "manifests")?;
        let package = Package::new(workspace, PACKAGE);
        package.install()?;
        let mut command = package.npm();
        command.args(["run", "--silent", "build", "--"]).arg(&page.dist);
        process::run(workspace, "bundle the other players' parsers", &mut command)?;
        Ok(page)
    }

    fn measure(&self, workspace: &Workspace, options: &Options) -> Result<Figures> {
        let package = Package::new(workspace, PACKAGE);
        let mut command = package.npm();
        command.args(["run", "--silent", "manifests", "--"]);
        for (flag, folder) in
            [("--fixtures", &self.fixtures), ("--dist", &self.dist), ("--kinora", &self.kinora)]
        {
            command.arg(flag).arg(folder);
        }
        command.args(["--filter", &options.filter, "--rounds"]).arg(options.rounds.to_string());
        Figures::parse(&measured(&mut command)?)
    }
}

/// What a program that measures prints; its progress goes to standard error meanwhile.
fn measured(command: &mut Command) -> Result<String> {
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut group = process::Group::spawn(command)?;
    let mut text = String::new();
    if let Some(output) = &mut group.child().stdout {
        std::io::Read::read_to_string(output, &mut text)?;
    }
    let status = group.child().wait()?;
    process::wait_if_interrupted();
    process::check(status, command)?;
    Ok(text)
}
