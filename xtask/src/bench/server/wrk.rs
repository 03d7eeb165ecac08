//! Loads by `wrk`, and what it says of them.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::stage::SEGMENTS;
use crate::process;
use crate::workspace::Workspace;

/// How much of a load, and for how long.
pub(super) struct Load {
    pub(super) seconds: u32,
    pub(super) connections: u32,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Measured {
    pub(super) per_second: f64,
    pub(super) p99_ms: f64,
    /// Requests that were not answered, or not well.
    pub(super) errors: u64,
}

/// Said by the script at the end, on a line of its own.
const DONE: &str = r#"
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("measured %f %f %d\n", summary.requests / (summary.duration / 1e6),
    latency:percentile(99) / 1e3, e.connect + e.read + e.write + e.status + e.timeout))
end
"#;

impl Load {
    /// Segments under a URL, one after the other.
    pub(super) fn segments(
        &self,
        workspace: &Workspace,
        scratch: &Path,
        base: &str,
    ) -> Result<Measured> {
        let (host, path) = split(base);
        let script = format!(
            "local n = 0\nrequest = function()\n  n = n % {SEGMENTS} + 1\n  \
             return wrk.format(\"GET\", string.format(\"{path}/seg-%05d.m4s\", n))\nend\n{DONE}"
        );
        self.run(workspace, scratch, &script, host)
    }

    /// The same request again and again.
    pub(super) fn requests(
        &self,
        workspace: &Workspace,
        scratch: &Path,
        method: &str,
        url: &str,
        body: &str,
        token: &str,
    ) -> Result<Measured> {
        let mut script = format!("wrk.method = \"{method}\"\n");
        if !body.is_empty() {
            script += &format!(
                "wrk.body = [[{body}]]\nwrk.headers[\"Content-Type\"] = \"application/json\"\n"
            );
        }
        if !token.is_empty() {
            script += &format!("wrk.headers[\"Authorization\"] = \"Bearer {token}\"\n");
        }
        self.run(workspace, scratch, &(script + DONE), url)
    }

    fn run(
        &self,
        workspace: &Workspace,
        scratch: &Path,
        script: &str,
        url: &str,
    ) -> Result<Measured> {
        let file = scratch.join("load.lua");
        fs::write(&file, script)?;
        let mut command = workspace.command("wrk");
        command.args(["--threads", "2", "--latency", "--timeout", "10s"]);
        command.arg("--connections").arg(self.connections.to_string());
        command.arg("--duration").arg(format!("{}s", self.seconds)).arg("--script").arg(file);
        let output = process::output(command.arg(url))?;
        parse(&output).with_context(|| format!("wrk said something else:\n{output}"))
    }
}

/// The host, and the path after it.
fn split(url: &str) -> (&str, &str) {
    let start = url.find("://").map_or(0, |at| at + 3);
    match url.get(start..).and_then(|rest| rest.find('/')) {
        Some(at) => url.split_at(start + at),
        None => (url, ""),
    }
}

fn parse(output: &str) -> Option<Measured> {
    let line = output.lines().find_map(|line| line.strip_prefix("measured "))?;
    let mut words = line.split_whitespace();
    Some(Measured {
        per_second: words.next()?.parse().ok()?,
        p99_ms: words.next()?.parse().ok()?,
        errors: words.next()?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_wrk_says_is_read() {
        let output = "Running 5s test\n  Latency Distribution\nmeasured 1234.5 6.75 2\n";
        assert_eq!(parse(output), Some(Measured { per_second: 1234.5, p99_ms: 6.75, errors: 2 }));
        assert_eq!(parse("unable to connect"), None);
        assert_eq!(split("http://127.0.0.1:1/a/b"), ("http://127.0.0.1:1", "/a/b"));
    }
}
