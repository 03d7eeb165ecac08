import { type Config, type Filters, Player, PlayerError } from 'kinora';
import type { ReportedPlayback, Reporter } from 'kinora/telemetry';
import { element } from './dom.js';
import { Inspector } from './inspector.js';
import { installShortcuts } from './shortcuts.js';
import { bitrate, failureText, qualityName, trackName } from './words.js';

export type Format = 'hls' | 'dash';

/** What is played, and how it is called. */
export interface Showing {
  url: URL;
  start?: number;
  title: string;
  credit?: string;
}

/** Where a film plays: the picture, and beside it what the player thinks. */
export class Theatre {
  readonly video = element<HTMLVideoElement>('video');
  static #opened = false;
  readonly #player: Player;
  readonly #inspector: Inspector;
  readonly #formats = document.querySelectorAll<HTMLInputElement>('input[name=format]');
  #showing: Showing | undefined;
  /** Someone asks for the other manifest, or for another try. */
  onwish: ((wish: { format: Format | null; at: number }) => void) | undefined;
  /** It does not play any more, and has said why. */
  onover: (() => void) | undefined;

  /** Makes ready what the first one needs to open sooner. */
  static warmUp(): void {
    if (!Theatre.#opened) Player.warmUp();
  }

  static async open(filters: Filters = {}): Promise<Theatre> {
    if (!Player.isSupported()) {
      throw new Error('This browser lacks Media Source Extensions, workers or WebAssembly.');
    }
    Theatre.#opened = true;
    const parameters = new URLSearchParams(location.search);
    const player = await Player.create(element<HTMLVideoElement>('video'), {
      mediaSource: parameters.get('mse') === 'page' ? 'page' : 'auto',
      record: parameters.has('record'),
      filters,
    });
    return new Theatre(player);
  }

  /** Has a playback told of, until what this returns is called. */
  report(reporter: Reporter, playback: ReportedPlayback): () => void {
    return reporter.watch(this.#player, playback);
  }

  private constructor(player: Player) {
    this.#player = player;
    this.#inspector = new Inspector(player);
    // For people at the console, and for tests.
    Object.assign(window, { kinora: player });
    installShortcuts(this.video);
    player.addEventListener('loaded', () => this.#fillPicker());
    player.addEventListener('error', ({ detail }) => this.#end(detail));
    player.addEventListener('buffering', () => showSpinner(true));
    for (const over of ['playing', 'ended', 'ready'] as const) {
      player.addEventListener(over, () => showSpinner(false));
    }
    for (const choice of this.#formats) {
      choice.addEventListener('change', () =>
        this.onwish?.({ format: choice.value as Format, at: this.at }),
      );
    }
    const picker = element<HTMLSelectElement>('quality');
    picker.addEventListener('change', () => {
      player.selectQuality('video', picker.value || null).catch((error) => this.fail(error));
    });
    const subtitles = element<HTMLSelectElement>('subtitles');
    subtitles.addEventListener('change', () => {
      const index = subtitles.value === '' ? null : Number(subtitles.value);
      player.selectTrack('text', index).catch((error) => this.fail(error));
    });
    // The video's own controls offer them, too.
    this.video.textTracks.addEventListener('change', () => this.#fillSubtitles());
    element('retry').addEventListener('click', () =>
      this.onwish?.({ format: null, at: this.at }),
    );
  }

  /** Where it is, in seconds; where it is to begin as long as it has not. */
  get at(): number {
    return this.video.readyState > HTMLMediaElement.HAVE_NOTHING ? this.video.currentTime : (this.#showing?.start ?? 0);
  }

  /** Whether there is something to close. */
  get isOpen(): boolean {
    return this.#showing !== undefined;
  }

  /** Changes what the player does from now on. */
  configure(changes: Config): Promise<void> {
    return this.#player.configure(changes);
  }

  /** Plays something, in place of what played. */
  async show(showing: Showing): Promise<void> {
    this.#showing = showing;
    const { url, start } = showing;
    element('failure').hidden = true;
    showSpinner(true);
    this.#inspector.clear();
    this.#fillPicker();
    for (const choice of this.#formats) choice.checked = choice.value === formatOf(url);
    this.describe(showing);
    try {
      await this.#player.load(url, start === undefined ? {} : { start });
      await this.#begin();
    } catch (error) {
      // Another load has taken its place.
      if (!(error instanceof DOMException && error.name === 'AbortError')) this.#end(error);
    }
  }

  /** Ends what plays. */
  async close(): Promise<void> {
    this.#showing = undefined;
    this.video.pause();
    showSpinner(false);
    element('failure').hidden = true;
    await this.#player.unload();
  }

  describe({ title, credit }: { title: string; credit?: string }): void {
    element('title').textContent = title;
    document.title = title ? `${title} – Kinora` : 'Kinora';
    element('credit').textContent = credit ?? '';
  }

  fail(error: unknown): void {
    showFailure(error, this.#showing?.url.href ?? location.href);
  }

  #end(error: unknown): void {
    this.fail(error);
    this.onover?.();
  }

  /** Starts playing; without sound where the browser wants a gesture first. */
  async #begin(): Promise<void> {
    try {
      await this.video.play();
    } catch {
      this.video.muted = true;
      // If even that is refused, the controls are there.
      await this.video.play().catch(() => undefined);
    }
  }

  #fillPicker(): void {
    const picker = element<HTMLSelectElement>('quality');
    const track = this.#player.tracks.find(({ kind, selected }) => kind === 'video' && selected);
    const qualities = (track?.qualities ?? []).toReversed();
    const options = qualities.map(
      (quality) => new Option(`${qualityName(quality)} · ${bitrate(quality.bandwidth)}`, quality.id),
    );
    picker.replaceChildren(new Option('Auto', ''), ...options);
    picker.disabled = options.length === 0;
    this.#fillSubtitles();
  }

  #fillSubtitles(): void {
    const tracks = this.#player.tracks.filter(({ kind }) => kind === 'text');
    const options = tracks.map(
      (track) => new Option(trackName(track), String(track.index), false, track.selected),
    );
    element<HTMLSelectElement>('subtitles').replaceChildren(new Option('Off', ''), ...options);
    element('subtitles-picker').hidden = tracks.length === 0;
  }
}

export function formatOf({ pathname }: URL): Format | undefined {
  if (pathname.endsWith('.m3u8')) return 'hls';
  return pathname.endsWith('.mpd') ? 'dash' : undefined;
}

export function showFailure(error: unknown, url: string): void {
  showSpinner(false);
  const known = error instanceof PlayerError;
  const { title, advice } = known
    ? failureText(error, url)
    : { title: 'This cannot be played', advice: 'Try again; another browser may do better.' };
  const set = (name: string, text: string) => {
    const field = document.querySelector(`[data-failure=${name}]`);
    if (field) field.textContent = text;
  };
  set('title', title);
  set('advice', advice);
  set('code', known ? error.code : '');
  set('message', error instanceof Error ? error.message : String(error));
  element('failure').hidden = false;
}

function showSpinner(visible: boolean): void {
  element('spinner').hidden = !visible;
}
