//! `cargo xtask test`: everything that proves the project, in stages.

mod hygiene;
mod licences;
mod purity;
mod stages;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;

use crate::process;
use crate::progress::{Progress, seconds};
use crate::workspace::Workspace;
use crate::{install, requirements};

pub(crate) use stages::STAGES;

/// Options of `cargo xtask test`.
#[derive(Args)]
pub(crate) struct Options {
    /// Run only these stages; may be given more than once
    #[arg(long, value_name = "NAME", value_parser = stage_names())]
    only: Vec<String>,
    /// List the stages and what each proves
    #[arg(long)]
    list: bool,
}

fn stage_names() -> clap::builder::PossibleValuesParser {
    STAGES.iter().map(|stage| stage.name).collect::<Vec<_>>().into()
}

/// One part of the proof.
pub(crate) struct Stage {
    pub(crate) name: &'static str,
    pub(crate) proves: &'static str,
    /// Names of the requirements it calls.
    pub(crate) tools: &'static [&'static str],
    /// Stages whose failure makes this one pointless.
    pub(crate) after: &'static [&'static str],
    pub(crate) run: fn(&Run<'_>) -> Result<()>,
}

/// A stage under way.
pub(crate) struct Run<'a> {
    pub(crate) workspace: &'a Workspace,
    log: PathBuf,
    progress: Progress,
}

impl Run<'_> {
    /// A command whose output goes to the stage's log.
    pub(crate) fn step(&self, command: &mut Command) -> Result<()> {
        self.note(&format!("$ {}", process::describe(command)))?;
        process::run_logged(command, &self.log, &self.progress, str::to_owned)
    }

    /// A line in the stage's log.
    pub(crate) fn note(&self, line: &str) -> Result<()> {
        use std::io::Write as _;
        let mut log = std::fs::File::options().append(true).open(&self.log)?;
        writeln!(log, "{line}")?;
        Ok(())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failed,
    /// A stage it builds on has failed.
    Blocked,
}

struct Report {
    name: &'static str,
    outcome: Outcome,
    took: Duration,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    if options.list {
        for stage in STAGES {
            println!("{:<10} {}", stage.name, stage.proves);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let chosen = |stage: &&Stage| {
        options.only.is_empty() || options.only.iter().any(|name| name == stage.name)
    };
    let stages: Vec<&Stage> = STAGES.iter().filter(chosen).collect();
    let tools: Vec<&str> = requirements::all()
        .iter()
        .map(|requirement| requirement.name)
        .filter(|name| stages.iter().any(|stage| stage.tools.contains(name)))
        .collect();
    install::ensure(workspace, &tools)?;

    let mut reports: Vec<Report> = Vec::new();
    for stage in stages {
        let report = match blocker(stage, &reports) {
            Some(blocker) => {
                eprintln!("{}: not run, {blocker} failed", stage.name);
                Report { name: stage.name, outcome: Outcome::Blocked, took: Duration::ZERO }
            }
            None => run_stage(workspace, stage)?,
        };
        reports.push(report);
    }
    print!("{}", table(&reports));
    if reports.iter().all(|report| report.outcome == Outcome::Passed) {
        Ok(ExitCode::SUCCESS)
    } else {
        Ok(ExitCode::FAILURE)
    }
}

fn run_stage(workspace: &Workspace, stage: &Stage) -> Result<Report> {
    let log = process::log_path(workspace, &format!("test {}", stage.name))?;
    let run = Run { workspace, log, progress: Progress::start(stage.name) };
    let result = (stage.run)(&run);
    process::wait_if_interrupted();
    let took = run.progress.elapsed();
    let outcome = match result {
        Ok(()) => {
            run.progress.done();
            Outcome::Passed
        }
        Err(error) => {
            run.note(&format!("error: {error:#}"))?;
            run.progress.failed();
            process::print_tail(&run.log);
            Outcome::Failed
        }
    };
    Ok(Report { name: stage.name, outcome, took })
}

fn blocker(stage: &Stage, reports: &[Report]) -> Option<&'static str> {
    reports
        .iter()
        .find(|report| report.outcome != Outcome::Passed && stage.after.contains(&report.name))
        .map(|report| report.name)
}

fn table(reports: &[Report]) -> String {
    let mut table = String::from("\n");
    for Report { name, outcome, took } in reports {
        let outcome = match outcome {
            Outcome::Passed => "passed",
            Outcome::Failed => "FAILED",
            Outcome::Blocked => "not run",
        };
        let _ = writeln!(table, "{name:<12} {outcome:<8} {:>12}", seconds(*took)); // a String takes all
    }
    let passed = reports.iter().filter(|report| report.outcome == Outcome::Passed).count();
    let _ = writeln!(table, "\n{passed} passed, {} failed", reports.len() - passed);
    table
}

/// Fails with the findings, one a line, unless there are none.
fn no_findings(run: &Run<'_>, what: &str, findings: &[String]) -> Result<()> {
    for finding in findings {
        run.note(finding)?;
    }
    if findings.is_empty() { Ok(()) } else { bail!("{} {what}", findings.len()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(name: &'static str, outcome: Outcome) -> Report {
        Report { name, outcome, took: Duration::from_millis(1500) }
    }

    #[test]
    fn what_could_not_run_counts_as_failed() {
        let reports = [
            report("web", Outcome::Failed),
            report("e2e", Outcome::Blocked),
            report("unit", Outcome::Passed),
        ];
        assert!(table(&reports).ends_with("\n1 passed, 2 failed\n"));
    }

    #[test]
    fn a_stage_is_blocked_by_what_it_builds_on_alone() {
        let stage = |after| Stage { name: "e2e", proves: "", tools: &[], after, run: |_| Ok(()) };
        let reports = [report("unit", Outcome::Failed), report("web", Outcome::Blocked)];
        assert_eq!(blocker(&stage(&["web"]), &reports), Some("web"));
        assert_eq!(blocker(&stage(&[]), &reports), None);
    }

    #[test]
    fn stages_build_on_earlier_stages() {
        for (index, stage) in STAGES.iter().enumerate() {
            for name in stage.after {
                assert!(STAGES[..index].iter().any(|earlier| earlier.name == *name), "{name}");
            }
        }
    }
}
