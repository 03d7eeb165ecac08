import { PlayerError, internal } from './error.js';
import type { FilterCalls } from './filters.js';
import {
  type FromWorker,
  type PageCalls,
  Questions,
  type ToWorker,
  type WorkerCalls,
  isErrorFields,
} from './protocol.js';
import { text } from './key-system.js';
import type { KeySystem, Stats } from './types.js';

/** What the worker's owner wants to hear of. */
export interface WorkerListener {
  /** Carries out what the worker asks of the page. */
  calls: Partial<PageCalls>;
  /** Filters what the worker fetches. */
  filters: FilterCalls;
  /** The same for what it asks of the key system. */
  keys: KeySystem;
  /** `load` is the number of the load that it belongs to. */
  onEvent(load: number, name: string, detail: unknown): void;
  onStats(stats: Stats): void;
  /** The worker broke and is gone. */
  onFailure(error: PlayerError): void;
}

/** The page's end of the worker. */
export class WorkerClient {
  readonly #worker = spareWorker() ?? startWorker();
  readonly #questions = new Questions();
  readonly #listener: WorkerListener;
  #ended = false;
  /** What becomes of the key system: sessions are asked for before that is known. */
  #keySystem: unknown;

  constructor(listener: WorkerListener) {
    this.#listener = listener;
    this.#worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.#receive(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#fail(event.message || 'its script could not be loaded; is worker.js beside index.js?');
    };
  }

  /** Asks the worker. Rejects with a {@link PlayerError}. */
  async call<M extends keyof WorkerCalls>(
    method: M,
    ...args: Parameters<WorkerCalls[M]>
  ): Promise<ReturnType<WorkerCalls[M]>> {
    if (this.#ended) throw internal('the player has ended');
    try {
      return await this.#questions.ask((id) => this.#post(['call', id, method, args]));
    } catch (reason) {
      if (reason instanceof PlayerError) throw reason;
      if (isErrorFields(reason)) throw new PlayerError(reason);
      throw internal(reason instanceof Error ? reason.message : String(reason));
    }
  }

  /** Tells the worker the state of the element, of the device, or of a key session. */
  tell(message: ToWorker): void {
    if (!this.#ended) this.#post(message);
  }

  /** Ends the worker and everything in it; open questions are refused with `reason`. */
  end(reason: unknown): void {
    this.#ended = true;
    this.#worker.terminate();
    this.#questions.refuseAll(reason);
  }

  #receive(message: FromWorker): void {
    if (this.#ended) return;
    switch (message[0]) {
      case 'call':
        void this.#answer(message[1], message[2], message[3]);
        break;
      case 'event':
        this.#listener.onEvent(message[1], message[2], message[3]);
        break;
      case 'stats':
        this.#listener.onStats(message[1]);
        break;
      case 'audio':
        holdAudio(message[1]);
        break;
      case 'panic':
        this.#fail(message[1]);
        break;
      default:
        this.#questions.settle(message);
    }
  }

  async #answer(id: number, method: keyof PageCalls, args: unknown[]): Promise<void> {
    const { filters, keys } = this.#listener;
    try {
      const targets: Partial<PageCalls>[] = [filters, keys];
      const target = targets.find((one) => method in one) ?? this.#listener.calls;
      const call = target[method] as ((...args: unknown[]) => unknown) | undefined;
      if (method in keys && method !== 'openKeySystem') await this.#keySystem;
      const answer = call?.apply(target, args);
      if (method === 'openKeySystem') {
        this.#keySystem = Promise.resolve(answer).catch(() => undefined);
      }
      this.#post(['answer', id, await answer]);
    } catch (reason) {
      const plain = reason instanceof Error ? { failure: 'state', message: reason.message } : reason;
      this.#post(['refusal', id, method in keys ? text(reason) : plain]);
    }
  }

  #post(message: ToWorker): void {
    if (!this.#ended) this.#worker.postMessage(message);
  }

  #fail(message: string): void {
    if (this.#ended) return;
    const error = internal(`the player's worker failed: ${message}`);
    this.end(error);
    this.#listener.onFailure(error);
  }
}

/** Once is enough for a page. */
let audio: HTMLAudioElement | undefined;

/** Has an element that nobody sees take the source until it could play it. */
function holdAudio(source: MediaSourceHandle): void {
  if (audio) return;
  const element = new Audio();
  audio = element;
  element.oncanplay = element.onerror = () => {
    element.srcObject = null;
  };
  // The DOM's types do not know yet that an element takes a handle.
  element.srcObject = source as unknown as MediaProvider;
}

/** A worker that was started ahead of time. */
let spare: Worker | undefined;

/** Starts a worker ahead of time, unless one waits already. */
export function warmUp(): void {
  if (spare) return;
  const worker = startWorker();
  worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
    if (data[0] === 'audio') holdAudio(data[1]);
  };
  worker.postMessage(['warmUp'] satisfies ToWorker);
  spare = worker;
  // One that does not start is of no use; the next says why.
  worker.onerror = (event) => {
    event.preventDefault();
    if (spare === worker) spare = undefined;
  };
}

function spareWorker(): Worker | undefined {
  const worker = spare;
  spare = undefined;
  return worker;
}

function startWorker(): Worker {
  try {
    // In one piece, because bundlers look for just this expression.
    return new Worker(new URL('./worker.js', import.meta.url), { type: 'module', name: 'kinora' });
  } catch {
    // The package lies on another origin, whose scripts may be imported but not be a worker.
    const script = `import ${JSON.stringify(new URL('./worker.js', import.meta.url).href)}`;
    const url = URL.createObjectURL(new Blob([script], { type: 'text/javascript' }));
    const worker = new Worker(url, { type: 'module', name: 'kinora' });
    URL.revokeObjectURL(url);
    return worker;
  }
}
