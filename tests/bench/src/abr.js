// Times the adaptive bitrate engine in WebAssembly, and prints what kinora-abr-native prints of it.
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const [folder, seed, rounds] = process.argv.slice(2);
if (!rounds) {
  console.error('usage: abr.js FOLDER SEED ROUNDS');
  process.exit(2);
}
const { default: init, Workload, fingerprint } = await import(pathToFileURL(resolve(folder, 'abr.js')));
await init({ module_or_path: await readFile(resolve(folder, 'abr_bg.wasm')) });

const DECISIONS = 1000;
const figures = { table_ms: [], slice_ms: [], decide_us: [] };
for (let round = 0; round < Number(rounds); round++) {
  const workload = new Workload();
  const start = performance.now();
  let longest = 0;
  for (let done = false; !done; ) {
    const slice = performance.now();
    done = workload.prepare();
    longest = Math.max(longest, performance.now() - slice);
  }
  figures.table_ms.push(performance.now() - start);
  figures.slice_ms.push(longest);
  const decisions = performance.now();
  for (let at = 0; at < DECISIONS; at++) workload.decide();
  figures.decide_us.push(((performance.now() - decisions) * 1000) / DECISIONS);
  workload.free();
}
const digest = BigInt.asUintN(64, fingerprint(BigInt(seed))).toString(16).padStart(16, '0');
console.log(JSON.stringify({ fingerprint: digest, ...figures }));
