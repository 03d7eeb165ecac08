//! Child processes: run under a label with progress and a log, and ended when this one is.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{process, thread};

use anyhow::{Context, Result, anyhow, bail};

use crate::progress::Progress;
use crate::workspace::Workspace;

/// How long a child may take to end by itself after it was asked to.
const GRACE: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(50);
const TAIL_LINES: usize = 40;

/// Process groups to end when this process is interrupted or asked to terminate.
static GROUPS: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// On SIGINT, SIGTERM or SIGHUP: end every group started through [`Group`], then exit with 130.
pub(crate) fn end_children_when_interrupted() {
    let installed = ctrlc::set_handler(|| {
        INTERRUPTED.store(true, Ordering::SeqCst);
        let ids: Vec<u32> = groups().iter().copied().collect();
        ids.iter().for_each(|&id| signal(id, "TERM"));
        let deadline = Instant::now() + GRACE;
        while Instant::now() < deadline && ids.iter().any(|&id| is_alive(id)) {
            thread::sleep(POLL);
        }
        ids.iter().filter(|&&id| is_alive(id)).for_each(|&id| signal(id, "KILL"));
        process::exit(130);
    });
    if let Err(error) = installed {
        eprintln!("warning: an interrupt will leave child processes behind: {error}");
    }
}

/// Blocks for good after an interrupt, so that the handler decides when and how to exit.
pub(crate) fn wait_if_interrupted() {
    while INTERRUPTED.load(Ordering::SeqCst) {
        thread::park();
    }
}

/// A child that leads its own process group; the group ends when this is dropped.
pub(crate) struct Group {
    child: Child,
}

impl Group {
    pub(crate) fn spawn(command: &mut Command) -> Result<Self> {
        let mut groups = groups();
        let child = command.process_group(0).spawn().with_context(|| cannot_start(command))?;
        groups.insert(child.id());
        drop(groups);
        wait_if_interrupted();
        Ok(Self { child })
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Asks the group to end, and insists after a while.
    pub(crate) fn end(&mut self) -> Result<ExitStatus> {
        if let Some(status) = self.child.try_wait()? {
            return Ok(status);
        }
        signal(self.child.id(), "TERM");
        let deadline = Instant::now() + GRACE;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            thread::sleep(POLL);
        }
        signal(self.child.id(), "KILL");
        Ok(self.child.wait()?)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let id = self.child.id();
        if self.end().is_ok() && is_alive(id) {
            signal(id, "KILL"); // what the leader started and left behind
        }
        groups().remove(&id);
    }
}

/// Runs a command to its end, its output in a log, its last line beside a spinner.
///
/// # Errors
/// When it cannot start or fails; the end of the log is printed then.
pub(crate) fn run(workspace: &Workspace, label: &str, command: &mut Command) -> Result<()> {
    run_told(workspace, label, command, str::to_owned)
}

/// As [`run`]; beside the spinner is what `words` makes of the last line.
pub(crate) fn run_told(
    workspace: &Workspace,
    label: &str,
    command: &mut Command,
    words: impl Fn(&str) -> String,
) -> Result<()> {
    let log = log_path(workspace, label)?;
    let progress = Progress::start(label);
    match run_logged(command, &log, &progress, words) {
        Ok(()) => {
            progress.done();
            Ok(())
        }
        Err(error) => {
            progress.failed();
            print_tail(&log);
            Err(error.context(label.to_string()))
        }
    }
}

/// Runs a command whose output goes to the end of `log`, and what `words` makes of its last line to `progress`.
pub(crate) fn run_logged(
    command: &mut Command,
    log: &Path,
    progress: &Progress,
    words: impl Fn(&str) -> String,
) -> Result<()> {
    let output = File::options().create(true).append(true).open(log)?;
    let mut follow = Follow::new(log)?;
    command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
    let mut group = Group::spawn(command)?;
    let status = loop {
        if let Some(status) = group.child().try_wait()? {
            break status;
        }
        if let Some(line) = follow.last_line() {
            progress.message(&words(&line));
        }
        progress.tick();
        thread::sleep(POLL);
    };
    wait_if_interrupted();
    check(status, command)
}

