import type { Player } from './player.js';
import type { Stats } from './types.js';

/** What the service is told a page runs on. */
export type ReporterPlatform = 'web' | 'android' | 'ios' | 'tv' | 'terminal' | 'other';

/** Where events go, and as whose. */
export interface ReporterOptions {
  /** `POST /v1/events` of the service. */
  url: string | URL;
  /** The access token of the profile, or `null` while there is none. Asked anew for each batch. */
  token: () => string | null | Promise<string | null>;
  /** Names the profile. What could not be sent is kept under this name, and sent as no other profile. */
  profile: string;
  /** Default `web`. */
  platform?: ReporterPlatform;
  /** Send what has gathered every so many seconds. Default 30. */
  interval?: number;
  /** Where events wait while they cannot be sent. Default `localStorage`; `null` keeps them in memory. */
  storage?: Storage | null;
}

/** What is played: the answer of `POST /v1/playback/{item}` says it. */
export interface ReportedPlayback {
  playbackId: string;
  itemId: string;
}

/** What an app tells beside what its player does. */
export type Interaction =
  | { type: 'row_shown'; row_id: string; title_ids: string[] }
  | { type: 'title_opened'; title_id: string; row_id?: string; place?: number }
  | { type: 'searched'; found: number };

type Waiting = { event_id: string; at_ms: number; type: string } & Record<string, unknown>;

/** Events that wait at most; the oldest go. */
const MOST_WAITING = 2000;
/** Events of a batch, and its bytes: the service takes 200 in 64 KiB. */
const MOST_AT_ONCE = 150;
const MOST_BYTES = 48 * 1024;
/** So many are sent before their time. */
const ENOUGH = 50;
const PREFIX = 'kinora-events/';
/** Pauses after failures, in milliseconds: doubled each time, with jitter. */
const FIRST_PAUSE = 1000;
const LONGEST_PAUSE = 300_000;

/**
 * Tells a service what a player does and what a viewer looks at: in batches, again until the service has a verdict,
 * and also when the page is left. Nothing is told unless an app makes one of these.
 */
export class Reporter {
  readonly #options: Required<Omit<ReporterOptions, 'storage'>>;
  readonly #storage: Storage | null;
  readonly #key: string;
  readonly #name = randomName();
  #count = 0;
  #waiting: Waiting[];
  #token: string | null = null;
  #sending: Promise<void> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #failures = 0;
  /** Not before, whatever has gathered. */
  #pausedUntil = 0;
  readonly #watched = new Set<Watch>();
  readonly #leaving = new AbortController();

  constructor(options: ReporterOptions) {
    this.#options = { platform: 'web', interval: 30, ...options };
    this.#storage = options.storage === undefined ? usualStorage() : options.storage;
    const mine = `${PREFIX}${encodeURIComponent(options.profile)}/`;
    this.#key = mine + this.#name;
    // What earlier pages left. Another page may be about to send it too: the service counts it once.
    this.#waiting = taken(this.#storage, mine);
    this.#keep();
    if (this.#waiting.length > 0) this.#schedule(0);
    const { signal } = this.#leaving;
    globalThis.addEventListener?.('pagehide', () => this.#leave(), { signal });
    globalThis.document?.addEventListener(
      'visibilitychange',
      () => {
        if (globalThis.document.visibilityState === 'hidden') this.#leave();
      },
      { signal },
    );
  }

  /** Follows a player through one playback; call what this returns when the playback is over. */
  watch(player: Player, playback: ReportedPlayback): () => void {
    const watch = new Watch(player, playback, (type, detail) => this.#add(type, detail));
    this.#watched.add(watch);
    return () => {
      if (!this.#watched.delete(watch)) return;
      watch.end('left');
      this.#schedule(0);
    };
  }

  /** Tells what the viewer looks at. */
  tell({ type, ...detail }: Interaction): void {
    this.#add(type, detail);
  }

  /** Sends what has gathered, as far as it can be sent now. */
  async flush(): Promise<void> {
    this.#watched.forEach((watch) => watch.progress());
    await this.#send();
  }

  /** Ends all of it; what has not been sent stays for the next page. */
  close(): void {
    this.#watched.forEach((watch) => watch.end('left'));
    this.#watched.clear();
    this.#leave();
    this.#leaving.abort();
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #add(type: string, detail: Record<string, unknown>): void {
    this.#waiting.push({ event_id: `${this.#name}-${this.#count++}`, at_ms: Date.now(), type, ...detail });
    this.#waiting.splice(0, this.#waiting.length - MOST_WAITING);
    this.#keep();
    this.#schedule(this.#waiting.length >= ENOUGH ? 0 : this.#options.interval * 1000);
  }

  /** Sends in so many milliseconds, or sooner if that was planned. */
  #schedule(pause: number): void {
    if (this.#leaving.signal.aborted || this.#sending) return;
    const wait = Math.max(pause, this.#pausedUntil - Date.now());
    if (this.#timer !== undefined) {
      if (pause > 0) return;
      clearTimeout(this.#timer);
    }
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.flush();
    }, wait);
  }

  #send(): Promise<void> {
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined;
      if (this.#waiting.length > 0 || this.#watched.size > 0) {
        this.#schedule(this.#options.interval * 1000);
      }
    });
    return this.#sending;
  }

  async #sendAll(): Promise<void> {
    let most = MOST_AT_ONCE;
    while (this.#waiting.length > 0 && Date.now() >= this.#pausedUntil) {
      const events = this.#batch(most);
      try {
        this.#token = await this.#options.token();
        if (this.#token === null) return;
        const response = await fetch(this.#options.url, {
          method: 'POST',
          headers: { 'content-type': 'application/json', authorization: `Bearer ${this.#token}` },
          body: this.#body(events),
          credentials: 'omit',
        });
        // What the service will never take is not sent again, so that what comes after it is.
        const hopeless = response.status === 400 || response.status === 422;
        if (response.status === 413 && events.length > 1) {
          most = Math.ceil(events.length / 2);
          continue;
        }
        if (response.ok || hopeless || response.status === 413) {
          this.#failures = 0;
          this.#done(events);
          continue;
        }
        this.#pause(Number(response.headers.get('retry-after')) * 1000 || 0);
      } catch {
        this.#pause(0);
      }
    }
  }

