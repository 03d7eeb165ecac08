// The same film with any of several players. Everything hangs on `window.beside`, for `page.evaluate`.

const video = document.querySelector('video');
/** Milliseconds in which a short film has ended, if it plays at all. */
const PATIENCE = 60_000;

/** Each gets ready, and gives what loads a manifest, with a key system if there is one; errors go to `fail`. */
const players = {
  async kinora(keySystem, fail) {
    const { Player } = await import('/kinora/index.js');
    const player = await Player.create(video, { seed: 1, ...(keySystem && { drm: { keySystems: [keySystem] } }) });
    player.addEventListener('error', ({ detail }) => fail(`${detail.code}: ${detail.message}`));
    return (url) => player.load(url);
  },

  async shaka(keySystem, fail) {
    await script('/peers/shaka-player/dist/shaka-player.compiled-es2021.js');
    const { shaka } = window;
    shaka.polyfill.installAll();
    const player = new shaka.Player();
    await player.attach(video);
    player.addEventListener('error', ({ detail }) => fail(`${detail.code}: ${detail.data}`));
    if (keySystem) {
      player.configure({ drm: { servers: { [keySystem.name]: keySystem.licenseUrl } } });
      player.getNetworkingEngine().registerRequestFilter((type, request) => {
        if (type === shaka.net.NetworkingEngine.RequestType.LICENSE) Object.assign(request.headers, keySystem.headers);
      });
    }
    return (url) => player.load(url);
  },

  async 'dash.js'(keySystem, fail) {
    await script('/peers/dashjs/dist/modern/umd/dash.all.min.js');
    const { dashjs } = window;
    const player = dashjs.MediaPlayer().create();
    player.initialize(video, null, false);
    player.on(dashjs.MediaPlayer.events.ERROR, ({ error }) => fail(`${error.code}: ${error.message}`));
    if (keySystem) {
      const { name, licenseUrl: serverURL, headers: httpRequestHeaders } = keySystem;
      player.setProtectionData({ [name]: { serverURL, httpRequestHeaders } });
    }
    return async (url) => player.attachSource(url);
  },
};

window.beside = {
  video,
  errors: [],
  load: undefined,

  /** Loads a player's scripts, and makes one. */
  async ready(name, keySystem) {
    beside.load = await players[name](keySystem, (error) => beside.errors.push(error));
  },

  /** Milliseconds from the manifest's URL to the first picture. */
  start(url) {
    const from = performance.now();
    return new Promise((resolve, reject) => {
      video.requestVideoFrameCallback(() => resolve(performance.now() - from));
      // What is thrown need not be an error, nor have a message.
      beside.load(url).catch((error) => reject(new Error(`${url}: ${error.code ?? ''} ${error.message ?? error}`)));
      video.play().catch(() => video.addEventListener('canplay', () => video.play(), { once: true }));
    });
  },

  /** Plays to the end; what there was to see. */
  async through(url) {
    const ended = new Promise((resolve) => video.addEventListener('ended', resolve, { once: true }));
    const late = new Promise((resolve) => setTimeout(resolve, PATIENCE));
    await Promise.race([beside.start(url).then(() => ended), late]);
    return {
      errors: beside.errors,
      encrypted: video.mediaKeys !== null,
      seconds: video.currentTime,
      pictures: video.getVideoPlaybackQuality().totalVideoFrames,
    };
  },
};

function script(src) {
  return new Promise((resolve, reject) => {
    const element = Object.assign(document.createElement('script'), { src, onload: resolve });
    element.onerror = () => reject(new Error(`no script ${src}`));
    document.head.append(element);
  });
}
