// Makes dist/ of src/ and the bindings in bindings/ (kinora.js, kinora_replay.js, their types and modules), which
// `cargo xtask web` writes before it calls this script.
import { spawnSync } from 'node:child_process';
import { copyFile, readFile, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

process.chdir(fileURLToPath(new URL('.', import.meta.url)));
const { version } = JSON.parse(await readFile('package.json', 'utf8'));

await rm('dist', { recursive: true, force: true });
tsc('tsconfig.json');
tsc('tsconfig.types.json');
await build({
  entryPoints: ['src/index.ts', 'src/worker.ts', 'src/replay.ts', 'src/telemetry.ts'],
  outdir: 'dist',
  bundle: true,
  format: 'esm',
  target: 'es2022',
  minify: true,
  legalComments: 'none',
  define: { __VERSION__: JSON.stringify(version) },
  logLevel: 'warning',
});
for (const module of ['kinora_bg.wasm', 'kinora_replay_bg.wasm']) {
  await copyFile(`bindings/${module}`, `dist/${module}`);
}

function tsc(project) {
  const { status } = spawnSync('node_modules/.bin/tsc', ['--project', project], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
