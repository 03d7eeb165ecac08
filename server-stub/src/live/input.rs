//! What is broadcast: a test pattern, a file over and over, or whatever ffmpeg can open.

use crate::{
    Error, Result,
    package::source::{self, Pattern, Probe, Source},
};
use std::{fmt, str::FromStr, time::Duration};

/// A source that does not say what it holds within this time does not work.
const PROBE_TIME: Duration = Duration::from_secs(20);

/// What is broadcast.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// The test pattern of [`Pattern`], without an end.
    Pattern(Pattern),
    /// A file, or the URL of anything that ffmpeg reads.
    Media(String),
}

impl Input {
    /// Finds out what it holds. What is still being made has a length without bound.
    ///
    /// # Errors
    /// [`Error::ToolMissing`] without ffprobe, [`Error::Source`] when it is no video.
    pub async fn probe(&self) -> Result<Probe> {
        let url = match self {
            Self::Pattern(pattern) => {
                return Ok(Probe { duration: f64::INFINITY, ..pattern.probe() });
            }
            Self::Media(url) => url,
        };
        let unusable = |reason: &str| {
            Err(Error::Source { source_name: url.clone(), reason: reason.to_owned() })
        };
        if !is_url(url) && !std::path::Path::new(url).is_file() {
            return unusable("no such file");
        }
        match tokio::time::timeout(PROBE_TIME, source::probe_any(url, &ffmpeg_name(url))).await {
            Ok(probe) => probe,
            Err(_) => unusable("it does not answer"),
        }
    }

    /// The arguments that make this ffmpeg's inputs, in real time.
    pub(super) fn args(&self, probe: &Probe, once: bool) -> Vec<String> {
        match self {
            Self::Pattern(pattern) => pattern.input_args(true),
            Self::Media(url) => {
                let mut args = Vec::new();
                // What was recorded is read at the speed it plays at; what is live comes at its own.
                if self.is_recorded(probe) {
                    args.push("-re".to_owned());
                    if !once {
                        args.extend(["-stream_loop", "-1"].map(String::from));
                    }
                }
                args.extend(["-i".to_owned(), ffmpeg_name(url)]);
                args
            }
        }
    }

    /// Whether it has been there before, and has an end.
    pub(super) fn is_recorded(&self, probe: &Probe) -> bool {
        matches!(self, Self::Media(_)) && probe.duration.is_finite()
    }

    pub(super) fn video_specifier(&self) -> &'static str {
        match self {
            Self::Pattern(_) => "0:v:0",
            Self::Media(_) => "0:V:0",
        }
    }

    pub(super) fn audio_specifier(&self) -> &'static str {
        match self {
            Self::Pattern(_) => "1:a:0",
            Self::Media(_) => "0:a:0",
        }
    }
}

fn is_url(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, _)| {
        !scheme.is_empty() && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    })
}

/// A path that ffmpeg cannot take for a URL or an option.
fn ffmpeg_name(text: &str) -> String {
    if is_url(text) { text.to_owned() } else { format!("file:{text}") }
}

impl FromStr for Input {
    type Err = String;

    /// `testsrc[:WIDTHxHEIGHT[:FPS]]`, `silent…` for no tone, a URL, or a path.
    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
        if !matches!(kind, "testsrc" | "silent") || rest.starts_with("//") {
            return Ok(Self::Media(text.to_owned()));
        }
        let shape = if rest.is_empty() { String::new() } else { format!(":{rest}") };
        // A pattern of a packaged clip, but for its length.
        match format!("{kind}:1{shape}").parse::<Source>() {
            Ok(Source::Generated(pattern)) => Ok(Self::Pattern(pattern)),
            _ => Err(format!("expected {kind}, or {kind}:WIDTHxHEIGHT:FPS with an even size")),
        }
    }
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pattern(Pattern { width, height, frame_rate, audio, .. }) => {
                let kind = if *audio { "testsrc" } else { "silent" };
                write!(f, "{kind}:{width}x{height}:{frame_rate}")
            }
            Self::Media(url) => f.write_str(url),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_is_a_pattern_a_url_or_a_path() {
        let shown = |text: &str| text.parse::<Input>().map(|input| input.to_string());
        assert_eq!(shown("testsrc"), Ok("testsrc:1280x720:24".into()));
        assert_eq!(shown("silent:320x180:30"), Ok("silent:320x180:30".into()));
        assert_eq!("udp://239.0.0.1:5000".parse(), Ok(Input::Media("udp://239.0.0.1:5000".into())));
        assert_eq!("testsrc.mp4".parse(), Ok(Input::Media("testsrc.mp4".into())));
        assert!(shown("testsrc:321x180").is_err());
        assert!(shown("testsrc:320x180:24:9").is_err());
    }

    #[test]
    fn only_what_was_recorded_is_slowed_down_and_repeated() {
        let live = Input::Media("srt://host:9000".into());
        let mut probe = "testsrc"
            .parse::<Input>()
            .map(|input| match input {
                Input::Pattern(pattern) => pattern.probe(),
                Input::Media(_) => unreachable!(),
            })
            .unwrap();
        probe.duration = f64::INFINITY;
        assert_eq!(live.args(&probe, false), ["-i", "srt://host:9000"]);
        probe.duration = 12.0;
        let file = Input::Media("-film.mp4".into());
        assert_eq!(file.args(&probe, true), ["-re", "-i", "file:-film.mp4"]);
        assert_eq!(file.args(&probe, false), ["-re", "-stream_loop", "-1", "-i", "file:-film.mp4"]);
    }
}
