import { chromium } from 'playwright-core';
import { Server } from './server.js';

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--autoplay-policy=no-user-gesture-required',
];

/** So often the browser is started until it does. */
const LAUNCHES = 3;

/** Server and browser for the tests of a file. */
export class Stage {
  server;
  #browser;

  static async open(mounts, more = []) {
    const stage = new Stage();
    stage.#browser = await browser();
    stage.server = await Server.start(mounts, more);
    return stage;
  }

  /**
   * A fresh page with its own cache. What goes wrong in it unnoticed fails the test that looks at
   * `page.faults`. The server may be looked at from elsewhere.
   */
  async page(path = '/test/player.html', base = this.server.url) {
    const context = await this.#browser.newContext({ viewport: { width: 1280, height: 800 } });
    const page = await context.newPage();
    page.setDefaultTimeout(60_000);
    page.faults = [];
    page.on('pageerror', (error) => page.faults.push(String(error)));
    await page.goto(base + path);
    return page;
  }

  /** A page with a player that has been created. */
  async player(options = {}) {
    const page = await this.page();
    await page.waitForFunction(() => window.film);
    await page.evaluate((options) => film.create(options).then(() => undefined), options);
    return page;
  }

  async close() {
    await this.#browser.close();
    await this.server.kill();
  }
}

/** A browser that does not even start says nothing of the player: it is started again before that is a failure. */
async function browser() {
  const options = { executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: FLAGS };
  for (let left = LAUNCHES - 1; left > 0; left--) {
    try {
      return await chromium.launch(options);
    } catch (error) {
      console.error(`the browser did not start, and is started again: ${error.message}`);
    }
  }
  return chromium.launch(options);
}
