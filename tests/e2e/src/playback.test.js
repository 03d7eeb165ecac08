// A whole film in a real browser, from a real server.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { FRAME_RATE, HEIGHTS, assertFrame, film } from './support/film.js';
import { Server } from './support/server.js';
import { Stage } from './support/stage.js';

const SECONDS = 12;
/** The manifests, and where the media source lives. */
const WAYS = [
  { name: 'HLS', manifest: 'master.m3u8', mediaSource: 'auto' },
  { name: 'DASH', manifest: 'manifest.mpd', mediaSource: 'auto' },
  { name: 'HLS with the media source on the page', manifest: 'master.m3u8', mediaSource: 'page' },
  { name: 'DASH with the media source on the page', manifest: 'manifest.mpd', mediaSource: 'page' },
];

let stage;
let clip;
before(async () => {
  clip = await film(SECONDS);
  stage = await Stage.open({ '/film': clip.packaged });
});
after(() => stage?.close());

for (const { name, manifest, mediaSource } of WAYS) {
  describe(name, () => {
    test('plays to the end without a stall', async () => {
      const page = await stage.player({ mediaSource });
      await stage.server.clearRequests();
      const ended = page.evaluate(() => film.next('ended'));
      assert.equal(await page.evaluate((url) => film.play(url), `/film/${manifest}`), null);
      await ended;
      // The last figures are on their way.
      await page.waitForFunction(() => film.player.stats().status === 'ended');

      const seen = await page.evaluate(() => ({
        events: film.events,
        stats: film.player.stats(),
        tracks: film.player.tracks,
        duration: film.video.duration,
        time: film.video.currentTime,
        inWorker: film.video.srcObject !== null,
        frames: film.video.getVideoPlaybackQuality().totalVideoFrames,
      }));
      const names = seen.events.map(({ name }) => name);
      for (const name of ['loaded', 'ready', 'playing', 'ended']) {
        assert.equal(names.filter((each) => each === name).length >= 1, true, `no ${name}: ${names}`);
      }
      assert.ok(names.indexOf('loaded') < names.indexOf('ready'));
      assert.ok(names.indexOf('ready') < names.lastIndexOf('ended'));
      assert.deepEqual(seen.events.filter(({ name }) => name === 'error' || name === 'warning'), []);
      assert.equal(seen.stats.totals.stalls, 0);
      assert.ok(seen.stats.totals.startup > 0 && seen.stats.totals.startup < 10);
      assert.ok(Math.abs(seen.duration - SECONDS) < 0.1, `duration ${seen.duration}`);
      assert.ok(Math.abs(seen.time - SECONDS) < 0.1, `ended at ${seen.time}`);
      assert.ok(seen.frames >= SECONDS * FRAME_RATE * 0.95, `${seen.frames} frames`);
      assert.equal(seen.inWorker, mediaSource === 'auto');
      const video = seen.tracks.find(({ kind }) => kind === 'video');
      assert.deepEqual(video.qualities.map(({ height }) => height), HEIGHTS);
      assert.deepEqual(page.faults, []);

      // Every segment of both kinds once, and none from nowhere.
      const requests = await stage.server.requests();
      const segments = requests.filter(({ path }) => path.includes('/seg-'));
      assert.ok(segments.every(({ status }) => status === 200));
      for (const kind of ['video', 'audio']) {
        const numbers = segments
          .filter(({ path }) => path.includes(`/${kind}`))
          .map(({ path }) => Number(/seg-(\d+)/.exec(path)[1]));
        assert.equal(new Set(numbers).size, Math.max(...numbers), `${kind}: ${numbers}`);
      }
      await page.context().close();
    });

    test('shows the film’s own frames, also after seeks forward and back', async () => {
      const page = await stage.player({ mediaSource });
      assert.equal(await page.evaluate((url) => film.play(url), `/film/${manifest}`), null);
      await assertFrame(clip, await page.evaluate(() => film.frame()), 0);
      await page.evaluate(() => film.video.pause());
      for (const time of [9.3, 1.6, 6.02]) {
        const frame = await page.evaluate((time) => film.seek(time), time);
        await assertFrame(clip, frame, time);
      }
      const ended = page.evaluate(() => film.next('ended'));
      await page.evaluate(() => film.video.play());
      await ended;
      assert.deepEqual(await page.evaluate(() => film.events.filter(({ name }) => name === 'error')), []);
      assert.deepEqual(page.faults, []);
      await page.context().close();
    });
  });
}

test('starts where it is told to', async () => {
  const page = await stage.player();
  assert.equal(await page.evaluate(() => film.play('/film/master.m3u8', { start: 7 })), null);
  await assertFrame(clip, await page.evaluate(() => film.frame()), 7);
  assert.ok((await page.evaluate(() => film.video.currentTime)) >= 7);
  await page.context().close();
});

