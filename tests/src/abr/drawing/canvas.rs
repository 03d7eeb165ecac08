//! Panels above one time axis, as SVG.

use std::fmt::Write as _;

const WIDTH: f64 = 1280.0;
const LEFT: f64 = 96.0;
const RIGHT: f64 = 24.0;
const GAP: f64 = 34.0;
const INK: &str = "#1c2733";
const FAINT: &str = "#5b6b7b";
const GRID: &str = "#e3e8ed";

/// A picture in the making.
pub(super) struct Canvas {
    body: String,
    end_s: f64,
    /// Where the next panel begins.
    bottom: f64,
}

/// A part of the picture with its own vertical axis, from 0 at its lower edge.
pub(super) struct Panel {
    top: f64,
    height: f64,
    high: f64,
}

impl Panel {
    /// The next panel below, with the ticks of its axis drawn.
    pub(super) fn new(
        canvas: &mut Canvas,
        height: f64,
        name: &str,
        high: f64,
        ticks: &[(f64, String)],
    ) -> Self {
        let high = if high > 0.0 { high } else { 1.0 };
        let panel = Self { top: canvas.bottom + GAP, height, high };
        canvas.bottom = panel.top + height;
        let (right, top) = (WIDTH - RIGHT, panel.top - 9.0);
        canvas.put(format_args!(
            "<rect x='{LEFT}' y='{:.1}' width='{:.1}' height='{height:.1}' fill='#fbfcfd'/>",
            panel.top,
            right - LEFT
        ));
        canvas.text(LEFT, top, "start", 14.0, INK, "bold", name);
        for (value, label) in ticks {
            let y = panel.y(*value);
            canvas.put(format_args!(
                "<line x1='{LEFT}' x2='{right}' y1='{y:.1}' y2='{y:.1}' stroke='{GRID}'/>"
            ));
            canvas.text(LEFT - 8.0, y + 4.5, "end", 13.0, FAINT, "normal", label);
        }
        panel
    }

    fn y(&self, value: f64) -> f64 {
        self.top + self.height * (1.0 - (value / self.high).clamp(0.0, 1.0))
    }
}

impl Canvas {
    pub(super) fn new(end_s: f64) -> Self {
        Self { body: String::new(), end_s: end_s.max(1.0), bottom: 84.0 }
    }

    /// How many pixels the time axis is long.
    pub(super) fn columns(&self) -> usize {
        (WIDTH - LEFT - RIGHT) as usize
    }

    pub(super) fn title(&mut self, text: &str) {
        self.text(LEFT, 34.0, "start", 22.0, INK, "bold", text);
    }

    pub(super) fn subtitle(&mut self, text: &str) {
        self.text(LEFT, 58.0, "start", 14.0, FAINT, "normal", text);
    }

    /// Colours and what they stand for, in one line.
    pub(super) fn legend(&mut self, entries: &[(&str, &str)]) {
        let mut x = LEFT;
        for (colour, text) in entries {
            self.put(format_args!(
                "<rect x='{x:.1}' y='75' width='18' height='9' rx='2' fill='{colour}'/>"
            ));
            self.text(x + 24.0, 84.0, "start", 13.0, INK, "normal", text);
            x += 24.0 + 7.2 * text.chars().count() as f64 + 22.0;
        }
    }

    /// A column per pixel.
    pub(super) fn area(&mut self, panel: &Panel, values: &[f64], colour: &str) {
        let floor = panel.y(0.0);
        let mut path = format!("M{LEFT:.1} {floor:.1}");
        for (column, value) in values.iter().enumerate() {
            let x = LEFT + column as f64;
            let _ = write!(path, "V{:.1}H{:.1}", panel.y(*value), x + 1.0);
        }
        let _ = write!(path, "V{floor:.1}Z");
        self.put(format_args!("<path d='{path}' fill='{colour}'/>"));
    }

    pub(super) fn line(&mut self, panel: &Panel, points: &[(f64, f64)], colour: &str, width: f64) {
        let mut list = String::new();
        for (x, y) in points {
            let _ = write!(list, "{:.1},{:.1} ", self.x(*x), panel.y(*y));
        }
        self.put(format_args!(
            "<polyline points='{}' fill='none' stroke='{colour}' stroke-width='{width}' \
             stroke-linejoin='round'/>",
            list.trim_end()
        ));
    }

    /// A value holds from each point to the next.
    pub(super) fn steps(&mut self, panel: &Panel, points: &[(f64, f64)], colour: &str, width: f64) {
        let mut corners = Vec::with_capacity(2 * points.len());
        for (index, &(x, y)) in points.iter().enumerate() {
            if let Some(&(_, before)) = index.checked_sub(1).and_then(|before| points.get(before)) {
                corners.push((x, before));
            }
            corners.push((x, y));
        }
        self.line(panel, &corners, colour, width);
    }

    pub(super) fn dot(&mut self, panel: &Panel, x: f64, y: f64, colour: &str) {
        let (x, y) = (self.x(x), panel.y(y));
        self.put(format_args!("<circle cx='{x:.1}' cy='{y:.1}' r='2.4' fill='{colour}'/>"));
    }

    pub(super) fn mark(&mut self, panel: &Panel, x: f64, y: f64, sign: &str, colour: &str) {
        let (x, y) = (self.x(x), panel.y(y) + 5.0);
        self.text(x, y, "middle", 16.0, colour, "bold", sign);
    }

