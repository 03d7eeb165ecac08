import { build } from 'esbuild';

let loaded = 0;

/** A new copy of a module of the package's sources; `bindings` stands in for those that are written when the package is built. */
export async function load(path, bindings) {
  const written = {
    name: 'bindings',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /\/bindings\/kinora\.js$/ }, ({ path }) => ({ path, namespace: 'bindings' }));
      onLoad({ filter: /./, namespace: 'bindings' }, () => ({ contents: bindings }));
    },
  };
  const { outputFiles } = await build({
    entryPoints: [new URL(`../src/${path}`, import.meta.url).pathname],
    bundle: true,
    format: 'esm',
    write: false,
    plugins: [written],
  });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}#${++loaded}`);
}
