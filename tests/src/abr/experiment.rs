//! Every controller over every network, on all cores.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use kinora_abr::sim::{Goal, Options, Outcome, Resolution, Session, optimum};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Contender, Set};

/// What is to be run.
#[derive(Debug)]
pub struct Experiment {
    /// Over what.
    pub sets: Vec<Set>,
    /// Who takes part.
    pub contenders: Vec<Contender>,
    /// Whether the optimum of every trace is looked for, which takes longer than all else.
    pub optimum: bool,
    /// Threads to use; as many as there are cores if `None`.
    pub threads: Option<NonZeroUsize>,
}

/// What came out, set by set.
#[derive(Debug)]
pub struct Results {
    /// In the order of the experiment.
    pub sets: Vec<SetResults>,
}

/// What came out for one set.
#[derive(Debug)]
pub struct SetResults {
    /// Its name.
    pub name: String,
    /// Files of the networks.
    pub traces: Vec<String>,
    /// Names of the controllers, and what each reached per network.
    pub outcomes: Vec<(String, Vec<Outcome>)>,
    /// What the lowest rung reaches per network.
    pub lowest: Vec<Outcome>,
    /// The best that could have been done per network, if known.
    pub optimum: Option<Vec<Best>>,
}

/// The best sessions over one network: by [`Outcome::linear`], and by [`Outcome::score`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the figures of `Outcome` for each of the two")]
pub struct Best {
    pub lin: f64,
    pub lin_chg: f64,
    pub lin_kbps: f64,
    pub lin_rr: f64,
    pub score: f64,
    pub score_chg: f64,
    pub score_kbps: f64,
    pub score_rr: f64,
}

/// One session, or the search for the best one, over one network.
#[derive(Clone, Copy)]
struct Job {
    set: usize,
    trace: usize,
    task: Task,
}

#[derive(Clone, Copy)]
enum Task {
    Optimum,
    Lowest,
    Contender(usize),
}

enum Done {
    Best(Best),
    Outcome(Outcome),
}

impl Experiment {
    /// Runs it. `progress` is told how many sessions are done, and of how many, whenever one is.
    pub fn run(&self, mut progress: impl FnMut(usize, usize)) -> Results {
        let jobs = self.jobs();
        let cores = || thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let threads = self.threads.unwrap_or_else(cores).get().min(jobs.len().max(1));
        let next = AtomicUsize::new(0);
        let (sender, receiver) = mpsc::channel();
        let mut results = self.empty_results();
        thread::scope(|scope| {
            for _ in 0..threads {
                let (sender, next, jobs) = (sender.clone(), &next, &jobs);
                scope.spawn(move || {
                    while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if sender.send((*job, self.perform(job))).is_err() {
                            break;
                        }
                    }
                });
            }
            drop(sender);
            for (finished, (job, done)) in receiver.iter().enumerate() {
                results.sets[job.set].put(&job, done);
                progress(finished + 1, jobs.len());
            }
        });
        results
    }

    /// Plays one session again, for a closer look.
    pub fn session(&self, set: usize, trace: usize, contender: &Contender) -> Session {
        let set = &self.sets[set];
        contender.play(&set.movie, &set.traces[trace].1, set.buffer_s * 1000.0)
    }

    /// The long ones first, so that no thread is left alone with them.
    fn jobs(&self) -> Vec<Job> {
        let optimum = self.optimum.then_some(Task::Optimum);
        let contenders = (0..self.contenders.len()).map(Task::Contender);
        let tasks = optimum.into_iter().chain([Task::Lowest]).chain(contenders);
        let traces = || {
            let sets = self.sets.iter().enumerate();
            sets.flat_map(|(set, Set { traces, .. })| (0..traces.len()).map(move |t| (set, t)))
        };
        tasks.flat_map(|task| traces().map(move |(set, trace)| Job { set, trace, task })).collect()
    }

    fn empty_results(&self) -> Results {
        let empty = |set: &Set| {
            let blank = vec![Outcome::default(); set.traces.len()];
            let contenders = self.contenders.iter();
            SetResults {
                name: set.name.clone(),
                traces: set.traces.iter().map(|(file, _)| file.clone()).collect(),
                outcomes: contenders.map(|c| (c.name.clone(), blank.clone())).collect(),
                lowest: blank,
                optimum: self.optimum.then(|| vec![Best::default(); set.traces.len()]),
            }
        };
        Results { sets: self.sets.iter().map(empty).collect() }
    }

    fn perform(&self, job: &Job) -> Done {
        let set = &self.sets[job.set];
        let outcome = |contender: &Contender| {
            Done::Outcome(self.session(job.set, job.trace, contender).outcome(&set.movie))
        };
        match job.task {
            Task::Lowest => outcome(&Contender::lowest()),
            Task::Contender(index) => outcome(&self.contenders[index]),
            Task::Optimum => {
                let [linear, score] = [Goal::Linear, Goal::Score]
                    .map(|goal| best_session(set, job.trace, goal).outcome(&set.movie));
                Done::Best(Best {
                    lin: linear.linear,
                    lin_chg: linear.change_kbps,
                    lin_kbps: linear.kbps,
                    lin_rr: linear.stall_ratio,
                    score: score.score,
                    score_chg: score.change_kbps,
                    score_kbps: score.kbps,
                    score_rr: score.stall_ratio,
                })
            }
        }
    }
}

