// The demonstration page with the whole service behind it: sign in, browse, watch, leave, go on.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { film } from './support/film.js';
import { programs } from './support/server.js';
import { Stage } from './support/stage.js';

const run = promisify(execFile);
const household = { email: 'ada@example.org', password: 'correct horse battery' };
let stage;
let data;

before(async () => {
  const { clip } = await film(60);
  data = await mkdtemp(join(tmpdir(), 'kinora-journey-'));
  const options = ['--ladder', '180:200,270:500', '--preset', 'ultrafast', '--title', 'Test card', '--json'];
  await run(programs.server, ['package', clip, '--register', 'test-card', '--data', data, ...options]);
  stage = await Stage.open({}, ['--data', data, '--verification-uri', '/#/activate']);
  const account = { ...household, region: 'DE', profile_name: 'Ada', language: 'en' };
  const response = await fetch(`${stage.server.url}/v1/accounts`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(account),
  });
  assert.equal(response.status, 202);
});
after(async () => {
  await stage?.close();
  await rm(data, { recursive: true, force: true });
});

async function enter(page) {
  await page.getByLabel('Email').fill(household.email);
  await page.getByLabel('Password').fill(household.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

async function signIn(page) {
  await enter(page);
  await page.getByRole('button', { name: 'Ada' }).click();
  await page.locator('.shelf').first().waitFor();
}

/** A television: it shows codes, and asks until there is a decision (RFC 8628). */
class Television {
  codes;

  static async begin(name) {
    const television = new Television();
    const { answer } = await post('/v1/device/code', { client_id: name });
    television.codes = answer;
    return television;
  }

  /** What was decided: tokens, or an error. */
  async decided() {
    const question = {
      grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
      device_code: this.codes.device_code,
    };
    for (;;) {
      const { status, answer } = await post('/v1/device/token', question);
      if (answer.error !== 'authorization_pending') return { status, ...answer };
      await new Promise((resolve) => setTimeout(resolve, this.codes.interval * 1000));
    }
  }
}

async function post(path, form) {
  const response = await fetch(stage.server.url + path, { method: 'POST', body: new URLSearchParams(form) });
  return { status: response.status, answer: await response.json() };
}

/** What a page tells the service from now on. */
function toldBy(page) {
  const told = [];
  page.on('request', (request) => {
    if (new URL(request.url()).pathname === '/v1/events') told.push(...JSON.parse(request.postData()).events);
  });
  return told;
}

/** So many events have had a verdict. */
async function count(verdict) {
  const metrics = await (await fetch(`${stage.server.url}/metrics`)).text();
  return Number(metrics.match(new RegExp(`kinora_events_total\\{verdict="${verdict}"\\} (\\d+)`))?.[1] ?? 0);
}

/** Waits until all that was told was taken, and the last of it was that. */
async function taken(told, last) {
  const deadline = Date.now() + 60_000;
  const all = () => new Set(told.map((event) => event.event_id)).size;
  while (!told.some(({ type }) => type === last) || (await count('accepted')) < all()) {
    assert.ok(Date.now() < deadline, `${await count('accepted')} of ${JSON.stringify(told)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const time = (page) => page.evaluate(() => document.querySelector('video').currentTime);

test('a wrong password is told of, and nothing else is shown', async () => {
  const page = await stage.page('/');
  await page.getByLabel('Email').fill(household.email);
  await page.getByLabel('Password').fill('something else');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('do not fit together').waitFor();
  assert.equal(await page.locator('.shelf').count(), 0);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('sign in, choose a profile, find the film, watch, leave, and go on where it stopped', async () => {
  const page = await stage.page('/');
  const told = toldBy(page);
  await signIn(page);
  await page.getByRole('link', { name: /Test card/ }).first().click();
  assert.equal(await page.getByRole('heading', { name: 'Test card' }).innerText(), 'Test card');
  const art = page.locator('.title-page img');
  await page.waitForFunction(() => document.querySelector('.title-page img')?.naturalWidth > 0);
  assert.match(await art.getAttribute('src'), /^\/artwork\/test-card\.[0-9a-f]{8}\.jpg$/);

  await page.getByRole('link', { name: 'Play', exact: true }).click();
  await page.waitForFunction(() => document.querySelector('video').currentTime > 0.5);
  assert.equal(await page.locator('#title').innerText(), 'Test card');
  assert.match(await page.locator('#buffers').innerText(), /video \d+\.\d s ahead/);
  await page.evaluate(() => (document.querySelector('video').currentTime = 30));
  await page.waitForFunction(() => {
    const video = document.querySelector('video');
    return video.currentTime > 30.5 && !video.seeking;
  });
  await page.getByRole('link', { name: 'Kinora' }).click();
  await page.getByRole('heading', { name: 'Continue watching' }).waitFor();
  await taken(told, 'playback_ended');
  const of = (type) => told.find((event) => event.type === type);
  assert.deepEqual(of('row_shown').title_ids, ['test-card']);
  const { title_id, row_id, place } = of('title_opened');
  assert.deepEqual({ title_id, row_id, place }, { title_id: 'test-card', row_id: of('row_shown').row_id, place: 0 });
  assert.ok(of('playback_started') && of('playback_ended').position_seconds >= 30);

  await page.locator('.shelf').first().getByRole('link', { name: /Test card/ }).click();
  await page.waitForFunction(() => document.querySelector('video').currentTime > 29.5);
  assert.ok((await time(page)) < 45, `${await time(page)} s`);
  await page.waitForFunction(() => !document.querySelector('video').paused && kinora.stats().status === 'playing');

  // The other manifest is another playback, from the same place.
  await page.evaluate(() => {
    window.reloaded = new Promise((done) => kinora.addEventListener('loaded', done, { once: true }));
  });
  await page.getByText('DASH').click();
  // Until then it is the first playback that plays.
  await page.evaluate(() => window.reloaded.then(() => undefined));
  await page.waitForFunction(
    () => kinora.stats().status === 'playing' && document.querySelector('video').currentTime > 29.5,
  );
  const requests = await stage.server.requests();
  const tokens = requests.filter(({ path }) => path.endsWith('/manifest.mpd'));
  assert.equal(tokens.length, 1);
  assert.equal(await count('rejected'), 0);
  assert.ok(requests.some(({ path, status }) => /^\/t\/[^/]+\/library\/test-card\/.*\.m4s$/.test(path) && status < 300));
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('a page that is loaded again is still signed in, and signing out ends that', async () => {
  const page = await stage.page('/');
  await signIn(page);
  await page.reload();
  await page.locator('.shelf').first().waitFor();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByLabel('Email').waitFor();
  await page.reload();
  await page.getByLabel('Email').waitFor();
  assert.equal(await page.locator('.shelf').count(), 0);
  await page.context().close();
});

test('a television is signed in with the code that it shows', async () => {
  const television = await Television.begin('The television');
  const decided = television.decided();
  const page = await stage.page(television.codes.verification_uri);
  await enter(page);
  const code = page.getByLabel('The code it shows');
  await code.fill('BBBB-BBBB');
  await page.getByRole('button', { name: 'Go on' }).click();
  await page.getByText('No device waits with this code').waitFor();
  // As people type it.
  await code.fill(television.codes.user_code.toLowerCase().replace('-', ' '));
  await page.getByRole('button', { name: 'Go on' }).click();
  await page.getByText('“The television” wants to sign in').waitFor();
  await page.getByRole('button', { name: 'Sign it in' }).click();
  await page.getByText('the device goes on by itself').waitFor();

  const { status, access_token } = await decided;
  assert.equal(status, 200);
  const profiles = await fetch(`${stage.server.url}/v1/profiles`, {
    headers: { authorization: `Bearer ${access_token}` },
  });
  assert.deepEqual((await profiles.json()).map(({ name }) => name), ['Ada']);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('a device that nobody knows is refused, from a link with the code in it', async () => {
  const stranger = await Television.begin('Your bank');
  const page = await stage.page(stranger.codes.verification_uri_complete);
  await enter(page);
  assert.equal(await page.getByLabel('The code it shows').inputValue(), stranger.codes.user_code);
  await page.getByRole('button', { name: 'Go on' }).click();
  await page.getByRole('button', { name: 'Refuse it' }).click();
  await page.getByText('The device was refused').waitFor();
  const { status, error } = await stranger.decided();
  assert.deepEqual([status, error], [400, 'access_denied']);
  await page.context().close();
});
