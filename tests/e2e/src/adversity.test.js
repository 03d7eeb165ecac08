// What goes wrong around a film that plays: the picture goes on, and it is the right one.
//
// Each test leaves a screenshot in `target/e2e/`. KINORA_E2E_LONG=1 takes the time that a run by hand
// has: sixty seeks in a minute.

import assert from 'node:assert/strict';
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { assertFrame, film, made } from './support/film.js';
import { Server } from './support/server.js';
import { Stage } from './support/stage.js';

const SECONDS = 60;
const SEEKS = process.env.KINORA_E2E_LONG ? 60 : 15;
/** How long the network is gone. */
const OUTAGE_MS = 20_000;
const SETTLED_MS = 2000;

let stage;
let clip;
before(async () => {
  clip = await film(SECONDS);
  stage = await Stage.open({ '/film': clip.packaged });
});
after(() => stage?.close());

test('a network that is gone for 20 seconds costs nothing while the buffer lasts', async () => {
  const page = await stage.player({ buffer: { forward: 28 } });
  assert.equal(await page.evaluate(() => film.play('/film/master.m3u8')), null);
  await ahead(page, 24);
  await page.context().setOffline(true);
  // A worker hears of it a moment later.
  await page.waitForTimeout(SETTLED_MS);
  await stage.server.clearRequests();
  const from = await page.evaluate(() => film.video.currentTime);
  await page.waitForTimeout(OUTAGE_MS - SETTLED_MS);
  // The page has no network: nothing can have come through, or this would prove nothing.
  assert.deepEqual(await stage.server.requests(), []);
  assert.ok((await page.evaluate(() => film.video.currentTime)) > from + (OUTAGE_MS - SETTLED_MS) / 1000 - 1);
  await page.context().setOffline(false);
  await ahead(page, 10);
  await checks(page, 'outage');
});

test('one of two hosts is killed, and the other takes over', async () => {
  const hosts = await Promise.all([0, 1].map(() => Server.start({ '/film': clip.packaged })));
  const folder = await mkdtemp(`${made}hosts-`);
  const mpd = await readFile(`${clip.packaged}/manifest.mpd`, 'utf8');
  const places = hosts.map(({ url }, i) => `<BaseURL serviceLocation="${i}">${url}/film/</BaseURL>`);
  const two = mpd.replace(/(<MPD[^>]*>)/, `$1${places.join('')}`);
  assert.notEqual(two, mpd);
  await writeFile(`${folder}/two.mpd`, two);
  const main = await Server.start({ '/hosts': folder });
  try {
    const page = await stage.player({ buffer: { forward: 6 } });
    assert.equal(await page.evaluate((url) => film.play(url), `${main.url}/hosts/two.mpd`), null);
    await page.waitForFunction(() => film.video.currentTime > 3);
    const segments = async (host) => (await host.requests()).filter(({ path }) => path.includes('/seg-'));
    const counts = await Promise.all(hosts.map(async (host) => (await segments(host)).length));
    const used = counts[0] >= counts[1] ? 0 : 1;
    assert.ok(counts[used] > 0);
    await hosts[used].kill();
    const at = await page.evaluate(() => film.video.currentTime);
    await page.waitForFunction((at) => film.video.currentTime > at + 12, at);
    assert.ok((await segments(hosts[1 - used])).length > 0);
    await checks(page, 'host-killed');
  } finally {
    await Promise.all([...hosts, main].map((host) => host.kill()));
  }
});

test(`${SEEKS} random seeks, one a second`, async () => {
  const page = await stage.player();
  assert.equal(await page.evaluate(() => film.play('/film/manifest.mpd')), null);
  // The same places each time (a linear congruential generator).
  let draw = 2026;
  for (let i = 0; i < SEEKS; i++) {
    draw = (draw * 1_103_515_245 + 12_345) % 2 ** 31;
    await page.evaluate((time) => void film.player.seek(time), (draw / 2 ** 31) * (SECONDS - 2));
    await page.waitForTimeout(400 + (draw % 900));
  }
  const frame = await page.evaluate(() => film.seek(31.5));
  await assertFrame(clip, frame, 31.5);
  await page.waitForFunction(() => film.video.currentTime > 33);
  await checks(page, 'seeks');
});

test('a platform with little room gets less, and the film plays on', async () => {
  const page = await stage.page();
  await page.addInitScript(() => {
    // As a television does that holds six seconds of anything.
    window.refused = 0;
    const append = SourceBuffer.prototype.appendBuffer;
    SourceBuffer.prototype.appendBuffer = function (data) {
      let held = 0;
      for (let i = 0; i < this.buffered.length; i++) held += this.buffered.end(i) - this.buffered.start(i);
      if (held > 6 && data.byteLength > 2_000) {
        window.refused++;
        throw new DOMException('no room', 'QuotaExceededError');
      }
      append.call(this, data);
    };
  });
  await page.reload();
  await page.waitForFunction(() => window.film);
  await page.evaluate(() => film.create({ mediaSource: 'page' }).then(() => undefined));
  assert.equal(await page.evaluate(() => film.play('/film/master.m3u8')), null);
  await page.waitForFunction(() => film.video.currentTime > 16);
  assert.ok((await page.evaluate(() => window.refused)) > 0);
  const full = await page.evaluate(() => film.events.filter(({ name }) => name === 'warning'));
  assert.ok(full.length > 0, 'nothing was said of the full buffer');
  await checks(page, 'quota');
});

/** Waits until so many seconds are buffered ahead of the playhead. */
function ahead(page, seconds) {
  return page.waitForFunction((seconds) => {
    const { buffered, currentTime } = film.video;
    for (let i = 0; i < buffered.length; i++) {
      const inside = buffered.start(i) <= currentTime && currentTime < buffered.end(i);
      if (inside && buffered.end(i) - currentTime >= seconds) return true;
    }
    return false;
  }, seconds);
}

/** Nothing went wrong that a viewer would notice, and the picture is the one of its time. */
async function checks(page, name) {
  const { frame, time } = await page.evaluate(async () => {
    const frame = await film.frame();
    return { frame, time: film.video.currentTime };
  });
  await page.screenshot({ path: `${made}adversity-${name}.png` });
  await assertFrame(clip, frame, frame.mediaTime);
  const { errors, stats } = await page.evaluate(() => ({
    errors: film.events.filter(({ name }) => name === 'error'),
    stats: film.player.stats(),
  }));
  assert.deepEqual(errors, []);
  assert.ok(Math.abs(time - frame.mediaTime) < 0.5, `${time} s, but the picture of ${frame.mediaTime} s`);
  assert.equal(stats.totals.stalls, 0, `${stats.totals.stalled} s of stalls`);
  assert.deepEqual(page.faults, []);
  await page.context().close();
}
