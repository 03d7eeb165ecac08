import DashWasmParser from '../../node_modules/rx-player/dist/es2017/parsers/manifest/dash/wasm-parser/ts/dash-wasm-parser.js';
import { cases } from '../support-rx.js';

const parser = new DashWasmParser();
await parser.initialize({ wasmUrl: '/node_modules/rx-player/dist/mpd-parser.wasm' });

export default cases(
  async (files, name) => (await files.bytes(name)).buffer,
  (bytes, options) => parser.runWasmParser(bytes, options),
);
