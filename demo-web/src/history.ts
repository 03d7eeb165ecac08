import type { Decision, QualityChange, Stats } from 'kinora';

/** How far back the charts reach, in seconds. */
export const SPAN = 120;

/** One look at the player. */
export interface Sample {
  /** Seconds since the load. */
  at: number;
  throughput: number | null;
  low: number | null;
  high: number | null;
  /** Bit rate of the picture chosen last. */
  chosen: number | null;
  /** Height of the picture shown. */
  shown: number | null;
  stalled: boolean;
}

/** What the charts draw: the last two minutes. */
export class History {
  readonly samples: Sample[] = [];
  readonly decisions: { at: number; height: number | null }[] = [];
  #began = performance.now();
  #stalled = false;
  #started = false;

  now(): number {
    return (performance.now() - this.#began) / 1000;
  }

  clear(): void {
    this.#began = performance.now();
    this.samples.length = 0;
    this.decisions.length = 0;
    this.#stalled = false;
    this.#started = false;
  }

  look(stats: Stats): void {
    const video = stats.streams.find(({ kind }) => kind === 'video');
    this.samples.push({
      at: this.now(),
      throughput: stats.throughput,
      low: video?.reasons?.throughputLow ?? null,
      high: video?.reasons?.throughputHigh ?? null,
      chosen: video?.next?.bandwidth ?? null,
      shown: video?.shown?.height ?? null,
      stalled: this.#stalled,
    });
    const oldest = this.now() - SPAN - 1;
    while (this.samples[0] && this.samples[0].at < oldest) this.samples.shift();
    while (this.decisions[0] && this.decisions[0].at < oldest) this.decisions.shift();
  }

  decided(decision: Decision): void {
    if (decision.kind !== 'video') return;
    this.decisions.push({ at: this.now(), height: decision.quality.height });
  }

  shown(change: QualityChange): void {
    if (change.kind === 'video') this.#started = true;
  }

  /** Playback ran dry, or goes on. */
  stall(stalled: boolean): void {
    this.#stalled = stalled && this.#started;
  }
}
