// Two small charts on canvases: time runs to the right, now is the right edge.

import { type History, type Sample, SPAN } from './history.js';
import { bitrate } from './words.js';

const LEFT = 52;
const RIGHT = 8;
const TOP = 8;
const BOTTOM = 18;

interface Frame {
  context: CanvasRenderingContext2D;
  width: number;
  height: number;
  color(name: string): string;
  x(at: number): number;
}

/** Expected throughput, the span it likely lies in, and the bit rate chosen, on a logarithmic axis. */
export function drawThroughput(canvas: HTMLCanvasElement, history: History): void {
  const frame = begin(canvas, history);
  if (!frame) return;
  const { context, height, color, x } = frame;
  const values = history.samples.flatMap(({ throughput, chosen }) => [throughput, chosen]);
  const known = values.filter((value): value is number => value !== null && value > 0);
  if (known.length === 0) return empty(frame, 'nothing measured yet');
  const low = Math.log10(Math.min(...known) / 1.6);
  const high = Math.log10(Math.max(...known) * 1.6);
  const y = (bps: number) => {
    const share = (Math.log10(Math.max(bps, 1)) - low) / (high - low);
    return TOP + (1 - Math.min(Math.max(share, 0), 1)) * (height - TOP - BOTTOM);
  };

  for (const bps of ticks(10 ** low, 10 ** high)) gridLine(frame, y(bps), bitrate(bps));
  timeAxis(frame, history);

  const spans = history.samples.filter(
    (sample): sample is Sample & { low: number; high: number } =>
      sample.low !== null && sample.high !== null && sample.high > 0,
  );
  if (spans.length > 1) {
    context.beginPath();
    for (const { at, high } of spans) context.lineTo(x(at), y(high));
    for (const { at, low } of spans.toReversed()) context.lineTo(x(at), y(low));
    context.fillStyle = color('--span');
    context.fill();
  }
  steps(frame, history.samples, ({ chosen }) => chosen, y, color('--accent'), 1.5, [3, 3]);
  line(frame, history.samples, ({ throughput }) => throughput, y, color('--network'));
}

/** The height shown over time, the decisions that led to it, and the stalls. */
export function drawQuality(canvas: HTMLCanvasElement, history: History, ladder: number[]): void {
  const frame = begin(canvas, history);
  if (!frame) return;
  const { context, height, color, x } = frame;
  if (ladder.length === 0) return empty(frame, 'no qualities known yet');
  const y = (rung: number) => {
    const place = ladder.indexOf(rung);
    const share = ladder.length > 1 ? place / (ladder.length - 1) : 0.5;
    return TOP + 4 + (1 - share) * (height - TOP - BOTTOM - 8);
  };
  for (const rung of ladder) gridLine(frame, y(rung), `${rung}p`);
  timeAxis(frame, history);

  context.fillStyle = color('--bad');
  history.samples.forEach((sample, i) => {
    const next = history.samples[i + 1];
    if (!sample.stalled || !next) return;
    context.fillRect(x(sample.at), TOP, Math.max(1, x(next.at) - x(sample.at)), height - TOP - BOTTOM);
  });
  context.fillStyle = color('--accent');
  for (const decision of history.decisions) {
    if (decision.height === null || !ladder.includes(decision.height)) continue;
    context.beginPath();
    context.arc(x(decision.at), y(decision.height), 2, 0, Math.PI * 2);
    context.fill();
  }
  const shown = ({ shown }: Sample) => (shown !== null && ladder.includes(shown) ? shown : null);
  steps(frame, history.samples, shown, y, color('--good'), 2, []);
}

function begin(canvas: HTMLCanvasElement, history: History): Frame | undefined {
  const { clientWidth: width, clientHeight: height } = canvas;
  const context = canvas.getContext('2d');
  if (!context || width === 0) return undefined;
  const scale = window.devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  context.font = '11px system-ui, sans-serif';
  context.lineJoin = 'round';
  const style = getComputedStyle(canvas);
  const end = Math.max(history.now(), SPAN);
  const x = (at: number) => {
    const share = 1 - (end - at) / SPAN;
    return LEFT + Math.max(share, 0) * (width - LEFT - RIGHT);
  };
  return { context, width, height, x, color: (name) => style.getPropertyValue(name).trim() };
}

function line(
  { context, x }: Frame,
  samples: Sample[],
  value: (sample: Sample) => number | null,
  y: (value: number) => number,
  color: string,
): void {
  context.beginPath();
  for (const sample of samples) {
    const height = value(sample);
    if (height !== null) context.lineTo(x(sample.at), y(height));
  }
  context.strokeStyle = color;
  context.lineWidth = 2;
  context.stroke();
}

function steps(
  { context, x }: Frame,
  samples: Sample[],
  value: (sample: Sample) => number | null,
  y: (value: number) => number,
  color: string,
  width: number,
  dash: number[],
): void {
  context.beginPath();
  let last: number | null = null;
  for (const sample of samples) {
    const height = value(sample);
    if (height === null) continue;
    if (last === null) context.moveTo(x(sample.at), y(height));
    else context.lineTo(x(sample.at), y(last));
    context.lineTo(x(sample.at), y(height));
    last = height;
  }
  context.strokeStyle = color;
  context.lineWidth = width;
  context.setLineDash(dash);
  context.stroke();
  context.setLineDash([]);
}

function gridLine({ context, width, color }: Frame, y: number, label: string): void {
  context.strokeStyle = color('--grid');
  context.lineWidth = 1;
  context.beginPath();
  context.moveTo(LEFT, y);
  context.lineTo(width - RIGHT, y);
  context.stroke();
  context.fillStyle = color('--quiet');
  context.textAlign = 'right';
  context.textBaseline = 'middle';
  context.fillText(label.replace('bit/s', ''), LEFT - 6, y);
}

function timeAxis({ context, width, height, color, x }: Frame, history: History): void {
  const end = Math.max(history.now(), SPAN);
  context.fillStyle = color('--quiet');
  context.textBaseline = 'bottom';
  for (let at = Math.ceil((end - SPAN) / 30) * 30; at <= end; at += 30) {
    if (at < 0) continue;
    const label = `${Math.floor(at / 60)}:${String(at % 60).padStart(2, '0')}`;
    context.textAlign = x(at) > width - RIGHT - 14 ? 'right' : x(at) < LEFT + 14 ? 'left' : 'center';
    context.fillText(label, x(at), height);
  }
}

function empty({ context, width, height, color }: Frame, text: string): void {
  context.fillStyle = color('--quiet');
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  context.fillText(text, width / 2, height / 2);
}

/** Round numbers between two bit rates: 1, 2 and 5 of each decade, or the decades where many fit. */
function ticks(low: number, high: number): number[] {
  const all: number[] = [];
  const leading = high / low > 100 ? [1] : [1, 2, 5];
  for (let decade = 10 ** Math.floor(Math.log10(low)); decade <= high; decade *= 10) {
    for (const digit of leading) {
      const tick = digit * decade;
      if (tick >= low && tick <= high) all.push(tick);
    }
  }
  return all;
}
