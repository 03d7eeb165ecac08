// The network is slow, or changes while a film plays.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { assertFrame, film } from './support/film.js';
import { Stage } from './support/stage.js';

const SECONDS = 60;

let stage;
let clip;
before(async () => {
  clip = await film(SECONDS);
  stage = await Stage.open({ '/film': clip.packaged });
});
after(() => stage?.close());

for (const manifest of ['master.m3u8', 'manifest.mpd']) {
  test(`${manifest}: a slow server is survived by switching down, and a fast one used by switching up`, async () => {
    const page = await stage.player({ buffer: { forward: 10 } });
    const top = page.evaluate(() =>
      film.next('qualitychange', ({ kind, to }) => kind === 'video' && to.height === 360),
    );
    assert.equal(await page.evaluate((url) => film.play(url), `/film/${manifest}`), null);
    await top;

    const shown = (way) =>
      page.evaluate(
        (way) =>
          film.next('qualitychange', ({ kind, from, to }) => {
            const change = from ? to.bandwidth - from.bandwidth : 0;
            return kind === 'video' && (way === 'down' ? change < 0 : change > 0);
          }),
        way,
      );
    const down = shown('down');
    await stage.server.throttle(450);
    const { reason: whyDown } = await down;
    const up = shown('up');
    await stage.server.heal();
    const { reason: whyUp } = await up;
    assert.ok(whyDown && whyUp);

    const { stats, errors } = await page.evaluate(() => ({
      stats: film.player.stats(),
      errors: film.events.filter(({ name }) => name === 'error'),
    }));
    assert.deepEqual(errors, []);
    assert.equal(stats.totals.stalls, 0, `${stats.totals.stalled} s of stalls`);
    assert.ok(stats.totals.qualityChanges >= 2);
    assert.deepEqual(page.faults, []);
    await page.context().close();
  });
}

for (const [manifest, mediaSource] of [['master.m3u8', 'page'], ['manifest.mpd', 'auto']]) {
  test(`${manifest}: playback starts before the first segment is there`, async () => {
    const page = await stage.player({ mediaSource });
    await stage.server.throttle(600);
    await stage.server.clearRequests();
    assert.equal(await page.evaluate((url) => film.play(url), `/film/${manifest}`), null);
    const ended = await stage.server.requests();
    assert.ok(ended.some(({ path }) => path.endsWith(manifest)), 'the log tells of what has ended');
    assert.deepEqual(ended.filter(({ path }) => path.includes('/video') && path.includes('/seg-')), []);

    // Where one piece ends and the next begins nothing is missing.
    await page.waitForFunction(() => film.video.currentTime > 3);
    const { stats, events, frame } = await page.evaluate(async () => ({
      stats: film.player.stats(),
      events: film.events.filter(({ name }) => name === 'error' || name === 'warning'),
      frame: await film.frame(),
    }));
    await assertFrame(clip, frame, frame.mediaTime);
    assert.deepEqual(events, []);
    assert.equal(stats.totals.stalls, 0, `${stats.totals.stalled} s of stalls`);
    const paths = (await stage.server.requests()).map(({ path }) => path).filter((path) => path.includes('/seg-'));
    assert.equal(new Set(paths).size, paths.length, 'nothing came twice');
    await stage.server.heal();
    assert.deepEqual(page.faults, []);
    await page.context().close();
  });
}
