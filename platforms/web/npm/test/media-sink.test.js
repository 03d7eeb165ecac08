import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { load } from './load.js';
import { FakeElement, FakeMediaSource } from './media-source.js';

globalThis.MediaSource = FakeMediaSource;
const { MediaSink } = await load('media-sink.ts');
const bytes = (...values) => [Uint8Array.from(values)];
/** Everything that can happen without another event has happened. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

let element;
let sink;
/** What the source did by itself. */
let told;
let video;
let audio;
beforeEach(async () => {
  element = new FakeElement();
  told = [];
  sink = new MediaSink(element, (news) => told.push(news));
  await Promise.all([sink.open(), sink.addBuffer('video', 'video/mp4'), sink.addBuffer('audio', 'audio/mp4')]);
  [video, audio] = FakeMediaSource.last.buffers;
});

test('the appends of one buffer wait for each other, those of another do not', async () => {
  const first = sink.append('video', 0, 0, Infinity, bytes(1));
  const second = sink.append('video', 0, 0, Infinity, bytes(2));
  void sink.append('audio', 0, 0, Infinity, bytes(3));
  await settled();
  assert.equal(video.calls.length, 1);
  assert.equal(audio.calls.length, 1);
  video.ranges = [[0, 2], [4, 6.5]];
  video.finish();
  assert.deepEqual([...(await first)], [0, 2, 4, 6.5]);
  await settled();
  assert.deepEqual(video.calls[1][1], [2]);
  video.finish();
  await second;
});

test('an append joins its chunks and sets offset and window', async () => {
  const chunks = [...bytes(1, 2), ...bytes(3)];
  void sink.append('video', -1.5, 4, 8, chunks);
  await settled();
  assert.deepEqual(video.calls, [['append', [1, 2, 3], -1.5, 4, 8]]);
});

test('the duration, the end and a seek wait for both buffers, and what follows waits for them', async () => {
  void sink.append('video', 0, 0, Infinity, bytes(1));
  void sink.append('audio', 0, 0, Infinity, bytes(1));
  const duration = sink.setDuration(12);
  const seek = sink.seek(3);
  const end = sink.endOfStream();
  void sink.append('audio', 0, 0, Infinity, bytes(2));
  await settled();
  video.finish();
  await settled();
  assert.ok(Number.isNaN(FakeMediaSource.last.duration));
  audio.finish();
  await Promise.all([duration, seek, end]);
  assert.equal(FakeMediaSource.last.duration, 12);
  assert.equal(FakeMediaSource.last.readyState, 'ended');
  assert.deepEqual(element.calls.at(-1), ['seek', 3]);
  await settled();
  assert.equal(audio.calls.length, 2);
});

test('failures keep their kind, and what comes after them still runs', async () => {
  await assert.rejects(sink.addBuffer('text', 'video/none'), { failure: 'unsupported', message: 'no such type' });
  video.full = true;
  await assert.rejects(sink.append('video', 0, 0, Infinity, bytes(1)), { failure: 'quota' });
  video.full = false;
  const broken = sink.append('video', 0, 0, Infinity, bytes(1));
  await settled();
  video.finish('error', 'updateend');
  await assert.rejects(broken, { failure: 'decode' });
  await assert.rejects(sink.append('text', 0, 0, Infinity, bytes(1)), { failure: 'state' });
  const sound = sink.append('video', 0, 0, Infinity, bytes(1));
  await settled();
  video.finish();
  await sound;
});

test('what lies beyond the duration is removed already', async () => {
  await sink.setDuration(10);
  assert.deepEqual([...(await sink.remove('video', 10, Infinity))], []);
  assert.deepEqual(video.calls, []);
  void sink.remove('video', 4, 20);
  await settled();
  assert.deepEqual(video.calls, [['remove', 4, 20]]);
});

test('closing fails what is under way, and the next source starts afresh', async () => {
  const under = sink.append('video', 0, 0, Infinity, bytes(1));
  const waiting = sink.append('video', 0, 0, Infinity, bytes(2));
  await settled();
  const closed = sink.close();
  await assert.rejects(under, { failure: 'state' });
  await assert.rejects(waiting, { failure: 'state' });
  await closed;
  assert.deepEqual(element.calls.at(-1), ['detach']);
  await assert.rejects(sink.setDuration(3), { failure: 'state' });
  const before = FakeMediaSource.last;
  await sink.open();
  assert.notEqual(FakeMediaSource.last, before);
});

test('a managed source says when it wants media, and what it has dropped, until it is closed', async () => {
  const source = FakeMediaSource.last;
  source.dispatchEvent(new Event('startstreaming'));
  source.dispatchEvent(new Event('endstreaming'));
  assert.deepEqual(told, [['managed', undefined, true], ['managed', undefined, false]]);
  video.ranges = [[4, 6]];
  video.change({ removed: 1 });
  assert.deepEqual(told.slice(2), [['managed', 'video', Float64Array.of(4, 6)]]);
  // What is added, the answer to an append says.
  video.change({ removed: 0 });
  await sink.close();
  source.dispatchEvent(new Event('startstreaming'));
  video.change({ removed: 1 });
  assert.equal(told.length, 3);
});

test('where there is no other, the managed kind is used', async () => {
  const before = globalThis.MediaSource;
  try {
    globalThis.MediaSource = undefined;
    globalThis.ManagedMediaSource = class extends FakeMediaSource {};
    const other = new MediaSink(new FakeElement(), () => undefined);
    await other.open();
    assert.ok(FakeMediaSource.last instanceof globalThis.ManagedMediaSource);
  } finally {
    globalThis.MediaSource = before;
    delete globalThis.ManagedMediaSource;
  }
});
