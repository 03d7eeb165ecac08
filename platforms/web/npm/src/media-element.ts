import type { ElementState, MediaElementPort } from './protocol.js';

/** How often a playing element is looked at besides its events, in milliseconds. */
const TICK = 250;

const EVENTS = [
  'canplay',
  'canplaythrough',
  'ended',
  'error',
  'loadeddata',
  'loadedmetadata',
  'pause',
  'play',
  'playing',
  'ratechange',
  'resize',
  'seeked',
  'seeking',
  'stalled',
  'timeupdate',
  'volumechange',
  'waiting',
] as const;

/** A media element: carries out what is asked of it, and reports its state whenever that changes. */
export class MediaElement implements MediaElementPort {
  readonly #element: HTMLMediaElement;
  readonly #report: (state: ElementState) => void;
  readonly #listening = new AbortController();
  readonly #ticking: ReturnType<typeof setInterval>;
  #url: string | undefined;
  #attached = false;

  constructor(element: HTMLMediaElement, report: (state: ElementState) => void) {
    this.#element = element;
    this.#report = report;
    const { signal } = this.#listening;
    for (const event of EVENTS) element.addEventListener(event, () => this.#look(), { signal });
    this.#ticking = setInterval(() => {
      if (!element.paused && !element.ended) this.#look();
    }, TICK);
  }

  async attach(source: MediaSource | MediaSourceHandle): Promise<void> {
    // A new source pauses the element; who was watching goes on watching.
    const plays = this.#attached && (!this.#element.paused || this.#element.ended);
    this.#release();
    // What only a managed media source asks for: without it the element would not open it.
    this.#element.disableRemotePlayback = true;
    this.#attached = true;
    if ('addSourceBuffer' in source) {
      this.#url = URL.createObjectURL(source);
      this.#element.src = this.#url;
    } else {
      // The DOM's types do not know yet that an element takes a handle.
      this.#element.srcObject = source as unknown as MediaProvider;
    }
    if (plays) void this.#element.play().catch(() => undefined);
  }

  async detach(): Promise<void> {
    if (!this.#attached) return;
    this.#release();
    this.#element.removeAttribute('src');
    this.#element.load();
  }

  async seek(position: number): Promise<void> {
    this.#element.currentTime = position;
  }

  async setRate(rate: number): Promise<void> {
    this.#element.playbackRate = rate;
  }

  /** Stops reporting and gives the element back. */
  destroy(): void {
    clearInterval(this.#ticking);
    this.#listening.abort();
    void this.detach();
  }

  #release(): void {
    this.#attached = false;
    this.#element.srcObject = null;
    if (this.#url) URL.revokeObjectURL(this.#url);
    this.#url = undefined;
  }

  #look(): void {
    if (!this.#attached) return;
    const element = this.#element;
    const frames =
      element instanceof HTMLVideoElement ? element.getVideoPlaybackQuality() : undefined;
    this.#report([
      element.currentTime,
      element.playbackRate,
      element.paused,
      element.seeking,
      element.ended,
      element.muted || !element.volume,
      element.readyState,
      frames?.totalVideoFrames ?? 0,
      frames?.droppedVideoFrames ?? 0,
      element.error ? describe(element.error) : undefined,
    ]);
  }
}

function describe({ code, message }: MediaError): string {
  const names = ['', 'aborted', 'network', 'decode', 'source not supported'];
  return `${names[code] ?? code}${message ? `: ${message}` : ''}`;
}
