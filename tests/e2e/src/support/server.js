import { fileURLToPath } from 'node:url';
import { Program } from './program.js';

const root = fileURLToPath(new URL('../../../../', import.meta.url));
const page = `${root}demo-web/dist`;
const pages = `${root}tests/e2e/pages`;

/** Where the project's programs are. */
export const programs = {
  server: process.env.KINORA_SERVER ?? `${root}target/debug/kinora-server`,
  lab: process.env.KINORA_LAB ?? `${root}target/debug/kinora-lab`,
};

/** The real server on a free port, with the page at `/`, the tests' own pages at `/test`. */
export class Server {
  #program;
  url;

  /** Serves these folders besides, such as `{ '/film': folder }`, with more flags. */
  static async start(mounts = {}, more = []) {
    const server = new Server();
    const folders = { '/': page, '/test': pages, ...mounts };
    const flags = Object.entries(folders).flatMap(([at, folder]) => ['--mount', `${at}=${folder}`]);
    const args = ['serve', ...flags, '--listen', '127.0.0.1:0', '--control', ...more];
    server.#program = await Program.start(programs.server, args);
    server.url = server.#program.url;
    return server;
  }

  /** Bounds the rate of media in kbit/s; `null` lifts the bound. */
  async throttle(kbps) {
    await this.#control('PUT', `throttle${kbps === null ? '' : `?kbps=${kbps}`}`);
  }

  /** Damages answers whose path holds `match`: see the server's `/_control/fault`. */
  async fault(match, action, parameters = {}) {
    const query = new URLSearchParams({ match, action, ...parameters });
    await this.#control('PUT', `fault?${query}`);
  }

  /** Lifts bounds and faults. */
  async heal() {
    await this.throttle(null);
    await this.#control('DELETE', 'fault');
  }

  /** The requests that have ended since the log was cleared. */
  async requests() {
    const response = await this.#control('GET', 'log');
    return (await response.json()).requests;
  }

  async clearRequests() {
    await this.#control('DELETE', 'log');
  }

  /** Ends it, as a power cut would. */
  async kill() {
    await this.#program.kill();
  }

  async #control(method, path) {
    const response = await fetch(`${this.url}/_control/${path}`, { method });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response;
  }
}
