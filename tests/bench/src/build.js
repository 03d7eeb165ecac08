// Bundles every contender by itself: what one of them loads must not warm up another.
import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = fileURLToPath(new URL('./', import.meta.url));
const out = process.argv[2];
if (!out) throw new Error('usage: build.js FOLDER');

const contenders = (await readdir(`${here}contenders`)).map((name) => `${here}contenders/${name}`);
await build({
  entryPoints: [...contenders, `${here}page/runner.js`],
  outdir: out,
  entryNames: '[name]',
  bundle: true,
  minify: true,
  format: 'esm',
  target: 'es2022',
  external: ['/kinora/*'],
  logLevel: 'warning',
  // What hls.js's own build sets in the full player.
  define: {
    __USE_EME_DRM__: 'true',
    __USE_IFRAMES__: 'true',
    __USE_VARIABLE_SUBSTITUTION__: 'true',
    __USE_SUBTITLES__: 'true',
    __USE_ALT_AUDIO__: 'true',
    __USE_CONTENT_STEERING__: 'true',
    __USE_INTERSTITIALS__: 'true',
    __USE_CMCD__: 'true',
    __USE_MEDIA_CAPABILITIES__: 'true',
    __VERSION__: '"bench"',
  },
});
