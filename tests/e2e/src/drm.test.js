// An encrypted film in a real browser: ClearKey's content decryption module, and the real licence service.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { FRAME_RATE, difference, film, shown, sourceFrame } from './support/film.js';
import { Vault, Viewer } from './support/service.js';
import { Stage } from './support/stage.js';

const SECONDS = 12;
/** A rung above 576 lines has a key of its own. */
const LADDER = ['--ladder', '640:900,360:600,180:200'];

let clip;
before(async () => {
  clip = await film(SECONDS);
});

const playsAll = [
  { scheme: 'cbcs', options: ['--protect', 'cbcs'] },
  { scheme: 'cenc', options: ['--protect', 'cenc'] },
  { scheme: 'cbcs, keys that change', options: ['--protect', 'cbcs', '--rotation-seconds', '4'] },
];
for (const { scheme, options } of playsAll) {
  describe(scheme, () => {
    let stage;
    let vault;
    let viewer;
    before(async () => {
      vault = await Vault.pack(clip.clip, [...options, '--ladder', '360:600,180:200']);
      stage = await Stage.open({ '/film': vault.packaged }, ['--data', vault.data]);
      viewer = await Viewer.signIn(stage.server.url, 'ada');
    });
    after(async () => {
      await stage?.close();
      await vault?.remove();
    });

    for (const manifest of ['master.m3u8', 'manifest.mpd']) {
      test(`${manifest} plays to the end, and shows the film’s own frames`, async () => {
        const page = await stage.player({ drm: await viewer.play(), record: true });
        const ended = page.evaluate(() => film.next('ended'));
        assert.equal(await page.evaluate((url) => film.play(url), `/film/${manifest}`), null);
        await ended;
        const seen = await page.evaluate(() => ({
          wrong: film.events.filter(({ name }) => name === 'error' || name === 'warning'),
          stalls: film.player.stats().totals.stalls,
          encrypted: film.video.mediaKeys !== null,
        }));
        assert.deepEqual(seen, { wrong: [], stalls: 0, encrypted: true });
        await page.evaluate(() => film.video.pause());
        for (const time of [9.3, 1.6, 6.02]) {
          await assertFrame(page, await page.evaluate((time) => film.seek(time), time), time);
        }
        assert.deepEqual(page.faults, []);
        await assertNothingShows(page, viewer);
        await page.context().close();
      });
    }
  });
}

