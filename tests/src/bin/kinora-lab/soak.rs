//! `kinora-lab soak`: random worlds, and whether what must hold does hold in them.

use std::io::{IsTerminal, Write, stderr};
use std::process::ExitCode;
use std::thread;

use clap::Args;
use kinora_tests::soak::{self, Options, Plan, Report};

#[derive(Args)]
#[command(after_help = "\
Exit codes:
  0  everything held
  2  the command line makes no sense
  3  something did not hold")]
pub(crate) struct Soak {
    /// Stop after so many simulated hours; 100 if nothing else bounds the run.
    #[arg(long, value_name = "N")]
    hours: Option<f64>,
    /// Seed of the first world; the next worlds have the next seeds.
    #[arg(long, default_value_t = 1, value_name = "S")]
    seed: u64,
    /// Stop after so many worlds, however many hours that is: the next run can begin with the seed after them.
    #[arg(long, value_name = "N")]
    worlds: Option<u64>,
    /// Worlds at a time; as many as there are processors, if absent.
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Stop after so many violations.
    #[arg(long, default_value_t = 20, value_name = "N")]
    violations: usize,
    /// Do not stop, however many violations there are.
    #[arg(long, conflicts_with = "violations")]
    keep_going: bool,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
    /// Live through the one world of this seed, tell its last two minutes, and shrink what goes wrong.
    #[arg(long, value_name = "SEED", conflicts_with_all = ["hours", "seed", "worlds", "jobs", "json"])]
    only: Option<u64>,
    /// With --only: tell all of it.
    #[arg(long, requires = "only")]
    whole: bool,
    /// With --only: do not shrink.
    #[arg(long, requires = "only")]
    as_it_is: bool,
}

const VIOLATED: u8 = 3;
const USUAL_HOURS: f64 = 100.0;

pub(crate) fn run(arguments: &Soak) -> Result<ExitCode, String> {
    if let Some(seed) = arguments.only {
        return Ok(one(seed, arguments));
    }
    let jobs =
        arguments.jobs.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from));
    let options = Options {
        hours: match (arguments.hours, arguments.worlds) {
            (Some(hours), _) => hours,
            (None, Some(_)) => f64::INFINITY,
            (None, None) => USUAL_HOURS,
        },
        seed: arguments.seed,
        worlds: arguments.worlds.unwrap_or(u64::MAX),
        jobs,
        max_violations: if arguments.keep_going { usize::MAX } else { arguments.violations },
    };
    let report = soak::soak(&options, |report| progress(report, options.hours));
    if stderr().is_terminal() {
        eprint!("\r\x1b[K");
    }
    if arguments.json {
        println!("{}", report.json());
    } else {
        println!("{report}");
    }
    if report.violations.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    for (seed, _) in report.violations.iter().take(3) {
        eprintln!("again, alone: cargo xtask soak --only {seed}");
    }
    Ok(ExitCode::from(VIOLATED))
}

fn progress(report: &Report, hours: f64) {
    let mut stderr = stderr();
    if stderr.is_terminal() {
        let _ = write!(
            stderr,
            "\r\x1b[K{:.0}{} hours, {:.0} a second, {} violations",
            report.hours(),
            if hours.is_finite() { format!(" of {hours:.0}") } else { String::new() },
            report.hours_per_second(),
            report.violations.len()
        );
        let _ = stderr.flush();
    }
}

fn one(seed: u64, arguments: &Soak) -> ExitCode {
    let plan = Plan::from_seed(seed);
    let violation = soak::run(&plan).violation;
    let Some(violation) = violation else {
        print!("{}", soak::trace(&plan, arguments.whole));
        return ExitCode::SUCCESS;
    };
    let plan = if arguments.as_it_is { plan } else { soak::shrink(&plan, violation.invariant) };
    print!("{}", soak::trace(&plan, arguments.whole));
    println!("as drawn: {violation}");
    ExitCode::from(VIOLATED)
}