/// The best session over one network of a set. Unlike the rules, it chooses the first rung too.
pub fn best_session(set: &Set, trace: usize, goal: Goal) -> Session {
    let capacity_ms = set.buffer_s * 1000.0;
    let options = Options { capacity_ms, first: None, ..Options::default() };
    optimum(&set.movie, &set.traces[trace].1, &options, goal, Resolution::usual(goal))
}

impl Results {
    /// Takes optima known from elsewhere, set by set and network by network.
    pub fn compare_with(&mut self, optima: Vec<Vec<Best>>) {
        for (set, optimum) in self.sets.iter_mut().zip(optima) {
            set.optimum = Some(optimum);
        }
    }
}

impl SetResults {
    fn put(&mut self, job: &Job, done: Done) {
        match (job.task, done) {
            (Task::Contender(index), Done::Outcome(outcome)) => {
                self.outcomes[index].1[job.trace] = outcome;
            }
            (_, Done::Outcome(outcome)) => self.lowest[job.trace] = outcome,
            (_, Done::Best(best)) => {
                if let Some(optimum) = &mut self.optimum {
                    optimum[job.trace] = best;
                }
            }
        }
    }

    /// `{controller: {trace file: figures}}`, the optimum as `OPT`, with six places.
    pub fn to_json(&self) -> Value {
        let controllers = self
            .outcomes
            .iter()
            .map(|(name, outcomes)| (name.clone(), per_trace(&self.traces, outcomes)));
        let optimum =
            self.optimum.as_ref().map(|best| ("OPT".into(), per_trace(&self.traces, best)));
        Value::Object(controllers.chain(optimum).collect())
    }
}

fn per_trace<T: Serialize>(traces: &[String], figures: &[T]) -> Value {
    let entry = |(trace, figures): (&String, &T)| (trace.clone(), rounded(figures));
    Value::Object(traces.iter().zip(figures).map(entry).collect::<Map<_, _>>())
}

fn rounded(figures: &impl Serialize) -> Value {
    // Structures of numbers alone: they serialise.
    let mut value = serde_json::to_value(figures).unwrap_or_default();
    for figure in value.as_object_mut().into_iter().flat_map(Map::values_mut) {
        if let Some(number) = figure.as_f64() {
            *figure = Value::from((number * 1e6).round() / 1e6);
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use kinora_abr::Config;
    use kinora_abr::sim::{Movie, Period, Trace};

    fn experiment(threads: usize) -> Experiment {
        let movie = Movie {
            segment_duration_ms: 2000.0,
            bitrates_kbps: vec![500.0, 1000.0, 2000.0],
            segment_sizes_bits: vec![vec![1e6, 2e6, 4e6]; 12],
        };
        let trace = |bandwidth_kbps| {
            let period =
                |bandwidth_kbps| Period { duration_ms: 700.0, bandwidth_kbps, latency_ms: 50.0 };
            Trace(vec![period(bandwidth_kbps), period(bandwidth_kbps / 2.0)])
        };
        let traces = (1..8).map(|n| (format!("{n}.json"), trace(500.0 * f64::from(n)))).collect();
        let contender = |name| Contender::new(name, &Config::default()).unwrap();
        Experiment {
            sets: vec![Set { name: "small".into(), movie, buffer_s: 10.0, traces }],
            contenders: ["tput", "fixed1"].map(contender).to_vec(),
            optimum: true,
            threads: NonZeroUsize::new(threads),
        }
    }

    #[test]
    fn the_number_of_threads_changes_nothing() {
        let mut calls = Vec::new();
        let alone = experiment(1).run(|done, of| calls.push((done, of)));
        assert_eq!(calls.len(), 7 * 4);
        assert_eq!(calls.last(), Some(&(28, 28)));
        let together = experiment(3).run(|_, _| {});
        assert_eq!(alone.sets[0].to_json(), together.sets[0].to_json());
    }

    #[test]
    fn results_have_the_customary_form() {
        let json = experiment(2).run(|_, _| {}).sets[0].to_json();
        let mut names: Vec<_> = json.as_object().unwrap().keys().collect();
        names.sort();
        assert_eq!(names, ["OPT", "fixed1", "tput"]);
        let figures = json["fixed1"]["4.json"].as_object().unwrap();
        let mut names: Vec<_> = figures.keys().collect();
        names.sort();
        assert_eq!(names, ["chg", "ev", "kbps", "lin", "reb", "rr", "score", "start", "util"]);
        // 1 Mbit at a rate of 2 and 1 Mbit/s by turns, after 50 ms; then the middle rung.
        assert_eq!(figures["start"], 0.55);
        assert_eq!(
            figures["kbps"].as_f64().unwrap(),
            ((500.0 + 11.0 * 1000.0) / 12.0 * 1e6_f64).round() / 1e6
        );
        assert!(json["OPT"]["4.json"]["lin"].as_f64() >= json["fixed1"]["4.json"]["lin"].as_f64());
    }
}
