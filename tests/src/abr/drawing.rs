//! A session as a picture: the network, what was chosen, and what that did to the buffer, beside the best
//! that could have been done.

mod canvas;

use kinora_abr::sim::{Session, Trace, TransferRecord};

use self::canvas::{Canvas, Panel};
use super::Set;

/// What is drawn.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// The title and the buffer.
    pub set: &'a Set,
    /// Which of the set's networks.
    pub trace: usize,
    /// Name of the controller.
    pub controller: &'a str,
    /// What it did.
    pub session: &'a Session,
    /// The best session over the same network.
    pub optimum: &'a Session,
}

const CHOSEN: &str = "#1769c4";
const OPTIMUM: &str = "#e08214";
const NETWORK: &str = "#c9d3dd";
const MEASURED: &str = "#51718f";
const STALL: &str = "#d7263d";
const GIVEN_UP: &str = "#7b2d8e";
const REPLACED: &str = "#2a8c4a";

/// Draws a run as SVG.
pub fn draw(run: &Run<'_>) -> String {
    let (_, trace) = &run.set.traces[run.trace];
    let movie = &run.set.movie;
    let sessions = [run.session, run.optimum];
    let duration_ms = movie.segment_duration_ms * movie.segment_sizes_bits.len() as f64;
    let lasts = |s: &Session| (s.startup_ms + s.stalled_ms + duration_ms) / 1000.0;
    let end_s = sessions.map(lasts).into_iter().fold(0.0, f64::max);

    let mut canvas = Canvas::new(end_s);
    heading(&mut canvas, run);
    canvas.legend(&legend(run));
    draw_network(&mut canvas, run, trace, end_s);
    draw_choices(&mut canvas, run);
    draw_buffer(&mut canvas, run);
    canvas.finish()
}

/// What is there to be seen.
fn legend<'a>(run: &Run<'a>) -> Vec<(&'static str, &'a str)> {
    let Run { session, controller, .. } = *run;
    let entries = [
        (CHOSEN, controller, true),
        (OPTIMUM, "optimum, the network known", true),
        (NETWORK, "network", true),
        (MEASURED, "throughput of a transfer", true),
        (STALL, "stall", session.stalled_ms > 0.0),
        (GIVEN_UP, "× given up", session.abandoned > 0),
        (REPLACED, "▲ fetched again", is_replacement(session).any(|again| again)),
    ];
    let shown = entries.into_iter().filter(|(_, _, shown)| *shown);
    shown.map(|(colour, text, _)| (colour, text)).collect()
}

fn heading(canvas: &mut Canvas, run: &Run<'_>) {
    let (file, _) = &run.set.traces[run.trace];
    let [ours, best] = [run.session, run.optimum].map(|session| session.outcome(&run.set.movie));
    canvas.title(&format!("{} over {file}", run.controller));
    let stalls = match run.session.stalls {
        0 => "no stall".to_owned(),
        1 => format!("1 stall of {:.1} s", ours.stalled_s),
        n => format!("{n} stalls, {:.1} s in all", ours.stalled_s),
    };
    canvas.subtitle(&format!(
        "{}, buffer of {} s  ·  quality of experience {:.3} of {:.3} Mbit/s  ·  mean bitrate {:.2} of {:.2} Mbit/s  ·  \
         {stalls}  ·  start-up {:.1} s",
        run.set.name,
        run.set.buffer_s,
        ours.linear,
        best.linear,
        ours.kbps / 1000.0,
        best.kbps / 1000.0,
        ours.startup_s,
    ));
}

fn draw_network(canvas: &mut Canvas, run: &Run<'_>, trace: &Trace, end_s: f64) {
    let columns = canvas.columns();
    let carried = Carried::new(trace);
    let width_s = end_s / columns as f64;
    let bandwidth: Vec<f64> =
        (0..columns).map(|c| carried.mean_kbps(c as f64 * width_s, width_s) / 1000.0).collect();
    let top = run.set.movie.bitrates_kbps.last().copied().unwrap_or(1.0) / 1000.0;
    let measured: Vec<(f64, f64)> = run
        .session
        .transfers
        .iter()
        .filter(|t| t.elapsed_ms > 0.0)
        .map(|t| ((t.start_ms + t.elapsed_ms) / 1000.0, t.bits / t.elapsed_ms / 1000.0))
        .collect();
    // What exceeds the title's needs by far would flatten what matters.
    let fastest =
        bandwidth.iter().chain(measured.iter().map(|(_, y)| y)).copied().fold(0.0, f64::max);
    let high = fastest.min(3.0 * top);
    let panel = Panel::new(canvas, 190.0, "Network, Mbit/s", high, &canvas::round_ticks(high));
    shade_waits(canvas, &panel, run.session);
    canvas.area(&panel, &bandwidth, NETWORK);
    for (x, y) in measured {
        canvas.dot(&panel, x, y, MEASURED);
    }
    canvas.frame(&panel, false);
}

