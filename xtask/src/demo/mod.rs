//! `cargo xtask demo`: from nothing to the film playing.

mod library;

use std::env;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, stderr};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::thread;

use anyhow::{Context, Result, bail};
use clap::Args;

use self::library::Library;
use crate::film::Film;
use crate::lock::Lock;
use crate::npm::Package;
use crate::stamp::{Inputs, Stamp};
use crate::workspace::Workspace;
use crate::{install, process, web};

/// The tools that the demonstration calls beside those of the web package.
pub(crate) const TOOLS: &[&str] = &["rustc", "c++", "pip", "ffmpeg", "ffprobe"];

/// The page.
pub(crate) const PAGE: &str = "demo-web";
const SERVER: &str = "kinora-server";
const USUAL_PORT: u16 = 8080;
/// What the server prints before its address once it accepts connections.
const LISTENING: &str = "listening on ";

/// Options of `cargo xtask demo`.
#[derive(Args)]
pub(crate) struct Options {
    /// Play in this terminal instead of in a page
    #[arg(long, conflicts_with = "headless")]
    tui: bool,
    /// Play without a screen and print a summary as JSON on standard output
    #[arg(long)]
    headless: bool,
    /// How long to play without a screen
    #[arg(long, value_name = "SECONDS", default_value_t = 30, requires = "headless")]
    seconds: u32,
    /// Port of the server; 8080 where that is free, any other port otherwise
    #[arg(long)]
    port: Option<u16>,
    /// A video file to play instead of Big Buck Bunny
    #[arg(long, value_name = "PATH")]
    film: Option<PathBuf>,
    /// Package the film again, even when it has been
    #[arg(long)]
    repackage: bool,
}

/// What plays the film.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Face {
    Page,
    Terminal,
    Headless,
}

impl Face {
    fn of(options: &Options) -> Self {
        match (options.tui, options.headless) {
            (true, _) => Self::Terminal,
            (_, true) => Self::Headless,
            _ => Self::Page,
        }
    }

    /// The program of the workspace that plays, and its package; a page has none.
    fn player(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Page => None,
            Self::Terminal => Some(("kinora-tui", "kinora-tui")),
            Self::Headless => Some(("kinora-headless", "kinora-native")),
        }
    }
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    let face = Face::of(options);
    install::ensure(workspace, TOOLS)?;
    if face == Face::Page {
        install::ensure(workspace, web::TOOLS)?;
    }
    let film = match &options.film {
        Some(path) => Film::at(path)?,
        None => Film::default(workspace)?,
    };
    build_programs(workspace, face)?;
    let all = face != Face::Headless;
    let library = Library::build(workspace, &film, options.repackage, all)?;
    let mut mounts = vec![("/film", library.film)];
    if face == Face::Page {
        mounts.push(("/", build_page(workspace)?));
    }
    let mut server = Server::start(workspace, &library.data, &mounts, options.port, face)?;
    match face {
        Face::Page => {
            eprintln!(
                "\n  {}/\n\n  Sign in with {} and \"{}\".\n  {}\n  Ctrl-C ends.",
                server.url,
                library::EMAIL,
                library::PASSWORD,
                film.credit_line()
            );
            server.wait()
        }
        Face::Terminal | Face::Headless => {
            eprintln!("{}: {}", server.url, film.credit_line());
            play(workspace, options, face, &server.url)
        }
    }
}

/// Compiles the server and the player in one go, so that they share what they depend on.
fn build_programs(workspace: &Workspace, face: Face) -> Result<()> {
    let mut command = workspace.cargo("build");
    command.args(["--package", SERVER, "--bin", SERVER]);
    if let Some((binary, package)) = face.player() {
        command.args(["--package", package, "--bin", binary]);
    }
    process::run(workspace, "compile the programs of the demo", &mut command)
}

/// Builds the page and the package it plays with.
pub(crate) fn build_page(workspace: &Workspace) -> Result<PathBuf> {
    let kinora = web::build(workspace)?;
    let page = Package::new(workspace, PAGE);
    page.install()?;
    let dist = page.folder().join("dist");
    let _lock = Lock::acquire(&workspace.state().join("demo-web.lock"))?;
    let inputs = Inputs::default().tree(page.folder())?.tree(&kinora)?;
    let stamp = Stamp::new(workspace, "demo-web", inputs);
    if !stamp.is_fresh(&dist) {
        stamp.clear();
        process::run(workspace, "bundle the page", &mut page.script("build"))?;
        stamp.write()?;
    }
    Ok(dist)
}

