import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { load } from './load.js';

const { BrowserKeySystem } = await load('key-system.ts');

/** A browser with these key systems, whose sessions ask and answer by hand. */
class Browser {
  asked = [];
  certificates = [];
  sessions = [];
  element = { mediaKeys: null, setMediaKeys: async (keys) => void (this.element.mediaKeys = keys) };

  constructor(names) {
    this.navigator = {
      requestMediaKeySystemAccess: async (name, configurations) => {
        this.asked.push([name, configurations]);
        if (!names.includes(name)) throw new Error('not supported');
        return { createMediaKeys: async () => this.#keys() };
      },
    };
  }

  #keys() {
    return {
      setServerCertificate: async (certificate) => void this.certificates.push([...certificate]),
      createSession: (type) => {
        const session = new Session(type, this);
        this.sessions.push(session);
        return session;
      },
    };
  }
}

class Session extends EventTarget {
  keyStatuses = new Map();
  sessionId = '';
  did = [];
  /** What was kept on the device by earlier sessions. */
  static kept = new Map();

  constructor(type) {
    super();
    this.type = type;
  }

  #use() {
    // W3C EME §6.6: a session is begun or loaded once, whatever comes of it.
    if (this.did.length > 0) throw new Error('InvalidStateError');
  }

  async generateRequest(type, data) {
    this.#use();
    this.did.push('generateRequest');
    this.sessionId = `session ${Session.kept.size + 1}`;
    const message = Object.assign(new Event('message'), { message: new Uint8Array([...data, 9]).buffer });
    this.dispatchEvent(message);
  }

  async update(response) {
    if (response[0] === 0) throw new Error('no licence');
    this.keyStatuses = new Map([[new Uint8Array(response).buffer, 'usable']]);
    if (this.type === 'persistent-license') Session.kept.set(this.sessionId, this.keyStatuses);
    this.dispatchEvent(new Event('keystatuseschange'));
  }

  async load(id) {
    this.#use();
    this.did.push('load');
    this.keyStatuses = Session.kept.get(id) ?? new Map();
    return Session.kept.has(id);
  }

  async close() {
    this.did.push('close');
  }
}

function offer(keySystem, more = {}) {
  return {
    keySystem, initDataTypes: ['cenc'], encryptionScheme: 'cbcs', video: ['video/mp4; codecs="avc1.4d401f"'], audio: [],
    videoRobustness: '', audioRobustness: '', persistent: false, certificate: undefined, ...more,
  };
}

/** A key system on a page of that browser, and what it tells. */
function system(browser) {
  Object.defineProperty(globalThis, 'navigator', { value: browser.navigator, configurable: true });
  const told = [];
  const keys = new BrowserKeySystem(browser.element, {
    onMessage: (session, message) => told.push(['message', session, [...message]]),
    onStatuses: (session, ids, statuses) => told.push(['statuses', session, ids.map((id) => [...id]), statuses]),
  });
  return { keys, told };
}

const usual = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
beforeEach(() => {
  const storage = new Map();
  globalThis.localStorage = {
    getItem: (key) => storage.get(key) ?? null,
    setItem: (key, value) => void storage.set(key, value),
  };
  Session.kept.clear();
});
afterEach(() => {
  if (usual) Object.defineProperty(globalThis, 'navigator', usual);
  else delete globalThis.navigator;
  delete globalThis.localStorage;
});

test('the first key system that is there is opened, with what was asked of it', async () => {
  const browser = new Browser(['b']);
  const { keys } = system(browser);
  const certificate = new Uint8Array([1, 2, 3]);
  const wanted = offer('b', { videoRobustness: 'HW', audioRobustness: 'SW', audio: ['audio/mp4'], certificate });
  assert.equal(await keys.openKeySystem([offer('a'), wanted, offer('c')]), 'b');
  assert.deepEqual(browser.asked.map(([name]) => name), ['a', 'b']);
  const [configuration] = browser.asked[1][1];
  assert.deepEqual(configuration.videoCapabilities, [
    { contentType: 'video/mp4; codecs="avc1.4d401f"', robustness: 'HW', encryptionScheme: 'cbcs' },
  ]);
  assert.equal(configuration.audioCapabilities[0].robustness, 'SW');
  assert.deepEqual(configuration.sessionTypes, ['temporary']);
  assert.deepEqual(browser.certificates, [[1, 2, 3]]);
  assert.ok(browser.element.mediaKeys);
});

