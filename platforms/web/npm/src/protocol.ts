// What the page and the worker say to each other. Every message is a tuple that begins with its kind.

import type { FilterCalls, FilterKinds } from './filters.js';
import type { MediaSink } from './media-sink.js';
import type {
  Config,
  CreateOptions,
  KeySystem,
  LoadOptions,
  PlayerErrorFields,
  Stats,
} from './types.js';

/** What the page may ask of the worker; each answer comes under the question's number. */
export interface WorkerCalls {
  start(config: CreateOptions, placement: Placement, filters: FilterKinds): void;
  /** Events after this call carry its number, so that those of the load before are told apart. */
  load(number: number, url: string, options: LoadOptions): void;
  preload(url: string, options: LoadOptions): void;
  setQueue(urls: string[]): void;
  unload(number: number): void;
  seek(position: number): void;
  configure(changes: Config): void;
  selectQuality(kind: string, id: string | null): void;
  selectTrack(kind: string, index: number | null): void;
  /** Answered by the event `picture` under the same number. */
  picture(id: number, at: number, rate: number | undefined): void;
  sessionLog(): Uint8Array;
}

/** Where the media source lives. */
export type Placement = 'worker' | 'page';

/** What the worker may ask of the page: of the element, or of the whole sink where that is there; and of the key system. */
export type PageCalls = Pick<MediaElementPort, keyof MediaElementPort> & SinkMethods & FilterCalls & KeySystem;

/** The media element, as the sink needs it. */
export interface MediaElementPort {
  /** Makes the element play this source. */
  attach(source: MediaSource | MediaSourceHandle): Promise<void>;
  /** Takes the source away. */
  detach(): Promise<void>;
  seek(position: number): Promise<void>;
  setRate(rate: number): Promise<void>;
}

/**
 * What a managed media source does by itself, in the order of `Session.managed`: it has dropped media from a buffer, which
 * holds these ranges now, as `[start, end, …]` in seconds; or, of no kind, it wants media or has enough for now.
 */
export type SinkNews =
  | ['managed', kind: string, buffered: Float64Array]
  | ['managed', kind: undefined, streaming: boolean];

/** The methods of a sink, without its private parts. */
export type SinkMethods = Pick<MediaSink, keyof MediaSink>;

/** The element's state, in the order of `Session.element`. */
export type ElementState = [
  position: number,
  rate: number,
  paused: boolean,
  seeking: boolean,
  ended: boolean,
  muted: boolean,
  readyState: number,
  totalFrames: number,
  droppedFrames: number,
  error: string | undefined,
];

/** What the page knows of the device, in the order of `Session.environment`. */
export type Environment = [
  width: number,
  height: number,
  hidden: boolean,
  metered: boolean,
  dataSaver: boolean,
  network: string | undefined,
];

export type ToWorker =
  | ['warmUp']
  | ['call', id: number, method: keyof WorkerCalls, args: unknown[]]
  | ['element', ...ElementState]
  | ['environment', ...Environment]
  | SinkNews
  | ['keyMessage', session: number, message: Uint8Array]
  | ['keyStatuses', session: number, ids: Uint8Array[], statuses: string[]]
  | Answer;

export type FromWorker =
  | ['call', id: number, method: keyof PageCalls, args: unknown[]]
  | ['event', load: number, name: string, detail: unknown]
  | ['stats', Stats]
  /** A source with sound that nobody is to hear. */
  | ['audio', MediaSourceHandle]
  | ['panic', message: string]
  | Answer;

export type Answer =
  | ['answer', id: number, value: unknown]
  | ['refusal', id: number, reason: unknown];

/** Numbers questions and finds the one an answer belongs to. */
export class Questions {
  #last = 0;
  #open = new Map<number, { resolve: (value: never) => void; reject: (reason: unknown) => void }>();

  /** Asks by `send`, which is given the question's number. */
  ask<T>(send: (id: number) => void): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const id = ++this.#last;
      this.#open.set(id, { resolve, reject });
      send(id);
    });
  }

  settle([kind, id, value]: Answer): void {
    const question = this.#open.get(id);
    this.#open.delete(id);
    if (kind === 'answer') question?.resolve(value as never);
    else question?.reject(value);
  }

  /** No answer will come any more. */
  refuseAll(reason: unknown): void {
    for (const { reject } of this.#open.values()) reject(reason);
    this.#open.clear();
  }
}

/** Whether a reason for refusal has the fields of a player error. */
export function isErrorFields(reason: unknown): reason is PlayerErrorFields {
  return typeof reason === 'object' && reason !== null && 'code' in reason && 'category' in reason;
}
