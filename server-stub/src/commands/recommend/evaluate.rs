//! `kinora-server recommend evaluate`.

use super::print;
use clap::{Args, ValueEnum};
use indicatif::ProgressBar;
use kinora_server::{
    Result,
    recommend::{
        Settings, ease,
        evaluate::{
            Contender, Dataset, Difference, Options, Report, Scheme, SplitReport, evaluate,
            peer::{Peer, write_splits},
        },
    },
};
use std::{path::PathBuf, time::Duration};

/// Measure the recommender on a dataset
///
/// Splits the ratings into what to learn from and what to foretell, chooses settings without a look at the
/// latter, and prints NDCG@10 and Recall@20 (all titles ranked, those seen left out), coverage, training time
/// and the time to make a page, beside popularity and plain EASE.
#[derive(Args)]
pub(crate) struct Evaluate {
    /// A table with the columns user, item, rating, timestamp (comma or tab separated, named by a header or in
    /// this order), such as a GroupLens .csv or a RecBole .inter
    #[arg(value_name = "DATASET")]
    dataset: PathBuf,
    /// What is known of the titles; a RecBole .item beside the dataset is found by itself
    #[arg(long, value_name = "FILE")]
    titles: Option<PathBuf>,
    /// What to foretell: a random fifth of each profile's ratings, or the latest fifth of all
    #[arg(long, value_enum, default_value_t = How::Random)]
    split: How,
    /// Random splits, by these seeds
    #[arg(long, value_name = "SEEDS", value_delimiter = ',', default_value = "1,2,3")]
    seeds: Vec<u64>,
    /// Leave out profiles and titles with fewer ratings
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    core: usize,
    /// The most neighbours to keep for a title
    #[arg(long, value_name = "COUNT", default_value_t = ease::Options::default().neighbours)]
    neighbours: usize,
    /// Take the default settings as they are
    #[arg(long)]
    no_tune: bool,
    /// Write the splits for other programs into this directory, and measure nothing
    #[arg(long, value_name = "DIR")]
    write_splits: Option<PathBuf>,
    /// Measure another program's rankings of the same splits, too: {"name", "splits": [{"cpu_seconds",
    /// "rankings": {PROFILE: [ITEM, …]}}]}; repeatable
    #[arg(long, value_name = "FILE")]
    compare: Vec<PathBuf>,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
    /// Write the figures as JSON into this file besides
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum How {
    Random,
    Temporal,
}

impl Evaluate {
    pub(super) fn run(self) -> Result<()> {
        let dataset = Dataset::read(&self.dataset, self.titles.as_deref(), self.core)?;
        let schemes = match self.split {
            How::Random => self.seeds.iter().map(|&seed| Scheme::Random { seed }).collect(),
            How::Temporal => vec![Scheme::Temporal],
        };
        if let Some(directory) = &self.write_splits {
            return Ok(write_splits(&dataset.preferences, &schemes, directory)?);
        }
        let peers =
            self.compare.iter().map(|path| Peer::read(path)).collect::<Result<Vec<_>, _>>()?;
        let ease = ease::Options { neighbours: self.neighbours, ..ease::Options::default() };
        let settings = Settings { ease, ..Settings::default() };
        let options = Options { schemes, settings, tune: !self.no_tune };
        let bar = ProgressBar::new_spinner();
        bar.enable_steady_tick(Duration::from_millis(200));
        let report = evaluate(&dataset, &options, &peers, |what| bar.set_message(what.to_owned()));
        bar.finish_and_clear();
        let report = report?;
        if let Some(path) = &self.report {
            report.write(path)?;
        }
        if self.json {
            print(format_args!("{}", serde_json::json!(report)));
        } else {
            show(&report);
        }
        Ok(())
    }
}

fn show(report: &Report) {
    let Report { profiles, titles, entries, splits, pooled } = report;
    print(format_args!("{profiles} profiles, {titles} titles, {entries} ratings"));
    for split in splits {
        let SplitReport { scheme, asked, contenders, page, settings, .. } = split;
        print(format_args!("\n{scheme}: {asked} profiles asked"));
        print(format_args!(
            "  {:<24} {:>8} {:>10} {:>9} {:>10}   less than kinora",
            "", "NDCG@10", "Recall@20", "coverage", "train CPU"
        ));
        for contender in contenders {
            let difference = split.differences.iter().find(|d| d.to == contender.name);
            show_contender(contender, difference);
        }
        print(format_args!(
            "  a page: {:.3} ms, p99 {:.3} ms, p99 of processor time {}",
            page.p50_ms,
            page.p99_ms,
            page.cpu_p99_ms.map(|ms| format!("{ms:.3} ms")).unwrap_or_default()
        ));
        print(format_args!("  settings: {}", serde_json::json!(settings)));
    }
    if splits.len() > 1 && !pooled.is_empty() {
        print(format_args!("\nover all splits, NDCG@10"));
        for (at, contender) in splits[0].contenders.iter().enumerate() {
            let sum: f64 = splits.iter().map(|split| split.contenders[at].ndcg_at_10).sum();
            let mean = sum / splits.len() as f64;
            let difference = pooled.iter().find(|d| d.to == contender.name).map(words);
            let difference = difference.unwrap_or_default();
            print(format_args!("  {:<24} {mean:>8.4}   {difference}", contender.name));
        }
    }
}

fn show_contender(contender: &Contender, difference: Option<&Difference>) {
    let cpu = contender.cpu_seconds.map(|s| format!("{s:.3} s")).unwrap_or_default();
    print(format_args!(
        "  {:<24} {:>8.4} {:>10.4} {:>9.3} {cpu:>10}   {}",
        contender.name,
        contender.ndcg_at_10,
        contender.recall_at_20,
        contender.coverage_at_10,
        difference.map(words).unwrap_or_default()
    ));
}

fn words(difference: &Difference) -> String {
    let [low, high] = difference.interval;
    format!("{:+.4} [{low:+.4}, {high:+.4}]", difference.mean)
}
