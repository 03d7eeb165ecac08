// What goes wrong outside becomes a typed error that says what and where: no hang, no panic.

import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { film } from './support/film.js';
import { Server } from './support/server.js';
import { Stage } from './support/stage.js';

/** Quick to give up, so that the tests are quick. */
const IMPATIENT = { retry: { attempts: 2, baseDelay: 0.05, maxDelay: 0.1, stallTimeout: 1 } };

let stage;
let clip;
let bad;
before(async () => {
  clip = await film(12);
  bad = await mkdtemp(join(tmpdir(), 'kinora-bad-'));
  const hls = await readFile(join(clip.packaged, 'master.m3u8'), 'utf8');
  const dash = await readFile(join(clip.packaged, 'manifest.mpd'), 'utf8');
  const noise = Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * i * 31 + 7 * i) % 251));
  const page = '<!doctype html><title>Sorry</title><p>Please sign in.';
  const files = {
    'empty.m3u8': '',
    'empty.mpd': '',
    'noise.m3u8': noise,
    'noise.mpd': noise,
    'page.m3u8': page,
    'page.html': page,
    'cut.mpd': dash.slice(0, dash.length / 2),
    // Inside the first variant's tag, so that nothing playable is left.
    'cut.m3u8': hls.slice(0, hls.indexOf('#EXT-X-STREAM-INF') + 30),
    'nothing.m3u8': '#EXTM3U\n#EXT-X-VERSION:7\n',
    'nothing.mpd': '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period/></MPD>',
    'lies.m3u8': [
      '#EXTM3U',
      '#EXT-X-TARGETDURATION:2',
      '#EXT-X-MAP:URI="page.html"',
      '#EXTINF:2,',
      'page.html',
      '#EXT-X-ENDLIST',
      '',
    ].join('\n'),
  };
  for (const [name, content] of Object.entries(files)) await writeFile(join(bad, name), content);
  stage = await Stage.open({ '/film': clip.packaged, '/bad': bad });
});
after(async () => {
  await stage?.close();
  if (bad) await rm(bad, { recursive: true });
});

describe('load() rejects', () => {
  const MANIFEST = ['MANIFEST_UNKNOWN_FORMAT', 'MANIFEST_INVALID', 'NOTHING_PLAYABLE'];
  const cases = [
    { url: '/bad/empty.m3u8', category: 'manifest', codes: MANIFEST },
    { url: '/bad/empty.mpd', category: 'manifest', codes: MANIFEST },
    { url: '/bad/noise.m3u8', category: 'manifest', codes: MANIFEST },
    { url: '/bad/noise.mpd', category: 'manifest', codes: MANIFEST },
    { url: '/bad/page.m3u8', category: 'manifest', codes: MANIFEST },
    { url: '/bad/page.html', category: 'manifest', codes: ['MANIFEST_UNKNOWN_FORMAT'] },
    { url: '/bad/cut.mpd', category: 'manifest', codes: ['MANIFEST_INVALID'] },
    { url: '/bad/cut.m3u8', category: 'manifest', codes: MANIFEST },
    { url: '/bad/nothing.m3u8', category: 'manifest', codes: MANIFEST },
    { url: '/bad/nothing.mpd', category: 'manifest', codes: MANIFEST },
    { url: '/bad/lies.m3u8', category: 'media', codes: ['MEDIA_INVALID'], at: '/bad/page.html' },
    { url: '/film/missing.m3u8', category: 'network', codes: ['HTTP_STATUS'], status: 404 },
  ];
  for (const { url, category, codes, status = null, at = url } of cases) {
    test(url, async () => {
      const page = await stage.player(IMPATIENT);
      const error = await page.evaluate((url) => film.play(url), url);
      assert.equal(error?.typed, true, JSON.stringify(error));
      assert.equal(error.category, category, error.message);
      assert.ok(codes.includes(error.code), `${error.code}: ${error.message}`);
      assert.equal(error.severity, 'fatal');
      assert.equal(error.httpStatus, status);
      assert.equal(error.url, stage.server.url + at);
      assert.ok(error.message.includes(at), error.message);
      const { told, status: state } = await page.evaluate(() => ({
        told: film.events.filter(({ name }) => name === 'error').map(({ detail }) => detail.code),
        status: film.player.stats().status,
      }));
      assert.deepEqual(told, [error.code]);
      assert.notEqual(state, 'playing');
      // The player is not spent: it plays the next film.
      assert.equal(await page.evaluate(() => film.play('/film/master.m3u8')), null);
      await page.waitForFunction(() => film.video.currentTime > 0.5);
      assert.deepEqual(page.faults, []);
      await page.context().close();
    });
  }

  test('an address where nobody listens', async () => {
    const gone = await Server.start();
    await gone.kill();
    const page = await stage.player(IMPATIENT);
    const url = `${gone.url}/master.m3u8`;
    const error = await page.evaluate((url) => film.play(url), url);
    assert.equal(error.code, 'NETWORK_UNREACHABLE');
    assert.equal(error.url, url);
    await page.context().close();
  });

  test('a server that says nothing', async () => {
    const page = await stage.player(IMPATIENT);
    await stage.server.fault('master.m3u8', 'stall');
    const error = await page.evaluate(() => film.play('/film/master.m3u8'));
    await stage.server.heal();
    assert.equal(error.code, 'NETWORK_TIMEOUT');
    await page.context().close();
  });

  test('what is not a URL, and a configuration that makes no sense', async () => {
    const page = await stage.player();
    const codes = await page.evaluate(async () => {
      const code = (promise) => promise.then(() => 'none', (error) => error.code);
      return [
        await code(film.player.load('http://[')),
        await code(film.player.load('/film/master.m3u8', { start: -1 })),
        await code(film.player.load('/film/master.m3u8', { format: 'smooth' })),
        await code(film.player.configure({ buffer: { forward: 'much' } })),
        await code(film.player.configure({ abr: { rule: 'guess' } })),
        await code(film.player.selectQuality('video', 'nonsense')),
        await code(film.create({ retry: { attempts: 0 } }, document.createElement('video'))),
      ];
    });
    assert.deepEqual([...new Set(codes)], ['INVALID_ARGUMENT'], codes.join());
    await page.context().close();
  });
});

