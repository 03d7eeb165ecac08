// Runs one contender in one case. A page does this once: its first call is the cold one.

const LEAST_CALLS = 5;
const LONG_ENOUGH_MS = 1500;
const MOST_CALLS = 60;

const files = {
  url: (name) => new URL(`/fixtures/${name}`, location.href).href,
  async text(name) {
    return (await answer(name)).text();
  },
  async bytes(name) {
    return new Uint8Array(await (await answer(name)).arrayBuffer());
  },
};

async function answer(name) {
  const response = await fetch(files.url(name));
  if (!response.ok) throw new Error(`${name}: ${response.status}`);
  return response;
}

/**
 * Milliseconds of the first call and of the best.
 *
 * A contender is a module whose default export has a function for each case it takes part in. That
 * gives `run`, which is timed, and perhaps `before`, which is not, and makes what `run` is given.
 * What `run` answers must be `expected`: whoever does not do the work has no figure. `ahead_ms` is how
 * long it prepared while the manifest was on its way, which is in neither.
 */
window.measure = async (contender, name, expected) => {
  const { default: cases } = await import(`/dist/${contender}.js`);
  const { before, run, answer = expected, ahead_ms } = await cases[name](files);
  const calls = [];
  const begun = performance.now();
  while (calls.length < LEAST_CALLS || (performance.now() - begun < LONG_ENOUGH_MS && calls.length < MOST_CALLS)) {
    let given = before?.();
    if (given instanceof Promise) given = await given;
    // Timers and garbage of the last call have their turn.
    await new Promise((resolve) => setTimeout(resolve, 5));
    const start = performance.now();
    let result = run(given);
    if (result instanceof Promise) result = await result;
    calls.push(performance.now() - start);
    if (result !== answer) throw new Error(`${contender} understood ${result}, not ${answer}`);
  }
  return { cold_ms: calls[0], best_ms: Math.min(...calls), calls: calls.length, ahead_ms };
};
