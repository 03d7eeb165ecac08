//! `kinora-server experiments`.

use super::DataDirectory;
use clap::{Args, Subcommand};
use kinora_server::{
    Error, Result,
    experiments::report::{ArmMeasure, Report, report},
    roles::Data,
    storage::{Experiments as _, sqlite::SqliteExperiments},
};
use std::{fmt, io::Write};

/// See which way to watch is better
#[derive(Args)]
pub(crate) struct Experiments {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    data: DataDirectory,
    /// Print as JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum Action {
    /// The experiments, and how they stand
    List,
    /// What became of the viewers of each arm, beside the running service or without one
    ///
    /// Each profile counts once. Differences are to the first arm, with intervals of 95 % by the bootstrap. Where the
    /// arms are not as large as they should be, nothing else is to be believed.
    Report {
        /// The experiment
        experiment: String,
        /// What the bootstrap draws from
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
}

impl Experiments {
    pub(crate) async fn run(self) -> Result<()> {
        let experiments = SqliteExperiments::open(&self.data.path).await?;
        match self.action {
            Action::List => {
                let all = experiments.all().await?;
                if self.json {
                    print(format_args!("{}", serde_json::json!({ "experiments": all })));
                    return Ok(());
                }
                for one in all {
                    let arms: Vec<&str> = one.arms.iter().map(|arm| arm.id.as_str()).collect();
                    let (id, status) =
                        (one.id.as_str(), format!("{:?}", one.status).to_lowercase());
                    let share = f64::from(one.shares) / 100.0;
                    let layer = one.layer.as_str();
                    print(format_args!(
                        "{id:<24} {status:<8} {share:>6.2} % of {layer}: {}",
                        arms.join(", ")
                    ));
                }
            }
            Action::Report { experiment, seed } => {
                let Some(found) = experiments.experiment(&experiment).await? else {
                    let reason =
                        "there is no such experiment; `experiments list` says which there are";
                    return Err(Error::Source {
                        source_name: experiment,
                        reason: reason.to_owned(),
                    });
                };
                let log = Data::new(&self.data.path).event_log().await?;
                let report = report(&log, &found, seed).await?;
                match self.json {
                    true => print(format_args!("{}", serde_json::json!(report))),
                    false => show(&report),
                }
            }
        }
        Ok(())
    }
}

fn show(report: &Report) {
    for arm in &report.arms {
        let (profiles, playbacks) = (arm.profiles, arm.playbacks);
        print(format_args!("{:<24} {profiles:>8} profiles {playbacks:>8} playbacks", arm.arm));
    }
    if report.mixed > 0 {
        print(format_args!("{} profiles were in two arms, and are left out", report.mixed));
    }
    let p = report.split.p;
    match report.split.suspicious {
        true => print(format_args!(
            "the arms are not as large as they should be (p = {p:.2e}): believe nothing below"
        )),
        false => print(format_args!("the arms are as large as they should be (p = {p:.3})")),
    }
    for measure in &report.measures {
        print(format_args!("\n{}", measure.name));
        for ArmMeasure { arm, profiles, mean, difference } in &measure.arms {
            let mean = mean.map_or("-".to_owned(), |mean| format!("{mean:.4}"));
            let difference = difference.map_or(String::new(), |difference| {
                let [low, high] = difference.interval;
                format!("   {:+.4} [{low:+.4}, {high:+.4}]", difference.mean)
            });
            print(format_args!("  {arm:<22} {profiles:>8} {mean:>12}{difference}"));
        }
    }
}

/// A line on standard output. A reader that has gone away is no reason to stop.
fn print(line: fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
