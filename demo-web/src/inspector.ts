import type { Decision, Player, QualityChange, Reasons, Stats, StreamStats, Warning } from 'kinora';
import { drawQuality, drawThroughput } from './charts.js';
import { element, list } from './dom.js';
import { History } from './history.js';
import { bitrate, bytes, clock, percent, qualityName, seconds, warningText } from './words.js';

/** Lines of the log that are kept. */
const LOG_LINES = 200;
/** What the buffer bars show, in seconds before and after the playhead, beyond the goal. */
const BEHIND = 10;

/** Everything the page shows of what the player thinks. */
export class Inspector {
  readonly #player: Player;
  readonly #history = new History();
  #stats: Stats;
  #lastLine: { key: string; element: HTMLLIElement; count: number } | undefined;

  constructor(player: Player) {
    this.#player = player;
    this.#stats = player.stats();
    player.addEventListener('stats', ({ detail }) => this.#look(detail));
    player.addEventListener('decision', ({ detail }) => this.#decided(detail));
    player.addEventListener('qualitychange', ({ detail }) => this.#shown(detail));
    player.addEventListener('warning', ({ detail }) => this.#warned(detail));
    player.addEventListener('buffering', ({ detail }) => {
      this.#history.stall(!detail.seeking);
      if (!detail.seeking) this.#log('bad', '', 'Playback waits for data', 'stall');
    });
    player.addEventListener('playing', () => this.#history.stall(false));
    new ResizeObserver(() => this.#draw()).observe(element('throughput-chart'));
  }

  /** A load begins. */
  clear(): void {
    this.#history.clear();
    element('log').replaceChildren();
    this.#lastLine = undefined;
    this.#look(this.#player.stats());
  }

  #look(stats: Stats): void {
    this.#stats = stats;
    this.#history.look(stats);
    const video = stats.streams.find(({ kind }) => kind === 'video') ?? stats.streams[0];

    const status = element('status');
    status.textContent = stats.status;
    status.dataset['status'] = stats.status;
    const duration = stats.duration === null ? '' : ` / ${clock(stats.duration)}`;
    element('clock').textContent = `${clock(stats.position)}${duration}`;
    element('thought').textContent = thought(stats, video);
    element('throughput').textContent = stats.throughput === null ? '' : bitrate(stats.throughput);
    element('quality-now').textContent = video?.shown
      ? `${qualityName(video.shown)} · ${bitrate(video.shown.bandwidth)}`
      : '';

    this.#hud(stats, video);
    this.#buffers(stats);
    this.#candidates(video?.reasons ?? null, video);
    this.#totals(stats);
    this.#draw();
  }

  #draw(): void {
    drawThroughput(element<HTMLCanvasElement>('throughput-chart'), this.#history);
    const video = this.#player.tracks.find(({ kind, selected }) => kind === 'video' && selected);
    const heights = (video?.qualities ?? []).flatMap(({ height }) => (height === null ? [] : [height]));
    const ladder = [...new Set(heights)].sort((a, b) => a - b);
    drawQuality(element<HTMLCanvasElement>('quality-chart'), this.#history, ladder);
  }

  #hud(stats: Stats, video: StreamStats | undefined): void {
    const set = (name: string, text: string) => {
      const field = document.querySelector(`[data-hud=${name}]`);
      if (field) field.textContent = text || '–';
    };
    set('shown', video?.shown ? qualityName(video.shown) : '');
    set('next', video?.next ? qualityName(video.next) : '');
    set('why', video?.reasons?.explanation ?? '');
    set('buffer', video ? seconds(video.bufferAhead) : '');
    set('network', stats.throughput === null ? '' : bitrate(stats.throughput));
  }

  #buffers(stats: Stats): void {
    const rows = stats.streams.map((stream) => {
      const from = stats.position - BEHIND;
      const until = stats.position + Math.max(stream.bufferGoal * 1.15, 12);
      const place = (time: number) => `${Math.min(Math.max((time - from) / (until - from), 0), 1) * 100}%`;
      const bar = document.createElement('div');
      bar.className = 'bar-of-time';
      for (const { start, end } of stream.buffered) {
        if (end < from || start > until) continue;
        const range = document.createElement('i');
        range.className = `range ${stream.kind}`;
        range.style.left = place(start);
        range.style.right = `calc(100% - ${place(end)})`;
        bar.append(range);
      }
      const mark = (name: string, time: number) => {
        const line = document.createElement('i');
        line.className = name;
        line.style.left = place(time);
        bar.append(line);
      };
      mark('playhead', stats.position);
      mark('goal', stats.position + stream.bufferGoal);
      const label = document.createElement('p');
      const ahead = document.createElement('strong');
      ahead.textContent = seconds(stream.bufferAhead);
      const goal = stream.complete ? 'all there is' : `of ${Math.round(stream.bufferGoal)} s wanted`;
      label.append(`${stream.kind} `, ahead, ` ahead, ${goal}`);
      return [label, bar];
    });
    element('buffers').replaceChildren(...rows.flat());
  }

  #candidates(reasons: Reasons | null, video: StreamStats | undefined): void {
    const track = this.#player.tracks.find(({ kind, selected }) => kind === 'video' && selected);
    const rows = (reasons?.candidates ?? []).map((candidate) => {
      const quality = track?.qualities[candidate.rung];
      const row = document.createElement('tr');
      if (quality && quality.id === video?.next?.id) row.className = 'chosen';
      const cells = [
        quality ? qualityName(quality) : `rung ${candidate.rung + 1}`,
        seconds(candidate.downloadTime),
        seconds(candidate.predictedBuffer),
        percent(candidate.stallProbability),
      ];
      for (const text of cells) {
        const cell = document.createElement('td');
        cell.textContent = text;
        row.append(cell);
      }
      row.style.setProperty('--risk', String(candidate.stallProbability));
      return row;
    });
    document.querySelector('#candidates tbody')?.replaceChildren(...rows.reverse());
  }

  #totals({ totals, timeToFirstByte, rule, requests }: Stats): void {
    list(element('totals'), [
      ['Startup', totals.startup === null ? '–' : `${totals.startup.toFixed(2)} s`],
      ['Stalls', totals.stalls === 0 ? 'none' : `${totals.stalls}, ${seconds(totals.stalled)}`],
      ['Quality changes', String(totals.qualityChanges)],
      ['Received', bytes(totals.bytes)],
      ['Requests', `${totals.requests}${totals.retries ? `, ${totals.retries} repeated` : ''}`],
      ['In flight', String(requests.length)],
      ['First byte after', timeToFirstByte === null ? '–' : `${Math.round(timeToFirstByte * 1000)} ms`],
      ['Dropped frames', String(totals.droppedFrames)],
      ['Rule', rule || '–'],
    ]);
  }

  #decided(decision: Decision): void {
    this.#history.decided(decision);
    const { kind, quality, reasons } = decision;
    if (kind === 'audio') return;
    const text = `${qualityName(quality)}: ${reasons.explanation}`;
    this.#log('decision', clock(decision.segmentStart), text, `${quality.id} ${reasons.reason}`);
  }

  #shown(change: QualityChange): void {
    this.#history.shown(change);
    if (change.kind === 'audio') return;
    const from = change.from ? `${qualityName(change.from)} → ` : '';
    const way = !change.from || change.from.bandwidth < change.to.bandwidth ? 'up' : 'down';
    this.#log(way, clock(this.#stats.position), `Now shown: ${from}${qualityName(change.to)}`);
  }

