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
/** Titles of a row: the service takes no more. */
const MOST_TITLES = 50;
/** So many are sent before their time. */
const ENOUGH = 50;
/** The longest that something takes, for the service: a day. */
const LONGEST_MS = 86_400_000;
/** A player is heard of several times a second. */
const LONGEST_LOOK_MS = 5000;
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
    // A page may be left before anything is sent, and there is no time to ask then.
    void this.#refresh().catch(() => undefined);
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
  tell(interaction: Interaction): void {
    const { type, ...detail } = interaction;
    const titles = interaction.type === 'row_shown' && { title_ids: interaction.title_ids.slice(0, MOST_TITLES) };
    this.#add(type, { ...detail, ...titles });
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

  /** Asks for the token as it is now; the latest is at hand when the page is left. */
  async #refresh(): Promise<string | null> {
    return (this.#token = await this.#options.token());
  }

  async #sendAll(): Promise<void> {
    let most = MOST_AT_ONCE;
    if (this.#waiting.length === 0) await this.#refresh().catch(() => undefined);
    while (this.#waiting.length > 0 && Date.now() >= this.#pausedUntil) {
      const events = this.#waiting.slice(0, fitting(this.#waiting.slice(0, most)));
      try {
        if ((await this.#refresh()) === null) return;
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
    // The latest of them, as a beacon is small: what waited before waits on.
    const latest = this.#waiting.slice(-MOST_AT_ONCE).reverse();
    const events = latest.slice(0, fitting(latest)).reverse();
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
  /** When it was last known what the playhead does, and what it did. */
  #last: { at: number; playhead: 'moves' | 'stalls' | 'rests' } | undefined;
  #position = 0;
  #watchedMs = 0;
  #bits = 0;
  /** Of what is shown, in bit/s. */
  #rate = 0;
  /** Of a stall that lasts: so many milliseconds until now. */
  #stalledMs: number | undefined;
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
      this.#tell('playback_started', { ...this.#about, startup_ms: Math.min(startup, LONGEST_MS) });
    });
    on('stats', (stats: Stats) => this.#look(stats));
    on('buffering', ({ seeking }: { seeking: boolean }) => {
      const stalls = this.#started && !seeking;
      this.#pass(stalls ? 'stalls' : 'rests');
      if (stalls) this.#stalledMs ??= 0;
      else this.#resumed();
    });
    on('playing', () => {
      this.#pass('moves');
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
    if (this.#stalledMs !== undefined) this.#pass('rests');
    this.#resumed();
    this.#tell('playback_ended', { ...this.#sums(), reason });
    this.#listening.abort();
  }

  #resumed(): void {
    if (this.#stalledMs === undefined) return;
    const duration_ms = Math.min(Math.round(this.#stalledMs), LONGEST_MS);
    this.#stalledMs = undefined;
    this.#tell('playback_stalled', { ...this.#about, position_seconds: this.#position, duration_ms });
  }

  #look(stats: Stats): void {
    const waits = stats.status === 'buffering' && this.#stalledMs !== undefined;
    this.#pass(stats.status === 'playing' ? 'moves' : waits ? 'stalls' : 'rests');
    // Whoever pauses does not wait any more, and no event says so.
    if (this.#last?.playhead === 'rests') this.#resumed();
    this.#rate = stats.streams.reduce((sum, stream) => sum + (stream.shown?.bandwidth ?? 0), 0);
    this.#position = Math.max(0, Math.floor(stats.position));
  }

  /** Counts the time since it was last known what the playhead does. */
  #pass(playhead: 'moves' | 'stalls' | 'rests'): void {
    const at = performance.now();
    const { at: since = at, playhead: before } = this.#last ?? {};
    // A page in the background hears of its player more seldom; one that slept did not play, or wait, meanwhile.
    const passed = Math.min(at - since, LONGEST_LOOK_MS);
    if (before === 'moves') {
      this.#watchedMs += passed;
      this.#bits += (this.#rate * passed) / 1000;
    } else if (before === 'stalls' && this.#stalledMs !== undefined) {
      this.#stalledMs += passed;
    }
    this.#last = { at, playhead };
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

/** So many of these go at once, in their order: one at least. */
function fitting(events: Waiting[]): number {
  let bytes = 0;
  const first = events.findIndex((event) => {
    bytes += new Blob([JSON.stringify(event)]).size + 1;
    return bytes > MOST_BYTES;
  });
  return first < 0 ? events.length : Math.max(first, 1);
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
  for (const key of keysOf(storage).filter((key) => key.startsWith(prefix))) {
    try {
      const text = storage?.getItem(key) ?? '[]';
      storage?.removeItem(key);
      const kept: unknown = JSON.parse(text);
      if (Array.isArray(kept)) {
        waiting.push(...kept.filter((event) => typeof event?.event_id === 'string'));
      }
    } catch {
      // Somebody else wrote there.
    }
  }
  return waiting.slice(-MOST_WAITING);
}

function keysOf(storage: Storage | null): string[] {
  try {
    return Array.from({ length: storage?.length ?? 0 }, (_, at) => storage?.key(at) ?? '');
  } catch {
    return []; // Forbidden here.
  }
}
