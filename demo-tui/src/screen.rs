//! Drawing a [`View`]: a pure function of it and of the terminal's size.

use std::collections::VecDeque;

use kinora_native::core::io::{PlaybackStatus, Quality};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::{Axis, Block, Chart, Dataset, Gauge, GraphType, LineGauge, Paragraph, Wrap};

use crate::view::{HISTORY, LogLine, StreamView, Tone, View, bit_rate, clock, quality_text};

const THROUGHPUT: Color = Color::Cyan;
const BITRATE: Color = Color::Yellow;
const HELP: &str = "space pause · ←→ 10 s · 1..9 pin · a automatic · s subtitles · ↑↓ log · q quit";

const SHORT_HELP: &str = "space ←→ 1..9 a s ↑↓ q: see --help";

/// Bit/s at the foot of the chart.
const LOWEST_RATE: f64 = 100e3;

/// Lines of subtitles, kept free while some are shown so that nothing jumps.
const SUBTITLE_LINES: u16 = 2;

/// Below this size the charts go, and below the other nearly everything.
const FULL: (u16, u16) = (64, 20);
const LITTLE: (u16, u16) = (24, 6);

/// Draws `view`.
pub(crate) fn draw(frame: &mut Frame<'_>, view: &View) {
    let area = frame.area();
    if area.width < LITTLE.0 || area.height < LITTLE.1 {
        tiny(frame, area, view);
    } else if area.width < FULL.0 || area.height < FULL.1 {
        small(frame, area, view);
    } else {
        full(frame, area, view);
    }
}

fn tiny(frame: &mut Frame<'_>, area: Rect, view: &View) {
    let text = format!("{} {}", status_text(view), clock(view.position));
    frame.render_widget(Paragraph::new(text), area);
}

fn small(frame: &mut Frame<'_>, area: Rect, view: &View) {
    let [head, position, words, quality, buffers, log, help] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(subtitle_lines(view).min(1)),
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Min(1),
        Constraint::Length(1),
    ])
    .areas(area);
    header(frame, head, view);
    position_gauge(frame, position, view);
    subtitles(frame, words, view);
    frame.render_widget(quality_summary(view), quality);
    let ahead: Vec<_> = view
        .streams
        .iter()
        .map(|stream| format!("{} {:.1} s", stream.kind.name(), stream.ahead.seconds()))
        .collect();
    frame.render_widget(Paragraph::new(format!("buffer: {}", ahead.join(", "))), buffers);
    log_lines(frame, log, view);
    frame.render_widget(Paragraph::new(SHORT_HELP).dim(), help);
}

fn full(frame: &mut Frame<'_>, area: Rect, view: &View) {
    let streams = u16::try_from(view.streams.len().clamp(1, 3)).unwrap_or(1);
    let [head, position, words, buffers, middle, log, help] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(subtitle_lines(view)),
        Constraint::Length(streams + 2),
        Constraint::Max(12),
        Constraint::Min(6),
        Constraint::Length(1),
    ])
    .areas(area);
    header(frame, head, view);
    position_gauge(frame, position, view);
    subtitles(frame, words, view);
    buffer_gauges(frame, buffers, view);
    let [network, quality] =
        Layout::horizontal([Constraint::Percentage(55), Constraint::Percentage(45)]).areas(middle);
    rates(frame, network, view);
    qualities(frame, quality, view);
    let block = Block::bordered().title(log_title(view));
    let inside = block.inner(log);
    frame.render_widget(block, log);
    log_lines(frame, inside, view);
    frame.render_widget(Paragraph::new(HELP).dim(), help);
}

fn header(frame: &mut Frame<'_>, area: Rect, view: &View) {
    let status = status_text(view);
    let width = u16::try_from(status.chars().count()).unwrap_or(u16::MAX);
    let [title, right] =
        Layout::horizontal([Constraint::Min(0), Constraint::Length(width)]).spacing(1).areas(area);
    frame.render_widget(Paragraph::new(view.title.line()).bold(), title);
    frame.render_widget(Paragraph::new(status).style(status_style(view)), right);
}

fn status_text(view: &View) -> String {
    match view.status {
        PlaybackStatus::Loading | PlaybackStatus::Failed | PlaybackStatus::Ended => {
            view.status.to_string()
        }
        _ if view.paused => PlaybackStatus::Paused.to_string(),
        status => status.to_string(),
    }
}

