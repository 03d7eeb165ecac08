import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { load } from './load.js';
import { FakeMediaSource } from './media-source.js';

/** A module whose sessions say what is asked of them. */
const BINDINGS = `
  export default () => module.compiled;
  export class Session {
    constructor() {
      module.sessions.push(this);
    }
    load(url) {
      this.loaded = url;
    }
    unload() {}
    free() {}
    stats() {}
  }
`;

Object.defineProperty(globalThis, 'navigator', { value: { onLine: true }, configurable: true });
/** Everything that can happen without another event, and without time passing, has happened. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

let tell;
let said;
let finishCompiling;
let turns;
beforeEach(async () => {
  said = [];
  turns = [];
  globalThis.module = { sessions: [], compiled: new Promise((done) => (finishCompiling = done)) };
  globalThis.self = {
    addEventListener: (type, listener) => {
      if (type === 'message') tell = (...data) => listener({ data });
    },
    postMessage: (message) => said.push(message),
  };
  globalThis.setTimeout = (turn) => turns.push(turn);
  // Nothing ticks, or the test would never end.
  globalThis.setInterval = () => 1;
  globalThis.MediaSource = undefined;
  await load('worker.ts', BINDINGS);
});

test('a worker that is made ready runs through the beginning of a film', async () => {
  tell('warmUp');
  finishCompiling();
  await settled();
  turns.shift()();
  await settled();
  assert.deepEqual(module.sessions.map(({ loaded }) => loaded), ['data:,']);
});

test('who wants to play at once does not wait for that', async () => {
  tell('warmUp');
  tell('call', 1, 'start', [{}, 'worker', { request: false, response: [] }]);
  finishCompiling();
  await settled();
  assert.deepEqual(said, [['answer', 1, undefined]]);
  turns.shift()();
  await settled();
  assert.deepEqual(module.sessions.map(({ loaded }) => loaded), [undefined]);
});

test('a source with sound goes to the page, gets a frame of silence, and ends', async () => {
  globalThis.MediaSource = FakeMediaSource;
  tell('warmUp');
  await settled();
  const source = FakeMediaSource.last;
  assert.deepEqual(said, [['audio', source.handle]]);
  source.dispatchEvent(new Event('sourceopen'));
  await settled();
  const [buffer] = source.buffers;
  const [[, frame]] = buffer.calls;
  // 72 bytes for each 8 kbit/s at 8 kHz; its header is all that is not zero.
  assert.equal(frame.length, (72 * 8) / 24);
  assert.deepEqual(frame.slice(0, 5), [0xff, 0xf3, 0x14, 0xc0, 0]);
  buffer.finish();
  await settled();
  assert.equal(source.readyState, 'ended');
});

test('a film that is loaded asks for sound, too, and only the first', async () => {
  globalThis.MediaSource = FakeMediaSource;
  finishCompiling();
  tell('call', 1, 'start', [{}, 'worker', { request: false, response: [] }]);
  tell('call', 2, 'load', [1, 'https://example.com/film.mpd', {}]);
  tell('call', 3, 'load', [2, 'https://example.com/other.mpd', {}]);
  await settled();
  assert.deepEqual(said.map(([kind]) => kind), ['answer', 'answer', 'answer', 'audio']);
});

test('where the worker has no media sources, none is asked for', async () => {
  tell('warmUp');
  await settled();
  assert.deepEqual(said, []);
});