fn draw_choices(canvas: &mut Canvas, run: &Run<'_>) {
    let rungs = run.set.movie.bitrates_kbps.len();
    let ticks: Vec<(f64, String)> = (0..rungs)
        .map(|rung| (rung as f64 + 0.5, rate(run.set.movie.bitrates_kbps[rung])))
        .collect();
    let height = (26.0 * rungs as f64).clamp(120.0, 300.0);
    let panel = Panel::new(canvas, height, "Bitrate requested", rungs as f64, &ticks);
    shade_waits(canvas, &panel, run.session);
    canvas.steps(&panel, &choices(run.optimum), OPTIMUM, 3.5);
    canvas.steps(&panel, &choices(run.session), CHOSEN, 2.0);
    for (transfer, again) in run.session.transfers.iter().zip(is_replacement(run.session)) {
        let (x, y) = (transfer.start_ms / 1000.0, transfer.rung as f64 + 0.5);
        if transfer.abandoned {
            canvas.mark(&panel, x, y, "×", GIVEN_UP);
        } else if again {
            canvas.mark(&panel, x, y, "▲", REPLACED);
        }
    }
    canvas.frame(&panel, false);
}

fn draw_buffer(canvas: &mut Canvas, run: &Run<'_>) {
    let high = run.set.buffer_s;
    let panel = Panel::new(canvas, 170.0, "Buffer, s", high * 1.06, &canvas::round_ticks(high));
    shade_waits(canvas, &panel, run.session);
    let duration_s = run.set.movie.segment_duration_ms / 1000.0;
    canvas.level(&panel, high);
    canvas.line(&panel, &levels(run.optimum, duration_s), OPTIMUM, 1.5);
    canvas.line(&panel, &levels(run.session, duration_s), CHOSEN, 1.8);
    canvas.frame(&panel, true);
}

fn shade_waits(canvas: &mut Canvas, panel: &Panel, session: &Session) {
    for (from, to) in stalls(session) {
        canvas.band(panel, from, to, STALL);
    }
}

/// When each new segment was requested, and in which rung.
fn choices(session: &Session) -> Vec<(f64, f64)> {
    let requests = session.transfers.iter().zip(is_replacement(session));
    let new = requests.filter(|(transfer, again)| !again && !transfer.abandoned);
    let mut points: Vec<_> =
        new.map(|(transfer, _)| (transfer.start_ms / 1000.0, transfer.rung as f64 + 0.5)).collect();
    if let (Some(last), Some(&(_, y))) = (session.transfers.last(), points.last()) {
        points.push(((last.start_ms + last.elapsed_ms) / 1000.0, y));
    }
    points
}

/// Whether each transfer was of a segment that had been there.
fn is_replacement(session: &Session) -> impl Iterator<Item = bool> {
    session.transfers.iter().scan(0, |next, transfer| {
        let again = transfer.segment < *next;
        if !again && !transfer.abandoned {
            *next = transfer.segment + 1;
        }
        Some(again)
    })
}

/// The buffer over time: it drains while media plays, and jumps when a segment arrives.
fn levels(session: &Session, duration_s: f64) -> Vec<(f64, f64)> {
    let mut points = Vec::new();
    for (transfer, again) in session.transfers.iter().zip(is_replacement(session)) {
        let [start, elapsed, level] =
            [transfer.start_ms, transfer.elapsed_ms, transfer.buffer_ms].map(|ms| ms / 1000.0);
        points.push((start, level));
        if level < elapsed {
            points.push((start + level, 0.0));
        }
        let after = (level - elapsed).max(0.0);
        points.push((start + elapsed, after));
        if !again && !transfer.abandoned {
            points.push((start + elapsed, after + duration_s));
        }
    }
    if let Some(&(at, level)) = points.last() {
        points.push((at + level, 0.0));
    }
    points
}

