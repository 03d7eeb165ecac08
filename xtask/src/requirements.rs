//! The tools the commands call: what each is for, how to see that it is here, what brings it.

use std::fmt;
use std::path::Path;
use std::process::{Command, Stdio};

/// A tool outside the workspace.
pub(crate) struct Requirement {
    pub(crate) name: &'static str,
    pub(crate) purpose: &'static str,
    /// What brings it.
    pub(crate) source: Package,
    probe: Probe,
    minimum: Option<Version>,
}

/// What brings a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Package {
    /// Debian packages.
    Apt(&'static [&'static str]),
    /// Not a package of the system; advice for people.
    Advice(&'static str),
}

enum Probe {
    /// A program on the path and the arguments that make it print its version.
    Program(&'static str, &'static [&'static str]),
    /// One of these files.
    File(&'static [&'static str]),
}

/// Whether a tool is here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// With its version, where it has one.
    Yes(Option<Version>),
    /// Older than the commands need.
    TooOld(Version),
    No,
}

impl Found {
    pub(crate) fn is_usable(&self) -> bool {
        matches!(self, Self::Yes(_))
    }
}

/// The numbers of a version, as many as the tool prints.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(Vec<u64>);

impl Version {
    pub(crate) fn new(numbers: &[u64]) -> Self {
        Self(numbers.to_vec())
    }

    /// The first word of a text that starts with a number and a point, or is a number:
    /// `v20.20.2`, `ffmpeg version 5.1.6-0+deb12u1`, `openjdk version "17.0.15"`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        text.split_whitespace().find_map(|word| {
            let word = word.trim_start_matches(['v', '"', '(']);
            let end = word.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(word.len());
            let numbers: Vec<u64> = word
                .get(..end)?
                .trim_end_matches('.')
                .split('.')
                .map(|number| number.parse().ok())
                .collect::<Option<_>>()?;
            Some(Self(numbers))
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<String> = self.0.iter().map(u64::to_string).collect();
        f.write_str(&numbers.join("."))
    }
}

impl Requirement {
    /// Looks for the tool on this machine.
    pub(crate) fn find(&self) -> Found {
        match self.probe {
            Probe::Program(program, arguments) => match answer(program, arguments) {
                Some(text) => judge(Version::parse(&text), self.minimum.as_ref()),
                None => Found::No,
            },
            Probe::File(paths) if paths.iter().any(|path| Path::new(path).exists()) => {
                Found::Yes(None)
            }
            Probe::File(_) => Found::No,
        }
    }

    pub(crate) fn minimum(&self) -> Option<&Version> {
        self.minimum.as_ref()
    }
}

fn judge(version: Option<Version>, minimum: Option<&Version>) -> Found {
    match (version, minimum) {
        (Some(version), Some(minimum)) if version < *minimum => Found::TooOld(version),
        (version, _) => Found::Yes(version),
    }
}

/// What a program prints when asked for its version, on whichever stream it chooses.
fn answer(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().ok()?;
    if !output.status.success() {
        return None;
    }
    let text = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    Some(String::from_utf8_lossy(&text).into_owned())
}

/// The requirements of these names.
pub(crate) fn named(names: &[&str]) -> Vec<Requirement> {
    let mut all = all();
    all.retain(|requirement| names.contains(&requirement.name));
    all
}

