//! Results as tables for people.

use std::fmt::Write as _;

use kinora_abr::sim::{Goal, Outcome};

use super::statistics::{Figure, Part, feasible};
use super::{Results, SetResults};

/// One table per set, and the mean over the sets if there are several.
pub fn tables(results: &Results) -> String {
    let mut text = String::new();
    for set in &results.sets {
        let _ = writeln!(text, "{}\n{}", heading(set), set_table(set));
    }
    let comparable = results.sets.iter().all(|set| set.optimum.is_some());
    if comparable && results.sets.len() > 1 {
        let _ = writeln!(text, "Mean of {} sets\n{}", results.sets.len(), mean_table(results));
    }
    if comparable {
        text.push_str(LEGEND);
    }
    text
}

const LEGEND: &str = "\
NQ: normalised quality, 0 for always the lowest rung and 100 for the best that could have been done
had the network been known, over the networks where that stalls at most 5 %. lin: by the linear
quality of experience (Mbit/s); score: by utility per time. [95 % of the bootstrap]; a third of the
networks, chosen by their names, is kept apart for validation.
";

fn heading(set: &SetResults) -> String {
    let traces = set.traces.len();
    match &set.optimum {
        None => format!("{}: {traces} networks", set.name),
        Some(_) => format!(
            "{}: {traces} networks, {} of them feasible ({} for validation)",
            set.name,
            feasible(set, Part::All),
            feasible(set, Part::Validation)
        ),
    }
}

const PARTS: [Part; 3] = [Part::All, Part::Tuning, Part::Validation];
const GOALS: [Goal; 2] = [Goal::Linear, Goal::Score];

fn set_table(set: &SetResults) -> String {
    let mut rows = vec![header(set.optimum.is_some(), true)];
    for (name, outcomes) in &set.outcomes {
        let mut row = vec![name.clone()];
        if set.optimum.is_some() {
            for goal in GOALS {
                let parts = PARTS.map(|part| Figure::normalised(set, outcomes, goal, part));
                row.extend(cells(&parts, 1));
            }
        }
        let mean = |figure: fn(&Outcome) -> f64| Figure::mean(set, outcomes, figure, Part::All);
        row.extend([mean(|o| o.linear), mean(|o| o.score)].map(|figure| with_interval(&figure, 3)));
        let plain = [
            (mean(|o| o.kbps), 0),
            (mean(|o| 100.0 * o.stall_ratio), 2),
            (mean(|o| o.stalls), 2),
            (mean(|o| o.change_kbps), 0),
            (mean(|o| o.startup_s), 2),
        ];
        row.extend(plain.iter().map(|(figure, places)| number(figure, *places)));
        rows.push(row);
    }
    aligned(&rows)
}

fn mean_table(results: &Results) -> String {
    let names = results.sets.first().map_or(&[][..], |set| &set.outcomes);
    let mut rows = vec![header(true, false)];
    for (index, (name, _)) in names.iter().enumerate() {
        let mut row = vec![name.clone()];
        for goal in GOALS {
            let parts = PARTS.map(|part| {
                let of =
                    |set: &SetResults| Figure::normalised(set, &set.outcomes[index].1, goal, part);
                let figures: Vec<Figure> = results.sets.iter().filter_map(of).collect();
                Figure::over_sets(&figures)
            });
            row.extend(cells(&parts, 1));
        }
        rows.push(row);
    }
    aligned(&rows)
}

fn header(normalised: bool, means: bool) -> Vec<String> {
    let quality = ["NQlin", "tuning", "validation", "NQscore", "tuning", "validation"];
    let figures = ["lin", "score", "kbit/s", "stalled %", "stalls", "change", "start s"];
    let quality = quality.into_iter().filter(|_| normalised);
    let figures = figures.into_iter().filter(|_| means);
    ["controller"].into_iter().chain(quality).chain(figures).map(str::to_owned).collect()
}

fn cells([all, tuning, validation]: &[Option<Figure>; 3], places: usize) -> [String; 3] {
    [with_interval(all, places), number(tuning, places), number(validation, places)]
}

fn number(figure: &Option<Figure>, places: usize) -> String {
    figure.as_ref().map_or("-".into(), |figure| format!("{:.places$}", figure.value))
}

fn with_interval(figure: &Option<Figure>, places: usize) -> String {
    figure.as_ref().map_or("-".into(), |figure| {
        let interval = figure.interval();
        format!(
            "{:.places$} [{:.places$}, {:.places$}]",
            interval.value, interval.low, interval.high
        )
    })
}

/// Columns: the first to the left, the others to the right.
fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width =
        |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let _ = match column {
                0 => write!(text, "{cell:<width$}"),
                _ => write!(text, "  {cell:>width$}"),
            };
        }
        text.push('\n');
    }
    text
}