/// When playback stood still after it had begun.
fn stalls(session: &Session) -> impl Iterator<Item = (f64, f64)> {
    let begun = |transfer: &&TransferRecord| transfer.start_ms >= session.startup_ms;
    session.transfers.iter().filter(begun).filter_map(|transfer| {
        let end_ms = transfer.start_ms + transfer.elapsed_ms;
        let dry_ms = transfer.start_ms + transfer.buffer_ms;
        (dry_ms < end_ms).then_some((dry_ms / 1000.0, end_ms / 1000.0))
    })
}

/// What a network has carried until any time.
struct Carried {
    /// Milliseconds and bits until the end of each period.
    ends: Vec<(f64, f64)>,
}

impl Carried {
    fn new(trace: &Trace) -> Self {
        let ends = trace.0.iter().scan((0.0, 0.0), |end, period| {
            end.0 += period.duration_ms;
            end.1 += period.duration_ms * period.bandwidth_kbps;
            Some(*end)
        });
        Self { ends: ends.collect() }
    }

    fn mean_kbps(&self, from_s: f64, lasts_s: f64) -> f64 {
        let [from, to] = [from_s, from_s + lasts_s].map(|s| self.until(s * 1000.0));
        (to - from) / (lasts_s * 1000.0)
    }

    fn until(&self, ms: f64) -> f64 {
        let Some(&(cycle_ms, cycle_bits)) = self.ends.last() else { return 0.0 };
        let cycles = (ms / cycle_ms).floor();
        let within_ms = ms - cycles * cycle_ms;
        let index = self.ends.partition_point(|end| end.0 < within_ms);
        let (end_ms, end_bits) = self.ends.get(index).copied().unwrap_or((cycle_ms, cycle_bits));
        let before = index.checked_sub(1).map_or((0.0, 0.0), |before| self.ends[before]);
        let share =
            if end_ms > before.0 { (within_ms - before.0) / (end_ms - before.0) } else { 1.0 };
        cycles * cycle_bits + before.1 + share * (end_bits - before.1)
    }
}

fn rate(kbps: f64) -> String {
    if kbps >= 1000.0 {
        format!("{:.1} Mbit/s", kbps / 1000.0)
    } else {
        format!("{kbps:.0} kbit/s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abr::{Contender, Experiment, best_session};
    use kinora_abr::Config;
    use kinora_abr::sim::{Goal, Movie, Period};

    #[test]
    fn a_session_with_stalls_is_drawn_whole() {
        let movie = Movie {
            segment_duration_ms: 2000.0,
            bitrates_kbps: vec![500.0, 1000.0],
            segment_sizes_bits: vec![vec![1e6, 2e6]; 5],
        };
        let period = Period { duration_ms: 1000.0, bandwidth_kbps: 500.0, latency_ms: 0.0 };
        let set = Set {
            name: "set".into(),
            movie,
            buffer_s: 10.0,
            traces: vec![("<slow>.json".into(), Trace(vec![period]))],
        };
        let contender = Contender::new("fixed1", &Config::default()).unwrap();
        let experiment = Experiment {
            sets: vec![set],
            contenders: vec![contender.clone()],
            optimum: true,
            threads: None,
        };
        let session = experiment.session(0, 0, &contender);
        let set = &experiment.sets[0];
        // One segment of 2 s in 2 s, then four of which each takes 4 s.
        let expected = [(4.0, 6.0), (8.0, 10.0), (12.0, 14.0), (16.0, 18.0)];
        assert_eq!(stalls(&session).collect::<Vec<_>>(), expected);
        let levels = levels(&session, 2.0);
        assert_eq!(levels[..3], [(0.0, 0.0), (0.0, 0.0), (2.0, 0.0)]);
        assert_eq!(levels.last(), Some(&(20.0, 0.0)));

        let optimum = best_session(set, 0, Goal::Linear);
        let run = Run { set, trace: 0, controller: "fixed1", session: &session, optimum: &optimum };
        let picture = draw(&run);
        assert!(picture.contains("fixed1 over &lt;slow&gt;.json"));
        assert!(picture.contains("4 stalls, 8.0 s in all"));
        assert!(picture.contains(">stall</text>") && !picture.contains("given up"));
        assert_eq!(picture.matches("fill-opacity").count(), 3 * expected.len());
        assert!(!picture.contains("NaN") && !picture.contains("inf"));
    }
}