test('where none is there, it is said of each why', async () => {
  const { keys } = system(new Browser([]));
  await assert.rejects(keys.openKeySystem([offer('a'), offer('b')]), (reason) => {
    assert.match(reason, /a: not supported; b: not supported/);
    return true;
  });
});

test('an element keeps its key system for what is loaded next', async () => {
  const browser = new Browser(['a']);
  const { keys } = system(browser);
  await keys.openKeySystem([offer('a')]);
  const first = browser.element.mediaKeys;
  await keys.openKeySystem([offer('a')]);
  assert.equal(browser.element.mediaKeys, first);
  assert.equal(browser.asked.length, 1);
});

test('a session asks, takes its licence, and tells of its keys; nothing once it is closed', async () => {
  const browser = new Browser(['a']);
  const { keys, told } = system(browser);
  await keys.openKeySystem([offer('a')]);
  await keys.createKeySession(7, 'cenc', new Uint8Array([4]), false);
  assert.deepEqual(told.splice(0), [['message', 7, [4, 9]]]);
  await assert.rejects(keys.updateKeySession(7, new Uint8Array([0])), (reason) => reason === 'no licence');
  await keys.updateKeySession(7, new Uint8Array([5, 6]));
  assert.deepEqual(told.at(-1), ['statuses', 7, [[5, 6]], ['usable']]);
  told.length = 0;
  await keys.closeKeySession(7);
  browser.sessions[0].dispatchEvent(new Event('keystatuseschange'));
  assert.deepEqual(told, []);
  assert.equal(browser.sessions[0].did.at(-1), 'close');
});

test('a licence that is kept on the device is not asked for again, unless it has run out', async () => {
  const browser = new Browser(['a']);
  const { keys, told } = system(browser);
  const persistent = offer('a', { persistent: true });
  await keys.openKeySystem([persistent]);
  const [configuration] = browser.asked[0][1];
  assert.deepEqual([configuration.persistentState, configuration.sessionTypes], ['required', ['persistent-license']]);
  await keys.createKeySession(1, 'cenc', new Uint8Array([4]), true);
  await keys.updateKeySession(1, new Uint8Array([5]));
  await keys.shutKeySystem();
  told.length = 0;

  await keys.createKeySession(2, 'cenc', new Uint8Array([4]), true);
  assert.deepEqual(told, [['statuses', 2, [[5]], ['usable']]]);
  assert.deepEqual(browser.sessions[1].did, ['load']);
  // Other media has another licence.
  await keys.createKeySession(3, 'cenc', new Uint8Array([8]), true);
  assert.deepEqual(browser.sessions[2].did, ['generateRequest']);

  for (const [id] of Session.kept) Session.kept.set(id, new Map([[new ArrayBuffer(1), 'expired']]));
  told.length = 0;
  await keys.createKeySession(4, 'cenc', new Uint8Array([4]), true);
  assert.deepEqual(browser.sessions.slice(3).map(({ did }) => did), [['load', 'close'], ['generateRequest']]);
  assert.deepEqual(told, [['message', 4, [4, 9]]]);
});

test('the browser is asked ahead of time, and nothing comes of its refusal', async () => {
  const browser = new Browser([]);
  system(browser);
  BrowserKeySystem.warmUp('b');
  // What is refused must not be left to the page, whose handlers would take it for a fault.
  await new Promise(setImmediate);
  assert.deepEqual(browser.asked.map(([name]) => name), ['b']);
  assert.equal(browser.sessions.length, 0);
  delete browser.navigator.requestMediaKeySystemAccess;
  BrowserKeySystem.warmUp('b');
});
