// The parser that hls.js exports, and from its sources what merges a reload into what is known.
import { M3U8Parser as Published } from 'hls.js';
import M3U8Parser from '../../node_modules/hls.js/src/loader/m3u8-parser';
import { mergeDetails } from '../../node_modules/hls.js/src/utils/level-helper';

const logger = { log() {}, warn() {}, error() {}, info() {}, debug() {}, trace() {} };

const parse = (Parser, text, url) => Parser.parseLevelPlaylist(text, url, 0, 'main', 0, null);

/** The last parts of the window are segments too, of which hls.js keeps the unfinished one apart. */
const refreshed = (before, after) => async (files) => {
  const [old, text, url] = [await files.text(before), await files.text(after), files.url('live.m3u8')];
  return {
    before: () => parse(M3U8Parser, old, url),
    run(known) {
      const details = parse(M3U8Parser, text, url);
      mergeDetails(known, details, logger);
      return details.fragments.length;
    },
  };
};

export default {
  async 'hls-vod'(files) {
    const [text, url] = [await files.text('vod.m3u8'), files.url('vod.m3u8')];
    return { run: () => parse(Published, text, url).fragments.length };
  },
  // URLs, times and byte ranges are read when they are asked for: ask for all.
  async 'hls-vod-expanded'(files) {
    const [text, url] = [await files.text('vod.m3u8'), files.url('vod.m3u8')];
    return {
      run() {
        const { fragments } = parse(Published, text, url);
        let whole = 0;
        for (const fragment of fragments) {
          if (fragment.url.length > 0 && fragment.byteRangeEndOffset > 0 && fragment.programDateTime > 0) whole += 1;
        }
        return whole;
      },
    };
  },
  'hls-live-full': refreshed('live-before.m3u8', 'live-after.m3u8'),
  'hls-live-delta': refreshed('live-before.m3u8', 'live-after-delta.m3u8'),
  'll-hls-delta': refreshed('low-latency-before.m3u8', 'low-latency-after-delta.m3u8'),
};