  /** What comes first, as much as goes at once. */
  #batch(most: number): Waiting[] {
    let bytes = 0;
    const fits = this.#waiting.slice(0, most).findIndex((event) => {
      bytes += new Blob([JSON.stringify(event)]).size + 1;
      return bytes > MOST_BYTES;
    });
    return this.#waiting.slice(0, fits < 0 ? most : Math.max(fits, 1));
  }

  #body(events: Waiting[], more: Record<string, unknown> = {}): string {
    return JSON.stringify({ sent_at_ms: Date.now(), platform: this.#options.platform, events, ...more });
  }

  #done(events: Waiting[]): void {
    const done = new Set(events.map((event) => event.event_id));
    this.#waiting = this.#waiting.filter((event) => !done.has(event.event_id));
    this.#keep();
  }

  #pause(asked: number): void {
    const usual = Math.min(FIRST_PAUSE * 2 ** this.#failures++, LONGEST_PAUSE);
    this.#pausedUntil = Date.now() + Math.max(asked, usual * (0.5 + Math.random() / 2));
  }

  /** The page may be gone in a moment: what has gathered goes with a beacon, and stays, as nobody says that it arrived. */
  #leave(): void {
    this.#watched.forEach((watch) => watch.progress());
    if (this.#token === null || this.#waiting.length === 0) return;
    // The latest of them: what waited before waits on.
    const events = this.#waiting.slice(-MOST_AT_ONCE / 3);
    const body = this.#body(events, { access_token: this.#token });
    // This type needs no preflight, for which there is no time.
    globalThis.navigator?.sendBeacon?.(
      String(this.#options.url),
      new Blob([body], { type: 'text/plain' }),
    );
  }

  #keep(): void {
    try {
      if (this.#waiting.length > 0) this.#storage?.setItem(this.#key, JSON.stringify(this.#waiting));
      else this.#storage?.removeItem(this.#key);
    } catch {
      // Storage is full or forbidden: what waits is in memory alone.
    }
  }
}

/** One playback: the player's events made into the service's. */
class Watch {
  readonly #about: { playback_id: string; item_id: string };
  readonly #tell: (type: string, detail: Record<string, unknown>) => void;
  readonly #listening = new AbortController();
  readonly #began = performance.now();
  #last: { at: number; playing: boolean } | undefined;
  #position = 0;
  #watchedMs = 0;
  #bits = 0;
  /** Of what is shown, in bit/s. */
  #rate = 0;
  #stalledSince: number | undefined;
  #started = false;

