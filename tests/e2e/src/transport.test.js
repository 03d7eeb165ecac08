// MPEG-2 transport streams in a real browser: it knows nothing of them, and plays what the player makes of them.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { FRAME_RATE, assertFrame, film } from './support/film.js';
import { Stage } from './support/stage.js';
import { Transport } from './support/transport.js';

const SECONDS = 12;
const WAYS = [
  { name: 'picture and sound in one', options: {} },
  { name: 'picture and sound apart', options: { apart: true } },
  { name: 'encrypted as a whole', options: { sealed: true } },
  { name: 'its samples encrypted', options: { samples: true } },
];

let clip;
before(async () => {
  clip = await film(SECONDS);
});

for (const { name, options } of WAYS) {
  describe(`a transport stream, ${name}`, () => {
    let stage;
    let cut;
    before(async () => {
      cut = await Transport.cut(clip.clip, options);
      stage = await Stage.open({ '/film': cut.folder });
    });
    after(async () => {
      await stage?.close();
      await cut?.remove();
    });

    test('plays to the end, and shows the film’s own frames', async () => {
      const page = await stage.player({ record: true });
      const ended = page.evaluate(() => film.next('ended'));
      assert.equal(await page.evaluate(() => film.play('/film/master.m3u8')), null);
      await ended;
      const seen = await page.evaluate(() => ({
        wrong: film.events.filter(({ name }) => name === 'error' || name === 'warning'),
        stalls: film.player.stats().totals.stalls,
        duration: film.video.duration,
        frames: film.video.getVideoPlaybackQuality().totalVideoFrames,
        sound: film.video.webkitAudioDecodedByteCount,
        keySystem: film.video.mediaKeys !== null,
        heights: film.events
          .filter(({ name, detail }) => name === 'qualitychange' && detail.kind === 'video')
          .map(({ detail }) => detail.to.height),
      }));
      assert.deepEqual(seen.wrong, []);
      assert.equal(seen.stalls, 0);
      assert.equal(seen.keySystem, false);
      assert.ok(Math.abs(seen.duration - SECONDS) < 0.2, `duration ${seen.duration}`);
      assert.ok(seen.frames >= SECONDS * FRAME_RATE * 0.95, `${seen.frames} frames`);
      assert.ok(seen.sound > 50_000, `${seen.sound} bytes of sound`);
      assert.equal(seen.heights.at(-1), 360, `${seen.heights}`);

      await page.evaluate(() => film.video.pause());
      for (const time of [9.3, 1.6, 6.02]) {
        await assertFrame(clip, await page.evaluate((time) => film.seek(time), time), time);
      }
      assert.deepEqual(page.faults, []);
      const log = Buffer.from(await page.evaluate(() => film.sessionLog()));
      assert.ok(log.length < 300_000, `the log has ${log.length} bytes: it holds media`);
      const replayed = await page.evaluate((log) => film.replay(log).then(({ length }) => length), [...log]);
      assert.ok(replayed > 1000, `${replayed} bytes of outputs`);
      await page.context().close();
    });
  });
}
