import type { KeyListener, KeySystem, KeySystemOffer } from './types.js';

/**
 * Encrypted Media Extensions on the page, for a player in a worker. It decides nothing: which key systems, which
 * sessions, where licences are and what to do when one fails comes from there.
 *
 * Methods reject with a text.
 */
export class BrowserKeySystem implements KeySystem {
  readonly #element: HTMLMediaElement;
  readonly #listener: KeyListener;
  #sessions = new Map<number, MediaKeySession>();
  /** Where the licences of sessions are remembered that are kept on the device. */
  #kept = new Map<number, string>();
  #open: { name: string; keys: MediaKeys } | undefined;

  constructor(element: HTMLMediaElement, listener: KeyListener) {
    this.#element = element;
    this.#listener = listener;
  }

  /**
   * Has the browser find out ahead of time which key systems it has: the first question takes it longer than all of the
   * rest that a licence needs. Nothing comes of the answer.
   */
  static warmUp(name: string): void {
    const videoCapabilities = [{ contentType: 'video/mp4; codecs="avc1.42E01E"' }];
    void navigator
      .requestMediaKeySystemAccess?.(name, [{ videoCapabilities }])
      .catch(() => undefined);
  }

  async openKeySystem(offers: KeySystemOffer[]): Promise<string> {
    if (!navigator.requestMediaKeySystemAccess) {
      throw 'the page is not in a secure context, or the browser has no Encrypted Media Extensions';
    }
    const reasons: string[] = [];
    for (const offer of offers) {
      try {
        // An element keeps its key system; one that is there already does.
        if (this.#open?.name !== offer.keySystem) await this.#use(offer);
        return offer.keySystem;
      } catch (reason) {
        reasons.push(`${offer.keySystem}: ${text(reason)}`);
      }
    }
    throw reasons.join('; ');
  }

  async #use(offer: KeySystemOffer): Promise<void> {
    const capabilities = (types: string[], robustness: string) =>
      types.map((contentType) => ({
        contentType,
        robustness,
        encryptionScheme: offer.encryptionScheme,
      }));
    const access = await navigator.requestMediaKeySystemAccess(offer.keySystem, [
      {
        initDataTypes: offer.initDataTypes,
        videoCapabilities: capabilities(offer.video, offer.videoRobustness),
        audioCapabilities: capabilities(offer.audio, offer.audioRobustness),
        distinctiveIdentifier: 'optional',
        persistentState: offer.persistent ? 'required' : 'optional',
        sessionTypes: [offer.persistent ? 'persistent-license' : 'temporary'],
      },
    ]);
    const keys = await access.createMediaKeys();
    if (offer.certificate) await keys.setServerCertificate(offer.certificate as BufferSource);
    await this.#element.setMediaKeys(keys);
    this.#open = { name: offer.keySystem, keys };
  }

  async createKeySession(
    id: number,
    type: string,
    data: Uint8Array,
    persistent: boolean,
  ): Promise<void> {
    const keys = this.#open?.keys;
    if (!keys) throw 'no key system is open';
    const create = () =>
      this.#watch(id, keys.createSession(persistent ? 'persistent-license' : 'temporary'));
    if (persistent) {
      const place = placeOf(this.#open?.name, data);
      this.#kept.set(id, place);
      const known = remembered(place);
      if (known) {
        const kept = create();
        if (await restored(kept, known)) return this.#tell(id, kept);
        // It has been used up.
        await kept.close().catch(() => undefined);
      }
    }
    await create().generateRequest(type, data as BufferSource).catch(refuse);
  }

  #watch(id: number, session: MediaKeySession): MediaKeySession {
    this.#sessions.set(id, session);
    const current = () => this.#sessions.get(id) === session;
    session.addEventListener('message', ({ message }) => {
      if (current()) this.#listener.onMessage(id, new Uint8Array(message));
    });
    session.addEventListener('keystatuseschange', () => {
      if (current()) this.#tell(id, session);
    });
    return session;
  }

  async updateKeySession(id: number, response: Uint8Array): Promise<void> {
    const session = this.#sessions.get(id);
    if (!session) throw 'there is no such key session';
    await session.update(response as BufferSource).catch(refuse);
    const place = this.#kept.get(id);
    if (place) remember(place, session.sessionId);
    this.#tell(id, session);
  }

  async closeKeySession(id: number): Promise<void> {
    const session = this.#sessions.get(id);
    this.#sessions.delete(id);
    this.#kept.delete(id);
    await session?.close().catch(() => undefined);
  }

  /** Ends every session. The element keeps the key system, for what is loaded next. */
  async shutKeySystem(): Promise<void> {
    await Promise.all([...this.#sessions.keys()].map((id) => this.closeKeySession(id)));
  }

  #tell(id: number, session: MediaKeySession): void {
    if (!this.#sessions.has(id)) return;
    const ids: Uint8Array[] = [];
    const statuses: string[] = [];
    session.keyStatuses.forEach((status, keyId) => {
      const view = ArrayBuffer.isView(keyId)
        ? new Uint8Array(keyId.buffer, keyId.byteOffset, keyId.byteLength)
        : new Uint8Array(keyId);
      ids.push(view.slice());
      statuses.push(status);
    });
    this.#listener.onStatuses(id, ids, statuses);
  }
}

/** What a page remembers a licence by that the key system keeps: its key system, and what it was asked for with. */
function placeOf(name: string | undefined, data: Uint8Array): string {
  return `kinora:${name}:${btoa(String.fromCharCode(...data))}`;
}

/** Whether a licence that was kept is there again, and all of its keys may be used. */
async function restored(session: MediaKeySession, known: string): Promise<boolean> {
  if (!(await session.load(known).catch(() => false))) return false;
  let usable = session.keyStatuses.size > 0;
  session.keyStatuses.forEach((status) => (usable &&= status === 'usable'));
  return usable;
}

/** A page may have no storage, or must not use it: then a licence lasts as long as its session. */
function remembered(place: string): string | null {
  try {
    return localStorage.getItem(place);
  } catch {
    return null;
  }
}

function remember(place: string, session: string): void {
  try {
    localStorage.setItem(place, session);
  } catch {
    // As above.
  }
}

function refuse(reason: unknown): never {
  throw text(reason);
}

/** A reason in words. */
export function text(reason: unknown): string {
  return reason instanceof Error ? reason.message : String(reason);
}
