//! The manifest parsers beside other crates, natively. `cargo xtask bench manifests` runs this and
//! the same in a browser, and prints both.

mod fixtures;
mod parsers;

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use clap::Parser;
use serde::{Deserialize, Serialize};

use fixtures::Fixture;
use parsers::{CASES, Contender};

/// Time the manifest parsers natively.
#[derive(Parser)]
struct Arguments {
    /// Only write the manifests into this folder, with an `index.json` of what is in them
    #[arg(long, value_name = "FOLDER")]
    fixtures: Option<PathBuf>,
    /// Processes for each figure; the median of their first calls is the cold one
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Only cases whose name holds this
    #[arg(long, default_value = "")]
    filter: String,
    /// Measure one contender of one case in this process
    #[arg(long, num_args = 2, value_names = ["CASE", "CONTENDER"])]
    one: Option<Vec<String>>,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// What a contender needed for a case.
#[derive(Serialize)]
struct Figure {
    case: &'static str,
    contender: &'static str,
    #[serde(flatten)]
    outcome: Outcome,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Outcome {
    Run(Run),
    Failed { error: String },
}

/// What one process measured.
#[derive(Serialize, Deserialize)]
struct Run {
    cold_ms: f64,
    best_ms: f64,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn std::error::Error>> {
    if let Some(folder) = &arguments.fixtures {
        std::fs::create_dir_all(folder)?;
        let mut index = serde_json::Map::new();
        for Fixture { name, text, segments, periods } in fixtures::all() {
            std::fs::write(folder.join(name), &text)?;
            let facts = serde_json::json!({
                "bytes": text.len(), "segments": segments, "periods": periods,
            });
            index.insert(name.to_owned(), facts);
        }
        std::fs::write(folder.join("index.json"), serde_json::to_string_pretty(&index)?)?;
        return Ok(());
    }
    if let Some(one) = &arguments.one {
        let [case, contender] = one.as_slice() else {
            return Err("a case and a contender".into());
        };
        let fixtures = fixtures::all();
        let contender = parsers::find(case, contender).ok_or("no such contender")?;
        println!("{}", serde_json::to_string(&measure(contender, &fixtures))?);
        return Ok(());
    }
    let mut figures = Vec::new();
    for case in CASES.iter().filter(|case| case.name.contains(&arguments.filter)) {
        for contender in case.contenders {
            eprintln!("{} {}", case.name, contender.name);
            let outcome = rounds(case.name, contender.name, arguments.rounds)
                .map_or_else(|error| Outcome::Failed { error: error.to_string() }, Outcome::Run);
            figures.push(Figure { case: case.name, contender: contender.name, outcome });
        }
    }
    println!("{}", serde_json::to_string_pretty(&figures)?);
    Ok(())
}

/// The first call of a fresh process, and the best that many calls came to.
fn rounds(case: &str, contender: &str, rounds: usize) -> Result<Run, Box<dyn std::error::Error>> {
    let mut runs = Vec::new();
    for _ in 0..rounds.max(1) {
        let mut command = Command::new(std::env::current_exe()?);
        let output = command.args(["--one", case, contender]).output()?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            // After the line that says where come those that say what.
            let reason: Vec<&str> = said.lines().map(str::trim).skip(2).take(3).collect();
            return Err(reason.join(", ").into());
        }
        runs.push(serde_json::from_slice::<Run>(&output.stdout)?);
    }
    runs.sort_by(|a, b| a.cold_ms.total_cmp(&b.cold_ms));
    let best_ms = runs.iter().map(|run| run.best_ms).fold(f64::INFINITY, f64::min);
    Ok(Run { cold_ms: runs[runs.len() / 2].cold_ms, best_ms })
}

fn measure(contender: &Contender, fixtures: &[Fixture]) -> Run {
    const LEAST_CALLS: usize = 5;
    const LONG_ENOUGH: Duration = Duration::from_millis(300);
    let begun = Instant::now();
    let mut calls = Vec::new();
    while calls.len() < LEAST_CALLS || begun.elapsed() < LONG_ENOUGH {
        calls.push((contender.call)(fixtures).as_secs_f64() * 1e3);
    }
    let best_ms = calls.iter().copied().fold(f64::INFINITY, f64::min);
    Run { cold_ms: calls[0], best_ms }
}
