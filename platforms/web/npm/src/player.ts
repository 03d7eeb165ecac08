import { Device } from './device.js';
import { PlayerError, internal, invalidArgument } from './error.js';
import { PageFilters } from './filters.js';
import { BrowserKeySystem } from './key-system.js';
import { MediaElement } from './media-element.js';
import { MediaSink } from './media-sink.js';
import type { Placement } from './protocol.js';
import { TextTracks } from './text-tracks.js';
import type {
  Config,
  CreateOptions,
  KeyListener,
  KeySystemFactory,
  LoadOptions,
  MediaKind,
  Picture,
  PlayerErrorFields,
  PlayerEventMap,
  Stats,
  Track,
} from './types.js';
import { WorkerClient, warmUp } from './worker-client.js';

/** The listener of one kind of event. */
export type PlayerListener<K extends keyof PlayerEventMap> =
  | ((this: Player, event: CustomEvent<PlayerEventMap[K]>) => void)
  | { handleEvent(event: CustomEvent<PlayerEventMap[K]>): void };

/**
 * Plays HLS and DASH in a media element. The element stays the app's: play, pause, volume, position
 * and speed are set on it as ever.
 *
 * Events are `CustomEvent`s; {@link PlayerEventMap} lists them with their details.
 */
export class Player extends EventTarget {
  /** The package's version. */
  static readonly version: string = __VERSION__;

  readonly #element: MediaElement;
  readonly #worker: WorkerClient;
  readonly #device: Device;
  /** Unless the app draws text itself. */
  readonly #text: TextTracks | undefined;
  /** The number of the current load. */
  #load = 0;
  #loading: { resolve: () => void; reject: (reason: unknown) => void } | undefined;
  #tracks: Track[] = [];
  #stats = idle();
  #ended: PlayerError | undefined;
  #lastPicture = 0;
  readonly #pictures = new Map<number, (picture: Picture | null) => void>();

  /** Whether this browser has what the player needs. */
  static isSupported(): boolean {
    const source = mediaSource();
    return (
      typeof Worker === 'function' &&
      typeof WebAssembly === 'object' &&
      !!source?.isTypeSupported('video/mp4; codecs="avc1.42E01E,mp4a.40.2"')
    );
  }

  /**
   * Starts a worker, compiles the module and runs through the beginning of a film that is not there, for the next
   * {@link Player.create}, and has the browser start what plays sound: call it when a viewer is likely to play something
   * soon. It takes a few megabytes until then.
   */
  static warmUp(): void {
    warmUp();
  }

  /**
   * A player for this element.
   *
   * @throws {PlayerError} `INVALID_ARGUMENT` for a configuration that makes no sense; `INTERNAL`
   * where the worker or the WebAssembly module does not start.
   */
  static async create(element: HTMLMediaElement, options: CreateOptions = {}): Promise<Player> {
    if (!(element instanceof HTMLMediaElement)) {
      throw invalidArgument('Player.create() needs a <video> or <audio> element');
    }
    const {
      mediaSource: wanted = 'auto',
      textTracks = 'element',
      filters = {},
      keySystem,
      ...config
    } = options;
    if (wanted !== 'auto' && wanted !== 'page') {
      throw invalidArgument("mediaSource must be 'auto' or 'page'");
    }
    if (textTracks !== 'element' && textTracks !== 'app') {
      throw invalidArgument("textTracks must be 'element' or 'app'");
    }
    const inWorker = wanted === 'auto' && !!mediaSource()?.canConstructInDedicatedWorker;
    const pageFilters = new PageFilters(filters);
    const placement = inWorker ? 'worker' : 'page';
    const player = new Player(element, placement, textTracks, pageFilters, keySystem);
    const seed = crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
    try {
      const cmcd = { sessionId: sessionId(), ...config.cmcd };
      const settings = { seed, ...config, cmcd };
      const preferred = config.drm?.keySystems?.[0];
      if (preferred && !keySystem) BrowserKeySystem.warmUp(preferred.name);
      await player.#worker.call('start', settings, placement, pageFilters.kinds);
    } catch (error) {
      await player.destroy();
      throw error;
    }
    return player;
  }

