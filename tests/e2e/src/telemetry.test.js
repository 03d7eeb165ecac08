// What a page tells arrives, also when the page is left, and is counted once however often it is sent.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { programs } from './support/server.js';
import { Stage } from './support/stage.js';

let data;
let stage;
let token;
before(async () => {
  data = await mkdtemp(join(tmpdir(), 'kinora-telemetry-'));
  const media = { duration_seconds: 600, hls: '/film/master.m3u8' };
  const catalogue = join(data, 'films.json');
  await writeFile(catalogue, JSON.stringify({ titles: [{ id: 'film', kind: 'film', name: 'Film', maturity: 0, media }] }));
  await promisify(execFile)(programs.server, ['import', catalogue, '--data', data]);
  stage = await Stage.open({}, ['--data', data]);
  const credentials = { email: 'ada@example.org', password: 'correct horse' };
  await ask('/v1/accounts', { ...credentials, region: 'DE', profile_name: 'Ada', language: 'de' });
  token = (await ask('/v1/sessions', credentials)).access_token;
  const [profile] = await ask('/v1/profiles');
  token = (await ask(`/v1/profiles/${profile.id}/select`, {})).access_token;
});
after(async () => {
  await stage?.close();
  await rm(data, { recursive: true, force: true });
});

async function ask(path, body) {
  const headers = { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) };
  const init = body ? { method: 'POST', headers, body: JSON.stringify(body) } : { headers };
  const response = await fetch(stage.server.url + path, init);
  assert.ok(response.ok, `${path}: ${response.status}`);
  const text = await response.text();
  return text ? JSON.parse(text) : undefined;
}

async function counted(verdict) {
  const metrics = await (await fetch(`${stage.server.url}/metrics`)).text();
  return Number(metrics.match(new RegExp(`kinora_events_total\\{verdict="${verdict}"\\} (\\d+)`))?.[1] ?? 0);
}

/** Waits for what the server is about to know. */
async function until(holds) {
  const deadline = Date.now() + 20_000;
  while (!(await holds())) {
    assert.ok(Date.now() < deadline, 'it did not come in time');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** In a page: a reporter, and a player that begins to play; nothing of it is sent before its time. */
function begin(token) {
  const reporter = new Reporter({ url: '/v1/events', token: () => token, profile: 'ada' });
  const player = new EventTarget();
  const does = (name, detail) => player.dispatchEvent(new CustomEvent(name, { detail }));
  const stats = (position) => does('stats', { status: 'playing', position, streams: [{ shown: { bandwidth: 1e6 } }] });
  Object.assign(window, { reporter, does, stats });
  reporter.watch(player, { playbackId: 'p1', itemId: 'film' });
  does('ready', null);
  stats(0);
}

test('what happened last on a page that is left arrives, and once', async () => {
  const page = await stage.page('/test/telemetry.html');
  await page.waitForFunction(() => window.Reporter);
  await page.evaluate(begin, token);
  await page.waitForTimeout(300);
  await page.evaluate(() => stats(77));
  // Nothing is sent before its time: it is the leaving that sends it.
  assert.equal(await counted('accepted'), 0);
  await page.goto('about:blank');
  await until(async () => (await counted('accepted')) === 2);
  const begun = await ask('/v1/continue-watching');
  assert.equal(begun[0].position_seconds, 77);

  // Nobody told the page that it arrived, so the next one sends it again.
  await page.goto(`${stage.server.url}/test/telemetry.html`);
  await page.waitForFunction(() => window.Reporter);
  await page.evaluate((token) => new Reporter({ url: '/v1/events', token: () => token, profile: 'ada' }).flush(), token);
  await until(async () => (await counted('duplicate')) >= 1);
  assert.equal(await counted('accepted'), 2);
  const left = await page.evaluate(() => Object.keys(localStorage));
  assert.deepEqual(left, [], 'and has its verdict now');
  assert.deepEqual(page.faults, []);
});

test('a closed tab tells what it played, too', async () => {
  const before = await counted('accepted');
  const page = await stage.page('/test/telemetry.html');
  await page.waitForFunction(() => window.Reporter);
  await page.evaluate(begin, token);
  await page.waitForTimeout(300);
  await page.evaluate(() => stats(123));
  await page.close({ runBeforeUnload: true });
  await until(async () => (await counted('accepted')) === before + 2);
  assert.equal((await ask('/v1/continue-watching'))[0].position_seconds, 123);
});
