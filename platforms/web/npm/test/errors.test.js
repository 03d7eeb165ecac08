import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

const read = (path) => readFile(new URL(path, import.meta.url), 'utf8');

test('the error codes, in the types and in the README, are those of the core', async () => {
  const table = await read('../../../../player-core/src/error.rs');
  const core = [...table.matchAll(/= "([A-Z_]+)", [A-Z]/g)].map(([, code]) => code);
  assert.ok(core.length > 10);
  const types = await read('../src/types.ts');
  const union = /type ErrorCode =([^;]+);/.exec(types)[1];
  assert.deepEqual([...union.matchAll(/'([A-Z_]+)'/g)].map(([, code]) => code), core);
  const readme = await read('../README.md');
  for (const code of core) assert.ok(readme.includes(`\`${code}\``), `${code} is not documented`);
});
