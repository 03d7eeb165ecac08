//! Generates the Kotlin and Swift sources that call a compiled `kinora-mobile`.
//!
//! A program of its own over UniFFI's library: the workspace's lock file decides the generator's
//! version together with the version compiled into the library, so the two cannot disagree, and the
//! generator's dependencies stay out of what ships.

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use uniffi::{GenerateOptions, TargetLanguage};

/// Write the sources that call a compiled kinora-mobile. Run it inside the workspace.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// The library as the compiler left it; not stripped, for the description of the interface lies
    /// among its symbols
    library: String,
    /// Language of the sources; may be given more than once
    #[arg(long, value_enum, required = true)]
    language: Vec<Language>,
    /// Folder to write to; created where it is missing
    #[arg(long)]
    out_dir: String,
    /// Settings that go before those of platforms/mobile/uniffi.toml, such as uniffi-android.toml
    #[arg(long)]
    config: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Language {
    Kotlin,
    Swift,
}

impl From<Language> for TargetLanguage {
    fn from(language: Language) -> Self {
        match language {
            Language::Kotlin => Self::Kotlin,
            Language::Swift => Self::Swift,
        }
    }
}

fn main() -> Result<()> {
    let options = Options::parse();
    uniffi::generate(GenerateOptions {
        languages: options.language.into_iter().map(TargetLanguage::from).collect(),
        source: options.library.clone().into(),
        out_dir: options.out_dir.into(),
        config_override: options.config.map(Into::into),
        format: false,
        crate_filter: Some("kinora_mobile".to_owned()),
        metadata_no_deps: true,
    })
    .with_context(|| {
        format!(
            "no sources for {}; build it first (cargo build -p kinora-mobile), and do not strip it",
            options.library
        )
    })
}