fn status_style(view: &View) -> Style {
    let color = match view.status {
        PlaybackStatus::Playing => Color::Green,
        PlaybackStatus::Buffering | PlaybackStatus::Loading => Color::Yellow,
        PlaybackStatus::Failed => Color::Red,
        _ => Color::Reset,
    };
    Style::new().fg(color).add_modifier(Modifier::BOLD)
}

fn position_gauge(frame: &mut Frame<'_>, area: Rect, view: &View) {
    let position = view.position.seconds();
    let (ratio, label) = match view.duration {
        Some(duration) => (
            ratio(position, duration.seconds()),
            format!("{} / {}", clock(view.position), clock(duration)),
        ),
        None if view.live => (1.0, format!("{} live", clock(view.position))),
        None => (0.0, clock(view.position)),
    };
    let gauge = Gauge::default()
        .gauge_style(Style::new().fg(Color::Blue).bg(Color::DarkGray))
        .ratio(ratio)
        .label(Span::styled(label, Style::new().fg(Color::White).bold()));
    frame.render_widget(gauge, area);
}

fn subtitle_lines(view: &View) -> u16 {
    if view.subtitles.name().is_some() { SUBTITLE_LINES } else { 0 }
}

/// What is said; of more lines than there is room for, the last.
fn subtitles(frame: &mut Frame<'_>, area: Rect, view: &View) {
    if area.is_empty() {
        return;
    }
    let lines = view.subtitles.lines(view.position);
    let over = lines.len().saturating_sub(usize::from(area.height));
    let lines: Vec<_> = lines.into_iter().skip(over).map(Line::from).collect();
    frame.render_widget(Paragraph::new(lines).centered().bold(), area);
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { (part / whole).clamp(0.0, 1.0) } else { 0.0 }
}

fn buffer_gauges(frame: &mut Frame<'_>, area: Rect, view: &View) {
    let block = Block::bordered().title(" buffer ahead of the playhead ");
    let inside = block.inner(area);
    frame.render_widget(block, area);
    if view.streams.is_empty() {
        frame.render_widget(Paragraph::new("nothing yet").dim(), inside);
        return;
    }
    let rows = Layout::vertical(view.streams.iter().map(|_| Constraint::Length(1))).split(inside);
    for (stream, row) in view.streams.iter().zip(rows.iter()) {
        let (ahead, goal) = (stream.ahead.seconds(), stream.goal.seconds());
        let gauge = LineGauge::default()
            .filled_symbol("█")
            .unfilled_symbol("░")
            .filled_style(Style::new().fg(if ahead < 2.0 { Color::Red } else { Color::Green }))
            .unfilled_style(Style::new().fg(Color::DarkGray))
            .label(format!("{:<5} {ahead:>5.1} s of {goal:.0} s", stream.kind.name()))
            .ratio(ratio(ahead, goal));
        frame.render_widget(gauge, *row);
    }
}

fn rates(frame: &mut Frame<'_>, area: Rect, view: &View) {
    let last = |history: &VecDeque<f64>| {
        history.back().copied().filter(|rate| *rate > 0.0).map_or("?".to_owned(), bit_rate)
    };
    let title = Line::from(vec![
        " network ".into(),
        Span::styled(last(&view.throughput), Style::new().fg(THROUGHPUT)),
        " · shown ".into(),
        Span::styled(last(&view.bitrate), Style::new().fg(BITRATE)),
        " ".into(),
    ]);
    // The newest sample stands at the right edge. Networks are faster than films by powers of ten,
    // so the scale is logarithmic.
    let points = |history: &VecDeque<f64>| -> Vec<(f64, f64)> {
        let offset = HISTORY.saturating_sub(history.len());
        let known = history.iter().enumerate().filter(|(_, rate)| **rate > 0.0);
        known.map(|(at, rate)| ((offset + at) as f64, rate.max(LOWEST_RATE).log10())).collect()
    };
    let (throughput, bitrate) = (points(&view.throughput), points(&view.bitrate));
    let lowest = LOWEST_RATE.log10();
    let highest =
        throughput.iter().chain(&bitrate).map(|(_, rate)| rate.ceil()).fold(lowest + 2.0, f64::max);
    let decades: Vec<_> =
        (lowest as i32..=highest as i32).map(|at| bit_rate(10f64.powi(at))).collect();
    let dataset = |data, color| {
        Dataset::default()
            .marker(Marker::Braille)
            .graph_type(GraphType::Line)
            .style(Style::new().fg(color))
            .data(data)
    };
    let datasets = vec![dataset(&throughput, THROUGHPUT), dataset(&bitrate, BITRATE)];
    let chart = Chart::new(datasets)
        .block(Block::bordered().title(title))
        .x_axis(
            Axis::default().bounds([0.0, (HISTORY - 1) as f64]).labels(["2 min ago", "now"]).dim(),
        )
        .y_axis(Axis::default().bounds([lowest, highest]).labels(decades).dim());
    frame.render_widget(chart, area);
}