  constructor(
    player: Player,
    { playbackId, itemId }: ReportedPlayback,
    tell: (type: string, detail: Record<string, unknown>) => void,
  ) {
    this.#about = { playback_id: playbackId, item_id: itemId };
    this.#tell = tell;
    const on = (name: string, heard: (detail: never) => void) => {
      const listener = (event: Event) => heard((event as CustomEvent).detail as never);
      const events: EventTarget = player;
      events.addEventListener(name, listener, { signal: this.#listening.signal });
    };
    on('ready', () => {
      if (this.#started) return;
      this.#started = true;
      const startup = Math.round(performance.now() - this.#began);
      this.#tell('playback_started', { ...this.#about, startup_ms: startup });
    });
    on('stats', (stats: Stats) => this.#look(stats));
    on('buffering', ({ seeking }: { seeking: boolean }) => {
      this.#pass(false);
      if (this.#started && !seeking) this.#stalledSince ??= performance.now();
    });
    on('playing', () => {
      this.#pass(true);
      this.#resumed();
    });
    on('qualitychange', (change: { kind: string; from: { bandwidth: number } | null; to: { bandwidth: number } }) => {
      if (change.kind !== 'video' || !change.from) return;
      const [from_bps, to_bps] = [change.from.bandwidth, change.to.bandwidth].map(Math.round);
      this.#tell('quality_changed', { ...this.#about, from_bps, to_bps });
    });
    on('error', ({ code }: { code: string }) => {
      this.#tell('playback_failed', { ...this.#about, code, fatal: true });
      this.end('failed');
    });
    on('ended', () => this.end('finished'));
  }

  /** Tells how far it is, if anything was played since that was told. */
  progress(): void {
    if (this.#listening.signal.aborted || this.#watchedMs < 1) return;
    this.#tell('playback_progressed', this.#sums());
  }

  end(reason: 'finished' | 'left' | 'failed'): void {
    if (this.#listening.signal.aborted) return;
    this.#resumed();
    this.#tell('playback_ended', { ...this.#sums(), reason });
    this.#listening.abort();
  }

  #resumed(): void {
    if (this.#stalledSince === undefined) return;
    const duration_ms = Math.round(performance.now() - this.#stalledSince);
    this.#stalledSince = undefined;
    this.#tell('playback_stalled', { ...this.#about, position_seconds: this.#position, duration_ms });
  }

  #look(stats: Stats): void {
    this.#pass(stats.status === 'playing');
    this.#rate = stats.streams.reduce((sum, stream) => sum + (stream.shown?.bandwidth ?? 0), 0);
    this.#position = Math.max(0, Math.floor(stats.position));
  }

  /** Counts the time since it was last known whether it plays. */
  #pass(playing: boolean): void {
    const at = performance.now();
    if (this.#last?.playing) {
      // A page in the background hears of its player more seldom; one that slept did not play meanwhile.
      const passed = Math.min(at - this.#last.at, 5000);
      this.#watchedMs += passed;
      this.#bits += (this.#rate * passed) / 1000;
    }
    this.#last = { at, playing };
  }

  #sums(): Record<string, unknown> {
    const watched_ms = Math.round(this.#watchedMs);
    const bandwidth = watched_ms > 0 ? Math.round((this.#bits * 1000) / watched_ms) : 0;
    [this.#watchedMs, this.#bits] = [0, 0];
    return {
      ...this.#about,
      position_seconds: this.#position,
      watched_ms,
      ...(bandwidth > 0 && { bandwidth_bps: bandwidth }),
    };
  }
}

function randomName(): string {
  const words = crypto.getRandomValues(new Uint32Array(3));
  return Array.from(words, (word) => word.toString(36)).join('');
}

function usualStorage(): Storage | null {
  try {
    return globalThis.localStorage ?? null;
  } catch {
    return null; // Forbidden here.
  }
}

/** What waits under keys that begin so, taken away from there. */
function taken(storage: Storage | null, prefix: string): Waiting[] {
  const waiting: Waiting[] = [];
  try {
    const keys = Array.from({ length: storage?.length ?? 0 }, (_, at) => storage?.key(at) ?? '');
    for (const key of keys.filter((key) => key.startsWith(prefix))) {
      const kept: unknown = JSON.parse(storage?.getItem(key) ?? '[]');
      storage?.removeItem(key);
      if (Array.isArray(kept)) {
        waiting.push(...kept.filter((event) => typeof event?.event_id === 'string'));
      }
    }
  } catch {
    // Somebody else wrote there, or it is forbidden.
  }
  return waiting.slice(-MOST_WAITING);
}
