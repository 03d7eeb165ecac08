//! `kinora-server live`.

use super::{package::PRESETS, serve, signals::stop_requested};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use kinora_server::{
    Error, Result, http,
    live::{
        self, Options, Status,
        channel::Channel,
        input::Input,
        routes::{self, Place},
    },
    package::ladder::RungSpec,
};
use std::{
    cell::Cell, future::Future, io::Write, net::SocketAddr, pin::pin, sync::Arc, time::Duration,
};
use tokio::{sync::Notify, time::Instant};

/// How long running requests may take to finish when it stops.
const GRACE: Duration = Duration::from_secs(5);
/// The line on the terminal is written anew so often.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Broadcast live: Low-Latency HLS and DASH of a test pattern, a file over and over, or any input of ffmpeg
///
/// One ffmpeg encodes all qualities. Parts of a segment are published as HLS parts and DASH chunks as soon as they are
/// made, at /master.m3u8 and /manifest.mpd; requests for what is to come next wait for it. An encoder that dies, or from
/// which nothing comes for 15 seconds, is started again, and the broadcast goes on after a discontinuity.
///
/// Prints `listening on http://ADDRESS` when there is something to play. On SIGINT or SIGTERM the broadcast ends: the
/// playlists and the MPD say so, and what the window holds can be played on demand for --after-end seconds, or until the
/// next signal.
#[derive(Args)]
pub(crate) struct Live {
    /// testsrc[:WIDTHxHEIGHT[:FPS]] for a pattern with a running time code (silent… for one without sound), a file to
    /// play over and over, or a URL that ffmpeg reads: rtmp, srt, udp, http and so on
    #[arg(value_name = "IN")]
    input: Input,
    /// Play a file once; the broadcast ends with it
    #[arg(long)]
    once: bool,
    /// The address; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
    /// Where players reach it, if that is not where their requests say (behind a proxy that speaks TLS, say)
    #[arg(long, value_name = "URL", value_parser = serve::base_url)]
    public_url: Option<String>,
    /// The title
    #[arg(long, default_value = "Live")]
    title: String,
    /// The ladder by hand, as HEIGHT:KBPS,…; chosen from the source's size and rate otherwise
    #[arg(long, value_name = "RUNGS", value_delimiter = ',')]
    ladder: Vec<RungSpec>,
    /// x264's preset: slower ones make better pictures of the same bits, if the machine keeps up
    #[arg(long, default_value = "veryfast", value_parser = PRESETS)]
    preset: String,
    /// Rate of the sound
    #[arg(long, value_name = "KBPS", default_value_t = 128, value_parser = clap::value_parser!(u32).range(16..=512))]
    audio_kbps: u32,
    /// Length of a segment; the nearest whole number of parts is taken
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0)]
    segment_seconds: f64,
    /// Length of a part (HLS) or chunk (DASH); the nearest whole number of frames is taken
    #[arg(long, value_name = "SECONDS", default_value_t = 0.5)]
    part_seconds: f64,
    /// How far back viewers may go
    #[arg(long, value_name = "SECONDS", default_value_t = 60.0)]
    window: f64,
    /// How far behind what happens players are told to play
    #[arg(long, value_name = "SECONDS", default_value_t = 2.2)]
    latency: f64,
    /// Media to hold in memory at most; where the window needs more it is made shorter
    #[arg(long, value_name = "MIB", default_value_t = 512)]
    memory: u64,
    /// End the broadcast after so long
    #[arg(long, value_name = "SECONDS")]
    duration: Option<f64>,
    /// How long it can be played on demand when it is over
    #[arg(long, value_name = "SECONDS", default_value_t = 30.0)]
    after_end: f64,
    /// Send media at this rate at most, all connections together
    #[arg(long, value_name = "KBPS")]
    throttle: Option<u64>,
    /// Let anyone who reaches the address change the throttle, inject faults and read the request log, under
    /// /_control
    #[arg(long)]
    control: bool,
}

