//! ffmpeg, making every rendition of a broadcast at once, into one stream of fragments.

use super::{
    Plan,
    demux::{Demuxer, Item},
};
use crate::{
    Error, Result,
    package::{
        encode::{self, Args},
        ffmpeg,
    },
};
use std::time::Duration;
use tokio::io::AsyncReadExt;

/// An encoder from which nothing comes for so long hangs, most likely as its input does.
const SILENCE: Duration = Duration::from_secs(15);

/// The command line: every frame is a fragment of its own, written at once, so that nothing waits for more.
pub(super) fn args(plan: &Plan) -> Vec<String> {
    let Plan { options, probe, rungs, shape } = plan;
    let input = &options.input;
    let mut args = Args(Vec::new());
    args.all(["-hide_banner", "-nostdin", "-loglevel", "error", "-nostats"]);
    args.0.extend(input.args(probe, options.once));
    args.pair("-filter_complex", encode::filters(input.video_specifier(), probe, rungs));
    for (index, rung) in rungs.iter().enumerate() {
        let gop = shape.part_frames * shape.parts;
        args.video((index, *rung), index, gop, &options.preset);
    }
    args.all(["-tune:v", "zerolatency", "-bf:v", "0"]);
    args.pair("-video_track_timescale", encode::timescale(probe.frame_rate));
    if let Some(audio) = probe.audio {
        let output = encode::audio_output(audio);
        args.audio(input.audio_specifier(), output, u64::from(options.audio_kbps) * 1000);
        // The coder's delay is before zero, where fragments cannot say so; it is left out later.
        args.all(["-bsf:a", "setts=pts=PTS+1024:dts=DTS+1024"]);
    }
    args.all(["-map_metadata", "-1", "-map_chapters", "-1", "-flush_packets", "1"]);
    args.all([
        "-f",
        "mp4",
        "-movflags",
        "+frag_every_frame+empty_moov+default_base_moof",
        "pipe:1",
    ]);
    args.0
}

/// Runs it to its end. Dropping the future ends the process.
///
/// # Errors
/// [`Error::ToolMissing`] when it is not installed, [`Error::Encoder`] when it fails or hangs, and whatever `take`
/// makes of what comes out.
pub(super) async fn run(args: &[String], mut take: impl FnMut(Item) -> Result<()>) -> Result<()> {
    let mut child = ffmpeg::spawn("ffmpeg", args)?;
    let stderr = ffmpeg::tail_of(child.stderr.take());
    let stdout = child.stdout.take();
    let read = async {
        let Some(mut stdout) = stdout else { return Ok(()) };
        let mut demuxer = Demuxer::default();
        let mut piece = vec![0; 64 * 1024];
        loop {
            let read = tokio::time::timeout(SILENCE, stdout.read(&mut piece)).await;
            let count = match read {
                Ok(count) => count.map_err(Error::io("read from", "ffmpeg"))?,
                Err(_) => {
                    let message = format!("nothing has come from it for {} s", SILENCE.as_secs());
                    return Err(Error::Encoder { status: "still running".into(), message });
                }
            };
            if count == 0 {
                return Ok(());
            }
            demuxer.push(piece.get(..count).unwrap_or_default());
            loop {
                let items = demuxer.next()?;
                if items.is_empty() {
                    break;
                }
                for item in items {
                    take(item)?;
                }
            }
        }
    };
    // What it complains of is read all the while, or it would block.
    let mut stderr = std::pin::pin!(stderr);
    let mut read = std::pin::pin!(read);
    let mut complaint = None;
    let ended = loop {
        tokio::select! {
            ended = &mut read => break ended,
            text = &mut stderr, if complaint.is_none() => complaint = Some(text),
        }
    };
    ended?;
    let complaint = match complaint {
        Some(text) => text,
        None => stderr.await,
    };
    ffmpeg::finish("ffmpeg", child, complaint).await
}
