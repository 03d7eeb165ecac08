//! Generates the JavaScript and TypeScript bindings of a compiled `kinora-web`.
//!
//! A program of its own over wasm-bindgen's library: the workspace's lock file decides the
//! generator's version together with the version compiled into the module, so the two cannot
//! disagree, and there is no command line tool to install.

mod arrange;
mod exports;
mod hashes;
mod imports;
mod locals;
mod order;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand};
use wasm_bindgen_cli_support::Bindgen;

/// What makes a page's module of the compiler's.
#[derive(Parser)]
#[command(version)]
struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write the bindings of a WebAssembly module: NAME.js, NAME.d.ts, NAME_bg.wasm
    Bind(Bindings),
    /// Put what is in an optimised module where it compresses best
    Arrange {
        /// The module, which is replaced
        wasm: PathBuf,
    },
}

#[derive(Args)]
struct Bindings {
    /// The module as the compiler left it
    wasm: PathBuf,
    /// Folder to write to; created where it is missing
    #[arg(long)]
    out_dir: PathBuf,
    /// Stem of the generated files; the module's own stem otherwise
    #[arg(long)]
    out_name: Option<String>,
    /// Keep names and debug information, and check arguments at run time
    #[arg(long)]
    debug: bool,
}

fn main() -> Result<()> {
    match Options::parse().command {
        Command::Bind(options) => bind(&options),
        Command::Arrange { wasm } => arrange(&wasm),
    }
}

fn arrange(path: &Path) -> Result<()> {
    let module = fs::read(path).with_context(|| format!("no {}", path.display()))?;
    let arranged =
        arrange::arrange(&module).with_context(|| format!("{} is no module", path.display()))?;
    Ok(fs::write(path, arranged)?)
}

fn bind(options: &Bindings) -> Result<()> {
    let mut bindgen = Bindgen::new();
    bindgen
        .input_path(&options.wasm)
        .web(true)?
        // The page's bundler or server resolves the module beside the script:
        // `new URL('NAME_bg.wasm', import.meta.url)`. The library's default is to leave it out.
        .omit_default_module_path(false)
        .typescript(true)
        .debug(options.debug)
        .keep_debug(options.debug)
        .remove_name_section(!options.debug)
        .remove_producers_section(!options.debug);
    if let Some(name) = &options.out_name {
        bindgen.out_name(name);
    }
    bindgen.generate(&options.out_dir).with_context(|| {
        format!(
            "no bindings for {}; build it for wasm32-unknown-unknown first, and keep its symbols",
            options.wasm.display()
        )
    })?;
    if options.debug {
        return Ok(());
    }
    let stem = match (&options.out_name, options.wasm.file_stem()) {
        (Some(name), _) => name.clone(),
        (None, Some(stem)) => stem.to_string_lossy().into_owned(),
        (None, None) => bail!("{} is not a file", options.wasm.display()),
    };
    let script = options.out_dir.join(format!("{stem}.js"));
    let module = options.out_dir.join(format!("{stem}_bg.wasm"));
    let (mut js, mut wasm) = (fs::read(&script)?, fs::read(&module)?);
    hashes::number(&mut js, &mut wasm);
    let mut js = String::from_utf8(js)?;
    imports::shorten(&mut js, &mut wasm);
    let wasm = exports::shorten(&mut js, &wasm)?;
    fs::write(script, js)?;
    fs::write(module, wasm)?;
    Ok(())
}