  private constructor(
    element: HTMLMediaElement,
    placement: Placement,
    textTracks: 'element' | 'app',
    filters: PageFilters,
    keySystem: KeySystemFactory | undefined,
  ) {
    super();
    this.#element = new MediaElement(element, (state) => this.#worker.tell(['element', ...state]));
    const listener: KeyListener = {
      onMessage: (session, message) => this.#worker.tell(['keyMessage', session, message]),
      onStatuses: (session, ids, statuses) =>
        this.#worker.tell(['keyStatuses', session, ids, statuses]),
    };
    const keys = keySystem?.(element, listener) ?? new BrowserKeySystem(element, listener);
    this.#worker = new WorkerClient({
      filters,
      keys,
      calls:
        placement === 'worker'
          ? this.#element
          : new MediaSink(this.#element, (news) => this.#worker.tell(news)),
      onEvent: (load, name, detail) => {
        if (load === this.#load) this.#receive(name as keyof PlayerEventMap, detail);
      },
      onStats: (stats) => {
        this.#stats = stats;
        this.#dispatch('stats', stats);
      },
      onFailure: (error) => {
        this.#ended = error;
        this.#element.destroy();
        this.#text?.destroy();
        this.#fail(error);
      },
    });
    this.#device = new Device(element, (environment) =>
      this.#worker.tell(['environment', ...environment]),
    );
    if (textTracks === 'element') {
      this.#text = new TextTracks(element, (index) => {
        void this.selectTrack('text', index).catch(() => undefined);
      });
    }
  }

  /**
   * Plays what this manifest describes, instead of whatever was playing. Resolves when the first
   * frame can play.
   *
   * @throws {PlayerError} when playback cannot begin.
   * @throws {DOMException} `AbortError` when another load, `unload` or `destroy` came before that.
   */
  async load(url: string | URL, options: LoadOptions = {}): Promise<void> {
    this.#alive();
    const href = address(url);
    const { start } = options;
    if (start !== undefined && !(Number.isFinite(start) && start >= 0)) {
      throw invalidArgument('start must be a number of seconds, not negative');
    }
    this.#interrupt('another load began');
    const ready = new Promise<void>((resolve, reject) => {
      this.#loading = { resolve, reject };
    });
    const number = ++this.#load;
    this.#worker.call('load', number, href, options).catch((error) => {
      if (number === this.#load) this.#settle(error);
    });
    return ready;
  }

  /**
   * Fetches the beginning of what will be loaded next, as soon as what plays needs nothing more, or at
   * once if nothing plays. `load` it with the same URL and options then.
   */
  async preload(url: string | URL, options: LoadOptions = {}): Promise<void> {
    this.#alive();
    await this.#worker.call('preload', address(url), options);
  }

  /**
   * Plays these one after another when what plays has ended; each is fetched ahead, and plays the sound and text that
   * were chosen before, or what is most like it. The event `next` says when one begins.
   */
  async setQueue(urls: readonly (string | URL)[]): Promise<void> {
    this.#alive();
    await this.#worker.call('setQueue', urls.map(address));
  }

  /** Stops, and gives the element and the memory back. */
  async unload(): Promise<void> {
    this.#alive();
    this.#interrupt('unload() was called');
    await this.#worker.call('unload', ++this.#load);
  }

  /** Moves the playhead, in seconds: as setting the element's `currentTime`, a little sooner. */
  seek(position: number): void {
    this.#alive();
    if (!Number.isFinite(position)) throw invalidArgument('position must be a number of seconds');
    void this.#worker.call('seek', position).catch(() => undefined);
  }

  /**
   * Changes the fields named, at once and for loads to come.
   *
   * @throws {PlayerError} `INVALID_ARGUMENT`; nothing has changed then.
   */
  async configure(changes: Config): Promise<void> {
    this.#alive();
    await this.#worker.call('configure', changes);
  }

  /** What there is to choose from; empty until `loaded`. */
  get tracks(): readonly Track[] {
    return this.#tracks;
  }

  /**
   * Plays one quality and no other; `null` hands the choice back to the player.
   *
   * @throws {PlayerError} `INVALID_ARGUMENT` where there is no such quality.
   */
  async selectQuality(kind: MediaKind, id: string | null): Promise<void> {
    this.#alive();
    const known = (track: Track) => track.kind === kind && track.qualities.some((q) => q.id === id);
    if (id !== null && !this.#tracks.some(known)) {
      throw invalidArgument(`there is no ${kind} quality ${id}; see player.tracks`);
    }
    await this.#worker.call('selectQuality', kind, id);
  }

  /**
   * Plays another track of its kind, such as another language. Text plays once it is chosen, and no more after `null`.
   *
   * @throws {PlayerError} `INVALID_ARGUMENT` where there is no such track, or one is needed.
   */
  async selectTrack(kind: MediaKind, index: number | null): Promise<void> {
    this.#alive();
    const known = this.#tracks.some((track) => track.kind === kind && track.index === index);
    if (!known && (index !== null || kind !== 'text')) {
      throw invalidArgument(`there is no ${kind} track ${index}; see player.tracks`);
    }
    this.#tracks = this.#tracks.map((track) =>
      track.kind === kind ? { ...track, selected: track.index === index } : track,
    );
    // Its cues may come before the worker's answer.
    if (kind === 'text') this.#text?.select(index);
    await this.#worker.call('selectTrack', kind, index);
  }

  /** What the player does, has and expects, at most a quarter of a second old. */
  stats(): Stats {
    return this.#stats;
  }

  /**
   * Where the small picture for a time is, for a seek bar; `null` where the presentation has none.
   * What it takes is loaded when it is first asked for; the image itself is the app's to fetch.
   */
  async thumbnailAt(time: number): Promise<Picture | null> {
    return this.#picture(time);
  }

  /**
   * Where the key frame for a time is, to move by at `rate` times the normal speed, in a quality that
   * the network sustains at it; `null` where the presentation has none.
   */
  async keyFrameAt(time: number, rate: number): Promise<Picture | null> {
    if (!Number.isFinite(rate)) throw invalidArgument('rate must be a number');
    return this.#picture(time, Math.round(rate));
  }

  async #picture(time: number, rate?: number): Promise<Picture | null> {
    this.#alive();
    if (!Number.isFinite(time)) throw invalidArgument('time must be a number of seconds');
    const id = ++this.#lastPicture;
    const answer = new Promise<Picture | null>((resolve) => this.#pictures.set(id, resolve));
    await this.#worker.call('picture', id, time, rate);
    return answer;
  }

  /** Every input so far, from which `replay` of `kinora/replay` repeats the session; empty unless `record` is on. */
  async sessionLog(): Promise<Uint8Array> {
    this.#alive();
    return this.#worker.call('sessionLog');
  }

  /** Ends the player: the worker, the network, the buffers. The element can be used again. */
  async destroy(): Promise<void> {
    this.#ended ??= internal('the player was destroyed');
    this.#interrupt('the player was destroyed');
    this.#element.destroy();
    this.#device.destroy();
    this.#text?.destroy();
    this.#worker.end(this.#ended);
    this.#stats = idle();
  }

  override addEventListener<K extends keyof PlayerEventMap>(
    type: K,
    listener: PlayerListener<K> | null,
    options?: boolean | AddEventListenerOptions,
  ): void {
    super.addEventListener(type, listener as EventListenerOrEventListenerObject, options);
  }

  override removeEventListener<K extends keyof PlayerEventMap>(
    type: K,
    listener: PlayerListener<K> | null,
    options?: boolean | EventListenerOptions,
  ): void {
    super.removeEventListener(type, listener as EventListenerOrEventListenerObject, options);
  }

  #receive(name: keyof PlayerEventMap, detail: unknown): void {
    switch (name as string) {
      case 'picture': {
        const { id, picture } = detail as { id: number; picture: Picture | null };
        this.#pictures.get(id)?.(picture);
        this.#pictures.delete(id);
        return;
      }
      case 'error':
        this.#fail(new PlayerError(detail as PlayerErrorFields));
        return;
      case 'loaded':
        this.#tracks = (detail as PlayerEventMap['loaded']).tracks;
        this.#text?.offer(this.#tracks);
        break;
      case 'cues':
        this.#text?.add(detail as PlayerEventMap['cues']);
        break;
      case 'cuescleared':
        this.#text?.clear();
        break;
      case 'ready':
        this.#settle();
        break;
    }
    this.#dispatch(name, detail as never);
  }

  #fail(error: PlayerError): void {
    this.#settle(error);
    this.#dispatch('error', error);
  }

  #settle(error?: unknown): void {
    const loading = this.#loading;
    this.#loading = undefined;
    if (error) loading?.reject(error);
    else loading?.resolve();
  }

  #interrupt(why: string): void {
    this.#tracks = [];
    this.#text?.offer([]);
    // Pictures of the load before are of no use any more.
    for (const resolve of this.#pictures.values()) resolve(null);
    this.#pictures.clear();
    this.#settle(new DOMException(why, 'AbortError'));
  }

  #alive(): void {
    if (this.#ended) throw this.#ended;
  }

  #dispatch<K extends keyof PlayerEventMap>(name: K, detail: PlayerEventMap[K]): void {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

