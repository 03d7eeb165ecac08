import type { MediaElementPort, SinkNews } from './protocol.js';

/** Why a media operation failed. Plain data, because it may travel in a message. */
export interface MediaFailure {
  failure: 'quota' | 'unsupported' | 'decode' | 'state';
  message: string;
}

type Chunks = Uint8Array<ArrayBuffer>[];

/**
 * A media source and its buffers: in the worker or on the page, whichever can.
 *
 * Operations are carried out in the order of the calls, except that buffers of different kinds work
 * at the same time. All methods reject with a {@link MediaFailure}; `append` and `remove` resolve to
 * what the buffer then holds, as `[start, end, …]` in seconds.
 */
export class MediaSink {
  readonly #element: MediaElementPort;
  readonly #tell: (news: SinkNews) => void;
  #attachment: Attachment | undefined;

  /** `tell` hears of what a managed media source does by itself, in the order of the answers to its operations. */
  constructor(element: MediaElementPort, tell: (news: SinkNews) => void) {
    this.#element = element;
    this.#tell = tell;
  }

  /** Attaches an empty media source, dropping whatever was there. */
  async open(): Promise<void> {
    this.#attachment?.end();
    const attachment = new Attachment();
    this.#attachment = attachment;
    return attachment.open(this.#element, this.#tell);
  }

  async addBuffer(kind: string, mimeType: string): Promise<void> {
    return this.#current().addBuffer(kind, mimeType, this.#tell);
  }

  async changeType(kind: string, mimeType: string): Promise<void> {
    return this.#current().inBuffer(kind, (buffer) => buffer.changeType(mimeType));
  }

  async append(
    kind: string,
    offset: number,
    windowStart: number,
    windowEnd: number,
    chunks: Chunks,
  ): Promise<Float64Array> {
    return this.#current().inBuffer(kind, async (buffer, over) => {
      if (buffer.timestampOffset !== offset) buffer.timestampOffset = offset;
      setWindow(buffer, windowStart, windowEnd);
      buffer.appendBuffer(joined(chunks));
      await updated(buffer, over);
      return ranges(buffer);
    });
  }

  async remove(kind: string, start: number, end: number): Promise<Float64Array> {
    return this.#current().inBuffer(kind, async (buffer, over, source) => {
      // Nothing lies beyond the duration, and asking for it is an error.
      if (start < source.duration && start < end) {
        buffer.remove(start, end);
        await updated(buffer, over);
      }
      return ranges(buffer);
    });
  }

  async setDuration(duration: number): Promise<void> {
    return this.#current().alone((source) => {
      source.duration = duration;
    });
  }

  async setLiveSeekableRange(start: number, end: number): Promise<void> {
    return this.#current().alone((source) => {
      if (source.readyState === 'open') source.setLiveSeekableRange(start, end);
    });
  }

  async endOfStream(): Promise<void> {
    return this.#current().alone((source) => {
      if (source.readyState !== 'ended') source.endOfStream();
    });
  }

  async seek(position: number): Promise<void> {
    return this.#current().alone(() => this.#element.seek(position));
  }

  async setRate(rate: number): Promise<void> {
    return this.#current().alone(() => this.#element.setRate(rate));
  }

  /** Detaches the media source; what is still under way fails. */
  async close(): Promise<void> {
    this.#attachment?.end();
    this.#attachment = undefined;
    return this.#element.detach();
  }

  /**
   * Rejects as unsupported what this browser does not decode, or not fluently. Zero stands for what is
   * not known.
   */
  async probe(
    kind: string,
    mimeType: string,
    bitrate: number,
    width: number,
    height: number,
    framerate: number,
    channels: number,
    samplerate: number,
  ): Promise<void> {
    if (!isTypeSupported(mimeType)) throw unsupported(`${mimeType} is not supported`);
    const { mediaCapabilities } = navigator;
    if (!mediaCapabilities || bitrate <= 0) return;
    let configuration: MediaDecodingConfiguration;
    if (kind === 'video') {
      // Media Capabilities take one codec; muxed sound is left out.
      if (!width || !height || mimeType.includes(',')) return;
      const video = { contentType: mimeType, width, height, bitrate, framerate: framerate || 30 };
      configuration = { type: 'media-source', video };
    } else {
      const audio = {
        contentType: mimeType,
        bitrate,
        ...(channels ? { channels: String(channels) } : {}),
        ...(samplerate ? { samplerate } : {}),
      };
      configuration = { type: 'media-source', audio };
    }
    // A browser that cannot make sense of the question has not said no.
    const answer = await mediaCapabilities.decodingInfo(configuration).catch(() => undefined);
    if (answer && !answer.supported) throw unsupported(`${mimeType} is not supported`);
    if (answer && kind === 'video' && !answer.smooth) {
      throw unsupported(`${width}x${height} is not decoded fluently`);
    }
  }

  #current(): Attachment {
    if (!this.#attachment) throw state('no media source is attached');
    return this.#attachment;
  }
}

/** From one `open` to the next, or to `close`. */
class Attachment {
  readonly #source = newMediaSource();
  readonly #buffers = new Map<string, SourceBuffer>();
  readonly #over = new AbortController();
  /** The last operation that waited for all before it. */
  #barrier: Promise<unknown> = Promise.resolve();
  /** The last operation of each buffer. */
  readonly #lasts = new Map<string, Promise<unknown>>();

