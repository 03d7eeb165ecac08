import { Program } from './program.js';
import { programs } from './server.js';

/** Frames a second of the pattern. */
export const FRAME_RATE = 24;
/** Small pictures: what is made here is made in real time, on whatever machine this runs. */
const PATTERN = `testsrc:320x180:${FRAME_RATE}`;
const SEGMENT = 2;
const PART = 0.5;
const OPTIONS = ['--ladder', '180:250,90:90', '--preset', 'ultrafast', '--audio-kbps', '48'];

/** A real live origin, on a free port: `kinora-server live` with ffmpeg behind it. */
export class LiveServer {
  #program;
  #playlist;
  url;
  /** When its first frame was made, in milliseconds since 1970. */
  start;

  static async start(more = []) {
    const server = new LiveServer();
    const flags = [PATTERN, ...OPTIONS, '--listen', '127.0.0.1:0', '--control', ...more];
    server.#program = await Program.start(programs.server, ['live', ...flags]);
    server.url = server.#program.url;
    const mpd = await (await fetch(`${server.url}/manifest.mpd`)).text();
    server.start = Date.parse(/availabilityStartTime="([^"]+)"/.exec(mpd)[1]);
    const master = await (await fetch(`${server.url}/master.m3u8`)).text();
    server.#playlist = /^video.*$/m.exec(master)[0];
    return server;
  }

  /** By how many seconds the encoder is behind with what should be there by now. */
  async lateness() {
    const playlist = await (await fetch(`${this.url}/${this.#playlist}`)).text();
    const now = Date.now();
    const [, segment, part] = /PRELOAD-HINT:.*URI="(\d+)\.(\d+)\.m4s"/.exec(playlist);
    // What is hinted at is being made.
    const due = Number(segment) * SEGMENT + (Number(part) + 1) * PART;
    return Math.max(0, (now - this.start) / 1000 - due);
  }

  /** The requests that have ended. */
  async requests() {
    return (await (await fetch(`${this.url}/_control/log`)).json()).requests;
  }

  /** Ends the broadcast, as the operator does; what there is can still be played. */
  end() {
    this.#program.signal('SIGINT');
  }

  async kill() {
    await this.#program.kill();
  }
}

/**
 * The number of the frame that a small picture shows: sixteen blocks along the bottom edge, the least significant bit at
 * the left, white for one.
 */
export function frameNumber(pixels, { width, height } = { width: 64, height: 36 }) {
  let number = 0;
  for (let bit = 0; bit < 16; bit++) {
    const column = Math.floor(((bit + 0.5) * width) / 16);
    const green = pixels[((height - 1) * width + column) * 3 + 1];
    if (green > 128) number |= 1 << bit;
  }
  return number;
}