describe('segments encrypted as a whole', () => {
  let stage;
  let vault;
  let viewer;
  before(async () => {
    vault = await Vault.pack(clip.clip, ['--protect', 'aes-128', '--rotation-seconds', '4', '--ladder', '360:600,180:200']);
    stage = await Stage.open({ '/film': vault.packaged }, ['--data', vault.data]);
    viewer = await Viewer.signIn(stage.server.url, 'ada');
  });
  after(async () => {
    await stage?.close();
    await vault?.remove();
  });

  /** A page whose filter shows the key server who is watching. */
  async function player() {
    const { keySystems } = await viewer.play();
    const page = await stage.page();
    await page.waitForFunction(() => window.film);
    await page.evaluate(async (headers) => {
      const request = (request) =>
        request.kind === 'key' ? { ...request, headers: { ...request.headers, ...headers } } : request;
      await film.create({ filters: { request }, record: true });
    }, keySystems[0].headers);
    return { page, headers: keySystems[0].headers };
  }

  test('play to the end, and show the film’s own frames', async () => {
    const { page, headers } = await player();
    const asked = new Set();
    page.context().on('request', (request) => {
      if (request.url().includes('/v1/license/keys/')) asked.add(request.url());
    });
    const ended = page.evaluate(() => film.next('ended'));
    assert.equal(await page.evaluate(() => film.play('/film/master.m3u8')), null);
    await ended;
    const seen = await page.evaluate(() => ({
      wrong: film.events.filter(({ name }) => name === 'error' || name === 'warning'),
      stalls: film.player.stats().totals.stalls,
      encrypted: film.video.mediaKeys !== null,
    }));
    assert.deepEqual(seen, { wrong: [], stalls: 0, encrypted: false });
    await page.evaluate(() => film.video.pause());
    for (const time of [9.3, 1.6, 6.02]) {
      await assertFrame(page, await page.evaluate((time) => film.seek(time), time), time);
    }
    assert.deepEqual(page.faults, []);

    await assertNothingShows(page, viewer);
    const log = Buffer.from(await page.evaluate(() => film.sessionLog()));
    assert.ok(asked.size >= 3, `${asked.size} keys`);
    for (const url of asked) {
      const key = Buffer.from(await (await fetch(url, { headers })).arrayBuffer());
      assert.equal(key.length, 16);
      assert.ok(!log.includes(key), 'a key in the session log');
    }
    assert.ok(log.length < 1_000_000, `the log has ${log.length} bytes: it holds media`);
    const replayed = await page.evaluate((log) => film.replay(log).then(({ length }) => length), [...log]);
    assert.ok(replayed > 1000, `${replayed} bytes of outputs`);
    await page.context().close();
  });

  test('a wrong key ends in an error that has a name, and no picture is shown', async () => {
    const { page } = await player();
    await page.route('**/v1/license/keys/**', (route) => route.fulfill({ body: Buffer.alloc(16, 7) }));
    const error = await page.evaluate(() => film.play('/film/master.m3u8'));
    assert.deepEqual([error?.code, error?.category], ['DECRYPTION_FAILED', 'drm'], JSON.stringify(error));
    assert.equal(await page.evaluate(() => film.video.getVideoPlaybackQuality().totalVideoFrames), 0);
    await page.context().close();
  });

  test('a refused key is told with what the server said', async () => {
    const page = await stage.player();
    const error = await page.evaluate(() => film.play('/film/master.m3u8'));
    assert.deepEqual([error?.code, error?.httpStatus], ['LICENSE_REFUSED', 401], JSON.stringify(error));
    await page.context().close();
  });
});

describe('a key system of the app’s', () => {
  let stage;
  let vault;
  let viewer;
  before(async () => {
    vault = await Vault.pack(clip.clip, ['--protect', 'cbcs', '--ladder', '360:600']);
    stage = await Stage.open({ '/film': vault.packaged }, ['--data', vault.data]);
    viewer = await Viewer.signIn(stage.server.url, 'ada');
  });
  after(async () => {
    await stage?.close();
    await vault?.remove();
  });

  async function fresh() {
    const page = await stage.page();
    await page.waitForFunction(() => window.film);
    return page;
  }

  test('takes the place of the browser’s', async () => {
    const page = await fresh();
    const drm = await viewer.play();
    const error = await page.evaluate(async (drm) => {
      const [{ licenseUrl, headers }] = drm.keySystems;
      film.did = [];
      // It has licences without the player: through a door of its own.
      const keySystem = (element, { onStatuses }) => {
        const sessions = new Map();
        let keys;
        return {
          async openKeySystem([{ keySystem, initDataTypes, encryptionScheme, video }]) {
            film.did.push(`open ${keySystem} ${encryptionScheme}`);
            const videoCapabilities = video.map((contentType) => ({ contentType, encryptionScheme }));
            const access = await navigator.requestMediaKeySystemAccess(keySystem, [{ initDataTypes, videoCapabilities }]);
            keys = await access.createMediaKeys();
            await element.setMediaKeys(keys);
            return keySystem;
          },
          async createKeySession(id, type, data) {
            film.did.push(`create ${type}`);
            const session = keys.createSession();
            sessions.set(id, session);
            session.addEventListener('message', async ({ message: body }) => {
              const licence = await fetch(licenseUrl, { method: 'POST', headers, body });
              await session.update(await licence.arrayBuffer());
              const ids = [...session.keyStatuses.keys()].map((id) => new Uint8Array(id));
              onStatuses(id, ids, [...session.keyStatuses.values()]);
            });
            await session.generateRequest(type, data);
          },
          async updateKeySession() {
            film.did.push('update');
          },
          async closeKeySession(id) {
            await sessions.get(id)?.close();
          },
          async shutKeySystem() {
            film.did.push('shut');
          },
        };
      };
      await film.create({ drm, keySystem });
      return film.play('/film/manifest.mpd');
    }, drm);
    assert.equal(error, null);
    await page.evaluate(() => film.video.pause());
    await assertFrame(page, await page.evaluate(() => film.seek(6.02)), 6.02);
    await page.evaluate(() => film.player.unload());
    const did = await page.evaluate(() => film.did);
    assert.deepEqual(did, ['open org.w3.clearkey cbcs', 'create keyids', 'create keyids', 'shut']);
    assert.deepEqual(page.faults, []);
    await page.context().close();
  });

  test('is quoted where it fails', async () => {
    const page = await fresh();
    const drm = await viewer.play();
    const error = await page.evaluate(async (drm) => {
      const keySystem = () => ({
        async openKeySystem() {
          throw new Error('the vault is shut on Sundays');
        },
        async shutKeySystem() {},
      });
      await film.create({ drm, keySystem });
      return film.play('/film/manifest.mpd');
    }, drm);
    assert.equal(error?.code, 'KEY_SYSTEM_UNAVAILABLE', JSON.stringify(error));
    assert.match(error.message, /the vault is shut on Sundays/);
    await page.context().close();
  });
});

