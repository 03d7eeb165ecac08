//! `cargo xtask web`: the npm package, from the Rust sources to what a page downloads.
//!
//! In order: kinora-web is compiled for size, and kinora-web-replay with it; their bindings are
//! written to `npm/bindings/` (`kinora.js`, `kinora.d.ts`, `kinora_bg.wasm`, and the same of
//! `kinora_replay`) and the modules are optimised and arranged there; the package's own `build`
//! script makes `npm/dist/` of the TypeScript sources and those bindings. Steps whose inputs are
//! unchanged are skipped.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;

use crate::install;
use crate::lock::Lock;
use crate::npm::Package;
use crate::process;
use crate::size::{Budget, Sizes};
use crate::stamp::{Inputs, Stamp, hash_file};
use crate::wasm_toolchain::{TARGET, WasmToolchain, cargo_home};
use crate::workspace::Workspace;

/// The tools that building the package calls.
pub(crate) const TOOLS: &[&str] = &["rustc", "node", "npm"];

/// The npm package.
pub(crate) const NPM_PACKAGE: &str = "platforms/web/npm";
/// Tools that are programs of npm, apart from what the package itself builds with.
const BUILD_TOOLS: &str = "xtask/tools";
const MODULE: &str = "kinora_bg.wasm";
/// Crates that become modules, those, and the stems of their bindings.
const MODULES: [(&str, &str, &str); 2] = [
    ("kinora-web", "kinora_web.wasm", "kinora"),
    ("kinora-web-replay", "kinora_web_replay.wasm", "kinora_replay"),
];

/// How modules are optimised, after the compiler has optimised for size. These leave the fewest bytes
/// after brotli: inlining and the levels for size fold repetition away that brotli folds better. Nor
/// does it help to inline what is hardly longer than a call: Chromium inlines by what it sees run, and
/// parses up to a tenth slower what was inlined before.
const OPTIMISE: [&str; 8] = [
    // What is added to a pointer becomes part of the loads and stores through it, before anything else
    // takes the same sum for worth keeping.
    "--optimize-added-constants-propagate",
    "-O2",
    "--shrink-level=1",
    // The passes before leave some locals that nothing uses any more.
    "--reorder-locals",
    "--always-inline-max-function-size=0",
    "--one-caller-inline-max-function-size=0",
    "--flexible-inline-max-function-size=0",
    // The stack lies lowest in memory and never grows down to its last kilobyte without failing, so
    // that no pointer is that low.
    "--low-memory-unused",
];

/// Options of `cargo xtask web`.
#[derive(Args)]
#[command(after_help = "Exit status: 1 also when the package is larger than \
platforms/web/npm/size-budget.json allows.")]
pub(crate) struct Options {
    /// Print the sizes as JSON on standard output
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    install::ensure(workspace, TOOLS)?;
    let dist = build(workspace)?;
    let sizes = Sizes::of(workspace, &dist)?;
    let budget = Budget::read(&workspace.path(NPM_PACKAGE).join("size-budget.json"))?;
    if options.json {
        println!("{:#}", sizes.as_json(&budget));
    } else {
        print!("{}", sizes.table(&budget));
    }
    budget.check(&sizes)?;
    Ok(ExitCode::SUCCESS)
}

/// Builds what is out of date and gives the folder a page loads the package from.
pub(crate) fn build(workspace: &Workspace) -> Result<PathBuf> {
    let _lock = Lock::acquire(&workspace.state().join("web.lock"))?;
    let package = Package::new(workspace, NPM_PACKAGE);
    package.install()?;
    let folder = package.folder().join("bindings");
    for (crate_name, module, name) in MODULES {
        let compiled = compile(workspace, &["--package", crate_name])?;
        bind(workspace, &compiled.join(module), &folder, name)?;
    }
    bundle(workspace, &package)
}

