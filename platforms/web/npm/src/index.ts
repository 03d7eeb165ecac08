export { PlayerError } from './error.js';
export { Player, type PlayerListener } from './player.js';
export type * from './types.js';