test('player.seek() moves the playhead', async () => {
  const page = await stage.player();
  assert.equal(await page.evaluate(() => film.play('/film/manifest.mpd')), null);
  await page.evaluate(() => film.video.pause());
  const frame = await page.evaluate(() => {
    const frame = film.frame();
    film.player.seek(8.5);
    return frame;
  });
  await assertFrame(clip, frame, 8.5);
  await page.context().close();
});

test('keeps to a pinned quality', async () => {
  const page = await stage.player({ buffer: { forward: 4 } });
  const loaded = page.evaluate(() => film.next('loaded'));
  const played = page.evaluate(() => film.play('/film/master.m3u8'));
  const { tracks } = await loaded;
  const lowest = tracks.find(({ kind }) => kind === 'video').qualities[0];
  await page.evaluate((id) => film.player.selectQuality('video', id), lowest.id);
  assert.equal(await played, null);
  const before = await page.evaluate(() => film.events.length);
  await page.evaluate(() => film.next('ended'));
  const shown = await page.evaluate(
    (before) => film.events.slice(before).filter(({ name, detail }) => name === 'decision' && detail.kind === 'video'),
    before,
  );
  assert.ok(shown.length > 0);
  assert.deepEqual([...new Set(shown.map(({ detail }) => detail.quality.id))], [lowest.id]);
  assert.equal(await page.evaluate(() => film.video.videoHeight), lowest.height);
  await page.context().close();
});

test('several players share a page, and each gives everything back', async () => {
  const page = await stage.player();
  await page.evaluate(async () => {
    const video = document.createElement('video');
    video.muted = true;
    document.body.append(video);
    film.second = await film.create({ mediaSource: 'page' }, video);
    await Promise.all([film.player.load('/film/master.m3u8'), film.second.load('/film/manifest.mpd')]);
    await Promise.all([film.video.play(), video.play()]);
    film.secondVideo = video;
  });
  assert.equal(page.workers().length, 2);
  const ended = Promise.all(page.workers().map((worker) => worker.waitForEvent('close')));
  await page.evaluate(() => film.player.destroy());
  await page.waitForFunction(() => film.secondVideo.currentTime > 1);
  await page.evaluate(() => film.second.destroy());
  await ended;
  assert.equal(page.workers().length, 0);
  const left = await page.evaluate(async () => ({
    sources: [film.video, film.secondVideo].map(({ src, srcObject, readyState }) => [src, srcObject, readyState]),
    refused: await film.player.load('/film/master.m3u8').catch(({ code }) => code),
  }));
  assert.deepEqual(left, { sources: [['', null, 0], ['', null, 0]], refused: 'INTERNAL' });
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('the package may lie on another origin, and so may the film', async () => {
  const other = await Server.start({ '/film': clip.packaged });
  const page = await stage.page('/test/player.html');
  const time = page.evaluate(async (origin) => {
    const { Player } = await import(`${origin}/kinora/index.js`);
    const video = document.querySelector('video');
    const player = await Player.create(video);
    await player.load(`${origin}/film/master.m3u8`);
    await video.play();
    await new Promise((resolve) => player.addEventListener('ended', resolve, { once: true }));
    return video.currentTime;
  }, other.url);
  assert.ok(Math.abs((await time) - SECONDS) < 0.1);
  await page.context().close();
  await other.kill();
});

for (const since of [0, 300]) {
  test(`a player that was made ready ${since} ms before is the one that plays`, async () => {
    const page = await stage.page('/test/player.html');
    const worker = page.waitForEvent('worker');
    await stage.server.clearRequests();
    await page.evaluate(async () => {
      window.Player = (await import('/kinora/index.js')).Player;
      Player.warmUp();
      Player.warmUp();
    });
    const ready = await worker;
    // What it does ahead of time is over, or not even begun.
    await ready.evaluate((since) => new Promise((done) => setTimeout(done, since)), since);
    const others = (await stage.server.requests()).filter(({ path }) => !path.startsWith('/kinora/'));
    assert.deepEqual(others, []);
    await page.evaluate(async () => {
      const player = await Player.create(document.querySelector('video'));
      await player.load('/film/master.m3u8');
    });
    assert.deepEqual(page.workers(), [ready]);
    assert.deepEqual(page.faults, []);
    await page.context().close();
  });
}

test('a load that another one replaces is aborted, and the other plays', async () => {
  const page = await stage.player();
  const outcome = await page.evaluate(async () => {
    const first = film.player.load('/film/master.m3u8').then(
      () => 'loaded',
      ({ name }) => name,
    );
    await film.player.load('/film/manifest.mpd');
    return first;
  });
  assert.equal(outcome, 'AbortError');
  await page.evaluate(() => film.video.play());
  await page.waitForFunction(() => film.video.currentTime > 1);
  await page.context().close();
});
