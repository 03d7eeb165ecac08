//! Pictures of a film: one that stands for it, and small ones along its length, on sheets.

use super::{ffmpeg, ladder::Rung, publish::Staging};
use crate::{Error, Result};
use sha2::{Digest, Sha256};
use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

/// The picture that stands for the film, in the package's directory.
pub(super) const POSTER: &str = "poster.jpg";
/// Where the index of the small ones is, in their own directory.
const INDEX: &str = "thumbnails.vtt";
/// Pixels across of a small picture.
const WIDTH: u32 = 160;
/// Rows, and pictures in each, of a sheet.
const SIDE: usize = 5;
/// Seconds between two of them at least, and how many there are at most.
const SECONDS: f64 = 5.0;
const MOST: f64 = 500.0;

/// Writes the poster, from a moment in the film that is likely to show something.
pub(super) async fn poster(staging: &Staging, video: &Path, duration: f64) -> Result<()> {
    let path = staging.staged().join(POSTER);
    let at = format!("{:.3}", duration * 0.2);
    run(&["-ss", &at], video, "thumbnail=48,scale='min(960,iw)':-2", &["-frames:v", "1"], &path)
        .await
}

/// Writes the sheets and their index (WebVTT with the places of pictures as media fragments), and says where that
/// is.
pub(super) async fn thumbnails(
    staging: &Staging,
    video: &Path,
    rung: &Rung,
    duration: f64,
) -> Result<String> {
    let scratch = staging.scratch().join("thumbnails");
    fs::create_dir(&scratch).map_err(Error::io("create", &scratch))?;
    let every = (duration / MOST).ceil().max(SECONDS);
    let height = (WIDTH * rung.height / rung.width.max(1)).next_multiple_of(2).max(2);
    let filter = format!(
        "select='isnan(prev_selected_t)+gte(t-prev_selected_t,{every})',scale={WIDTH}:{height},tile={SIDE}x{SIDE}"
    );
    let sheets = scratch.join("sheet-%03d.jpg");
    run(&[], video, &filter, &["-fps_mode", "passthrough"], &sheets).await?;
    let index = scratch.join(INDEX);
    fs::write(&index, index_text(duration, every, height)).map_err(Error::io("write", &index))?;
    let name = format!("thumbnails.{}", hash(&scratch)?);
    let target = staging.staged().join(&name);
    fs::rename(&scratch, &target).map_err(Error::io("name", &target))?;
    Ok(format!("{name}/{INDEX}"))
}

fn index_text(duration: f64, every: f64, height: u32) -> String {
    let mut text = String::from("WEBVTT\n");
    let count = (duration / every).ceil().max(1.0) as usize;
    for number in 0..count {
        let (start, end) = (number as f64 * every, ((number + 1) as f64 * every).min(duration));
        let (sheet, place) = (number / (SIDE * SIDE) + 1, number % (SIDE * SIDE));
        let (x, y) = (place % SIDE * WIDTH as usize, place / SIDE * height as usize);
        // A String takes whatever is written.
        let _ = write!(
            text,
            "\n{} --> {}\nsheet-{sheet:03}.jpg#xywh={x},{y},{WIDTH},{height}\n",
            time(start),
            time(end)
        );
    }
    text
}

fn time(seconds: f64) -> String {
    let ms = (seconds * 1000.0).round() as u64;
    format!("{:02}:{:02}:{:02}.{:03}", ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000)
}

/// The first digits of what is in a directory, in the order of names.
fn hash(directory: &Path) -> Result<String> {
    let entries = fs::read_dir(directory).map_err(Error::io("look into", directory))?;
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    let mut hash = Sha256::new();
    for file in files {
        hash.update(fs::read(&file).map_err(Error::io("read", &file))?);
    }
    Ok(hash.finalize().iter().take(4).map(|byte| format!("{byte:02x}")).collect())
}

async fn run(
    before: &[&str],
    video: &Path,
    filter: &str,
    after: &[&str],
    out: &Path,
) -> Result<()> {
    let mut args: Vec<String> = ["-v", "error", "-nostdin", "-y"].map(str::to_owned).to_vec();
    args.extend(before.iter().map(|arg| (*arg).to_owned()));
    args.extend(["-i".to_owned(), video.to_string_lossy().into_owned()]);
    args.extend(["-an", "-vf", filter, "-q:v", "4"].map(str::to_owned));
    args.extend(after.iter().map(|arg| (*arg).to_owned()));
    args.push(out.to_string_lossy().into_owned());
    ffmpeg::capture("ffmpeg", &args).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_moment_has_its_place_on_a_sheet() {
        let text = index_text(131.0, 5.0, 90);
        assert!(text.starts_with(
            "WEBVTT\n\n00:00:00.000 --> 00:00:05.000\nsheet-001.jpg#xywh=0,0,160,90\n"
        ));
        assert!(text.contains("00:00:30.000 --> 00:00:35.000\nsheet-001.jpg#xywh=160,90,160,90\n"));
        assert!(text.ends_with("00:02:10.000 --> 00:02:11.000\nsheet-002.jpg#xywh=160,0,160,90\n"));
    }
}
