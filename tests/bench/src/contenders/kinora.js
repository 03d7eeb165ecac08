import init, { LiveMpd, Mpd, Playlist, rehearse } from '/kinora/manifests.js';

await init();

/** The manifests of these names. While the first is on its way, the parser rehearses, as the player's does. */
async function load(files, ...names) {
  const arriving = names.map((name) => files.bytes(name));
  const begun = performance.now();
  rehearse(files.url(names[0]));
  const ahead_ms = performance.now() - begun;
  return { loaded: await Promise.all(arriving), ahead_ms };
}

const parsed = (name) => async (files) => {
  const {
    loaded: [bytes],
    ahead_ms,
  } = await load(files, name);
  const url = files.url(name);
  return {
    ahead_ms,
    run() {
      const playlist = new Playlist(bytes, url);
      const segments = playlist.segments();
      playlist.free();
      return segments;
    },
  };
};

const expanded = (Type, name) => async (files) => {
  const {
    loaded: [bytes],
    ahead_ms,
  } = await load(files, name);
  const url = files.url(name);
  return {
    ahead_ms,
    run() {
      const manifest = new Type(bytes, url);
      const segments = manifest.expand();
      manifest.free();
      return segments;
    },
  };
};

const mpd = (name) => async (files) => {
  const {
    loaded: [bytes],
    ahead_ms,
  } = await load(files, name);
  const url = files.url(name);
  return {
    ahead_ms,
    run() {
      const manifest = new Mpd(bytes, url);
      const periods = manifest.periods();
      manifest.free();
      return periods;
    },
  };
};

/** Numbers of the last segments. */
const LAST = {
  'live-after.m3u8': 110_000n,
  'live-after-delta.m3u8': 110_000n,
  'low-latency-after-delta.m3u8': 42_700n,
};

const refreshed = (before, after) => async (files) => {
  const {
    loaded: [old, bytes],
    ahead_ms,
  } = await load(files, before, after);
  const url = files.url('live.m3u8');
  let playlist;
  return {
    ahead_ms,
    before() {
      playlist?.free();
      playlist = new Playlist(old, url);
    },
    run() {
      playlist.refresh(bytes);
      if (playlist.last() !== LAST[after]) throw new Error(`the last segment is ${playlist.last()}`);
      return playlist.segments();
    },
  };
};

const LIVE_SEGMENTS = 15_000;

/** An MPD and what came after it: the whole anew, or a patch. */
const reloaded = (after, take) => async (files) => {
  const {
    loaded: [old, bytes],
    ahead_ms,
  } = await load(files, 'live-before.mpd', after);
  const url = files.url('live.mpd');
  let mpd;
  return {
    ahead_ms,
    before() {
      mpd?.free();
      mpd = new LiveMpd(old, url);
    },
    run() {
      take(mpd, bytes, url);
      if (mpd.segments() !== LIVE_SEGMENTS) throw new Error(`${mpd.segments()} segments`);
      return mpd.periods();
    },
  };
};

export default {
  'hls-vod': parsed('vod.m3u8'),
  'hls-vod-expanded': expanded(Playlist, 'vod.m3u8'),
  'hls-live-full': refreshed('live-before.m3u8', 'live-after.m3u8'),
  'hls-live-delta': refreshed('live-before.m3u8', 'live-after-delta.m3u8'),
  'll-hls-delta': refreshed('low-latency-before.m3u8', 'low-latency-after-delta.m3u8'),
  'dash-1-period': mpd('one-period.mpd'),
  'dash-1-period-expanded': expanded(Mpd, 'one-period.mpd'),
  'dash-5-periods': mpd('five-periods.mpd'),
  'dash-5-periods-expanded': expanded(Mpd, 'five-periods.mpd'),
  'dash-live-full': reloaded('live-after.mpd', (mpd, bytes, url) => mpd.refresh(bytes, url)),
  'dash-live-patch': reloaded('live-after-patch.mpd', (mpd, bytes) => mpd.patch(bytes)),
  'dash-5-mb': mpd('many-periods.mpd'),
};
