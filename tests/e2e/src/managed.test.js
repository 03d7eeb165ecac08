// A managed media source, as Safari has it, made of the browser's own: it says when it wants media, and drops what it likes
// between appends.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { assertFrame, film } from './support/film.js';
import { Stage } from './support/stage.js';

const SECONDS = 60;
/** With less ahead than the first it wants media, with as much as the second it has enough. */
const [LOW, ENOUGH] = [4, 10];

let stage;
let clip;
before(async () => {
  clip = await film(SECONDS);
  stage = await Stage.open({ '/film': clip.packaged });
});
after(() => stage?.close());

test('a managed source rests when it has enough, and what it drops is fetched once more', async () => {
  const page = await stage.page();
  await page.addInitScript(managed, [LOW, ENOUGH]);
  await page.reload();
  await page.waitForFunction(() => window.film);
  assert.equal(await page.evaluate(() => film.create({ buffer: { forward: 55 } }).then(() => typeof MediaSource)), 'undefined');
  assert.equal(await page.evaluate(() => film.play('/film/manifest.mpd')), null);
  assert.equal(await page.evaluate(() => film.video.disableRemotePlayback), true);

  // It rests with what it had asked for when it was told, though the player would have nearly all by itself.
  await page.waitForFunction(() => {
    const { satisfied, requests } = film.player.stats();
    return satisfied && requests.length === 0;
  });
  await stage.server.clearRequests();
  const ahead = await page.evaluate(() => film.player.stats().streams[0].bufferAhead);
  assert.ok(ahead < SECONDS - 15, `${ahead} s`);
  await page.waitForTimeout(1500);
  const segments = async () => (await stage.server.requests()).filter(({ path }) => path.includes('/seg-'));
  assert.deepEqual(await segments(), [], 'nothing is asked for meanwhile');

  // What is dropped before it is shown comes again in time.
  const [start, end] = await page.evaluate(() => window.managed.drop(film.video.currentTime + 5));
  await page.waitForFunction((at) => film.video.currentTime > at, (start + end) / 2);
  const { frame, stats, events } = await page.evaluate(async () => ({
    frame: await film.frame(),
    stats: film.player.stats(),
    events: film.events.map(({ name }) => name),
  }));
  await assertFrame(clip, frame, frame.mediaTime);
  assert.ok(frame.mediaTime < end + 1, `${frame.mediaTime} s is not where it was dropped, ${start} to ${end} s`);
  assert.equal(stats.totals.stalls, 0, `${stats.totals.stalled} s of stalls`);
  assert.ok(!events.includes('error'));
  assert.ok((await segments()).length > 0, 'it was asked for again');
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

/** Runs in the page, before its scripts. */
function managed([low, enough]) {
  const buffers = [];
  let source;
  class ManagedMediaSource extends MediaSource {
    static canConstructInDedicatedWorker = false;
    streaming = false;
    constructor() {
      super();
      source = this;
    }
    addSourceBuffer(type) {
      const buffer = super.addSourceBuffer(type);
      buffers.push(buffer);
      buffer.addEventListener('updateend', look);
      return buffer;
    }
  }
  window.ManagedMediaSource = ManagedMediaSource;
  delete window.MediaSource;
  const look = () => {
    const video = document.querySelector('video');
    if (source?.readyState !== 'open') return;
    const ahead = Math.min(...buffers.map(({ buffered }) => (buffered.length ? buffered.end(buffered.length - 1) : 0))) -
      video.currentTime;
    const wants = source.streaming ? !(ahead >= enough) : !(ahead >= low);
    if (wants === source.streaming) return;
    source.streaming = wants;
    source.dispatchEvent(new Event(wants ? 'startstreaming' : 'endstreaming'));
  };
  setInterval(look, 50);
  window.managed = {
    /** Drops what the first buffer has from a time on; what that was. */
    async drop(from) {
      const [buffer] = buffers;
      const before = buffer.buffered.end(buffer.buffered.length - 1);
      buffer.remove(from, before);
      await new Promise((resolve) => buffer.addEventListener('updateend', resolve, { once: true }));
      const left = buffer.buffered.end(buffer.buffered.length - 1);
      const removedRanges = { length: 1, start: () => left, end: () => before };
      buffer.dispatchEvent(Object.assign(new Event('bufferedchange'), { removedRanges }));
      return [left, before];
    },
  };
}