impl Live {
    pub(crate) async fn run(self) -> Result<()> {
        let duration = seconds("--duration", self.duration.unwrap_or(1e9))?;
        let after_end = seconds("--after-end", self.after_end)?;
        let plan = self.options().plan().await?;
        let listener = serve::listen(self.listen).await?;
        let channel = Arc::new(Channel::new(&plan));
        let place = Place { channel: channel.clone(), public_url: self.public_url.clone() };
        let router = serve::observed(routes::router(place), self.throttle, self.control);
        let address =
            listener.local_addr().map_err(|error| serve::cannot_listen(self.listen, &error))?;

        let close = Arc::new(Notify::new());
        let closing = close.clone();
        let served = http::serve(listener, router, async move { closing.notified().await }, GRACE);
        let served = tokio::spawn(served);

        let status = Cell::new(Status::default());
        let display = Display::new();
        let outcome = {
            let air = live::air(&plan, &channel, |news| status.set(news));
            let ended = end_of(&channel, duration, air);
            follow(ended, &channel, || display.show(&channel, status.get(), address)).await
        };
        let failed_to_begin = !channel.look(|broadcast| broadcast.is_on());
        channel.end();
        display.bar.finish_and_clear();
        if !failed_to_begin {
            tracing::info!(restarts = status.get().restarts, "the broadcast is over");
            tokio::select! {
                () = tokio::time::sleep(after_end) => {}
                () = stop_requested() => {}
            }
        }
        close.notify_one();
        if !served.await.unwrap_or(false) {
            tracing::warn!("stopped with requests still running");
        }
        outcome
    }

    fn options(&self) -> Options {
        Options {
            once: self.once,
            title: self.title.clone(),
            ladder: self.ladder.clone(),
            preset: self.preset.clone(),
            audio_kbps: self.audio_kbps,
            segment_seconds: self.segment_seconds,
            part_seconds: self.part_seconds,
            window_seconds: self.window,
            latency_seconds: self.latency,
            most_bytes: self.memory.saturating_mul(1 << 20),
            ..Options::new(self.input.clone())
        }
    }
}

fn seconds(flag: &'static str, value: f64) -> Result<Duration> {
    Duration::try_from_secs_f64(value)
        .ok()
        .filter(|length| length.as_secs() <= 1_000_000_000)
        .ok_or_else(|| Error::Option { flag, reason: format!("{value} is no length of time") })
}

/// The broadcast's own end, the operator's, or that of the time it has once it is on.
async fn end_of(
    channel: &Channel,
    duration: Duration,
    air: impl Future<Output = Result<()>>,
) -> Result<()> {
    let time = async {
        channel.wait(Duration::MAX, |broadcast| broadcast.is_on().then_some(())).await;
        tokio::time::sleep(duration).await;
    };
    tokio::select! {
        ended = air => ended,
        () = stop_requested() => Ok(()),
        () = time => Ok(()),
    }
}

/// Shows how it goes until it has ended.
async fn follow(
    ended: impl Future<Output = Result<()>>,
    channel: &Channel,
    mut show: impl FnMut(),
) -> Result<()> {
    let mut ended = pin!(ended);
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    let begun = channel.wait(Duration::MAX, |broadcast| broadcast.is_on().then_some(()));
    tokio::select! {
        ended = &mut ended => return ended,
        _ = begun => {}
    }
    loop {
        tokio::select! {
            ended = &mut ended => return ended,
            _ = ticks.tick() => show(),
        }
    }
}

/// Says when it can be played, and then a line on the terminal how it goes.
struct Display {
    bar: ProgressBar,
    since: Cell<Option<Instant>>,
}

impl Display {
    fn new() -> Self {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        Self { bar, since: Cell::new(None) }
    }

    fn show(&self, channel: &Channel, status: Status, address: SocketAddr) {
        let since = match self.since.get() {
            Some(since) => since,
            None => {
                // Whoever started this may be waiting for the line behind a pipe; if nobody reads it, so be it.
                let mut stdout = std::io::stdout();
                let _ =
                    writeln!(stdout, "listening on http://{address}").and_then(|()| stdout.flush());
                let now = Instant::now();
                self.since.set(Some(now));
                now
            }
        };
        let seconds = since.elapsed().as_secs();
        let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        let (held, qualities) = channel.look(|broadcast| (broadcast.held(), broadcast.qualities()));
        self.bar.set_message(format!(
            "on air for {hours}:{minutes:02}:{seconds:02}, {qualities} qualities, {:.1} MiB held, {} restarts",
            held as f64 / f64::from(1 << 20),
            status.restarts
        ));
        self.bar.tick();
    }
}