test('a licence that expires while the film plays is renewed', async () => {
  const vault = await Vault.pack('testsrc:14:320x180:24', ['--protect', 'cbcs', '--ladder', '180:200']);
  const stage = await Stage.open({ '/film': vault.packaged }, ['--data', vault.data, '--clearkey-seconds', '10']);
  try {
    const viewer = await Viewer.signIn(stage.server.url, 'ada');
    const page = await stage.player({ drm: await viewer.play() });
    const asked = [];
    page.context().on('request', (request) => {
      if (request.url().includes('/v1/license/')) asked.push(request.postData());
    });
    const ended = page.evaluate(() => film.next('ended'));
    assert.equal(await page.evaluate(() => film.play('/film/manifest.mpd')), null);
    const before = asked.length;
    await ended;
    const seen = await page.evaluate(() => ({
      wrong: film.events.filter(({ name }) => name === 'error' || name === 'warning'),
      stalls: film.player.stats().totals.stalls,
    }));
    assert.deepEqual(seen, { wrong: [], stalls: 0 });
    // Of picture and sound, once each.
    assert.equal(before, 2);
    assert.deepEqual(asked.slice(before).sort(), asked.slice(0, before).sort());
    await page.context().close();
  } finally {
    await stage.close();
    await vault.remove();
  }
});

