//! `cargo xtask bench`: Kinora beside its peers, measured in the same run.

pub(crate) mod abr;
mod decryption;
mod figures;
mod manifests;
mod module_sizes;
mod recommend;
pub(crate) mod server;
mod startup;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::workspace::Workspace;

/// Options of `cargo xtask bench`.
#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    subject: Subject,
}

#[derive(Subcommand)]
enum Subject {
    /// The adaptive bitrate engine, natively and in WebAssembly: time, bytes, and that it decides the same
    Abr(abr::Options),
    /// Decryption, natively beside OpenSSL and in WebAssembly
    Decryption(decryption::Options),
    /// The manifest parsers, in Chromium and natively, and what they weigh
    Manifests(manifests::Options),
    /// The recommender on MovieLens, beside implicit's tuned ALS
    Recommend(recommend::Options),
    /// The server: segments beside nginx, and signing in, rows and playbacks by the second
    Server(server::Options),
    /// Encrypted films beside clear ones: how soon they start in Chromium, with other players beside
    Startup(startup::Options),
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    match &options.subject {
        Subject::Abr(options) => abr::run(workspace, options),
        Subject::Decryption(options) => decryption::run(workspace, options),
        Subject::Manifests(options) => manifests::run(workspace, options),
        Subject::Recommend(options) => recommend::run(workspace, options),
        Subject::Server(options) => server::run(workspace, options),
        Subject::Startup(options) => startup::run(workspace, options),
    }
}
