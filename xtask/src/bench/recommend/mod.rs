//! `cargo xtask bench recommend`: the recommender beside implicit's alternating least squares.
//!
//! Both get the same splits, choose their settings by the same validation part, train on one thread, and are
//! measured by the same code. The datasets lie inside packages of others; they are fetched into the user's
//! cache and stay there.

mod cache;
mod goals;

use std::fs;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::{Value, json};

use crate::workspace::Workspace;
use crate::{install, process};
use cache::{Cache, Dataset};

const SCRIPTS: &str = "tests/peers/recommend";
const TOOLS: &[&str] = &["rustc", "pip"];

/// Options of `cargo xtask bench recommend`.
#[derive(Args)]
pub(crate) struct Options {
    /// Print the figures as JSON on standard output
    #[arg(long)]
    json: bool,
    /// Only cases whose name holds this: ml-100k, ml-100k-temporal, latest-small, latest-small-temporal
    #[arg(long, default_value = "")]
    filter: String,
    /// Seeds of the random splits
    #[arg(long, default_value = "1,2,3")]
    seeds: String,
    /// Measure without the peer
    #[arg(long)]
    alone: bool,
}

struct Case {
    name: &'static str,
    dataset: Dataset,
    arguments: &'static [&'static str],
}

const CASES: &[Case] = &[
    Case { name: "ml-100k", dataset: Dataset::Ml100k, arguments: &["--split", "random"] },
    Case {
        name: "ml-100k-temporal",
        dataset: Dataset::Ml100k,
        arguments: &["--split", "temporal"],
    },
    Case {
        name: "latest-small",
        dataset: Dataset::LatestSmall,
        arguments: &["--split", "random", "--core", "5"],
    },
    Case {
        name: "latest-small-temporal",
        dataset: Dataset::LatestSmall,
        arguments: &["--split", "temporal", "--core", "5"],
    },
];

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    let cases: Vec<&Case> =
        CASES.iter().filter(|case| case.name.contains(&options.filter)).collect();
    if cases.is_empty() {
        bail!("no case holds `{}` in its name", options.filter);
    }
    install::ensure(workspace, TOOLS)?;
    let cache = Cache::open(workspace)?;
    let mut build = workspace.cargo("build");
    build.args(["--release", "--package", "kinora-server"]);
    process::run(workspace, "build the server", &mut build)?;

    let mut figures = serde_json::Map::new();
    let mut missed = Vec::new();
    for case in cases {
        let dataset = cache.dataset(workspace, case.dataset)?;
        let folder = workspace.target().join("bench/recommend").join(case.name);
        fs::create_dir_all(&folder)?;
        let evaluate = |more: &[&str]| {
            let mut command = workspace.command(workspace.target().join("release/kinora-server"));
            command.args(["recommend", "evaluate"]).arg(&dataset).args(case.arguments);
            command.args(["--seeds", &options.seeds]).args(more);
            command
        };
        let rankings = folder.join("als.json");
        if !options.alone {
            if folder.join("splits").exists() {
                fs::remove_dir_all(folder.join("splits"))?;
            }
            let mut split = evaluate(&["--write-splits"]);
            process::output(split.arg(folder.join("splits")))?;
            let mut peer = workspace.command(cache.python());
            peer.arg(workspace.path(SCRIPTS).join("als.py"))
                .arg(folder.join("splits"))
                .arg(&rankings);
            process::run(workspace, &format!("{}: the peer", case.name), &mut peer)?;
        }
        let written = folder.join("report.json");
        let mut measure = evaluate(&["--report"]);
        measure.arg(&written);
        if !options.alone {
            measure.arg("--compare").arg(&rankings);
        }
        if options.json {
            process::output(&mut measure)?;
        } else {
            println!("# {}\n", case.name);
            show(&mut measure)?;
            println!();
        }
        let report: Value = serde_json::from_str(&fs::read_to_string(&written)?)?;
        let shortfalls = goals::missed(&report).context("a report without figures")?;
        missed.extend(shortfalls.iter().map(|goal| format!("{}: {goal}", case.name)));
        figures.insert(case.name.to_owned(), report);
    }
    if options.json {
        println!("{:#}", json!({"cases": figures, "missed": missed}));
    } else if missed.is_empty() {
        println!(
            "Every goal is reached: more is found than by any other, in less time, and pages take a millisecond."
        );
    } else {
        missed.iter().for_each(|goal| println!("Missed: {goal}"));
    }
    Ok(if missed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs a command that shows its progress on standard error, and prints what it says.
fn show(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    process::check(output.status, command)?;
    print!("{}", String::from_utf8_lossy(&output.stdout));
    Ok(())
}
