// What the tests drive a player with. Everything hangs on `window.film`, for `page.evaluate`.
import { Player, PlayerError } from '/kinora/index.js';
import { replay } from '/kinora/replay.js';

const EVENTS = [
  'loaded',
  'ready',
  'playing',
  'buffering',
  'qualitychange',
  'decision',
  'cues',
  'cuescleared',
  'warning',
  'ended',
  'error',
];
const SMALL = { width: 64, height: 36 };

const film = {
  video: document.querySelector('video'),
  player: undefined,
  /** Every event but `stats`: `{ name, detail, time }`. */
  events: [],

  async create(options = {}, video = film.video) {
    const player = await Player.create(video, { seed: 1, ...options });
    for (const name of EVENTS) {
      player.addEventListener(name, ({ detail }) => {
        film.events.push({ name, detail: plain(detail), time: video.currentTime });
      });
    }
    film.player ??= player;
    return player;
  },

  /** Loads and plays; gives the error's fields where that fails. */
  async play(url, options) {
    try {
      await film.player.load(url, options);
      await film.video.play();
      return null;
    } catch (error) {
      return plain(error);
    }
  },

  /** Resolves at the next event of this name for which `wanted` holds. */
  next(name, wanted = () => true) {
    return new Promise((resolve) => {
      const listener = ({ detail }) => {
        if (!wanted(detail)) return;
        film.player.removeEventListener(name, listener);
        resolve(plain(detail));
      };
      film.player.addEventListener(name, listener);
    });
  },

  /** Moves the element, and resolves to the picture it then shows. */
  async seek(time) {
    let frame = film.frame();
    film.video.currentTime = time;
    // A picture of the place before may still be on its way to the screen.
    const astray = ({ mediaTime }) => film.video.seeking && Math.abs(mediaTime - time) > 1;
    while (astray(await frame)) frame = film.frame();
    return frame;
  },

  /** The next picture presented: its place in the media, its size, and a small copy as RGB. */
  frame() {
    return new Promise((resolve) => {
      film.video.requestVideoFrameCallback((_, { mediaTime, width, height }) => {
        resolve({ mediaTime, width, height, pixels: film.pixels() });
      });
    });
  },

  pixels() {
    const canvas = new OffscreenCanvas(SMALL.width, SMALL.height);
    const context = canvas.getContext('2d');
    context.imageSmoothingQuality = 'high';
    context.drawImage(film.video, 0, 0, SMALL.width, SMALL.height);
    const { data } = context.getImageData(0, 0, SMALL.width, SMALL.height);
    return Array.from(data).filter((_, i) => i % 4 !== 3);
  },

  async sessionLog() {
    return Array.from(await film.player.sessionLog());
  },

  /** The replayed outputs, or the error's fields. */
  async replay(log) {
    try {
      return Array.from(await replay(Uint8Array.from(log)));
    } catch (error) {
      return plain(error);
    }
  },
};

/** Errors lose their fields on the way out of a page. */
function plain(value) {
  if (!(value instanceof Error)) return value;
  const { name, message } = value;
  return { name, message, typed: value instanceof PlayerError, ...value };
}

window.film = film;
