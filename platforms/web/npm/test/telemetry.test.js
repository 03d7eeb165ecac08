import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { load } from './load.js';

const { Reporter } = await load('telemetry.ts');

/** As `localStorage` has it. */
class Memory {
  kept = new Map();
  get length() {
    return this.kept.size;
  }
  key(at) {
    return [...this.kept.keys()][at] ?? null;
  }
  getItem(key) {
    return this.kept.get(key) ?? null;
  }
  setItem(key, value) {
    this.kept.set(key, value);
  }
  removeItem(key) {
    this.kept.delete(key);
  }
}

/** A player that does what a test says. */
class FakePlayer extends EventTarget {
  does(name, detail = {}) {
    this.dispatchEvent(Object.assign(new Event(name), { detail }));
  }
  /** Looks four times a second for so many seconds. */
  plays(seconds, position, bandwidth = 2_000_000) {
    for (let quarter = 1; quarter <= seconds * 4; quarter++) {
      this.is('playing', position + quarter / 4, bandwidth);
    }
  }
  /** Looks four times a second for so many seconds, and sees the same all the time. */
  stays(status, seconds) {
    for (let quarter = 1; quarter <= seconds * 4; quarter++) this.is(status, 1, 2_000_000);
  }
  is(status, position, bandwidth) {
    now += 250;
    mock.timers.tick(250);
    this.does('stats', { status, position, streams: [{ shown: { bandwidth } }] });
  }
}

let now = 0;
let answers;
let asked;
let beacons;
let memory;
const leave = new EventTarget();

beforeEach(() => {
  [now, answers, asked, beacons, memory] = [0, [], [], [], new Memory()];
  mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_000_000 });
  mock.method(performance, 'now', () => now);
  mock.method(Math, 'random', () => 1);
  mock.method(globalThis, 'fetch', async (url, init) => {
    asked.push({ url: String(url), ...init, body: JSON.parse(init.body) });
    const answer = answers.shift() ?? { status: 200 };
    if (answer.fails) throw new TypeError('no network');
    return new Response('{}', answer);
  });
  globalThis.addEventListener = leave.addEventListener.bind(leave);
  Object.defineProperty(globalThis, 'navigator', {
    configurable: true,
    value: { sendBeacon: (url, blob) => beacons.push({ url, blob }) },
  });
});
afterEach(() => {
  open.splice(0).forEach((report) => report.close());
  mock.timers.reset();
  mock.restoreAll();
});

const open = [];
const reporter = (more = {}) => {
  const url = 'https://tv.example/v1/events';
  open.push(new Reporter({ url, token: () => 'T', profile: 'p', storage: memory, ...more }));
  return open.at(-1);
};
const told = () => asked.flatMap((request) => request.body.events);
/** Lets what waits on promises go on. */
const settle = async () => {
  for (let turn = 0; turn < 30; turn++) await Promise.resolve();
};

test('nothing is sent until there is something, and then once for all of it', async () => {
  const report = reporter();
  report.tell({ type: 'title_opened', title_id: 'a' });
  report.tell({ type: 'searched', found: 3 });
  mock.timers.tick(29_999);
  await settle();
  assert.equal(asked.length, 0);
  mock.timers.tick(1);
  await settle();
  assert.equal(asked.length, 1);
  assert.equal(asked[0].headers.authorization, 'Bearer T');
  assert.equal(asked[0].body.platform, 'web');
  assert.deepEqual(told().map(({ type, at_ms }) => [type, at_ms]), [
    ['title_opened', 1_000_000],
    ['searched', 1_000_000],
  ]);
  assert.equal(asked[0].body.sent_at_ms, 1_030_000);
  assert.notEqual(told()[0].event_id, told()[1].event_id);
  assert.equal(memory.length, 0, 'what has a verdict is forgotten');
});