/// Everything the commands call.
pub(crate) fn all() -> Vec<Requirement> {
    vec![
        Requirement {
            name: "rustc",
            purpose: "compiles everything",
            source: Package::Advice("rustup update stable"),
            probe: Probe::Program("rustc", &["--version"]),
            minimum: Some(Version::new(&[1, 95])),
        },
        Requirement {
            name: "rustfmt",
            purpose: "checks the format of the Rust sources",
            source: Package::Advice("rustup component add rustfmt"),
            probe: Probe::Program("cargo", &["fmt", "--version"]),
            minimum: None,
        },
        Requirement {
            name: "clippy",
            purpose: "lints the Rust sources",
            source: Package::Advice("rustup component add clippy"),
            probe: Probe::Program("cargo", &["clippy", "--version"]),
            minimum: None,
        },
        Requirement {
            name: "c++",
            purpose: "compiles the parts of dependencies that are not Rust",
            source: Package::Apt(&["g++"]),
            probe: Probe::Program("c++", &["-dumpversion"]),
            minimum: None,
        },
        Requirement {
            name: "node",
            purpose: "runs the tools that build and test the web package",
            source: Package::Apt(&["nodejs"]),
            probe: Probe::Program("node", &["--version"]),
            minimum: Some(Version::new(&[18])),
        },
        Requirement {
            name: "npm",
            purpose: "fetches those tools",
            source: Package::Apt(&["npm"]),
            probe: Probe::Program("npm", &["--version"]),
            minimum: Some(Version::new(&[8])),
        },
        Requirement {
            name: "pip",
            purpose: "fetches the film",
            source: Package::Apt(&["python3-pip"]),
            probe: Probe::Program("python3", &["-m", "pip", "--version"]),
            minimum: None,
        },
        Requirement {
            name: "ffmpeg",
            purpose: "encodes the ladder",
            source: Package::Apt(&["ffmpeg"]),
            probe: Probe::Program("ffmpeg", &["-hide_banner", "-version"]),
            minimum: Some(Version::new(&[5])),
        },
        Requirement {
            name: "ffprobe",
            purpose: "reads sources, and is the second opinion on what was packaged",
            source: Package::Apt(&["ffmpeg"]),
            probe: Probe::Program("ffprobe", &["-hide_banner", "-version"]),
            minimum: Some(Version::new(&[5])),
        },
        Requirement {
            name: "chromium",
            purpose: "plays in the end-to-end tests",
            source: Package::Apt(&["chromium"]),
            probe: Probe::Program("chromium", &["--version"]),
            minimum: None,
        },
        Requirement {
            name: "wrk",
            purpose: "puts load on the server",
            source: Package::Apt(&["wrk"]),
            probe: Probe::File(&["/usr/bin/wrk", "/usr/local/bin/wrk"]),
            minimum: None,
        },
        Requirement {
            name: "nginx",
            purpose: "is what the server is measured beside",
            source: Package::Apt(&["nginx-light"]),
            probe: Probe::Program("nginx", &["-v"]),
            minimum: None,
        },
        Requirement {
            name: "java",
            purpose: "compiles and runs the Kotlin tests",
            source: Package::Apt(&["openjdk-17-jdk-headless"]),
            probe: Probe::Program("java", &["-version"]),
            minimum: Some(Version::new(&[17])),
        },
        Requirement {
            name: "jna",
            purpose: "carries Kotlin's calls into the native library",
            source: Package::Apt(&["libjna-java"]),
            probe: Probe::File(&["/usr/share/java/jna.jar"]),
            minimum: None,
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_the_tools_print_them() {
        let parsed = |text: &str| Version::parse(text).map(|version| version.to_string());
        for (text, version) in [
            ("v20.20.2", "20.20.2"),
            ("11.19.1", "11.19.1"),
            ("rustc 1.95.0 (59807616e 2026-04-14)", "1.95.0"),
            ("ffmpeg version 5.1.6-0+deb12u1 Copyright (c) 2000-2024", "5.1.6"),
            ("openjdk version \"17.0.15\" 2025-04-15", "17.0.15"),
            ("Chromium 140.0.7339.80 built on Debian 12", "140.0.7339.80"),
            ("pip 23.0.1 from /usr/lib/python3/dist-packages/pip (python 3.11)", "23.0.1"),
            ("12", "12"),
        ] {
            assert_eq!(parsed(text).as_deref(), Some(version), "{text}");
        }
        assert_eq!(parsed("no version here"), None);
    }

    #[test]
    fn an_old_tool_is_not_usable() {
        let minimum = Version::new(&[1, 95]);
        let judge = |text: &str| judge(Version::parse(text), Some(&minimum));
        assert_eq!(judge("1.63.0"), Found::TooOld(Version::new(&[1, 63, 0])));
        assert!(!judge("1.63.0").is_usable());
        assert!(judge("1.95.0").is_usable());
        assert!(judge("1.100.0").is_usable());
        // A development build of ffmpeg names a commit: it is here, and no number says it is old.
        assert_eq!(judge("N-abc"), Found::Yes(None));
    }

    #[test]
    fn an_absent_program_or_file_is_not_found() {
        let requirement = |probe| Requirement {
            name: "x",
            purpose: "x",
            source: Package::Apt(&["x"]),
            probe,
            minimum: None,
        };
        let program = Probe::Program("a-program-nobody-has", &["--version"]);
        assert_eq!(requirement(program).find(), Found::No);
        assert_eq!(requirement(Probe::File(&["/a/file/nobody/has"])).find(), Found::No);
        assert_eq!(requirement(Probe::File(&["/a/file/nobody/has", "/"])).find(), Found::Yes(None));
    }

    #[test]
    fn names_are_unique() {
        let all = all();
        for requirement in &all {
            let same = all.iter().filter(|other| other.name == requirement.name).count();
            assert_eq!(same, 1, "{}", requirement.name);
        }
    }
}
