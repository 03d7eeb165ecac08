//! Running ffmpeg and ffprobe as child processes that end when their caller does.

use crate::{Error, Result};
use std::{process::Stdio, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader},
    process::{Child, Command},
};

/// How far an encode has come.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Progress {
    /// Seconds of the source done.
    pub done: f64,
    /// Seconds of the source encoded per second of time, where known.
    pub speed: Option<f64>,
    /// Frames written to the slowest output.
    pub frames: u64,
}

/// Runs a tool to its end and returns what it printed.
///
/// # Errors
/// [`Error::ToolMissing`] when it is not installed, [`Error::Encoder`] when it fails.
pub(super) async fn capture(tool: &'static str, args: &[String]) -> Result<Vec<u8>> {
    let mut child = spawn(tool, args)?;
    let stderr = tail_of(child.stderr.take());
    let mut printed = Vec::new();
    let mut stdout = child.stdout.take();
    let read = async {
        match &mut stdout {
            Some(stdout) => stdout.read_to_end(&mut printed).await.map(|_| ()),
            None => Ok(()),
        }
    };
    let (read, stderr) = tokio::join!(read, stderr);
    read.map_err(Error::io("read from", tool))?;
    finish(tool, child, stderr).await?;
    Ok(printed)
}

/// Runs ffmpeg to its end, reporting as it goes. Dropping the future ends the process.
///
/// # Errors
/// [`Error::ToolMissing`] when it is not installed, [`Error::Encoder`] when it fails.
pub(super) async fn encode(args: &[String], mut report: impl FnMut(Progress)) -> Result<()> {
    let mut child = spawn("ffmpeg", args)?;
    let stderr = tail_of(child.stderr.take());
    let stdout = child.stdout.take();
    let follow = async {
        let Some(stdout) = stdout else { return };
        let mut progress = Progress::default();
        let mut lines = BufReader::new(stdout).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if progress.take_line(&line) {
                report(progress);
            }
        }
    };
    let ((), stderr) = tokio::join!(follow, stderr);
    finish("ffmpeg", child, stderr).await
}

impl Progress {
    /// Takes in one `key=value` line of `-progress`; true at the end of a report.
    fn take_line(&mut self, line: &str) -> bool {
        let Some((key, value)) = line.split_once('=') else { return false };
        let value = value.trim();
        match key.trim() {
            "out_time_us" => {
                // Negative, or N/A, until the first packet is out.
                let done = value.parse::<u64>().map(|us| Duration::from_micros(us).as_secs_f64());
                self.done = done.unwrap_or(self.done);
            }
            "speed" => self.speed = value.strip_suffix('x').and_then(|v| v.trim().parse().ok()),
            "frame" => self.frames = value.parse().unwrap_or(self.frames),
            "progress" => return true,
            _ => {}
        }
        false
    }
}

pub(crate) fn spawn(tool: &'static str, args: &[String]) -> Result<Child> {
    tracing::debug!(tool, ?args, "start");
    Command::new(tool)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Error::ToolMissing { tool },
            _ => Error::io("start", tool)(error),
        })
}

pub(crate) async fn finish(tool: &'static str, mut child: Child, stderr: String) -> Result<()> {
    let status = child.wait().await.map_err(Error::io("wait for", tool))?;
    if status.success() {
        return Ok(());
    }
    Err(Error::Encoder { status: status.to_string(), message: stderr.trim().to_owned() })
}

/// Reads a stream to its end and keeps its last lines.
pub(crate) async fn tail_of(stream: Option<impl AsyncRead + Unpin>) -> String {
    const KEEP: usize = 4096;
    let Some(mut stream) = stream else { return String::new() };
    let mut tail = Vec::new();
    let mut chunk = [0; 1024];
    while let Ok(count @ 1..) = stream.read(&mut chunk).await {
        tail.extend_from_slice(chunk.get(..count).unwrap_or_default());
        tail.drain(..tail.len().saturating_sub(KEEP));
    }
    String::from_utf8_lossy(&tail).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_read_line_by_line() {
        let mut progress = Progress::default();
        for line in ["frame=48", "out_time_us=N/A", "out_time_us=2000000", "speed= 1.5x"] {
            assert!(!progress.take_line(line), "{line}");
        }
        assert!(progress.take_line("progress=continue"));
        assert_eq!(progress, Progress { done: 2.0, speed: Some(1.5), frames: 48 });
        assert!(!progress.take_line("out_time_us=-21333"));
        assert_eq!(progress.done, 2.0);
    }
}
