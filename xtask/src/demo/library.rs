//! What there is to watch: the film, scenes of it, and what the server seeds beside them.

use std::fs;
use std::io::{IsTerminal, stderr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use super::SERVER;
use crate::film::Film;
use crate::lock::Lock;
use crate::process;
use crate::progress;
use crate::stamp::Inputs;
use crate::workspace::Workspace;

/// What is written of the film and its scenes; others' films say what they are themselves.
const CATALOGUE: &str = include_str!("catalogue.json");
const FILM: &str = "big-buck-bunny";
const SERIES: &str = "bunny-in-scenes";
/// Seconds at which scenes begin, and how long each is.
const SCENES: [u32; 4] = [25, 130, 270, 400];
const SCENE_SECONDS: u32 = 40;

/// With what the seeded household signs in.
pub(crate) const EMAIL: &str = "demo@example.org";
pub(crate) const PASSWORD: &str = "watch a film";

/// The data of a service that has something to watch.
pub(crate) struct Library {
    /// Its directory.
    pub(crate) data: PathBuf,
    /// The film's own package, which is also served by itself.
    pub(crate) film: PathBuf,
}

impl Library {
    /// Packages the film, unless the same film has been packaged in the same way; with `all`, scenes of it too, and
    /// seeds a household and an audience.
    pub(crate) fn build(
        workspace: &Workspace,
        film: &Film,
        again: bool,
        all: bool,
    ) -> Result<Self> {
        let (item, own) = match film.credit {
            Some(_) => (FILM, true),
            None => ("film", false),
        };
        let mut arguments = vec!["--title".to_owned(), film.title.clone()];
        if let Some((credit, license)) = film.credit {
            arguments.extend(["--credit", credit, "--license", license].map(str::to_owned));
        }
        let inputs = Inputs::default().value(&film.identity).value(arguments.join("\n"));
        let key: String = inputs.value(CATALOGUE).hash().chars().take(16).collect();
        let folder = workspace.target().join("demo");
        let _lock = Lock::acquire(&folder.join("package.lock"))?;
        let data = folder.join(format!("data-{key}"));
        let library = Self { film: data.join("packages").join(item), data };
        // A package's folder appears whole, at the end.
        if !library.film.exists() || again {
            if own {
                library.describe(workspace)?;
            }
            library.package(workspace, &film.title, &film.source, item, &arguments)?;
        }
        if all {
            if own {
                library.scenes(workspace, film, again)?;
            }
            let listed: &[&str] = if own { &[SERIES, item] } else { &[item] };
            library.seed(workspace, item, listed)?;
        }
        Ok(library)
    }

    fn describe(&self, workspace: &Workspace) -> Result<()> {
        fs::create_dir_all(&self.data)?;
        let file = self.data.join("demo-catalogue.json");
        fs::write(&file, CATALOGUE).with_context(|| format!("cannot write {}", file.display()))?;
        let mut command = workspace.command(workspace.binary(SERVER));
        command.arg("import").arg(&file).arg("--data").arg(&self.data);
        process::run(workspace, "enter the film into the catalogue", &mut command)
    }

    fn package(
        &self,
        workspace: &Workspace,
        name: &str,
        source: impl AsRef<std::ffi::OsStr>,
        target: &str,
        arguments: &[String],
    ) -> Result<()> {
        let label = format!("package {name}");
        let mut command = workspace.command(workspace.binary(SERVER));
        command.arg("package").arg(source).args(arguments).arg("--force");
        command.args(["--register", target]).arg("--data").arg(&self.data);
        if stderr().is_terminal() {
            eprintln!("{label} ...");
            process::run_visible(&mut command).context(label) // it has a bar of its own
        } else {
            process::run_told(workspace, &label, command.arg("--json"), how_far)
        }
    }

    fn scenes(&self, workspace: &Workspace, film: &Film, again: bool) -> Result<()> {
        for (number, start) in (1..).zip(SCENES) {
            let episode = format!("bunny-scene-{number}");
            if self.data.join("packages").join(&episode).exists() && !again {
                continue;
            }
            let clip = self.data.join(format!("{episode}.mp4"));
            cut(workspace, film, start, &clip)?;
            let name = format!("scene {number} of {}", film.title);
            let title = ["--title".to_owned(), format!("{}, scene {number}", film.title)];
            self.package(workspace, &name, &clip, &format!("{SERIES}/{episode}"), &title)?;
            fs::remove_file(&clip)?;
        }
        Ok(())
    }

    /// A household that has what this is about on its list, among films that all play the same.
    fn seed(&self, workspace: &Workspace, item: &str, listed: &[&str]) -> Result<()> {
        let summary = fs::read_to_string(self.film.join("package.json"))?;
        let summary: serde_json::Value = serde_json::from_str(&summary)?;
        let seconds = summary.get("duration").and_then(serde_json::Value::as_f64).unwrap_or(1.0);
        let media = serde_json::json!({
            "duration_seconds": (seconds.round() as u64).max(1), "package": item,
        });
        let mut command = workspace.command(workspace.binary(SERVER));
        command.arg("seed").arg("--data").arg(&self.data);
        command.args(["--email", EMAIL, "--password", PASSWORD, "--media", &media.to_string()]);
        for title in listed {
            command.args(["--list", title]);
        }
        process::run(workspace, "seed a household and an audience", &mut command)
    }
}

/// Copies a piece of the film into a file.
fn cut(workspace: &Workspace, film: &Film, start: u32, to: &Path) -> Result<()> {
    let mut command = workspace.command("ffmpeg");
    command.args(["-v", "error", "-nostdin", "-y", "-ss", &start.to_string()]);
    command.args(["-t", &SCENE_SECONDS.to_string(), "-i", &film.source, "-c", "copy"]);
    process::run(workspace, "cut a scene out of the film", command.arg(to))
}

/// How far packaging has come, of a line of JSON about it.
fn how_far(line: &str) -> String {
    let told: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
    let number = |name| told.get(name).and_then(serde_json::Value::as_f64);
    match (number("fraction"), number("seconds_left")) {
        (Some(fraction), Some(left)) => {
            let left = Duration::try_from_secs_f64(left).unwrap_or_default();
            format!("{:.0} %, {} left", fraction * 100.0, progress::seconds(left))
        }
        _ => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_far_packaging_has_come_is_said_in_words() {
        let line = r#"{"done":42.3,"event":"progress","fraction":0.071,"seconds_left":388.5,"speed":1.44}"#;
        assert_eq!(how_far(line), "7 %, 6 min 28 s left");
        assert_eq!(how_far("no room on the disk"), "no room on the disk");
    }
}
