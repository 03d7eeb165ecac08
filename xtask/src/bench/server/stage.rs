//! The server and nginx over the same files, and a viewer who is signed in.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::process::{self, Group};
use crate::workspace::Workspace;

/// Segments, and bytes of each: two seconds at two megabits.
pub(super) const SEGMENTS: usize = 64;
const BYTES: usize = 500_000;
/// The title that is played.
pub(super) const TITLE: &str = "the-general";

/// What is measured; it ends when this is dropped.
pub(super) struct Stage {
    folder: PathBuf,
    /// Where nginx is.
    pub(super) nginx: String,
    /// Where the server is.
    pub(super) kinora: String,
    /// The path of segments behind a token.
    pub(super) media: String,
    /// The viewer's access token.
    pub(super) token: String,
    /// What the viewer signs in with.
    pub(super) credentials: String,
    _processes: [Group; 2],
}

impl Stage {
    pub(super) fn set(workspace: &Workspace) -> Result<Self> {
        let folder = workspace.target().join("bench/server");
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        let data = folder.join("data");
        let directory = write_package(&data.join("packages/film"))?;
        let server = workspace.target().join("release/kinora-server");
        let media = json!({"duration_seconds": 600, "package": "film"}).to_string();
        let mut command = workspace.command(&server);
        command.args(["seed", "--json", "--media", &media, "--data"]).arg(&data);
        let seeded = json_of(&process::output(&mut command)?)?;
        let text = |pointer| seeded.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let credentials = json!({"email": text("/email"), "password": text("/password")});
        let profile = text("/profiles/Robin").context("nobody was entered")?;
        let model = text("/model").context("no model was trained")?;

        let (nginx, nginx_url) = start_nginx(workspace, &folder, &directory)?;
        let mut command = workspace.command(&server);
        command.arg("serve").arg("--data").arg(&data).args(["--listen", "127.0.0.1:0"]);
        command.arg("--mount").arg(format!("/m={}", directory.display()));
        command.args(["--rate-limit-factor", "1000000"]).env("RUST_LOG", "error");
        let mut kinora = Group::spawn(command.stdin(Stdio::null()).stdout(Stdio::piped()))?;
        let output = kinora.child().stdout.take().context("the server has no output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let url = line.trim().strip_prefix("listening on ").context("the server did not start")?;
        let url = url.to_owned();

        let token = access_token(&ask(&url, "POST", "/v1/sessions", Some(&credentials), "")?)?;
        let path = format!("/v1/profiles/{profile}/select");
        let token = access_token(&ask(&url, "POST", &path, None, &token)?)?;
        let playback =
            json_of(&ask(&url, "POST", &format!("/v1/playback/{TITLE}"), None, &token)?)?;
        let manifest = playback.get("hls").and_then(Value::as_str).context("nothing plays")?;
        let manifest = ask(&url, "GET", manifest, None, "")?;
        let media = manifest.lines().find(|line| line.starts_with("/t/")).context("no media")?;
        let media = media.rsplit_once('/').map_or(media, |(directory, _)| directory).to_owned();
        until("the model is not taken over", || {
            let rows = json_of(&ask(&url, "GET", "/v1/rows", None, &token)?)?;
            Ok(rows.get("model").and_then(Value::as_str) == Some(&model))
        })?;
        Ok(Self {
            folder,
            nginx: nginx_url,
            kinora: url,
            media,
            token,
            credentials: credentials.to_string(),
            _processes: [nginx, kinora],
        })
    }

    /// Where files may be put.
    pub(super) fn scratch(&self) -> PathBuf {
        self.folder.clone()
    }
}

/// A package of one picture, of bytes that no file system compresses; says where its segments are.
fn write_package(package: &Path) -> Result<PathBuf> {
    let directory = package.join("video.aa");
    fs::create_dir_all(&directory)?;
    let mut state = 1_u64;
    for number in 1..=SEGMENTS {
        let bytes: Vec<u8> = (0..BYTES / 8)
            .flat_map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state.to_le_bytes()
            })
            .collect();
        fs::write(directory.join(format!("seg-{number:05}.m4s")), bytes)?;
    }
    let summary = json!({"video": [{"id": "video", "directory": "video.aa", "codecs": "avc1.64001f",
        "video": {"width": 1280, "height": 720}}]});
    fs::write(package.join("package.json"), summary.to_string())?;
    let master = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=2000000\nvideo.aa/media.m3u8\n";
    fs::write(package.join("master.m3u8"), master)?;
    Ok(directory)
}

/// nginx as it is usually set up to send files.
fn start_nginx(workspace: &Workspace, folder: &Path, files: &Path) -> Result<(Group, String)> {
    let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let config = format!(
        "daemon off; worker_processes {processors}; pid {0}/nginx.pid; error_log {0}/nginx.log;\n\
         events {{ worker_connections 1024; }}\n\
         http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000;\n\
         client_body_temp_path {0}/t1; proxy_temp_path {0}/t2; fastcgi_temp_path {0}/t3;\n\
         uwsgi_temp_path {0}/t4; scgi_temp_path {0}/t5;\n\
         server {{ listen 127.0.0.1:{port}; location /m/ {{ alias {1}/; }} }} }}\n",
        folder.display(),
        files.display(),
    );
    let file = folder.join("nginx.conf");
    fs::write(&file, config)?;
    let mut command = workspace.command("nginx");
    command.arg("-p").arg(folder).arg("-c").arg(&file).stdin(Stdio::null());
    let group = Group::spawn(&mut command)?;
    let url = format!("http://127.0.0.1:{port}");
    let silent = format!("nginx does not answer; see {}/nginx.log", folder.display());
    until(&silent, || Ok(ask(&url, "GET", "/m/seg-00001.m4s", None, "").is_ok()))?;
    Ok((group, url))
}

/// Waits for what another process is about to do.
fn until(otherwise: &str, holds: impl Fn() -> Result<bool>) -> Result<()> {
    for _ in 0..200 {
        if holds()? {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    bail!("{otherwise}")
}

/// One request, on a connection of its own, and the body of a good answer.
fn ask(base: &str, method: &str, path: &str, body: Option<&Value>, token: &str) -> Result<String> {
    let mut stream = TcpStream::connect(base.trim_start_matches("http://"))?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let body = body.map_or_else(String::new, Value::to_string);
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n");
    if !token.is_empty() {
        head += &format!("authorization: Bearer {token}\r\n");
    }
    if !body.is_empty() {
        head += &format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len());
    }
    stream.write_all(format!("{head}\r\n{body}").as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").context("an answer without an end")?;
    let status = head.split(' ').nth(1).unwrap_or_default();
    if !status.starts_with('2') {
        bail!("{method} {path} was answered with {status}");
    }
    Ok(body.to_owned())
}

/// The JSON in a body, which may come in chunks.
fn json_of(body: &str) -> Result<Value> {
    let start = body.find(['{', '[']).context("an answer without JSON")?;
    let text = body.get(start..).unwrap_or_default();
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    values.next().context("an answer without JSON")?.context("an answer that is no JSON")
}

fn access_token(body: &str) -> Result<String> {
    let token = json_of(body)?.get("access_token").and_then(Value::as_str).map(str::to_owned);
    token.context("an answer without a token")
}
