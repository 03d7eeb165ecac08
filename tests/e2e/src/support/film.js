import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, mkdir, rename, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { programs } from './server.js';

const run = promisify(execFile);
const folder = fileURLToPath(new URL('../../../../target/e2e/', import.meta.url));

/** Frames a second of every film here. */
export const FRAME_RATE = 24;
const SMALL = { width: 64, height: 36 };
const LADDER = '180:200,270:500,360:1200';
/** The heights of the ladder, lowest first. */
export const HEIGHTS = [180, 270, 360];

/**
 * A generated clip and its package, made once for each length: moving shapes, so that every frame
 * tells its place, and grain, so that each rung costs what it may.
 */
export async function film(seconds) {
  const source = [
    '-f', 'lavfi', '-i', `testsrc2=size=640x360:rate=${FRAME_RATE}:duration=${seconds},noise=alls=14:allf=t`,
    '-f', 'lavfi', '-i', `sine=frequency=330:beep_factor=4:duration=${seconds}`,
    '-c:v', 'libx264', '-preset', 'ultrafast', '-crf', '24', '-pix_fmt', 'yuv420p', '-c:a', 'aac', '-shortest',
  ];
  const options = ['--ladder', LADDER, '--preset', 'ultrafast', '--audio-kbps', '64', '--title', 'Test card',
    '--credit', '(c) Nobody', '--license', 'CC0'];
  const key = createHash('sha256').update(JSON.stringify([source, options])).digest('hex').slice(0, 12);
  const clip = `${folder}clip-${key}.mp4`;
  const packaged = `${folder}package-${key}`;
  if (!(await exists(packaged))) {
    await mkdir(folder, { recursive: true });
    const unfinished = `${folder}${process.pid}-${key}`;
    await run('ffmpeg', ['-v', 'error', '-y', ...source, `${unfinished}.mp4`]);
    await run(programs.server, ['package', `${unfinished}.mp4`, unfinished, ...options, '--json']);
    await rename(`${unfinished}.mp4`, clip);
    // Another run of the tests may have been quicker.
    await rename(unfinished, packaged).catch(() => rm(unfinished, { recursive: true }));
  }
  return { seconds, clip, packaged };
}

/** Where tests leave what they make. */
export const made = folder;

/** A frame of the source, counted from 0, as a small RGB picture. */
export async function sourceFrame(clip, number) {
  const { width, height } = SMALL;
  const { stdout } = await run(
    'ffmpeg',
    ['-v', 'error', '-i', clip, '-vf', `select=eq(n\\,${number}),scale=${width}:${height}:flags=area`,
      '-frames:v', '1', '-f', 'rawvideo', '-pix_fmt', 'rgb24', '-'],
    { encoding: 'buffer' },
  );
  return stdout;
}

/**
 * What the screen shows of an element, as a small RGB picture: a page may not read the frames of a film that a key system
 * decrypts.
 */
export async function shown(locator) {
  // A frame that the page was told of is on its way to the screen: it is there once two more pictures of the page were
  // begun.
  await locator.evaluate(
    () => new Promise((painted) => requestAnimationFrame(() => requestAnimationFrame(painted))),
  );
  const { width, height } = SMALL;
  const child = run(
    'ffmpeg',
    ['-v', 'error', '-f', 'image2pipe', '-i', '-', '-vf', `scale=${width}:${height}:flags=area`,
      '-frames:v', '1', '-f', 'rawvideo', '-pix_fmt', 'rgb24', '-'],
    { encoding: 'buffer' },
  );
  child.child.stdin.end(await locator.screenshot());
  return (await child).stdout;
}

/** Mean absolute difference of two pictures, from 0 to 255. */
export function difference(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += Math.abs(a[i] - b[i]);
  return sum / a.length;
}

/**
 * The picture is the source's at the time it claims, no neighbour fits as well, and that time is the
 * one wanted. Scaling and colour conversion differ between browser and ffmpeg, so even the right
 * frame differs by about 13; the next one differs by 17.
 */
export async function assertFrame({ clip }, { mediaTime, pixels }, wanted) {
  assert.ok(Math.abs(mediaTime - wanted) < 0.5, `wanted ${wanted} s, got ${mediaTime} s`);
  const number = Math.round(mediaTime * FRAME_RATE);
  const distance = async (number) => difference(pixels, await sourceFrame(clip, number));
  const own = await distance(number);
  assert.ok(own < 18, `frame ${number} differs from the source's by ${own.toFixed(1)}`);
  for (const other of [number - 12, number - 2, number + 2, number + 12]) {
    if (other < 0) continue;
    const away = await distance(other);
    assert.ok(own < away - 2, `frame ${number}: ${own.toFixed(1)} away, frame ${other}: ${away.toFixed(1)}`);
  }
}

async function exists(path) {
  return access(path).then(
    () => true,
    () => false,
  );
}
