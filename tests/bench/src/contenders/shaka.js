// Shaka's parsers come with a player's interface, which answers from memory here.
import shaka from 'shaka-player/dist/shaka-player.compiled.js';

const configuration = new shaka.Player().getConfiguration();

/** What a parser asks of the player. `answers` gives the bytes for a URL. */
function playerInterface(answers) {
  const request = (type, { uris: [uri] }) => {
    const data = answers(uri).slice().buffer;
    const promise = Promise.resolve({ uri, originalUri: uri, data, headers: {}, timeMs: 1 });
    const operation = { promise, abort: () => Promise.resolve(), finally: () => operation };
    return operation;
  };
  const nothing = () => {};
  const known = {
    networkingEngine: { request },
    filter: async () => {},
    getConfiguration: () => configuration,
    getStreamingRetryParameters: () => configuration.streaming.retryParameters,
    getBandwidthEstimate: () => 1e6,
    isLowLatencyMode: () => false,
    isAutoLowLatencyMode: () => false,
    onMetadata: async () => {},
    onError(error) {
      throw error;
    },
  };
  return new Proxy(known, { get: (target, name) => target[name] ?? nothing });
}

async function started(Parser, url, answers) {
  const parser = new Parser();
  parser.configure(configuration.manifest, () => false);
  const manifest = await parser.start(url, playerInterface(answers));
  return { parser, manifest };
}

/** Every video and audio stream once. */
function streamsOf({ variants }) {
  return new Set(variants.flatMap(({ video, audio }) => [video, audio]).filter(Boolean));
}

async function segmentsOf(manifest) {
  let count = 0;
  for (const stream of streamsOf(manifest)) {
    await stream.createSegmentIndex();
    for (const reference of stream.segmentIndex) if (reference?.getUris().length) count += 1;
  }
  return count;
}

const hls = async (files) => {
  const [multivariant, media] = [await files.bytes('multivariant.m3u8'), await files.bytes('vod.m3u8')];
  const url = files.url('multivariant.m3u8');
  return {
    async run() {
      const answers = (uri) => (uri.includes('multivariant') ? multivariant : media);
      const { parser, manifest } = await started(shaka.hls.HlsParser, url, answers);
      const count = await segmentsOf(manifest);
      parser.stop();
      return count;
    },
  };
};

const refreshed = (before, after) => async (files) => {
  const [multivariant, old, bytes] = [
    await files.bytes('multivariant-live.m3u8'),
    await files.bytes(before),
    await files.bytes(after),
  ];
  const url = files.url('multivariant-live.m3u8');
  let last;
  return {
    async before() {
      last?.parser.stop();
      last = undefined;
      const state = { moved: false };
      const answers = (uri) => (uri.includes('multivariant') ? multivariant : state.moved ? bytes : old);
      const { parser, manifest } = await started(shaka.hls.HlsParser, url, answers);
      const [stream] = streamsOf(manifest);
      await stream.createSegmentIndex();
      last = { parser, stream, state };
      return last;
    },
    async run({ parser, stream, state }) {
      state.moved = true;
      await parser.update();
      let count = 0;
      for (const reference of stream.segmentIndex) if (reference) count += 1;
      return count;
    },
  };
};

const dash = (name, count, answer) => async (files) => {
  const [bytes, url] = [await files.bytes(name), files.url(name)];
  return {
    answer,
    async run() {
      const { parser, manifest } = await started(shaka.dash.DashParser, url, () => bytes);
      const result = await count(manifest);
      await parser.stop();
      return result;
    },
  };
};
// Shaka joins the periods to streams, each with a variant: five, whatever the number of periods.
const variants = (name, answer = 5) => dash(name, ({ variants }) => variants.length, answer);

export default {
  'hls-vod': hls,
  'hls-vod-expanded': hls,
  'hls-live-full': refreshed('live-before.m3u8', 'live-after.m3u8'),
  'hls-live-delta': refreshed('live-before.m3u8', 'live-after-delta.m3u8'),
  'dash-1-period': variants('one-period.mpd'),
  'dash-1-period-expanded': dash('one-period.mpd', segmentsOf),
  'dash-5-periods': variants('five-periods.mpd'),
  'dash-5-periods-expanded': dash('five-periods.mpd', segmentsOf),
  'dash-live-full': variants('live-after.mpd', 2),
  'dash-live-patch': variants('live-after.mpd', 2),
  'dash-5-mb': variants('many-periods.mpd'),
};
