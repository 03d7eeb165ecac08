// The demonstration page, as a viewer uses it.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { film } from './support/film.js';
import { Stage } from './support/stage.js';

let stage;
before(async () => {
  const { packaged } = await film(60);
  stage = await Stage.open({ '/film': packaged });
});
after(() => stage?.close());

test('plays by itself, names the film and its makers, and says what it thinks', async () => {
  const page = await stage.page('/');
  await page.waitForFunction(() => document.querySelector('video').currentTime > 1);
  assert.equal(await page.locator('#title').innerText(), 'Test card');
  assert.match(await page.locator('#credit').innerText(), /Test card \(c\) Nobody, CC0/);
  assert.equal(await page.locator('#status').innerText(), 'playing');
  assert.match(await page.locator('#buffers').innerText(), /video \d+\.\d s ahead/);
  assert.match(await page.locator('#throughput').innerText(), /bit\/s/);
  assert.ok((await page.locator('#log li').count()) > 0);
  assert.ok((await page.locator('#candidates tbody tr').count()) > 1);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('switches to DASH and to a pinned quality', async () => {
  const page = await stage.page('/');
  await page.waitForFunction(() => document.querySelector('video').currentTime > 0.5);
  await page.getByText('DASH').click();
  await page.waitForFunction(() => kinora.tracks.length > 0 && kinora.stats().status === 'playing');
  assert.match(page.url(), /url=%2Ffilm%2Fmanifest\.mpd/);
  const lowest = (await page.locator('#quality option').all()).at(-1);
  await page.locator('#quality').selectOption(await lowest.getAttribute('value'));
  await page.evaluate(() => (document.querySelector('video').currentTime = 50));
  await page.waitForFunction(() => document.querySelector('video').videoHeight === 180);
  await page.context().close();
});

test('obeys the keyboard', async () => {
  const page = await stage.page('/');
  await page.waitForFunction(() => document.querySelector('video').currentTime > 0.5);
  await page.keyboard.press('k');
  await page.waitForFunction(() => document.querySelector('video').paused);
  const before = await page.evaluate(() => document.querySelector('video').currentTime);
  await page.keyboard.press('ArrowRight');
  assert.equal(Math.round((await page.evaluate(() => document.querySelector('video').currentTime)) - before), 5);
  await page.keyboard.press('i');
  assert.ok(await page.locator('#hud').isVisible());
  await page.keyboard.press('?');
  assert.ok(await page.getByRole('dialog').isVisible());
  await page.context().close();
});