describe('licences', () => {
  let stage;
  let vault;
  let viewer;
  before(async () => {
    vault = await Vault.pack(`testsrc:${SECONDS}:1024x640:24`, ['--protect', 'cbcs', ...LADDER]);
    stage = await Stage.open({ '/film': vault.packaged }, ['--data', vault.data, '--clearkey-quality', 'sd']);
    viewer = await Viewer.signIn(stage.server.url, 'eve');
  });
  after(async () => {
    await stage?.close();
    await vault?.remove();
  });

  for (const manifest of ['master.m3u8', 'manifest.mpd']) {
    test(`${manifest}: without the key of its best quality the others play, and it is said why`, async () => {
      const page = await stage.player({ drm: await viewer.play() });
      const ended = page.evaluate(() => film.next('ended'));
      assert.equal(await page.evaluate((url) => film.play(url), `/film/${manifest}`), null);
      await ended;
      const seen = await page.evaluate(() => ({
        warnings: film.events.filter(({ name }) => name === 'warning').map(({ detail }) => detail),
        shown: film.events
          .filter(({ name, detail }) => name === 'qualitychange' && detail.kind === 'video')
          .map(({ detail }) => detail.to.height),
        errors: film.events.filter(({ name }) => name === 'error'),
      }));
      const refusals = seen.warnings.filter(({ type }) => type === 'key');
      assert.equal(refusals.length, 1, JSON.stringify(seen.warnings));
      assert.equal(refusals[0].error.code, 'LICENSE_REFUSED');
      assert.equal(refusals[0].error.category, 'drm');
      assert.equal(refusals[0].error.httpStatus, 403);
      assert.match(refusals[0].error.message, /not_entitled/);
      assert.ok(seen.shown.length > 0 && seen.shown.every((height) => height <= 360), `${seen.shown}`);
      assert.deepEqual(seen.errors, []);
      await page.context().close();
    });
  }

  test('a licence server that is down is waited for', async () => {
    const page = await stage.player({ drm: await viewer.play() });
    await page.route('**/v1/license/**', (route) => route.abort('connectionrefused'));
    const playing = page.evaluate(() => film.play('/film/manifest.mpd'));
    await page.waitForTimeout(20_000);
    assert.deepEqual(await page.evaluate(() => film.events.filter(({ name }) => name === 'error')), []);
    await page.unroute('**/v1/license/**');
    assert.equal(await playing, null);
    assert.ok((await page.evaluate(() => film.frame())).width > 0);
    await page.context().close();
  });

  test('a wrong key ends in an error that has a name, and no picture is shown', async () => {
    const page = await stage.page();
    await page.waitForFunction(() => window.film);
    const drm = await viewer.play();
    await page.route('**/v1/license/**', async (route) => {
      const response = await route.fetch();
      const license = await response.json();
      for (const key of license.keys ?? []) key.k = 'AAAAAAAAAAAAAAAAAAAAAA';
      await route.fulfill({ response, json: license });
    });
    await page.evaluate((drm) => film.create({ drm }).then(() => undefined), drm);
    const failed = page.evaluate(() => film.next('error'));
    await page.evaluate(() => {
      film.pictures = 0;
      const count = () => {
        film.pictures += 1;
        film.video.requestVideoFrameCallback(count);
      };
      film.video.requestVideoFrameCallback(count);
      void film.play('/film/manifest.mpd');
    });
    const error = await failed;
    assert.ok(['MEDIA_DECODE', 'MEDIA_ELEMENT'].includes(error.code), JSON.stringify(error));
    assert.equal(await page.evaluate(() => film.pictures), 0, 'no garbage on the screen');
    // The key of another quality may be on its way.
    await page.unrouteAll({ behavior: 'ignoreErrors' });
    await page.context().close();
  });

  test('the app may change requests and licences on their way', async () => {
    const drm = await viewer.play();
    const { headers } = drm.keySystems[0];
    drm.keySystems[0].headers = {};
    const page = await stage.page();
    await page.waitForFunction(() => window.film);
    const error = await page.evaluate(async ({ drm, headers }) => {
      const filters = {
        request: async (request) =>
          request.kind === 'license'
            ? { ...request, headers: { ...request.headers, ...headers } }
            : request,
        response: async (response) => response,
        responseKinds: ['license'],
      };
      await film.create({ drm, filters });
      return film.play('/film/manifest.mpd');
    }, { drm, headers });
    assert.equal(error, null);
    await page.context().close();
  });
});

/** The page shows the frame of this time, and no neighbour fits as well. */
async function assertFrame(page, { mediaTime }, time) {
  const number = Math.round(mediaTime * FRAME_RATE);
  assert.ok(Math.abs(mediaTime - time) <= 1.5 / FRAME_RATE, `${mediaTime} for ${time}`);
  const pixels = await shown(page.locator('video'));
  const distance = async (number) => difference(pixels, await sourceFrame(clip.clip, number));
  const own = await distance(number);
  assert.ok(own < 18, `frame ${number} differs by ${own.toFixed(1)}`);
  for (const other of [number - 12, number + 12]) {
    const away = await distance(other);
    assert.ok(own < away - 2, `frame ${number}: ${own.toFixed(1)} away, frame ${other}: ${away.toFixed(1)}`);
  }
}

/** No key and no token in anything that the player tells or keeps. */
async function assertNothingShows(page, viewer) {
  const told = await page.evaluate(async () => {
    const log = String.fromCharCode(...(await film.sessionLog()));
    return { log, events: JSON.stringify(film.events), stats: JSON.stringify(film.player.stats()) };
  });
  for (const [where, text] of Object.entries(told)) {
    assert.ok(text.length > 0);
    assert.ok(!text.includes(viewer.token.slice(0, 40)), `a token in the ${where}`);
    assert.ok(!/"k":"/.test(text), `a key in the ${where}`);
  }
}