fn play(workspace: &Workspace, options: &Options, face: Face, service: &str) -> Result<ExitCode> {
    let Some((binary, _)) = face.player() else {
        bail!("a page plays by itself");
    };
    let mut command = follows_parent(&workspace.binary(binary));
    if face == Face::Terminal {
        command.args(["--service", service]);
        command.env("KINORA_EMAIL", library::EMAIL).env("KINORA_PASSWORD", library::PASSWORD);
    } else {
        command.arg(format!("{service}/film/master.m3u8"));
        command.args(["--seconds", &options.seconds.to_string(), "--json"]).stdin(Stdio::null());
    }
    // In the foreground of the terminal, which the player in it needs to itself.
    let status = command.status().with_context(|| format!("cannot start {binary}"))?;
    process::wait_if_interrupted();
    Ok(exit_code(status.code()))
}

fn exit_code(code: Option<i32>) -> ExitCode {
    match code.map(u8::try_from) {
        Some(Ok(code)) => ExitCode::from(code),
        _ => ExitCode::FAILURE,
    }
}

/// The server, serving; it ends when this is dropped.
struct Server {
    group: process::Group,
    url: String,
}

impl Server {
    fn start(
        workspace: &Workspace,
        data: &Path,
        mounts: &[(&str, PathBuf)],
        port: Option<u16>,
        face: Face,
    ) -> Result<Self> {
        let mut command = follows_parent(&workspace.binary(SERVER));
        command.arg("serve").arg("--data").arg(data);
        for (at, folder) in mounts {
            command.arg("--mount").arg(format!("{at}={}", folder.display()));
        }
        let port = port.unwrap_or_else(free_port);
        command.args(["--listen", &format!("127.0.0.1:{port}")]);
        // Where the page has people type in what a terminal shows; a path, as the port may not be known yet.
        command.args(["--verification-uri", "/#/activate"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        if env::var_os("RUST_LOG").is_none() {
            command.env("RUST_LOG", "warn"); // a line for each segment would hide the address
        }
        if face != Face::Page {
            // What the server says would run through the player's screen.
            command.stderr(File::create(process::log_path(workspace, "serve")?)?);
        }
        let mut group = process::Group::spawn(&mut command)?;
        let output = group.child().stdout.take().context("the server has no output")?;
        let mut output = BufReader::new(output);
        let Some(url) = read_address(&mut output)? else {
            let status = group.child().wait()?;
            bail!("the server ended before it listened on port {port} ({status})");
        };
        thread::spawn(move || std::io::copy(&mut output, &mut stderr()));
        Ok(Self { group, url })
    }

    /// Serves until it is ended from outside.
    fn wait(&mut self) -> Result<ExitCode> {
        let status = self.group.child().wait()?;
        process::wait_if_interrupted();
        Ok(exit_code(status.code()))
    }
}

/// The address a server says it listens on; none if its output ends first.
fn read_address(output: &mut impl BufRead) -> Result<Option<String>> {
    const LONGEST_LINE: u64 = 4096;
    loop {
        let mut line = String::new();
        if output.by_ref().take(LONGEST_LINE).read_line(&mut line)? == 0 {
            return Ok(None);
        }
        if let Some((_, rest)) = line.split_once(LISTENING) {
            let url = rest.split_whitespace().next().unwrap_or_default();
            return Ok(Some(url.trim_end_matches('/').to_owned()));
        }
        eprint!("{line}");
    }
}

fn free_port() -> u16 {
    match TcpListener::bind(("127.0.0.1", USUAL_PORT)) {
        Ok(_) => USUAL_PORT,
        Err(_) => 0,
    }
}

/// A program that the kernel ends when this one is gone in whatever way, where `setpriv` is here.
fn follows_parent(program: &Path) -> Command {
    let setpriv = Path::new("/usr/bin/setpriv");
    if !setpriv.exists() {
        return Command::new(program);
    }
    let mut command = Command::new(setpriv);
    command.args(["--pdeathsig", "TERM", "--"]).arg(program);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_read_from_the_servers_own_words() {
        let mut output = "mounted /film\nlistening on http://127.0.0.1:4711/\nmore\n".as_bytes();
        let address = read_address(&mut output).unwrap();
        assert_eq!(address.as_deref(), Some("http://127.0.0.1:4711"));
        assert_eq!(output, b"more\n");
    }

    #[test]
    fn a_server_that_ends_has_no_address() {
        assert_eq!(read_address(&mut "cannot bind\n".as_bytes()).unwrap(), None);
    }
}
