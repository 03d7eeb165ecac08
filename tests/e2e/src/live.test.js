// Live, from a real encoder: the picture is the one of a moment ago, and stays that.
//
// Each test leaves a screenshot in `target/e2e/`. KINORA_E2E_LONG=1 holds the latency for two minutes.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { made } from './support/film.js';
import { FRAME_RATE, LiveServer, frameNumber } from './support/live.js';
import { Stage } from './support/stage.js';

const SPAN_MS = process.env.KINORA_E2E_LONG ? 120_000 : 12_000;
/** What the latency may be at most, by the frames on the screen, in seconds. */
const LATENCY = 3;
/** An encoder that is later than this has no processor to run on: what a player makes of that says nothing. */
const LATE = 0.4;
/** A machine that is busy for a moment gets another chance. */
const ATTEMPTS = 3;
const LOOK_EVERY_MS = 250;
/** A broadcast of this age is further on than any player buffers, and its beginning has left the window. */
const OLD_MS = 75_000;
/** Long enough to begin, on a busy machine; who waits longer waits for ever. */
const BEGINS_MS = 10_000;

let stage;
let live;
before(async () => {
  [stage, live] = await Promise.all([Stage.open({}), LiveServer.start()]);
});
after(() => Promise.all([stage?.close(), live?.kill()]));

for (const [name, manifest] of [['Low-Latency HLS', 'master.m3u8'], ['low-latency DASH', 'manifest.mpd']]) {
  test(`${name} is ${LATENCY} s behind at most, and stays so`, async (context) => {
    const page = await stage.player();
    assert.equal(await page.evaluate((url) => film.play(url), `${live.url}/${manifest}`), null);
    await settles(page);
    let span;
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      span = await watch(page);
      const { least, middle, most, stalls, late } = span;
      const figures = [least, middle, most].map((seconds) => seconds.toFixed(2)).join(' / ');
      context.diagnostic(`latency ${figures} s, ${stalls} stalls, the encoder ${late.toFixed(2)} s late`);
      if (late <= LATE) break;
    }
    await page.screenshot({ path: `${made}live-${manifest}.png` });
    // Where the encoder did not get its time, the rest is still the player's.
    const excuse = span.late <= LATE ? 0 : span.late;
    assert.ok(span.most <= LATENCY + excuse, `latency ${span.most} s`);
    if (excuse === 0) assert.equal(span.stalls, 0);
    // Each frame is where it belongs: pictures and times go on together. A picture that is drawn may be a few frames
    // newer than the one that was told of; one that lies in the wrong place is off by a part at least.
    assert.ok(span.spread <= FRAME_RATE / 4, `frames and times are apart by ${span.spread}`);
    // The player knows how late it is.
    assert.ok(Math.abs(span.told - span.middle) < 0.5, `told ${span.told}, seen ${span.middle}`);
    const errors = await page.evaluate(() => film.events.filter(({ name }) => name === 'error'));
    assert.deepEqual(errors, []);
    assert.deepEqual(page.faults, []);
    await page.context().close();
  });
}

test('a broadcast that ends is played to its end', async () => {
  const ending = await LiveServer.start(['--after-end', '60']);
  try {
    for (const manifest of ['master.m3u8', 'manifest.mpd']) {
      const page = await stage.player();
      assert.equal(await page.evaluate((url) => film.play(url), `${ending.url}/${manifest}`), null);
      await page.waitForFunction(() => film.video.currentTime > 0);
      if (manifest === 'master.m3u8') ending.end();
      // It is known by then how long it was.
      else await page.evaluate(() => void (film.video.currentTime = film.video.duration - 2));
      await page.waitForFunction(() => film.video.ended);
      const errors = await page.evaluate(() => film.events.filter(({ name }) => name === 'error'));
      assert.deepEqual(errors, []);
      assert.ok(Number.isFinite(await page.evaluate(() => film.video.duration)));
      await page.context().close();
    }
  } finally {
    await ending.kill();
  }
});

test('a broadcast that is old is joined where it is live', async () => {
  await new Promise((done) => setTimeout(done, Math.max(0, live.start + OLD_MS - Date.now())));
  for (const manifest of ['master.m3u8', 'manifest.mpd']) {
    const page = await stage.player();
    await page.evaluate((url) => void film.play(url), `${live.url}/${manifest}`);
    await page.waitForFunction(() => film.video.readyState >= 3, null, { timeout: BEGINS_MS });
    // It begins there, and does not find its way later.
    const behind = () => film.video.seekable.end(0) - film.video.currentTime;
    const begins = await page.evaluate(behind);
    assert.ok(begins < LATENCY, `${manifest}: begins ${begins} s before where it is live`);
    await settles(page);
    assert.deepEqual(page.faults, []);
    await page.context().close();
  }
});

/** Waits until the latency is as low as it is to stay. */
async function settles(page) {
  const until = Date.now() + 30_000;
  for (;;) {
    const { latency, late } = await look(page);
    if (latency <= LATENCY - 0.2) return;
    assert.ok(Date.now() < until, `the latency is still ${latency} s, the encoder ${late} s late`);
    await page.waitForTimeout(LOOK_EVERY_MS);
  }
}

/** Looks at the screen for a while. */
async function watch(page) {
  const totals = () => page.evaluate(() => film.player.stats().totals);
  const before = await totals();
  const looks = [];
  const until = Date.now() + SPAN_MS;
  while (Date.now() < until) {
    looks.push(await look(page));
    await page.waitForTimeout(LOOK_EVERY_MS);
  }
  const sorted = (key) => looks.map((look) => look[key]).sort((a, b) => a - b);
  const [latencies, offsets] = [sorted('latency'), sorted('offset')];
  return {
    least: latencies[0],
    middle: latencies[latencies.length >> 1],
    most: latencies.at(-1),
    told: sorted('told')[looks.length >> 1],
    spread: offsets.at(-1) - offsets[0],
    stalls: (await totals()).stalls - before.stalls,
    late: sorted('late').at(-1),
  };
}

/** The frame on the screen, how long ago it was made, and how late the encoder is with the next. */
async function look(page) {
  const [{ frame, now, told }, late] = await Promise.all([
    page.evaluate(async () => {
      const frame = await film.frame();
      return { frame, now: Date.now(), told: film.player.stats().live?.latency };
    }),
    live.lateness(),
  ]);
  const number = frameNumber(frame.pixels);
  const latency = (now - live.start) / 1000 - number / FRAME_RATE;
  return { offset: number - frame.mediaTime * FRAME_RATE, latency, told, late };
}
