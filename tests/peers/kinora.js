// Adapter of the player comparison harness. See README.md.

let Kinora;
let player;
let height;

export default {
  format: 'dash',
  scripts: [],
  version: () => Kinora?.Player.version,

  /**
   * The package is loaded before the clock starts, as the other players' scripts are: with `warmUp` that is the worker
   * and the module.
   */
  async init() {
    Kinora = await import('/lib/kinora/index.js');
    Kinora.Player.warmUp();
  },

  async load(video, url, { onManifestParsed, onError }) {
    player = await Kinora.Player.create(video);
    player.addEventListener('loaded', onManifestParsed);
    player.addEventListener('error', ({ detail }) => onError(`${detail.code} ${detail.message}`, true));
    player.addEventListener('warning', ({ detail }) => onError(`warning ${detail.type}`, false));
    player.addEventListener('qualitychange', ({ detail }) => {
      if (detail.kind === 'video') height = detail.to.height;
    });
    await player.load(url);
    await video.play().catch(() => undefined);
  },

  getLevelInfo() {
    const { throughput, streams } = player.stats();
    const video = streams.find(({ kind }) => kind === 'video');
    return {
      cur: height,
      load: video?.next?.height,
      est_kbps: throughput === null ? 0 : Math.round(throughput / 1000),
      buf: video?.bufferAhead,
    };
  },
};
