// A session recorded in a browser gives the same outputs in WebAssembly and natively, byte for byte.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { film } from './support/film.js';
import { programs } from './support/server.js';
import { Stage } from './support/stage.js';

const run = promisify(execFile);

let stage;
let folder;
before(async () => {
  const { packaged } = await film(12);
  stage = await Stage.open({ '/film': packaged });
  folder = await mkdtemp(join(tmpdir(), 'kinora-replay-'));
});
after(async () => {
  await stage?.close();
  if (folder) await rm(folder, { recursive: true });
});

for (const manifest of ['master.m3u8', 'manifest.mpd']) {
  test(`${manifest}: seeks, a slow network and a change of configuration replay alike`, async () => {
    const page = await stage.player({ record: true, buffer: { forward: 5 } });
    assert.equal(await page.evaluate((url) => film.play(url), `/film/${manifest}`), null);
    await page.evaluate(() => film.seek(8.2));
    await stage.server.throttle(900);
    await page.evaluate(() => film.seek(0.5));
    await page.evaluate(() => film.player.configure({ abr: { maxHeight: 270 } }));
    await stage.server.heal();
    const ended = page.evaluate(() => film.next('ended'));
    await page.evaluate(() => film.video.play());
    await ended;

    const log = await page.evaluate(() => film.sessionLog());
    const inBrowser = Buffer.from(await page.evaluate((log) => film.replay(log), log));
    const files = { log: join(folder, `${manifest}.log`), raw: join(folder, `${manifest}.raw`) };
    await writeFile(files.log, Buffer.from(log));
    const { stdout } = await run(programs.lab, ['replay', files.log, '--raw', files.raw], { maxBuffer: 1 << 28 });
    const native = await readFile(files.raw);
    assert.ok(stdout.trim().split('\n').length > 100, 'a session has more outputs than that');
    assert.ok(native.equals(inBrowser), 'the replays differ');
    assert.deepEqual(page.faults, []);
    await page.context().close();
  });
}

test('nothing is recorded unless asked for, and what is no log is refused', async () => {
  const page = await stage.player();
  assert.deepEqual(await page.evaluate(() => film.sessionLog()), []);
  const refused = await page.evaluate(() => film.replay([1, 2, 3]));
  assert.equal(refused.name, 'Error');
  assert.match(refused.message, /not a session log/);
  await page.context().close();
});
