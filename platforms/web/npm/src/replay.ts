import { WorkerClient } from './worker-client.js';

/**
 * The outputs of a recorded session ({@link Player.sessionLog}), in the core's binary encoding: the
 * same log gives the same bytes here, on a phone and in a terminal.
 *
 * @throws {PlayerError} for bytes that are no session log.
 */
export async function replay(log: Uint8Array): Promise<Uint8Array> {
  const worker = new WorkerClient({
    calls: {},
    onEvent() {},
    onStats() {},
    onFailure() {},
  });
  try {
    return await worker.call('replay', log);
  } finally {
    worker.end(undefined);
  }
}
