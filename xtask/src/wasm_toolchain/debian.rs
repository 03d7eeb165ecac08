//! Debian's compiler for the web, unpacked beside the system and completed.
//!
//! Debian packages a current `rustc` (to build browsers with) and the sources of its standard
//! library, but not the library compiled for WebAssembly, and the packages cannot be installed
//! next to its ordinary compiler. So they are unpacked, not installed, and the library is
//! compiled once from the sources: about 130 MB to fetch, 500 MB on disk.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};

use super::{TARGET, cargo_home};
use crate::install;
use crate::lock::Lock;
use crate::process;
use crate::workspace::Workspace;

/// The compiler as a program that finds its libraries wherever it is unpacked: Debian's binaries
/// carry no run path.
const WRAPPER: &str = r#"#!/bin/sh
d=${0%/*}
export LD_LIBRARY_PATH="$d/../lib/MULTIARCH${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
exec "$d/rustc.bin" "$@"
"#;

/// Packages whose names carry a version, and the packages that say which.
struct Names {
    libstd: String,
    llvm: String,
}

/// The root of a toolchain that is complete.
pub(crate) fn ready(workspace: &Workspace) -> Option<PathBuf> {
    let root = root(workspace);
    root.join(".ready").exists().then_some(root)
}

pub(crate) fn rustc(root: &Path) -> PathBuf {
    root.join("usr/bin/rustc")
}

/// Unpacks and completes the toolchain, unless that has been done.
pub(crate) fn obtain(workspace: &Workspace) -> Result<PathBuf> {
    let root = root(workspace);
    let _lock = Lock::acquire(&root.with_extension("lock"))?;
    if let Some(root) = ready(workspace) {
        return Ok(root);
    }
    let new = root.with_extension("new");
    for folder in [&new, &root] {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
    }
    let work = new.join("work");
    fs::create_dir_all(&work)?;
    assemble(workspace, &new, &work).context("Debian's compiler for the web")?;
    fs::remove_dir_all(&work)?;
    fs::rename(&new, &root)?;
    Ok(root)
}

fn root(workspace: &Workspace) -> PathBuf {
    workspace.user_cache().join("wasm-toolchain")
}

fn assemble(workspace: &Workspace, root: &Path, work: &Path) -> Result<()> {
    let packages = work.join("packages");
    fs::create_dir_all(&packages)?;
    let names = download(workspace, &packages)?;
    let sources = unpack(workspace, root, work, &packages)?;
    let host = complete(root, &names)?;
    check_libraries(root, &host, &names)?;
    compile_std(workspace, root, work, &sources)?;
    prove(workspace, root, work)?;
    fs::write(root.join(".ready"), process::output(Command::new(rustc(root)).arg("--version"))?)?;
    Ok(())
}

fn download(workspace: &Workspace, to: &Path) -> Result<Names> {
    // The list of packages on a fresh machine is empty or old: refresh it and try once more.
    if let Ok(names) = names() {
        if fetch_packages(workspace, &names, to).is_ok() {
            return Ok(names);
        }
        process::wait_if_interrupted();
    }
    process::run(workspace, "apt-get update", install::apt_get().arg("update"))?;
    let names = names()?;
    fetch_packages(workspace, &names, to)?;
    Ok(names)
}

fn names() -> Result<Names> {
    let libstd = dependency("libstd-rust-web-dev", "libstd-rust-web-")?;
    let llvm = dependency(&libstd, "libllvm")?;
    Ok(Names { llvm: llvm.trim_start_matches("libllvm").to_owned(), libstd })
}

/// The dependency of a Debian package that starts so and goes on with a version.
fn dependency(package: &str, prefix: &str) -> Result<String> {
    let mut command = Command::new("apt-cache");
    let text = process::output(command.args(["show", "--no-all-versions", package]))?;
    find_dependency(&text, prefix)
        .ok_or_else(|| anyhow!("Debian's {package} names no {prefix}* that it depends on"))
}

fn find_dependency(description: &str, prefix: &str) -> Option<String> {
    let list = description.lines().find_map(|line| line.strip_prefix("Depends: "))?;
    list.split([',', '|']).filter_map(|entry| entry.split_whitespace().next()).find_map(|name| {
        let name = name.split(':').next().unwrap_or(name);
        let version = name.strip_prefix(prefix)?;
        version.starts_with(|c: char| c.is_ascii_digit()).then(|| name.to_owned())
    })
}

fn fetch_packages(workspace: &Workspace, names: &Names, to: &Path) -> Result<()> {
    let mut command = install::apt_get();
    command
        .current_dir(to)
        .args(["-o", "APT::Sandbox::User=root", "download", "rustc-web", "libstd-rust-web-dev"])
        .arg(&names.libstd)
        .arg("rust-web-src")
        .arg(format!("libllvm{}", names.llvm))
        .arg(format!("lld-{}", names.llvm));
    process::run(workspace, "download Debian's compiler for the web", &mut command)
}

/// Unpacks all packages and gives the folder of the standard library's sources.
fn unpack(workspace: &Workspace, root: &Path, work: &Path, packages: &Path) -> Result<PathBuf> {
    for entry in fs::read_dir(packages)? {
        let package = entry?.path();
        let name = package.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let to = if name.starts_with("rust-web-src_") { work } else { root };
        let mut command = Command::new("dpkg-deb");
        command.arg("-x").arg(&package).arg(to);
        process::run(workspace, &format!("unpack {name}"), &mut command)?;
    }
    let source = only_child(&work.join("usr/src"), "rustc-")?;
    Ok(source.join("library"))
}

/// Puts things where the compiler looks for them. Gives the host's target triple.
fn complete(root: &Path, names: &Names) -> Result<String> {
    let lib = root.join("usr/lib");
    let multiarch = multiarch(&lib)?;
    let bin = root.join("usr/bin");
    fs::rename(bin.join("rustc"), bin.join("rustc.bin"))?;
    fs::write(bin.join("rustc"), WRAPPER.replace("MULTIARCH", &multiarch))?;
    fs::set_permissions(bin.join("rustc"), fs::Permissions::from_mode(0o755))?;
    let said = process::output(Command::new(rustc(root)).arg("-vV"))?;
    let host = field(&said, "host")?;

    // The compiler's linker for WebAssembly is LLVM's, under rustc's own name for it.
    let tools = lib.join("rustlib").join(&host).join("bin");
    fs::create_dir_all(&tools)?;
    let llvm = lib.join(format!("llvm-{}", names.llvm));
    fs::copy(llvm.join("bin/lld"), tools.join("rust-lld")).context("Debian's lld")?;
    for rest in [llvm, root.join("usr/share"), root.join("usr/libexec")] {
        if rest.exists() {
            fs::remove_dir_all(rest)?;
        }
    }
    Ok(host)
}

fn multiarch(lib: &Path) -> Result<String> {
    for entry in fs::read_dir(lib)? {
        let entry = entry?;
        let holds_driver = entry.path().is_dir()
            && fs::read_dir(entry.path())?
                .filter_map(Result::ok)
                .any(|file| file.file_name().to_string_lossy().starts_with("librustc_driver-"));
        if holds_driver {
            return Ok(entry.file_name().to_string_lossy().into_owned());
        }
    }
    bail!("no librustc_driver in {}", lib.display())
}

fn field(text: &str, name: &str) -> Result<String> {
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        .map(str::to_owned)
        .ok_or_else(|| anyhow!("rustc -vV says no {name}"))
}

/// The packages were not installed, so nothing brought the libraries they depend on.
fn check_libraries(root: &Path, host: &str, names: &Names) -> Result<()> {
    let lib = root.join("usr/lib");
    let linker = lib.join("rustlib").join(host).join("bin/rust-lld");
    let multiarch = lib.join(multiarch(&lib)?);
    for file in [root.join("usr/bin/rustc.bin"), linker] {
        let mut command = Command::new("ldd");
        let text = process::output(command.env("LD_LIBRARY_PATH", &multiarch).arg(&file))?;
        if let Some(line) = text.lines().find(|line| line.contains("not found")) {
            let llvm = &names.llvm;
            bail!("{}; apt-get install -y libllvm{llvm} lld-{llvm} brings it", line.trim());
        }
    }
    Ok(())
}

fn compile_std(workspace: &Workspace, root: &Path, work: &Path, sources: &Path) -> Result<()> {
    let said = process::output(Command::new(rustc(root)).arg("-vV"))?;
    let commit = field(&said, "commit-hash")?;
    let target_dir = work.join("target");
    let mut flags = OsString::from("-Zforce-unstable-if-unmarked\u{1f}-Cembed-bitcode=yes");
    for (from, to) in [
        (sources.to_owned(), format!("/rustc/{commit}/library")),
        (cargo_home().join("registry/src"), "/rust/deps".to_owned()),
    ] {
        flags.push("\u{1f}--remap-path-prefix=");
        flags.push(from);
        flags.push("=");
        flags.push(to);
    }
    let mut command = workspace.cargo("build");
    for name in ["RUSTFLAGS", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "RUSTUP_TOOLCHAIN"] {
        command.env_remove(name);
    }
    command
        .current_dir(sources)
        .args(["--release", "--locked", "--target", TARGET])
        .args(["--manifest-path", "sysroot/Cargo.toml"])
        .env("CARGO_ENCODED_RUSTFLAGS", flags)
        .env("CARGO_TARGET_DIR", &target_dir)
        .env("CARGO_PROFILE_RELEASE_DEBUG", "0")
        .env("CARGO_INCREMENTAL", "0")
        // The standard library is built with the features it keeps from others.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("__CARGO_DEFAULT_LIB_METADATA", "debianstd")
        .env("RUSTC", rustc(root));
    process::run(workspace, "compile the standard library for the web", &mut command)?;

    let to = root.join("usr/lib/rustlib").join(TARGET).join("lib");
    fs::create_dir_all(&to)?;
    for entry in fs::read_dir(target_dir.join(TARGET).join("release/deps"))? {
        let path = entry?.path();
        if let (Some(name), Some("rlib")) =
            (path.file_name(), path.extension().and_then(|e| e.to_str()))
        {
            fs::copy(&path, to.join(name))?;
        }
    }
    Ok(())
}

/// Compiles and links a program that needs the allocator, formatting and the linker.
fn prove(workspace: &Workspace, root: &Path, work: &Path) -> Result<()> {
    let source = work.join("proof.rs");
    let program = r#"#[unsafe(no_mangle)] pub extern "C" fn f(x: &mut Vec<String>) { x.push(format!("{x:?}")) }"#;
    fs::write(&source, program)?;
    let mut command = Command::new(rustc(root));
    command
        .args(["--edition", "2024", "--target", TARGET, "--crate-type", "cdylib"])
        .args(["-O", "-Clto=fat", "-Cpanic=abort", "-o"])
        .arg(work.join("proof.wasm"))
        .arg(source);
    process::run(workspace, "try the compiler for the web", &mut command)
}

fn only_child(folder: &Path, prefix: &str) -> Result<PathBuf> {
    fs::read_dir(folder)
        .with_context(|| format!("cannot read {}", folder.display()))?
        .filter_map(Result::ok)
        .find(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path())
        .ok_or_else(|| anyhow!("no {prefix}* in {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DESCRIPTION: &str = "\
Package: libstd-rust-web-dev
Version: 1.96.0+dfsg1-1~deb12u2
Depends: libstd-rust-web-1.96 (= 1.96.0+dfsg1-1~deb12u2), gcc, libllvm19:any (>= 1:19) | libc6
Description: Rust standard libraries - development files
";

    #[test]
    fn versioned_dependencies_are_found() {
        let find = |prefix| find_dependency(DESCRIPTION, prefix);
        assert_eq!(find("libstd-rust-web-").as_deref(), Some("libstd-rust-web-1.96"));
        assert_eq!(find("libllvm").as_deref(), Some("libllvm19"));
        assert_eq!(find("libclang"), None);
        assert_eq!(find_dependency("Package: x\n", "libllvm"), None);
    }

    #[test]
    fn fields_of_the_compilers_answer_are_found() {
        let said =
            "rustc 1.96.0\nbinary: rustc\ncommit-hash: abc\nhost: x86_64-unknown-linux-gnu\n";
        assert_eq!(field(said, "host").unwrap(), "x86_64-unknown-linux-gnu");
        assert!(field(said, "LLVM version").is_err());
    }
}
