// The worker's script: the WebAssembly module, and the messages it lives by.

import init, { Session } from '../bindings/kinora.js';
import { filteredFetch } from './filters.js';
import { MediaSink, joined } from './media-sink.js';
import {
  type Environment,
  type FromWorker,
  type MediaElementPort,
  type PageCalls,
  type Placement,
  Questions,
  type SinkMethods,
  type ToWorker,
  type WorkerCalls,
} from './protocol.js';
import type { KeySystem } from './types.js';

/** How often figures go to the page while something is loaded, in milliseconds. */
const STATS_INTERVAL = 250;

/** Of a film that is not there. */
const FILM =
  '<MPD type="static" mediaPresentationDuration="PT4S"><Period><AdaptationSet contentType="video" mimeType="video/mp4" codecs="avc1.42E01E">' +
  '<SegmentTemplate media="$Number$" initialization="0" duration="4"/><Representation id="1" bandwidth="1"/></AdaptationSet></Period></MPD>';

/** The part of a worker's global scope used here; the DOM's types describe a page's. */
interface WorkerScope {
  addEventListener(type: 'message', listener: (event: MessageEvent<ToWorker>) => void): void;
  addEventListener(
    type: 'unhandledrejection',
    listener: (event: PromiseRejectionEvent) => void,
  ): void;
  addEventListener(type: 'offline' | 'online', listener: () => void): void;
  postMessage(message: FromWorker, transfer: Transferable[]): void;
}

const scope = self as unknown as WorkerScope;
const compiled = init();
const questions = new Questions();
let session: Session | undefined;
let currentLoad = 0;
/** What the page said of the device before the session began. */
let surroundings: Environment | undefined;
let ticking: ReturnType<typeof setInterval> | undefined;
let askedForAudio = false;

scope.addEventListener('message', ({ data }) => receive(data));
// Whatever nobody caught came out of the module, which cannot be used after that.
scope.addEventListener('unhandledrejection', ({ reason }) => post(['panic', String(reason)]));

function receive(data: ToWorker): void {
  switch (data[0]) {
    case 'call':
      void answer(data[1], data[2], data[3]);
      break;
    case 'element': {
      const [, ...state] = data;
      session?.element(...state);
      break;
    }
    case 'environment': {
      const [, ...environment] = data;
      surroundings = environment;
      session?.environment(...environment);
      break;
    }
    case 'managed':
      session?.managed(data[1], data[2]);
      break;
    case 'keyMessage':
      session?.keyMessage(data[1], data[2]);
      break;
    case 'keyStatuses':
      session?.keyStatuses(data[1], data[2], data[3]);
      break;
    case 'warmUp':
      askForAudio();
      void rehearse();
      break;
    default:
      questions.settle(data);
  }
}

/**
 * Browsers compile code when it first runs: what every session begins with runs before somebody waits for it, with a
 * server and a platform that are not there.
 */
async function rehearse(): Promise<void> {
  await compiled;
  // Somebody may be waiting already.
  await new Promise((done) => setTimeout(done));
  if (session) return;
  let end: (reason?: unknown) => void = () => undefined;
  const silence = new Promise<never>((_, reject) => (end = reject));
  const nobody = new Proxy({}, { get: () => () => silence }) as SinkMethods & KeySystem;
  const fetch = async (_: Request, kind: string) => (kind === 'manifest' ? new Response(FILM) : silence);
  const one = new Session(nobody, nobody, () => undefined, fetch, {});
  one.load('data:,', 'dash');
  // What follows from an answer takes some turns.
  await new Promise((done) => setTimeout(done, 50));
  one.unload();
  end();
  one.free();
}

/**
 * A browser starts what plays sound, a process in most, when a first source with sound is there, and only then sees to
 * the picture: it may as well do so while the manifest is on its way. Where it takes no such source, nothing is lost.
 */
function askForAudio(): void {
  if (askedForAudio) return;
  askedForAudio = true;
  const attach = async (source: MediaSource | MediaSourceHandle) => {
    const { handle } = source as MediaSource & { handle: MediaSourceHandle };
    post(['audio', handle], [handle]);
  };
  const one = new MediaSink({ attach } as MediaElementPort, () => undefined);
  // Silence in MPEG-2 layer III, 8 kbit/s at 24 kHz: a header, and zeros.
  const frame = new Uint8Array(24);
  frame.set([0xff, 0xf3, 0x14, 0xc0]);
  const steps = [
    one.open(),
    one.addBuffer('audio', 'audio/mpeg'),
    one.append('audio', 0, 0, Infinity, [frame]),
    one.endOfStream(),
  ];
  void Promise.all(steps).catch(() => undefined);
}

