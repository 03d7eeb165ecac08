// Makes dist/: the page, its script, and the kinora package beside them as it comes from npm.
import { cp, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

process.chdir(fileURLToPath(new URL('.', import.meta.url)));
const kinora = fileURLToPath(new URL('../platforms/web/npm/dist', import.meta.url));

await rm('dist', { recursive: true, force: true });
await cp('public', 'dist', { recursive: true });
await cp(kinora, 'dist/kinora', { recursive: true });
await build({
  entryPoints: ['src/main.ts', 'src/style.css'],
  outdir: 'dist',
  bundle: true,
  format: 'esm',
  target: 'es2022',
  minify: true,
  logLevel: 'warning',
  plugins: [
    {
      // Left as it is, so that the page also proves that the package works from a plain file server.
      name: 'kinora beside the page',
      setup({ onResolve }) {
        onResolve({ filter: /^kinora$/ }, () => ({ path: './kinora/index.js', external: true }));
        onResolve({ filter: /^kinora\/telemetry$/ }, () => ({ path: './kinora/telemetry.js', external: true }));
      },
    },
  ],
});
