//! `cargo xtask bench server`: segments beside nginx, and what the service's other answers take.
//!
//! Everything runs on this machine and over loopback, so it is the ratio that says something. Rounds of the contenders
//! alternate, and the median counts.

mod stage;
mod wrk;

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use crate::workspace::Workspace;
use crate::{install, process};
use stage::{Stage, TITLE};
use wrk::{Load, Measured};

pub(crate) const TOOLS: &[&str] = &["rustc", "c++", "wrk", "nginx"];
/// How many segments a second there should be for each of nginx's.
const GOAL: f64 = 0.8;

/// Options of `cargo xtask bench server`.
#[derive(Args)]
pub(crate) struct Options {
    /// Seconds of load for each figure and round
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=30))]
    seconds: u32,
    /// Rounds of each contender
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=15))]
    rounds: u32,
    /// Connections at once
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=512))]
    connections: u32,
    /// Print the figures as JSON on standard output
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    install::ensure(workspace, TOOLS)?;
    let mut command = workspace.cargo("build");
    command.args(["--release", "--package", "kinora-server", "--bin", "kinora-server"]);
    process::run(workspace, "compile the server", &mut command)?;
    let stage = Stage::set(workspace)?;
    let load = Load { seconds: options.seconds, connections: options.connections };

    let contenders = [
        ("nginx", format!("{}/m", stage.nginx)),
        ("kinora", format!("{}/m", stage.kinora)),
        ("kinora, with a token", format!("{}{}", stage.kinora, stage.media)),
    ];
    let mut segments: Vec<(&str, Vec<Measured>)> =
        contenders.iter().map(|(name, _)| (*name, Vec::new())).collect();
    for _ in 0..options.rounds {
        for ((_, base), (_, measured)) in contenders.iter().zip(&mut segments) {
            measured.push(load.segments(workspace, &stage.scratch(), base)?);
        }
    }
    let segments: Vec<(&str, Measured)> =
        segments.into_iter().map(|(name, measured)| (name, median(measured))).collect();
    let nginx = segments.first().map_or(0.0, |(_, measured)| measured.per_second);

    let mut answers = Vec::new();
    for (name, method, path, body, signed) in [
        ("sign-in", "POST", "/v1/sessions".to_owned(), stage.credentials.clone(), false),
        ("catalogue rows", "GET", "/v1/catalog/rows".to_owned(), String::new(), true),
        ("rows for a profile", "GET", "/v1/rows".to_owned(), String::new(), true),
        ("playback start", "POST", format!("/v1/playback/{TITLE}"), String::new(), true),
    ] {
        let token = if signed { stage.token.as_str() } else { "" };
        let url = format!("{}{path}", stage.kinora);
        answers
            .push((name, load.requests(workspace, &stage.scratch(), method, &url, &body, token)?));
    }
    print(options, &segments, nginx, &answers);
    // An answer that is none is quickly given.
    let whole = segments.iter().chain(&answers).all(|(_, measured)| measured.errors == 0);
    let reached = segments.iter().all(|(_, measured)| measured.per_second >= GOAL * nginx) && whole;
    Ok(if reached { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(
    options: &Options,
    segments: &[(&str, Measured)],
    nginx: f64,
    answers: &[(&str, Measured)],
) {
    let figure = |(name, measured): &(&str, Measured)| {
        json!({
            "name": name, "requests_per_second": measured.per_second,
            "p99_ms": measured.p99_ms, "errors": measured.errors,
        })
    };
    if options.json {
        let list = |all: &[(&str, Measured)]| all.iter().map(figure).collect::<Vec<Value>>();
        println!(
            "{:#}",
            json!({"segments": list(segments), "answers": list(answers), "goal": GOAL})
        );
        return;
    }
    println!(
        "{:<22} {:>12} {:>10} {:>10} {:>8}",
        "Segments", "requests/s", "p99 ms", "of nginx", "errors"
    );
    for (name, Measured { per_second, p99_ms, errors }) in segments {
        let ratio = per_second / nginx.max(1e-9);
        println!("{name:<22} {per_second:>12.0} {p99_ms:>10.2} {ratio:>10.2} {errors:>8}");
    }
    println!(
        "\n{:<22} {:>12} {:>10} {:>10} {:>8}",
        "Answers", "requests/s", "p99 ms", "", "errors"
    );
    for (name, Measured { per_second, p99_ms, errors }) in answers {
        println!("{name:<22} {per_second:>12.0} {p99_ms:>10.2} {:>10} {errors:>8}", "");
    }
}

/// The round in the middle, by requests a second.
fn median(mut rounds: Vec<Measured>) -> Measured {
    rounds.sort_by(|a, b| a.per_second.total_cmp(&b.per_second));
    let middle = rounds.len() / 2;
    rounds.swap_remove(middle)
}
