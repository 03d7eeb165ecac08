// `kinora/replay`: for people who study sessions. It brings its own module, which no player loads.

import init, { replay as replayLog } from '../bindings/kinora_replay.js';

/**
 * The outputs of a session that was recorded (`Player.sessionLog()`), in the core's binary encoding:
 * the same log gives the same bytes here, on a phone and in a terminal.
 *
 * @throws {Error} for bytes that are no session log.
 */
export async function replay(log: Uint8Array): Promise<Uint8Array> {
  await init();
  return replayLog(log);
}
