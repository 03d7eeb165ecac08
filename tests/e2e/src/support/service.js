// The whole service with one encrypted film, and a viewer who is signed in.

import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Server, programs } from './server.js';

const run = promisify(execFile);
const PASSWORD = 'correct horse battery';

/** A directory of data with films in it; to be served by any number of services, one after another. */
export class Vault {
  directory;
  /** What was packaged last, and its description. */
  packaged;
  presentation;
  #titles = [];

  /** With one film, encrypted, whose name is `film`. */
  static async pack(clip, options) {
    const vault = await Vault.open();
    await vault.add('film', clip, options);
    return vault;
  }

  static async open() {
    const vault = new Vault();
    vault.directory = await mkdtemp(join(tmpdir(), 'kinora-drm-'));
    return vault;
  }

  /** Packages a clip, and puts it on the list; the folder of the package. */
  async add(name, clip, options) {
    this.packaged = join(this.directory, name);
    const keys = options.includes('--protect') ? ['--data', this.data, '--item', name] : [];
    await run(programs.server, ['package', clip, this.packaged, ...keys,
      '--preset', 'ultrafast', '--audio-kbps', '64', '--json', ...options]).then(({ stdout }) => {
      this.presentation = JSON.parse(stdout.trim().split('\n').at(-1)).presentation;
    });
    this.#titles.push({
      id: name, kind: 'film', name, maturity: 0,
      media: { duration_seconds: 60, hls: `/${name}/master.m3u8`, dash: `/${name}/manifest.mpd` },
    });
    const catalogue = join(this.directory, 'catalogue.json');
    await writeFile(catalogue, JSON.stringify({ titles: this.#titles }));
    await run(programs.server, ['import', catalogue, '--data', this.data]);
    return this.packaged;
  }

  get data() {
    return join(this.directory, 'data');
  }

  async remove() {
    await rm(this.directory, { recursive: true, force: true });
  }
}

/** A viewer of a service: a token, and a playback with its licences. */
export class Viewer {
  #url;
  token;

  static async signIn(url, name) {
    const viewer = new Viewer();
    viewer.#url = url;
    const account = { email: `${name}@example.org`, password: PASSWORD };
    await viewer.#ask('/v1/accounts', { ...account, region: 'DE', profile_name: name, language: 'de' });
    viewer.token = (await viewer.#ask('/v1/sessions', account)).access_token;
    const profiles = await viewer.#ask('/v1/profiles', undefined, 'GET');
    viewer.token = (await viewer.#ask(`/v1/profiles/${profiles[0].id}/select`, {})).access_token;
    return viewer;
  }

  /** Begins to play; what the player has to be configured with. */
  async play(more = {}, title = 'film') {
    const begun = await this.#ask(`/v1/playback/${title}`);
    const licenseUrl = new URL(begun.license_url, this.#url).href;
    const headers = { Authorization: `Bearer ${this.token}` };
    return { keySystems: [{ name: 'org.w3.clearkey', licenseUrl, headers, ...more }] };
  }

  async #ask(path, body, method = 'POST') {
    const response = await fetch(this.#url + path, {
      method,
      headers: {
        ...(this.token ? { Authorization: `Bearer ${this.token}` } : {}),
        ...(body ? { 'Content-Type': 'application/json' } : {}),
      },
      body: body && JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text ? JSON.parse(text) : undefined;
  }
}

export { Server };
