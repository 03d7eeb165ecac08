// A collector on another origin is told of what happens (CMCD, event mode), as the page plays it.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { film } from './support/film.js';
import { Stage } from './support/stage.js';

let stage;
let collector;
before(async () => {
  const clip = await film(60);
  stage = await Stage.open({ '/film': clip.packaged });
  collector = await Collector.start();
});
after(async () => {
  await collector?.close();
  await stage?.close();
});

test('a collector follows play, mute, pause, intervals and the end', async () => {
  const target = {
    url: collector.url,
    events: ['ps', 't', 'm', 'um'],
    keys: ['sid', 'sn', 'sta', 'com.example-tier'],
    interval: 1,
  };
  const cmcd = { sessionId: 'e2e', custom: { 'com.example-tier': 'gold' }, targets: [target] };
  const page = await stage.player({ cmcd });
  await page.evaluate(() => void (film.video.muted = false));
  assert.equal(await page.evaluate(() => film.play('/film/manifest.mpd', { start: 52 })), null);
  await collector.until(({ e, sta }) => e === 'ps' && sta === 'p');
  await page.evaluate(() => void (film.video.muted = true));
  await collector.until(({ e }) => e === 'm');
  await page.evaluate(() => void (film.video.muted = false));
  await collector.until(({ e }) => e === 'um');
  await page.evaluate(() => film.video.pause());
  await collector.until(({ e, sta }) => e === 'ps' && sta === 'a');
  await collector.until(({ e, sta }) => e === 't' && sta === 'a');
  await page.evaluate(() => film.video.play());
  await collector.until(({ e, sta }) => e === 'ps' && sta === 'e');
  // One that has ended has nobody who leaves it.
  await page.evaluate(() => film.player.unload());

  const { reports, types } = collector;
  await page.context().close();

  assert.deepEqual([...new Set(types)], ['application/cmcd']);
  for (const report of reports) {
    assert.equal(report.v, 2);
    assert.equal(report.sid, 'e2e');
    assert.equal(report['com.example-tier'], 'gold');
    assert.ok(Math.abs(report.ts - Date.now()) < 120_000, `${report.ts} is not now`);
  }
  // Nothing was lost, and nothing came twice.
  const numbers = reports.map(({ sn }) => sn).sort((a, b) => a - b);
  assert.deepEqual(numbers, [...numbers.keys()]);
  const told = reports.toSorted((a, b) => a.sn - b.sn).filter(({ e }) => e !== 't');
  const story = told.map(({ e, sta }) => (e === 'ps' ? sta : e));
  // A browser may wait for a moment wherever it begins to play, and before it does it is paused.
  const steps = story.filter((one) => one !== 'r' && one !== 'k').join(' ');
  assert.equal(steps.replace('s a p', 's p'), 's p m um a p e');
  assert.ok(reports.filter(({ e }) => e === 't').length >= 4);
  assert.deepEqual(page.faults, []);
});

test('who leaves is told of, though the session is over', async () => {
  collector.reports.length = 0;
  const target = { url: collector.url, events: ['ps'], keys: ['sn', 'sta'], batch: 100 };
  const page = await stage.player({ cmcd: { targets: [target] } });
  assert.equal(await page.evaluate(() => film.play('/film/master.m3u8')), null);
  await page.waitForFunction(() => film.video.currentTime > 1);
  assert.deepEqual(collector.reports, [], 'nothing has been sent yet');
  await page.evaluate(() => film.player.unload());
  await collector.until(({ sta }) => sta === 'q');
  assert.ok(collector.reports.some(({ sta }) => sta === 'p'), 'and what waited is there');
  await page.context().close();
});

/** Takes reports from pages of any origin. */
class Collector {
  /** Every report, as an object of its keys. */
  reports = [];
  types = [];
  #server = createServer((request, response) => {
    const allow = { 'access-control-allow-origin': '*', 'access-control-allow-headers': 'content-type' };
    if (request.method !== 'POST') return void response.writeHead(204, allow).end();
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      this.types.push(request.headers['content-type']);
      this.reports.push(...Buffer.concat(chunks).toString().split('\n').map(dictionary));
      response.writeHead(204, allow).end();
    });
  });

  static async start() {
    const collector = new Collector();
    await new Promise((resolve) => collector.#server.listen(0, '127.0.0.1', resolve));
    return collector;
  }

  get url() {
    return `http://127.0.0.1:${this.#server.address().port}/reports`;
  }

  /** Waits for a report. */
  async until(wanted) {
    const deadline = Date.now() + 30_000;
    while (!this.reports.some(wanted)) {
      assert.ok(Date.now() < deadline, `it did not come in time: ${JSON.stringify(this.reports)}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async close() {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** The simple members of a dictionary of structured fields (RFC 9651). */
function dictionary(line) {
  const members = line.matchAll(/([a-z*][a-z0-9_.*-]*)(?:=("(?:[^"\\]|\\.)*"|\([^)]*\)|[^,]*))?(?:,|$)/g);
  return Object.fromEntries([...members].map(([, key, value]) => [key, value === undefined ? true : plain(value)]));
}

function plain(value) {
  if (value.startsWith('"')) return value.slice(1, -1).replace(/\\(.)/g, '$1');
  return /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : value;
}