    /// A dashed line at a value.
    pub(super) fn level(&mut self, panel: &Panel, value: f64) {
        let (y, right) = (panel.y(value), WIDTH - RIGHT);
        self.put(format_args!(
            "<line x1='{LEFT}' x2='{right}' y1='{y:.1}' y2='{y:.1}' stroke='{FAINT}' \
             stroke-dasharray='5 4'/>"
        ));
    }

    /// A stretch of time; however short, it is seen.
    pub(super) fn band(&mut self, panel: &Panel, from_s: f64, to_s: f64, colour: &str) {
        let x = self.x(from_s);
        let width = (self.x(to_s) - x).max(1.5);
        let (top, height) = (panel.top, panel.height);
        self.put(format_args!(
            "<rect x='{x:.1}' y='{top:.1}' width='{width:.1}' height='{height:.1}' fill='{colour}' \
             fill-opacity='0.45'/>"
        ));
    }

    /// The panel's border, and the ticks of time below it; the last panel gets their labels.
    pub(super) fn frame(&mut self, panel: &Panel, labelled: bool) {
        let bottom = panel.top + panel.height;
        for (at_s, label) in time_ticks(self.end_s) {
            let x = self.x(at_s);
            let end = bottom + 5.0;
            self.put(format_args!(
                "<line x1='{x:.1}' x2='{x:.1}' y1='{bottom:.1}' y2='{end:.1}' stroke='{FAINT}'/>"
            ));
            if labelled {
                self.text(x, bottom + 20.0, "middle", 13.0, FAINT, "normal", &label);
            }
        }
        let (top, width, height) = (panel.top, WIDTH - RIGHT - LEFT, panel.height);
        self.put(format_args!(
            "<rect x='{LEFT}' y='{top:.1}' width='{width:.1}' height='{height:.1}' fill='none' \
             stroke='#9aa7b4'/>"
        ));
        if labelled {
            let middle = (LEFT + WIDTH - RIGHT) / 2.0;
            let name = "Time since the session began, minutes:seconds";
            self.text(middle, bottom + 42.0, "middle", 13.0, FAINT, "normal", name);
            self.bottom = bottom + 42.0;
        }
    }

    pub(super) fn finish(self) -> String {
        let height = self.bottom + 16.0;
        format!(
            "<svg xmlns='http://www.w3.org/2000/svg' width='{WIDTH}' height='{height:.0}' \
             viewBox='0 0 {WIDTH} {height:.0}' font-family='DejaVu Sans, Helvetica, Arial, sans-serif'>\n\
             <rect width='100%' height='100%' fill='#ffffff'/>\n{}</svg>\n",
            self.body
        )
    }

    fn x(&self, s: f64) -> f64 {
        LEFT + (WIDTH - LEFT - RIGHT) * (s / self.end_s).clamp(0.0, 1.0)
    }

    #[expect(clippy::too_many_arguments, reason = "the attributes of a text element")]
    fn text(
        &mut self,
        x: f64,
        y: f64,
        anchor: &str,
        size: f64,
        colour: &str,
        weight: &str,
        text: &str,
    ) {
        let text = escaped(text);
        self.put(format_args!(
            "<text x='{x:.1}' y='{y:.1}' text-anchor='{anchor}' font-size='{size}' fill='{colour}' \
             font-weight='{weight}'>{text}</text>"
        ));
    }

    fn put(&mut self, element: std::fmt::Arguments<'_>) {
        let _ = writeln!(self.body, "{element}"); // a String takes all
    }
}

/// Characters that XML reserves or forbids.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            character if character.is_control() => escaped.push('\u{fffd}'),
            character => escaped.push(character),
        }
    }
    escaped
}

/// Three to six round values from 0 to `high`.
pub(super) fn round_ticks(high: f64) -> Vec<(f64, String)> {
    let magnitude = 10_f64.powf((high / 4.0).max(1e-9).log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0]
        .map(|factor| factor * magnitude)
        .into_iter()
        .find(|step| high / step <= 5.0)
        .unwrap_or(10.0 * magnitude);
    let places = if step >= 1.0 && step.fract() == 0.0 {
        0
    } else {
        (-step.log10().floor()).max(1.0) as usize
    };
    let count = (high / step + 1e-9) as usize;
    (0..=count).map(|n| (n as f64 * step, format!("{:.places$}", n as f64 * step))).collect()
}

fn time_ticks(end_s: f64) -> Vec<(f64, String)> {
    const STEPS: [f64; 10] = [1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0];
    let step = STEPS.into_iter().find(|step| end_s / step <= 14.0).unwrap_or(end_s / 12.0);
    let count = (end_s / step) as usize;
    let label = |s: f64| format!("{}:{:02}", (s / 60.0) as u64, (s % 60.0) as u64);
    (0..=count).map(|n| (n as f64 * step, label(n as f64 * step))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round() {
        let labels =
            |high| round_ticks(high).into_iter().map(|(_, label)| label).collect::<Vec<_>>();
        assert_eq!(labels(25.0), ["0", "5", "10", "15", "20", "25"]);
        assert_eq!(labels(3.1), ["0", "1", "2", "3"]);
        assert_eq!(labels(0.9), ["0.0", "0.2", "0.4", "0.6", "0.8"]);
        assert_eq!(time_ticks(600.0).last().map(|(_, label)| label.as_str()), Some("10:00"));
    }

    #[test]
    fn a_name_cannot_become_markup() {
        assert_eq!(escaped("<a & b>\u{7}"), "&lt;a &amp; b&gt;\u{fffd}");
    }
}
