import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/**
 * A program of the project that serves until it is ended. It does not outlive the tests of a file, and keeps nobody
 * waiting who reads what they print, whatever becomes of them.
 */
export class Program {
  #child;
  /** Where it listens. */
  url;

  static async start(path, args) {
    const program = new Program();
    // What it says is passed on: if it held the tests' own output, who reads that would wait for its end.
    const child = spawn(path, args, { env: { ...process.env, RUST_LOG: 'error' }, stdio: ['ignore', 'pipe', 'pipe'] });
    program.#child = child;
    child.stderr.pipe(process.stderr, { end: false });
    process.once('exit', () => child.kill('SIGKILL'));
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`${args[0]} ended with ${code} before it listened`);
    });
    program.url = await Promise.race([address(child.stdout), ended]);
    ended.catch(() => undefined);
    // A test that failed before it could end it must end all the same.
    for (const held of [child, child.stdout, child.stderr]) held.unref();
    return program;
  }

  signal(name) {
    this.#child.kill(name);
  }

  /** Ends it, as a power cut would. */
  async kill() {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, 'exit');
    this.#child.ref();
    this.#child.kill('SIGKILL');
    await exit;
  }
}

async function address(output) {
  for await (const line of createInterface(output)) {
    const match = /listening on (http:\S+)/.exec(line);
    if (match) return match[1].replace(/\/$/, '');
  }
  throw new Error('the server did not say where it listens');
}