fn qualities(frame: &mut Frame<'_>, area: Rect, view: &View) {
    let block = Block::bordered().title(if view.pinned.is_some() {
        " quality (pinned) "
    } else {
        " quality (automatic) "
    });
    let inside = block.inner(area);
    frame.render_widget(block, area);
    let stream = chosen_stream(view);
    let mut lines = Vec::new();
    for (number, quality) in view.qualities.iter().enumerate().rev() {
        let is = |other: Option<&Quality>| other.is_some_and(|other| other.id == quality.id);
        let shown = is(stream.and_then(|stream| stream.shown.as_ref()));
        let next = is(stream.and_then(|stream| stream.next.as_ref()));
        let mark = match (shown, next) {
            (true, true) => "now, next",
            (true, false) => "now",
            (false, true) => "next",
            (false, false) => "",
        };
        let key = if number < 9 { (number + 1).to_string() } else { " ".to_owned() };
        let line = Line::from(format!("{key} {:<18} {mark}", quality_text(quality)));
        lines.push(if shown { line.bold() } else { line });
    }
    let totals = format!(
        "{} · {} · {:.1} MB",
        count(view.stalls, "stall", "stalls"),
        count(view.switches, "switch", "switches"),
        view.bytes as f64 / 1e6
    );
    let why = stream.and_then(|stream| stream.why.as_deref()).unwrap_or("nothing decided yet");
    let rungs = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    let [ladder, reason, counts] =
        Layout::vertical([Constraint::Max(rungs), Constraint::Min(1), Constraint::Length(1)])
            .areas(inside);
    frame.render_widget(Paragraph::new(Text::from(lines)), ladder);
    let reason_text = match &view.error {
        Some(error) => Line::from(error.as_str()).fg(Color::Red),
        None => Line::from(vec!["why: ".dim(), why.to_owned().into()]),
    };
    frame.render_widget(Paragraph::new(reason_text).wrap(Wrap { trim: true }), reason);
    frame.render_widget(Paragraph::new(totals).dim(), counts);
}

fn chosen_stream(view: &View) -> Option<&StreamView> {
    view.streams.iter().find(|stream| stream.kind == view.pinnable)
}

fn quality_summary(view: &View) -> Line<'_> {
    if let Some(error) = &view.error {
        return Line::from(error.as_str()).fg(Color::Red);
    }
    let Some(stream) = chosen_stream(view) else { return Line::from("no quality chosen yet") };
    let shown = stream.shown.as_ref().map_or("nothing".to_owned(), quality_text);
    match &stream.next {
        Some(next) if stream.shown.as_ref() != Some(next) => {
            Line::from(format!("{shown}, next {}", quality_text(next)))
        }
        _ => Line::from(shown),
    }
}

fn count(number: u32, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

fn log_title(view: &View) -> String {
    if view.scroll > 0 {
        format!(" log ({} newer below) ", view.scroll)
    } else {
        " log ".to_owned()
    }
}

fn log_lines(frame: &mut Frame<'_>, area: Rect, view: &View) {
    let height = usize::from(area.height);
    let end = view.log.len().saturating_sub(view.scroll);
    let start = end.saturating_sub(height);
    let lines: Vec<_> = view.log.range(start..end).map(log_line).collect();
    frame.render_widget(Paragraph::new(lines), area);
}

fn log_line(line: &LogLine) -> Line<'_> {
    let style = match line.tone {
        Tone::Plain => Style::new(),
        Tone::Decision => Style::new().fg(Color::Gray),
        Tone::Good => Style::new().fg(Color::Green),
        Tone::Warning => Style::new().fg(Color::Yellow),
        Tone::Error => Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
    };
    let at = format!("{:>7.1} ", line.at.as_secs_f64());
    Line::from(vec![at.dim(), Span::styled(line.text.as_str(), style)])
}
