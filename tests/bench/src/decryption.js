// Times decryption in WebAssembly: millions of bytes a second, the best of a few tries.
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const [folder] = process.argv.slice(2);
if (!folder) {
  console.error('usage: decryption.js FOLDER');
  process.exit(2);
}
const { default: init, Workload } = await import(pathToFileURL(resolve(folder, 'cenc.js')));
await init({ module_or_path: await readFile(resolve(folder, 'cenc_bg.wasm')) });

// Large enough that the clock's resolution does not matter.
const SIZE = 1 << 20;
const TRIES = 40;
const workload = new Workload(SIZE);

function rate(work, prepare = () => {}) {
  let least = Infinity;
  for (let round = 0; round < TRIES; round++) {
    prepare();
    const start = performance.now();
    if (!work()) throw new Error('it does not decrypt');
    least = Math.min(least, performance.now() - start);
  }
  return SIZE / 1000 / least;
}

const figures = {
  cenc: rate(() => workload.cenc()),
  cbcs: rate(() => workload.cbcs()),
  segments: rate(
    () => workload.segment(),
    () => workload.seal(),
  ),
};
console.log(JSON.stringify(figures));
