//! `kinora-lab abr`: rules that choose bitrates over recorded networks.

use std::io::{IsTerminal, Write, stderr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use kinora_abr::Config;
use kinora_abr::sim::Goal;
use kinora_tests::abr::{
    Contender, Experiment, Results, Run, Set, SetDescription, UnknownController, best_session,
    draw, known_optimum, tables,
};

use crate::files::{read, write};

#[derive(Args)]
#[command(after_long_help = "\
Controllers as the player ships them: throughput, bola, dynamic, ... (kinora-lab abr --list names
all). Published rules as their authors evaluated them, for comparison: tput, bolae, dynamicdash, ...;
fixedN is always rung N. Each of these starts with the first segment in the lowest rung. engine:NAME
is a shipped one inside the whole engine, called as a player calls it, from the first segment on.

A network is a JSON list of {\"duration_ms\", \"bandwidth_kbps\", \"latency_ms\"}, played in order and
again from the start at its end. A title is {\"segment_duration_ms\", \"bitrates_kbps\",
\"segment_sizes_bits\"}. A listing for --sets is a JSON list of {\"name\", \"traces\", \"movie\",
\"buffer\", \"segments\"}, with paths relative to it.

Example:
  kinora-lab abr --traces networks/3g --movie film.json --buffer 25 \\
      --controller kinora dynamicdash --optimum --json 3g.json --draw 3g.svg

Exit codes:
  0  done
  1  a file cannot be read or written, or holds something else
  2  the command line makes no sense")]
pub(crate) struct Abr {
    /// Folder of recorded networks (*.json).
    #[arg(long, value_name = "DIR", requires_all = ["movie", "buffer"])]
    traces: Option<PathBuf>,
    /// The title: bitrates and segment sizes.
    #[arg(long, value_name = "FILE", requires = "traces")]
    movie: Option<PathBuf>,
    /// The most the buffer may hold.
    #[arg(long, value_name = "SECONDS", requires = "traces")]
    buffer: Option<f64>,
    /// Play only so many segments of the title.
    #[arg(long, value_name = "COUNT", requires = "traces")]
    segments: Option<usize>,
    /// Instead of --traces: run over every set of a listing.
    #[arg(long, value_name = "FILE", conflicts_with = "traces", required_unless_present_any = ["traces", "list"])]
    sets: Option<PathBuf>,
    /// Who takes part.
    #[arg(
        long = "controller",
        value_name = "NAME",
        num_args = 1..,
        required_unless_present = "list",
        value_parser = controller_name
    )]
    controllers: Vec<String>,
    /// Configuration of the controllers that the player ships (JSON); what it leaves out is as usual.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Look for the best that could have been done over each network, and compare with it.
    #[arg(long)]
    optimum: bool,
    /// Compare with the optimum that an earlier run wrote: its --json file, or a folder of SET.json.
    #[arg(long, value_name = "PATH", conflicts_with = "optimum")]
    optimum_from: Option<PathBuf>,
    /// Write the figures of every session. With --sets: to a folder, one file per set.
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,
    /// Draw one session (SVG): network, decisions beside the optimum's, buffer and stalls.
    #[arg(long, value_name = "FILE")]
    draw: Option<PathBuf>,
    /// Which network is drawn, by file name; the first by default.
    #[arg(long, value_name = "NAME", requires = "draw")]
    draw_trace: Option<String>,
    /// Which controller is drawn, of those that take part; the first by default.
    #[arg(long, value_name = "NAME", requires = "draw")]
    draw_controller: Option<String>,
    /// How many threads work; as many as there are cores by default.
    #[arg(long, value_name = "COUNT")]
    threads: Option<NonZeroUsize>,
    /// Print the names of all controllers and stop.
    #[arg(long)]
    list: bool,
}

fn controller_name(name: &str) -> Result<String, UnknownController> {
    Contender::new(name, &Config::default()).map(|contender| contender.name)
}

pub(crate) fn run(arguments: &Abr) -> Result<ExitCode, String> {
    if arguments.list {
        for name in Contender::names() {
            println!("{name}");
        }
        return Ok(ExitCode::SUCCESS);
    }
    let config = config(arguments)?;
    let contenders = arguments.controllers.iter().map(|name| Contender::new(name, &config));
    let contenders =
        contenders.collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
    let sets = descriptions(arguments)?.iter().map(SetDescription::read).collect::<Result<_, _>>();
    let sets: Vec<Set> = sets.map_err(|error| error.to_string())?;
    let optima = match &arguments.optimum_from {
        Some(path) => {
            let known = sets.iter().map(|set| known_optimum(path, set)).collect::<Result<_, _>>();
            Some(known.map_err(|error| error.to_string())?)
        }
        None => None,
    };

    let experiment =
        Experiment { sets, contenders, optimum: arguments.optimum, threads: arguments.threads };
    let mut progress = Progress::new();
    let mut results = experiment.run(|done, of| progress.show(done, of));
    progress.clear();
    if let Some(optima) = optima {
        results.compare_with(optima);
    }
    print!("{}", tables(&results));
    if let Some(path) = &arguments.json {
        write_json(path, &results, arguments.sets.is_some())?;
    }
    if let Some(path) = &arguments.draw {
        write(path, picture(arguments, &experiment)?)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn config(arguments: &Abr) -> Result<Config, String> {
    let Some(path) = &arguments.config else { return Ok(Config::default()) };
    serde_json::from_slice(&read(path)?)
        .map_err(|error| format!("{} is not a configuration: {error}", path.display()))
}

fn descriptions(arguments: &Abr) -> Result<Vec<SetDescription>, String> {
    if let Some(listing) = &arguments.sets {
        return SetDescription::read_listing(listing).map_err(|error| error.to_string());
    }
    let (Some(traces), Some(movie), Some(buffer)) =
        (&arguments.traces, &arguments.movie, arguments.buffer)
    else {
        return Err("--traces, --movie and --buffer belong together".into());
    };
    let set = SetDescription {
        name: None,
        traces: traces.clone(),
        movie: movie.clone(),
        buffer,
        segments: arguments.segments,
    };
    Ok(vec![set])
}

fn picture(arguments: &Abr, experiment: &Experiment) -> Result<String, String> {
    let traces = experiment.sets.iter().enumerate().flat_map(|(set, Set { traces, .. })| {
        traces.iter().enumerate().map(move |(trace, (file, _))| (set, trace, file))
    });
    let wanted = |name: &String| arguments.draw_trace.as_ref().is_none_or(|wanted| wanted == name);
    let (set, trace, _) = traces.clone().find(|(_, _, file)| wanted(file)).ok_or_else(|| {
        format!("no network is called {}", arguments.draw_trace.as_deref().unwrap_or_default())
    })?;
    let wanted = |contender: &&Contender| {
        arguments.draw_controller.as_ref().is_none_or(|wanted| *wanted == contender.name)
    };
    let contender = experiment.contenders.iter().find(wanted);
    let contender = contender.ok_or("--draw-controller names none of those that take part")?;
    let session = experiment.session(set, trace, contender);
    let set = &experiment.sets[set];
    let optimum = best_session(set, trace, Goal::Linear);
    let controller = &contender.name;
    Ok(draw(&Run { set, trace, controller, session: &session, optimum: &optimum }))
}

fn write_json(path: &PathBuf, results: &Results, folder: bool) -> Result<(), String> {
    if folder {
        std::fs::create_dir_all(path)
            .map_err(|error| format!("cannot create {}: {error}", path.display()))?;
    }
    for set in &results.sets {
        let path = if folder { path.join(format!("{}.json", set.name)) } else { path.clone() };
        write(&path, format!("{}\n", set.to_json()))?;
    }
    Ok(())
}

/// A line on standard error that says how far it is: kept up to date on a terminal, now and then
/// elsewhere.
struct Progress {
    started: Instant,
    shown: Instant,
    interval: Duration,
    terminal: bool,
}

impl Progress {
    fn new() -> Self {
        let terminal = stderr().is_terminal();
        let interval = if terminal { Duration::from_millis(100) } else { Duration::from_secs(15) };
        let now = Instant::now();
        Self { started: now, shown: now, interval, terminal }
    }

    fn show(&mut self, done: usize, of: usize) {
        if self.shown.elapsed() < self.interval {
            return;
        }
        self.shown = Instant::now();
        let left_s = self.started.elapsed().as_secs_f64() / done as f64 * (of - done) as f64;
        let line = format!("{done} of {of} sessions, about {left_s:.0} s left");
        if self.terminal {
            eprint!("\r{line:<60}");
            // Progress that cannot be shown is no reason to stop.
            let _ = stderr().flush();
        } else {
            eprintln!("{line}");
        }
    }

    fn clear(&self) {
        if self.terminal {
            eprint!("\r{:<60}\r", "");
        }
    }
}