test('segments that are gone mid-play end playback with their status', async () => {
  const page = await stage.player({ ...IMPATIENT, buffer: { forward: 4 } });
  const failed = page.evaluate(() => film.next('error'));
  await stage.server.fault('/seg-00004', 'status', { status: 404 });
  assert.equal(await page.evaluate(() => film.play('/film/manifest.mpd')), null);
  const error = await failed;
  await stage.server.heal();
  assert.equal(error.code, 'HTTP_STATUS');
  assert.equal(error.httpStatus, 404);
  assert.match(error.url, /seg-00004/);
  await page.context().close();
});

test('a segment that fails once is asked for again', async () => {
  const page = await stage.player(IMPATIENT);
  await stage.server.fault('/seg-00003', 'abort', { after: 1000, times: 1 });
  const ended = page.evaluate(() => film.next('ended'));
  assert.equal(await page.evaluate(() => film.play('/film/master.m3u8')), null);
  await ended;
  await stage.server.heal();
  const warnings = await page.evaluate(() => film.events.filter(({ name }) => name === 'warning'));
  assert.ok(warnings.some(({ detail }) => detail.type === 'retry' && /seg-00003/.test(detail.url)));
  await page.context().close();
});

test('a server that is gone mid-play is named by the error', async () => {
  const server = await Server.start({ '/film': clip.packaged });
  const page = await stage.player({ ...IMPATIENT, buffer: { forward: 4 } });
  const failed = page.evaluate(() => film.next('error'));
  assert.equal(await page.evaluate((url) => film.play(url), `${server.url}/film/master.m3u8`), null);
  await page.waitForFunction(() => film.video.currentTime > 1);
  await server.kill();
  const error = await failed;
  assert.equal(error.category, 'network');
  assert.ok(error.url.startsWith(server.url), error.url);
  assert.ok(error.message.includes(error.url));
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

for (const [what, breakIt] of [
  ['panics', () => postMessage(['panic', 'on purpose'])],
  ['throws', () => void setTimeout(() => { throw new Error('on purpose'); })],
]) {
  test(`a worker that ${what} is an error of the player, and gives the element back`, async () => {
    const page = await stage.player();
    assert.equal(await page.evaluate(() => film.play('/film/master.m3u8')), null);
    const failed = page.evaluate(() => film.next('error'));
    const [worker] = page.workers();
    const closed = worker.waitForEvent('close');
    await worker.evaluate(breakIt);
    const error = await failed;
    await closed;
    assert.equal(error.code, 'INTERNAL');
    assert.equal(error.severity, 'fatal');
    assert.match(error.message, /on purpose/);
    const left = await page.evaluate(async () => ({
      readyState: film.video.readyState,
      next: await film.player.load('/film/master.m3u8').catch(({ code }) => code),
    }));
    assert.deepEqual(left, { readyState: 0, next: 'INTERNAL' });
    await page.context().close();
  });
}

describe('the page', () => {
  test('shows an error in words, and plays when asked to try again', async () => {
    await stage.server.fault('master.m3u8', 'status', { status: 503 });
    const page = await stage.page('/');
    const alert = page.getByRole('alert');
    await alert.waitFor();
    const text = await alert.innerText();
    assert.match(text, /The server refused/);
    assert.match(text, /HTTP_STATUS/);
    assert.match(text, /master\.m3u8/);
    await stage.server.heal();
    await alert.getByRole('button').click();
    await page.waitForFunction(() => document.querySelector('video').currentTime > 0.5);
    assert.equal(await alert.isVisible(), false);
    await page.context().close();
  });

  test('shows what is wrong with a damaged manifest', async () => {
    const page = await stage.page('/?url=/bad/cut.mpd');
    const alert = page.getByRole('alert');
    await alert.waitFor();
    assert.match(await alert.innerText(), /MANIFEST_INVALID/);
    await page.context().close();
  });
});