const calls: { [M in keyof WorkerCalls]: (...args: Parameters<WorkerCalls[M]>) => unknown } = {
  start(config, placement, filters) {
    const emit = (name: string, detail: unknown) => post(['event', currentLoad, name, detail]);
    const fetch = filteredFetch(filters, {
      filterRequest: (request) => ask('filterRequest', [request]),
      filterResponse: (response) => ask('filterResponse', [response], [response.data]),
    });
    session = new Session(sink(placement), keys, emit, fetch, config);
    watchNetwork(session);
    if (surroundings) session.environment(...surroundings);
  },
  load(number, url, { format, start }) {
    currentLoad = number;
    running().load(url, format, start);
    askForAudio();
    ticking ??= setInterval(sendStats, STATS_INTERVAL);
  },
  preload: (url, { format, start }) => running().preload(url, format, start),
  setQueue: (urls) => running().setQueue(urls),
  unload(number) {
    currentLoad = number;
    running().unload();
    clearInterval(ticking);
    ticking = undefined;
    sendStats();
  },
  seek: (position) => running().seek(position),
  configure: (changes) => running().configure(changes),
  selectQuality: (kind, id) => running().selectQuality(kind, id ?? undefined),
  selectTrack: (kind, index) => running().selectTrack(kind, index ?? undefined),
  picture: (id, at, rate) => running().picture(id, at, rate),
  sessionLog: () => running().sessionLog(),
};

async function answer(id: number, method: keyof WorkerCalls, args: unknown[]): Promise<void> {
  try {
    await compiled;
    const value = (calls[method] as (...args: unknown[]) => unknown)(...args);
    post(['answer', id, value], value instanceof Uint8Array ? [value.buffer] : []);
  } catch (reason) {
    post(['refusal', id, reason]);
  }
}

/** A worker hears of its device's network as a page does. */
function watchNetwork(session: Session): void {
  if (!navigator.onLine) session.network('offline');
  for (const state of ['offline', 'online'] as const) {
    scope.addEventListener(state, () => session.network(state));
  }
  const { connection } = navigator as { connection?: EventTarget & { type?: string } };
  let type = connection?.type;
  // It also reports new estimates of the same network, which are no news.
  connection?.addEventListener('change', () => {
    if (connection.type !== type) session.network('changed');
    type = connection.type;
  });
}

function sendStats(): void {
  if (session) post(['stats', session.stats()]);
}

function running(): Session {
  if (!session) throw new Error('the player was not started');
  return session;
}

function sink(placement: Placement): SinkMethods {
  if (placement === 'page') {
    return {
      open: () => ask('open'),
      addBuffer: (...args) => ask('addBuffer', args),
      changeType: (...args) => ask('changeType', args),
      append: (kind, offset, start, end, chunks) => {
        // A copy moves to the page, so that a refused append can be tried again.
        const copy = chunks.length === 1 ? joined(chunks).slice() : joined(chunks);
        return ask('append', [kind, offset, start, end, [copy]], [copy.buffer]);
      },
      remove: (...args) => ask('remove', args),
      setDuration: (...args) => ask('setDuration', args),
      setLiveSeekableRange: (...args) => ask('setLiveSeekableRange', args),
      endOfStream: () => ask('endOfStream'),
      seek: (...args) => ask('seek', args),
      setRate: (...args) => ask('setRate', args),
      close: () => ask('close'),
      probe: (...args) => ask('probe', args),
    };
  }
  const element: MediaElementPort = {
    attach: (source) => {
      const { handle } = source as MediaSource & { handle: MediaSourceHandle };
      return ask('attach', [handle], [handle]);
    },
    detach: () => ask('detach'),
    seek: (...args) => ask('seek', args),
    setRate: (...args) => ask('setRate', args),
  };
  return new MediaSink(element, receive);
}

/** Encrypted Media Extensions are on the page alone. */
const keys: KeySystem = {
  openKeySystem: (...args) => ask('openKeySystem', args),
  createKeySession: (...args) => ask('createKeySession', args),
  updateKeySession: (...args) => ask('updateKeySession', args),
  closeKeySession: (...args) => ask('closeKeySession', args),
  shutKeySystem: () => ask('shutKeySystem'),
};

function ask<M extends keyof PageCalls>(
  method: M,
  args: unknown[] = [],
  transfer: Transferable[] = [],
): ReturnType<PageCalls[M]> {
  return questions.ask((id) => post(['call', id, method, args], transfer)) as ReturnType<
    PageCalls[M]
  >;
}

function post(message: FromWorker, transfer: Transferable[] = []): void {
  scope.postMessage(message, transfer);
}