/// Runs a command that shows its own progress on standard error; its standard output goes there too.
pub(crate) fn run_visible(command: &mut Command) -> Result<()> {
    command.stdin(Stdio::null()).stdout(std::io::stderr());
    let mut group = Group::spawn(command)?;
    let status = group.child().wait()?;
    wait_if_interrupted();
    check(status, command)
}

/// What a short command prints on standard output.
///
/// # Errors
/// When it cannot start or fails, with what it said on standard error.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| cannot_start(command))?;
    wait_if_interrupted();
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{} failed ({}): {}", describe(command), output.status, said.trim());
    }
    String::from_utf8(output.stdout)
        .with_context(|| format!("{} printed something other than UTF-8", describe(command)))
}

/// A new, empty log for a label.
pub(crate) fn log_path(workspace: &Workspace, label: &str) -> Result<PathBuf> {
    let name: String = label
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .collect();
    let folder = workspace.state().join("logs");
    fs::create_dir_all(&folder)?;
    let path = folder.join(format!("{}.log", name.trim_matches('-')));
    File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

/// The end of a log, and where the whole of it is, on standard error.
pub(crate) fn print_tail(log: &Path) {
    let text = fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    if let Ok(text) = text {
        let lines: Vec<&str> = text.lines().collect();
        let skipped = lines.len().saturating_sub(TAIL_LINES);
        for line in lines.iter().skip(skipped) {
            eprintln!("    {line}");
        }
    }
    eprintln!("    whole log: {}", log.display());
}

pub(crate) fn check(status: ExitStatus, command: &Command) -> Result<()> {
    if status.success() {
        return Ok(());
    }
    Err(anyhow!("{} failed ({status})", describe(command)))
}

/// The command as one would type it.
pub(crate) fn describe(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let mut words = vec![program.file_name().unwrap_or(program.as_os_str()).to_string_lossy()];
    words.extend(command.get_args().map(|argument| argument.to_string_lossy()));
    words.join(" ")
}

fn cannot_start(command: &Command) -> String {
    format!("cannot start {}", describe(command))
}

fn groups() -> MutexGuard<'static, BTreeSet<u32>> {
    GROUPS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The shell's own `kill`: present wherever there is a shell, and no unsafe code here.
fn signal(group: u32, name: &str) {
    kill(&format!("kill -s {name} -- -{group}"));
}

fn is_alive(group: u32) -> bool {
    kill(&format!("kill -s 0 -- -{group}"))
}

fn kill(script: &str) -> bool {
    Command::new("sh")
        .args(["-c", script])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The growing end of a log.
struct Follow {
    file: File,
    at: u64,
}

impl Follow {
    fn new(log: &Path) -> Result<Self> {
        let file = File::open(log)?;
        let at = file.metadata()?.len();
        Ok(Self { file, at })
    }

    /// The last whole line written since the last call.
    fn last_line(&mut self) -> Option<String> {
        let mut new = Vec::new();
        self.file.seek(SeekFrom::Start(self.at)).ok()?;
        let read = (&mut self.file).take(1 << 20).read_to_end(&mut new).ok()?;
        self.at += u64::try_from(read).ok()?;
        let text = String::from_utf8_lossy(&new);
        text.lines().rev().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_group_takes_its_grandchildren_with_it() {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 600 & wait"]).stdin(Stdio::null());
        let mut group = Group::spawn(&mut command).expect("sh starts");
        let id = group.child().id();
        assert!(is_alive(id));
        drop(group);
        let deadline = Instant::now() + GRACE;
        while is_alive(id) && Instant::now() < deadline {
            thread::yield_now(); // init reaps the grandchild
        }
        assert!(!is_alive(id), "a process of group {id} is left");
    }

    #[test]
    fn a_failing_command_says_what_it_printed() {
        let error = output(Command::new("sh").args(["-c", "echo no such film >&2; exit 4"]))
            .expect_err("exit 4 is a failure");
        let text = error.to_string();
        assert!(text.contains("no such film") && text.contains("exit status: 4"), "{text}");
    }
}