  #warned(warning: Warning): void {
    this.#log('warning', '', warningText(warning));
  }

  /** Adds a line, newest first; lines with the same key are counted instead of repeated. */
  #log(className: string, time: string, text: string, key?: string): void {
    const last = this.#lastLine;
    if (last && key === last.key) {
      last.count += 1;
      last.element.dataset['count'] = `×${last.count}`;
      return;
    }
    const line = document.createElement('li');
    line.className = className;
    const stamp = document.createElement('time');
    stamp.textContent = time || clock(this.#stats.position);
    const words = document.createElement('span');
    words.textContent = text;
    line.append(stamp, words);
    const log = element('log');
    log.prepend(line);
    while (log.childElementCount > LOG_LINES) log.lastElementChild?.remove();
    this.#lastLine = key === undefined ? undefined : { key, element: line, count: 1 };
  }
}

/** The player's state of mind in one sentence. */
function thought(stats: Stats, video: StreamStats | undefined): string {
  const next = video?.next && video.reasons ? `${qualityName(video.next)} next: ${video.reasons.explanation}.` : '';
  switch (stats.status) {
    case 'idle':
      return 'Nothing is loaded yet.';
    case 'loading':
      return `Fetching what the first frame needs. ${next}`;
    case 'buffering':
      return `Waiting for data. ${next}`;
    case 'ended':
      return 'The end has been reached.';
    case 'failed':
      return 'Playback cannot go on.';
    default:
      if (video?.complete) return 'Everything up to the end is here.';
      return video && video.bufferAhead >= video.bufferGoal - 0.5
        ? `Enough is buffered; resting. ${next}`
        : next || 'Choosing what to fetch.';
  }
}