interface MediaSourceClass {
  isTypeSupported(type: string): boolean;
  canConstructInDedicatedWorker?: boolean;
}

function mediaSource(): MediaSourceClass | undefined {
  const { MediaSource, ManagedMediaSource } = globalThis as {
    MediaSource?: MediaSourceClass;
    ManagedMediaSource?: MediaSourceClass;
  };
  return MediaSource ?? ManagedMediaSource;
}

function address(url: string | URL): string {
  const parsed = parse(url);
  if (!parsed) throw invalidArgument(`${String(url)} is not a URL`);
  return parsed.href;
}

function parse(url: string | URL): URL | null {
  try {
    return new URL(url, document.baseURI);
  } catch {
    return null;
  }
}

/** The core draws no random numbers. `randomUUID` is for secure contexts alone. */
function sessionId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

function idle(): Stats {
  return {
    status: 'idle',
    position: 0,
    duration: null,
    rate: 1,
    streams: [],
    throughput: null,
    timeToFirstByte: null,
    rule: '',
    requests: [],
    requestsWaiting: 0,
    origins: [],
    pathway: null,
    steering: null,
    offline: false,
    satisfied: false,
    live: null,
    timers: [],
    preloading: null,
    queue: [],
    totals: {
      startup: null,
      stalls: 0,
      stalled: 0,
      qualityChanges: 0,
      bytes: 0,
      requests: 0,
      retries: 0,
      replaced: 0,
      discarded: 0,
      droppedFrames: 0,
    },
  };
}
