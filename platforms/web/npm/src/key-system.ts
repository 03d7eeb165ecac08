import type { KeySystemOffer } from './protocol.js';

/** What the key system tells of its sessions. */
export interface KeyListener {
  onMessage(session: number, message: Uint8Array): void;
  onStatuses(session: number, ids: Uint8Array[], statuses: string[]): void;
}

/**
 * Encrypted Media Extensions on the page, for a player in a worker. It decides nothing: which key systems, which
 * sessions, where licences are and what to do when one fails comes from there.
 *
 * Methods reject with a text.
 */
export class KeySystem {
  readonly #element: HTMLMediaElement;
  readonly #listener: KeyListener;
  #sessions = new Map<number, MediaKeySession>();
  #open: { name: string; keys: MediaKeys } | undefined;

  constructor(element: HTMLMediaElement, listener: KeyListener) {
    this.#element = element;
    this.#listener = listener;
  }

  /** Opens the first of these that there is. */
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
    const session = keys.createSession(persistent ? 'persistent-license' : 'temporary');
    this.#sessions.set(id, session);
    session.addEventListener('message', ({ message }) => {
      if (this.#sessions.has(id)) this.#listener.onMessage(id, new Uint8Array(message));
    });
    session.addEventListener('keystatuseschange', () => this.#tell(id, session));
    await session.generateRequest(type, data as BufferSource).catch(refuse);
  }

  async updateKeySession(id: number, response: Uint8Array): Promise<void> {
    const session = this.#sessions.get(id);
    if (!session) throw 'there is no such key session';
    await session.update(response as BufferSource).catch(refuse);
    this.#tell(id, session);
  }

  async closeKeySession(id: number): Promise<void> {
    const session = this.#sessions.get(id);
    this.#sessions.delete(id);
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

function refuse(reason: unknown): never {
  throw text(reason);
}

function text(reason: unknown): string {
  return reason instanceof Error ? reason.message : String(reason);
}
