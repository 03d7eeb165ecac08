// It does not merge reloads, which is done by the player around it: a whole one is only parsed.
import { Parser } from 'm3u8-parser';

const parsed = (name) => async (files) => {
  const [text, uri] = [await files.text(name), files.url(name)];
  return {
    run() {
      const parser = new Parser({ uri });
      parser.push(text);
      parser.end();
      return parser.manifest.segments.length;
    },
  };
};

export default {
  'hls-vod': parsed('vod.m3u8'),
  'hls-vod-expanded': parsed('vod.m3u8'),
  'hls-live-full': parsed('live-after.m3u8'),
};