test('what fails is sent again under the same name, ever more seldom', async () => {
  answers = [{ fails: true }, { status: 503 }, { status: 429, headers: { 'retry-after': '20' } }];
  const report = reporter({ interval: 1 });
  report.tell({ type: 'searched', found: 1 });
  const pauses = [];
  let last = Date.now();
  for (let second = 0; second < 60 && asked.length < 4; second++) {
    const before = asked.length;
    mock.timers.tick(500);
    await settle();
    if (asked.length > before) {
      pauses.push(Date.now() - last);
      last = Date.now();
    }
  }
  assert.equal(asked.length, 4);
  assert.ok(pauses[2] >= 2000 && pauses[3] >= 20_000, String(pauses));
  assert.equal(new Set(told().map((event) => event.event_id)).size, 1);
  assert.equal(memory.length, 0);
});

test('what the service will never take does not hold up what comes after it', async () => {
  answers = [{ status: 422 }];
  const report = reporter();
  report.tell({ type: 'searched', found: 1 });
  await report.flush();
  report.tell({ type: 'searched', found: 2 });
  await report.flush();
  assert.deepEqual(told().map((event) => event.found), [1, 2]);
});

test('a batch that is too large is halved', async () => {
  answers = [{ status: 413 }];
  const report = reporter();
  for (let found = 0; found < 10; found++) report.tell({ type: 'searched', found });
  await report.flush();
  assert.deepEqual(asked.map((request) => request.body.events.length), [10, 5, 5]);
});

test('many events go in several batches', async () => {
  const report = reporter();
  for (let found = 0; found < 400; found++) report.tell({ type: 'searched', found });
  await report.flush();
  assert.ok(asked.every((request) => request.body.events.length <= 150));
  assert.deepEqual(told().map((event) => event.found), Array.from({ length: 400 }, (_, at) => at));
});

test('without a token everything waits', async () => {
  let token = null;
  const report = reporter({ token: async () => token });
  report.tell({ type: 'searched', found: 1 });
  await report.flush();
  assert.equal(asked.length, 0);
  token = 'now';
  await report.flush();
  assert.equal(asked[0].headers.authorization, 'Bearer now');
});

test('a page that is left sends a beacon, and the next page sends what nobody confirmed', async () => {
  const report = reporter();
  report.tell({ type: 'searched', found: 1 });
  await report.flush();
  report.tell({ type: 'searched', found: 2 });
  leave.dispatchEvent(new Event('pagehide'));
  assert.equal(beacons.length, 1);
  assert.equal(beacons[0].blob.type, 'text/plain');
  const beacon = JSON.parse(await beacons[0].blob.text());
  assert.equal(beacon.access_token, 'T');
  assert.deepEqual(beacon.events.map((event) => event.found), [2]);

  const other = reporter({ profile: 'another' });
  const next = reporter();
  asked = [];
  await next.flush();
  await other.flush();
  assert.equal(asked.length, 1, 'and as no other profile');
  assert.equal(told()[0].event_id, beacon.events[0].event_id, 'the same name: it is counted once');
});

test('a page that is left before anything was sent sends a beacon, too', async () => {
  const report = reporter();
  report.tell({ type: 'searched', found: 1 });
  await settle();
  leave.dispatchEvent(new Event('pagehide'));
  assert.deepEqual(asked, []);
  const beacon = JSON.parse(await beacons[0].blob.text());
  assert.deepEqual([beacon.access_token, beacon.events[0].found], ['T', 1]);
});

test('a beacon has the token of today, and the latest events that fit into it', async () => {
  let token = 'old';
  const report = reporter({ token: () => token });
  report.watch(new FakePlayer(), { playbackId: 'pb', itemId: 'film' });
  await report.flush();
  token = 'new';
  mock.timers.tick(30_000);
  await settle();
  answers = Array.from({ length: 9 }, () => ({ fails: true }));
  const title_ids = Array.from({ length: 60 }, (_, at) => String(at).padStart(60, 'x'));
  for (let row = 0; row < 40; row++) report.tell({ type: 'row_shown', row_id: String(row), title_ids });
  report.tell({ type: 'searched', found: 7 });
  leave.dispatchEvent(new Event('pagehide'));
  const { blob } = beacons[0];
  assert.ok(blob.size < 64 * 1024 && blob.size > 32 * 1024, String(blob.size));
  const { access_token, events } = JSON.parse(await blob.text());
  assert.equal(access_token, 'new');
  assert.equal(events.at(-1).found, 7);
  assert.deepEqual([events.at(-2).row_id, events[0].title_ids.length], ['39', 50], 'the service takes no more titles');
});

