import parse from '../../node_modules/rx-player/dist/es2017/parsers/manifest/dash/js-parser/index.js';
import { cases } from '../support-rx.js';

export default cases((files, name) => files.text(name), parse);
