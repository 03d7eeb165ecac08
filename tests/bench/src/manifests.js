// The manifest parsers beside those of other players, each in a page of its own, in Chromium.
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';

const here = fileURLToPath(new URL('../', import.meta.url));

/**
 * Every case: the file whose facts say what must come out, and who takes part. A contender marked
 * with `*` does less than the others, and is no measure of them: rx-player's parser in JavaScript leaves
 * `S` elements unread until a segment is asked for.
 */
const CASES = {
  'hls-vod': ['vod.m3u8', 'segments', ['kinora', 'hls.js', 'm3u8-parser', 'shaka']],
  'hls-vod-expanded': ['vod.m3u8', 'segments', ['kinora', 'hls.js', 'm3u8-parser', 'shaka']],
  'hls-live-full': ['live-after.m3u8', 'segments', ['kinora', 'hls.js', 'm3u8-parser*', 'shaka']],
  'hls-live-delta': ['live-after.m3u8', 'segments', ['kinora', 'hls.js', 'shaka']],
  'll-hls-delta': ['low-latency-after-delta.m3u8', 'segments', ['kinora', 'hls.js']],
  'dash-1-period': ['one-period.mpd', 'periods', ['kinora', 'shaka', 'rx-player*', 'rx-player-wasm', 'dash.js*', 'mpd-parser']],
  'dash-1-period-expanded': ['one-period.mpd', 'segments', ['kinora', 'shaka', 'rx-player', 'rx-player-wasm', 'mpd-parser']],
  'dash-5-periods': ['five-periods.mpd', 'periods', ['kinora', 'shaka', 'rx-player*', 'rx-player-wasm', 'dash.js*', 'mpd-parser']],
  'dash-5-periods-expanded': ['five-periods.mpd', 'segments', ['kinora', 'shaka', 'rx-player', 'rx-player-wasm', 'mpd-parser']],
  'dash-live-full': ['live-after.mpd', 'periods', ['kinora', 'shaka', 'rx-player*', 'rx-player-wasm']],
  // Those without patches load the whole again.
  'dash-live-patch': ['live-after.mpd', 'periods', ['kinora', 'shaka', 'rx-player*', 'rx-player-wasm']],
  'dash-5-mb': ['many-periods.mpd', 'periods', ['kinora', 'shaka', 'rx-player*', 'rx-player-wasm', 'dash.js*', 'mpd-parser']],
};
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.wasm': 'application/wasm' };

const { values: options } = parseArgs({
  options: {
    fixtures: { type: 'string' },
    dist: { type: 'string' },
    kinora: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    filter: { type: 'string', default: '' },
    only: { type: 'string', multiple: true },
  },
});
const facts = JSON.parse(await readFile(join(options.fixtures, 'index.json'), 'utf8'));
const folders = {
  fixtures: options.fixtures,
  dist: options.dist,
  kinora: options.kinora,
  node_modules: join(here, 'node_modules'),
  page: join(here, 'src/page'),
};

const server = createServer(async (request, response) => {
  const [, folder, ...rest] = normalize(new URL(request.url, 'http://localhost').pathname).split('/');
  try {
    const body = await readFile(join(folders[folder], ...rest));
    response.writeHead(200, {
      'content-type': TYPES[extname(request.url)] ?? 'application/octet-stream',
      // Isolated pages have a clock of five microseconds instead of a hundred.
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-embedder-policy': 'require-corp',
    });
    response.end(body);
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const origin = `http://127.0.0.1:${server.address().port}`;

const figures = [];
for (const [name, [file, fact, contenders]] of Object.entries(CASES)) {
  if (!name.includes(options.filter)) continue;
  for (const contender of contenders) {
    if (options.only && !options.only.includes(contender.replace('*', ''))) continue;
    figures.push({ case: name, contender: contender.replace('*', ''), partial: contender.endsWith('*'), runs: [] });
    figures.at(-1).expected = facts[file][fact];
  }
}
// Rounds go over all of them, each in a new browser: what disturbs the machine for a while disturbs everyone.
for (let round = 0; round < Number(options.rounds); round++) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'],
  });
  for (const figure of figures) {
    if (figure.error) continue;
    process.stderr.write(`round ${round + 1}: ${figure.case} ${figure.contender}\n`);
    const context = await browser.newContext();
    try {
      const page = await context.newPage();
      await page.goto(`${origin}/page/index.html`);
      await page.waitForFunction(() => window.measure);
      const { contender, case: name, expected } = figure;
      figure.runs.push(await page.evaluate(([c, n, e]) => window.measure(c, n, e), [contender, name, expected]));
    } catch (error) {
      figure.error = String(error.message ?? error).split('\n')[0].replace('page.evaluate: Error: ', '');
    }
    await context.close();
  }
  await browser.close();
}
server.close();

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
const results = figures.map(({ case: name, contender, partial, runs, error }) =>
  error
    ? { case: name, contender, partial, error }
    : {
        case: name,
        contender,
        partial,
        cold_ms: median(runs.map((run) => run.cold_ms)),
        best_ms: Math.min(...runs.map((run) => run.best_ms)),
        ahead_ms: runs[0].ahead_ms === undefined ? undefined : median(runs.map((run) => run.ahead_ms)),
      },
);
process.stdout.write(`${JSON.stringify(results, null, 1)}\n`);