test('a stall lasts as long as somebody waits', async () => {
  const stalls = async (then) => {
    asked = [];
    const report = reporter({ interval: 36_000 });
    const player = new FakePlayer();
    const stop = report.watch(player, { playbackId: 'pb', itemId: 'film' });
    player.does('ready');
    player.does('playing');
    player.plays(1, 0);
    player.does('buffering', { seeking: false });
    player.stays('buffering', 2);
    then(player, stop);
    player.does('playing');
    stop();
    await report.flush();
    report.close();
    return told().filter((event) => event.type === 'playback_stalled').map((event) => event.duration_ms);
  };
  assert.deepEqual(await stalls((player) => player.stays('paused', 60)), [2250], 'whoever pauses does not wait');
  const seeks = (player) => {
    player.does('buffering', { seeking: true });
    player.stays('buffering', 60);
  };
  assert.deepEqual(await stalls(seeks), [2000], 'whoever goes elsewhere does not wait here any more');
  const sleeps = (player) => {
    now += 36_000_000;
    player.stays('buffering', 1);
  };
  assert.deepEqual(await stalls(sleeps), [7750], 'a device that sleeps does not wait');
  assert.deepEqual(await stalls((_, stop) => stop()), [2000]);
  assert.deepEqual(await stalls((player) => player.stays('buffering', 120)), [122_000]);
});

test('a playback is told as it went', async () => {
  const report = reporter({ interval: 3600 });
  const player = new FakePlayer();
  const stop = report.watch(player, { playbackId: 'pb', itemId: 'film' });
  now += 800;
  player.does('ready');
  player.does('stats', { status: 'playing', position: 0, streams: [{ shown: { bandwidth: 2_000_000 } }] });
  player.plays(10, 0);
  player.does('qualitychange', { kind: 'video', from: { bandwidth: 1 }, to: { bandwidth: 2 } });
  player.does('buffering', { seeking: false });
  now += 1500;
  player.does('playing');
  player.does('buffering', { seeking: true });
  player.does('playing');
  await report.flush();
  player.plays(5, 10);
  stop();
  stop();
  player.plays(5, 15);
  await report.flush();
  const about = { playback_id: 'pb', item_id: 'film' };
  assert.deepEqual(
    told().map(({ event_id, at_ms, ...event }) => event),
    [
      { type: 'playback_started', ...about, startup_ms: 800 },
      { type: 'quality_changed', ...about, from_bps: 1, to_bps: 2 },
      { type: 'playback_stalled', ...about, position_seconds: 10, duration_ms: 1500 },
      { type: 'playback_progressed', ...about, position_seconds: 10, watched_ms: 10_000, bandwidth_bps: 2_000_000 },
      {
        type: 'playback_ended',
        ...about,
        position_seconds: 15,
        watched_ms: 5000,
        bandwidth_bps: 2_000_000,
        reason: 'left',
      },
    ],
  );
});

test('an error and the end are told once', async () => {
  const report = reporter();
  for (const [name, detail, last] of [
    ['error', { code: 'HTTP_STATUS' }, { type: 'playback_ended', reason: 'failed' }],
    ['ended', null, { type: 'playback_ended', reason: 'finished' }],
  ]) {
    asked = [];
    const player = new FakePlayer();
    report.watch(player, { playbackId: 'pb', itemId: 'film' });
    player.does(name, detail);
    player.does(name, detail);
    await report.flush();
    const { type, reason } = told().at(-1);
    assert.deepEqual({ type, reason }, last);
    assert.equal(told().filter((event) => event.type === 'playback_ended').length, 1);
  }
});

test('storage that is full or spoilt does no harm', async () => {
  memory.setItem('kinora-events/p/x', 'nonsense');
  memory.setItem('kinora-events/p/y', JSON.stringify([{ event_id: 'kept', at_ms: 1, type: 'searched', found: 2 }]));
  const report = reporter();
  memory.setItem = () => {
    throw new DOMException('full', 'QuotaExceededError');
  };
  report.tell({ type: 'searched', found: 1 });
  await report.flush();
  assert.deepEqual(told().map((event) => event.found), [2, 1], 'what is beside something spoilt is not lost');
});