/// Compiles a package the way it ships, and gives the folder with its module. `arguments` of cargo say
/// which package.
pub(crate) fn compile(workspace: &Workspace, arguments: &[&str]) -> Result<PathBuf> {
    let toolchain = WasmToolchain::obtain(workspace)?;
    // Fetched first, so that all folders to leave out of the module's paths exist.
    process::run(workspace, "fetch crates for the web", &mut toolchain.cargo(workspace, "fetch"))?;
    let mut command = toolchain.cargo(workspace, "rustc");
    command
        .args(arguments)
        // Nothing but the module: where a library for other crates is made of the same code, there is no
        // optimisation across crates.
        .args(["--lib", "--crate-type", "cdylib", "--profile", "wasm"])
        .env("CARGO_ENCODED_RUSTFLAGS", path_flags(workspace)?);
    process::run(workspace, "compile a module for the web", &mut command)?;
    Ok(workspace.target().join("wasm").join(TARGET).join("wasm"))
}

/// Flags that keep this machine's paths out of panic messages: they would make the module differ
/// from one machine to the next, and say more than a page's visitors need to know.
fn path_flags(workspace: &Workspace) -> Result<OsString> {
    let mut prefixes = vec![(workspace.root().to_owned(), "kinora")];
    let sources = cargo_home().join("registry/src");
    if sources.is_dir() {
        for entry in fs::read_dir(&sources)? {
            prefixes.push((entry?.path(), "deps"));
        }
    }
    prefixes.sort();
    let mut flags = OsString::new();
    for (from, to) in prefixes {
        if !flags.is_empty() {
            flags.push("\u{1f}");
        }
        flags.push("--remap-path-prefix=");
        flags.push(from);
        flags.push("=");
        flags.push(to);
    }
    Ok(flags)
}

/// Writes the bindings of a module and the optimised module itself to a folder.
pub(crate) fn bind(workspace: &Workspace, module: &Path, folder: &Path, name: &str) -> Result<()> {
    let tools = Package::new(workspace, BUILD_TOOLS);
    tools.install()?;
    let optimised = folder.join(format!("{name}_bg.wasm"));
    let inputs = Inputs::default()
        .value(hash_file(module)?)
        .value(OPTIMISE.join(" "))
        .tree(&workspace.path("platforms/web/bindgen"))?
        .tree(&tools.folder().join("package-lock.json"))?;
    let stamp = Stamp::new(workspace, &format!("web-bindings-{name}"), inputs);
    if stamp.is_fresh(&optimised) {
        return Ok(());
    }
    stamp.clear();
    let mut command = workspace.cargo("run");
    command
        .args(["--package", "kinora-web-bindgen", "--", "bind"])
        .arg(module)
        .arg("--out-dir")
        .arg(folder)
        .args(["--out-name", name]);
    process::run(workspace, "write the web bindings", &mut command)?;

    let mut command = tools.tool("wasm-opt")?;
    command.args(OPTIMISE).arg(&optimised).arg("-o").arg(&optimised);
    process::run(workspace, "optimise the web module", &mut command)?;

    let mut command = workspace.cargo("run");
    command.args(["--package", "kinora-web-bindgen", "--", "arrange"]).arg(&optimised);
    process::run(workspace, "arrange the web module", &mut command)?;
    stamp.write()
}

fn bundle(workspace: &Workspace, package: &Package) -> Result<PathBuf> {
    let dist = package.folder().join("dist");
    let stamp = Stamp::new(workspace, "web-dist", Inputs::default().tree(package.folder())?);
    if stamp.is_fresh(&dist.join("index.js")) && dist.join(MODULE).exists() {
        return Ok(dist);
    }
    stamp.clear();
    process::run(workspace, "bundle the npm package", &mut package.script("build"))?;
    for name in ["index.js", MODULE] {
        if !dist.join(name).exists() {
            bail!("the build script of {NPM_PACKAGE} left no dist/{name}");
        }
    }
    stamp.write()?;
    Ok(dist)
}
