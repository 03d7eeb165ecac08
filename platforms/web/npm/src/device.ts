import type { Environment } from './protocol.js';

/** The part of the Network Information API used here, which only some browsers have. */
interface Connection extends EventTarget {
  readonly saveData?: boolean;
  readonly type?: string;
  readonly effectiveType?: string;
}

/** Watches what the page knows of the device, and says so whenever it changes. */
export class Device {
  readonly #element: HTMLMediaElement;
  readonly #tell: (environment: Environment) => void;
  readonly #listening = new AbortController();
  readonly #resizing: ResizeObserver | undefined;
  #told = '';

  constructor(element: HTMLMediaElement, tell: (environment: Environment) => void) {
    this.#element = element;
    this.#tell = tell;
    const look = () => this.#look();
    const { signal } = this.#listening;
    document.addEventListener('visibilitychange', look, { signal });
    element.addEventListener('enterpictureinpicture', look, { signal });
    element.addEventListener('leavepictureinpicture', look, { signal });
    // Another screen, or another zoom.
    addEventListener('resize', look, { signal });
    connection()?.addEventListener('change', look, { signal });
    if (typeof ResizeObserver === 'function') {
      this.#resizing = new ResizeObserver(look);
      this.#resizing.observe(element);
    }
    look();
  }

  destroy(): void {
    this.#listening.abort();
    this.#resizing?.disconnect();
  }

  #look(): void {
    const { clientWidth, clientHeight } = this.#element;
    const { saveData = false, type, effectiveType } = connection() ?? {};
    const cellular = type === 'cellular';
    // A picture in a window of its own may have any size.
    const elsewhere = document.pictureInPictureElement === this.#element;
    const scale = elsewhere ? 0 : devicePixelRatio || 1;
    const environment: Environment = [
      Math.round(clientWidth * scale),
      Math.round(clientHeight * scale),
      document.hidden && !elsewhere,
      cellular,
      saveData,
      cellular ? effectiveType : type,
    ];
    const key = environment.join();
    if (key === this.#told) return;
    this.#told = key;
    this.#tell(environment);
  }
}

function connection(): Connection | undefined {
  return (navigator as Navigator & { connection?: Connection }).connection;
}