  open(element: MediaElementPort, tell: (news: SinkNews) => void): Promise<void> {
    const { signal } = this.#over;
    // Only a managed source has these.
    for (const name of ['startstreaming', 'endstreaming']) {
      const listener = () => tell(['managed', undefined, name === 'startstreaming']);
      this.#source.addEventListener(name, listener, { signal });
    }
    return this.alone(async (source) => {
      const opened = happened(this.#over.signal, [source, 'sourceopen']);
      await Promise.all([opened, element.attach(source)]);
    });
  }

  addBuffer(kind: string, type: string, tell: (news: SinkNews) => void): Promise<void> {
    return this.alone((source) => {
      const buffer = source.addSourceBuffer(type);
      const { signal } = this.#over;
      const listener = ({ removedRanges }: Event & { removedRanges?: TimeRanges }) => {
        if (removedRanges?.length) tell(['managed', kind, ranges(buffer)]);
      };
      buffer.addEventListener('bufferedchange', listener, { signal });
      this.#buffers.set(kind, buffer);
    });
  }

  end(): void {
    this.#over.abort();
  }

  /** Runs `work` after everything asked for before, and before everything after. */
  alone<T>(work: (source: MediaSource) => T | Promise<T>): Promise<T> {
    const before = Promise.all([this.#barrier, ...this.#lasts.values()]);
    const result = this.#after(before, () => work(this.#source));
    this.#barrier = result.catch(() => undefined);
    return result;
  }

  /** Runs `work` after everything asked of that buffer before. */
  inBuffer<T>(
    kind: string,
    work: (buffer: SourceBuffer, over: AbortSignal, source: MediaSource) => T | Promise<T>,
  ): Promise<T> {
    const before = Promise.all([this.#barrier, this.#lasts.get(kind)]);
    const result = this.#after(before, () => {
      const buffer = this.#buffers.get(kind);
      if (!buffer) throw state(`there is no ${kind} buffer`);
      return work(buffer, this.#over.signal, this.#source);
    });
    this.#lasts.set(
      kind,
      result.catch(() => undefined),
    );
    return result;
  }

  async #after<T>(before: Promise<unknown>, work: () => T | Promise<T>): Promise<T> {
    await before;
    if (this.#over.signal.aborted) throw closed();
    try {
      return await work();
    } catch (error) {
      throw failure(error);
    }
  }
}

function isTypeSupported(mimeType: string): boolean {
  const { MediaSource, ManagedMediaSource } = globalThis as unknown as {
    MediaSource?: { isTypeSupported(type: string): boolean };
    ManagedMediaSource?: { isTypeSupported(type: string): boolean };
  };
  return (MediaSource ?? ManagedMediaSource)?.isTypeSupported(mimeType) ?? true;
}

/** Safari on iPhones has only the managed kind. */
function newMediaSource(): MediaSource {
  const { MediaSource, ManagedMediaSource } = globalThis as unknown as {
    MediaSource?: new () => MediaSource;
    ManagedMediaSource?: new () => MediaSource;
  };
  const Source = MediaSource ?? ManagedMediaSource;
  if (!Source) throw state('this browser has no Media Source Extensions');
  return new Source();
}

function setWindow(buffer: SourceBuffer, start: number, end: number): void {
  if (buffer.appendWindowStart === start && buffer.appendWindowEnd === end) return;
  // The start must stay before the end at every step.
  buffer.appendWindowStart = 0;
  buffer.appendWindowEnd = end;
  buffer.appendWindowStart = start;
}

/** One array of several; the array itself where there is only one. */
export function joined(chunks: Chunks): Uint8Array<ArrayBuffer> {
  const [first] = chunks;
  if (first && chunks.length === 1) return first;
  const whole = new Uint8Array(chunks.reduce((length, chunk) => length + chunk.length, 0));
  let offset = 0;
  for (const chunk of chunks) {
    whole.set(chunk, offset);
    offset += chunk.length;
  }
  return whole;
}

function ranges({ buffered }: SourceBuffer): Float64Array {
  const bounds = new Float64Array(buffered.length * 2);
  for (let i = 0; i < buffered.length; i++) {
    bounds[i * 2] = buffered.start(i);
    bounds[i * 2 + 1] = buffered.end(i);
  }
  return bounds;
}

/** The buffer's update is over; rejects if it went wrong. */
async function updated(buffer: SourceBuffer, over: AbortSignal): Promise<void> {
  const event = await happened(over, [buffer, 'updateend'], [buffer, 'error'], [buffer, 'abort']);
  if (event === 'error') {
    throw { failure: 'decode', message: 'the browser could not parse the segment' };
  }
  if (event === 'abort') throw state('the media source was detached during an append');
}

/** The name of whichever event comes first; rejects if the attachment ends before. */
function happened(over: AbortSignal, ...events: [EventTarget, string][]): Promise<string> {
  return new Promise((resolve, reject) => {
    const settled = new AbortController();
    const listen = (target: EventTarget, name: string, settle: () => void) => {
      const listener = () => {
        settled.abort();
        settle();
      };
      target.addEventListener(name, listener, { signal: settled.signal });
    };
    for (const [target, name] of events) listen(target, name, () => resolve(name));
    listen(over, 'abort', () => reject(closed()));
    if (over.aborted) reject(closed());
  });
}

function failure(error: unknown): MediaFailure {
  if (typeof error === 'object' && error !== null && 'failure' in error) {
    return error as MediaFailure;
  }
  const { name, message } = error as Error;
  switch (name) {
    case 'QuotaExceededError':
      return { failure: 'quota', message };
    case 'NotSupportedError':
      return { failure: 'unsupported', message };
    default:
      return state(message);
  }
}

function unsupported(message: string): MediaFailure {
  return { failure: 'unsupported', message };
}

function closed(): MediaFailure {
  return state('the media source was closed');
}

function state(message: string): MediaFailure {
  return { failure: 'state', message };
}
