// Subtitles in a real browser: chosen, shown by the browser at their times, and off again.

import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { film, made } from './support/film.js';
import { Stage } from './support/stage.js';

const SECONDS = 12;
const SEGMENT = 4;
/** Start, end, settings and words of what is said, by language. The second goes on in the next segment. */
const SAID = {
  en: [
    [1, 3, '', 'Hello'],
    [3, 5, 'line:0 align:start', '<i>How</i> are you?'],
    [9, 11, '', 'Tom & Jerry\nsay goodbye'],
  ],
  de: [[1, 3, '', 'Guten Tag'], [9, 11, '', 'Auf Wiedersehen']],
};
const LABELS = { en: 'English', de: 'Deutsch' };

let stage;
let folder;
before(async () => {
  const clip = await film(SECONDS);
  await mkdir(made, { recursive: true });
  folder = await mkdtemp(`${made}text-`);
  await subtitle(clip.packaged, folder);
  stage = await Stage.open({ '/film': clip.packaged, '/text': folder });
});
after(async () => {
  await stage?.close();
  if (folder) await rm(folder, { recursive: true });
});

for (const [name, manifest] of [['HLS', 'master.m3u8'], ['DASH', 'manifest.mpd']]) {
  describe(name, () => {
    test('subtitles are shown at their times once they are chosen, and not when they are off', async () => {
      const page = await opened(manifest);
      const { tracks, shown } = await page.evaluate(() => ({
        tracks: film.player.tracks.filter(({ kind }) => kind === 'text'),
        shown: [...film.video.textTracks].map(({ label, language, mode }) => [label, language, mode]),
      }));
      assert.deepEqual(
        tracks.map(({ index, language, label, selected }) => [index, language, label, selected]),
        [[0, 'en', 'English', false], [1, 'de', 'Deutsch', false]],
      );
      assert.deepEqual(shown, [['English', 'en', 'disabled'], ['Deutsch', 'de', 'disabled']]);
      assert.deepEqual(await asked(), [], 'what nobody reads is not fetched');

      await page.evaluate(() => film.player.selectTrack('text', 0));
      await says(page, 0, 1.5, ['Hello']);
      await says(page, 0, 9.5, ['Tom & Jerry\nsay goodbye']);
      await says(page, 0, 7, []);
      // In two segments, and shown once.
      await says(page, 0, 4.5, ['How are you?']);
      const cue = await page.evaluate(() => {
        const [{ startTime, endTime, line, snapToLines, align }] = film.video.textTracks[0].activeCues;
        return { startTime, endTime, line, snapToLines, align };
      });
      assert.deepEqual(cue, { startTime: 3, endTime: 5, line: 0, snapToLines: true, align: 'start' });

      await page.evaluate(() => film.player.selectTrack('text', 1));
      await says(page, 1, 9.5, ['Auf Wiedersehen']);
      assert.deepEqual(await selected(page), [false, true]);
      assert.deepEqual(await modes(page), ['disabled', 'showing']);

      await page.evaluate(() => film.player.selectTrack('text', null));
      assert.deepEqual(await selected(page), [false, false]);
      await stage.server.clearRequests();
      await page.evaluate(() => film.seek(0));
      const ended = page.evaluate(() => film.next('ended'));
      await page.evaluate(() => film.video.play());
      await ended;
      assert.deepEqual(await asked(), []);
      const left = await page.evaluate(() =>
        [...film.video.textTracks].map((track) => {
          track.mode = 'hidden';
          const { length } = track.cues;
          track.mode = 'disabled';
          return length;
        }),
      );
      assert.deepEqual(left, [0, 0], 'no cue is left');
      await finished(page);
    });

    test('an app may draw them itself', async () => {
      const page = await opened(manifest, { textTracks: 'app' });
      const told = page.evaluate(() => film.next('cues'));
      await page.evaluate(() => film.player.selectTrack('text', 1));
      const [first] = await told;
      assert.deepEqual(first, { id: '', start: 1, end: 3, settings: '', text: 'Guten Tag' });
      const cleared = page.evaluate(() => film.next('cuescleared'));
      await page.evaluate(() => film.player.selectTrack('text', null));
      await cleared;
      assert.equal(await page.evaluate(() => film.video.textTracks.length), 0);
      await finished(page);
    });
  });
}

test('what the controls of the element choose is chosen, until another film is loaded', async () => {
  const page = await opened('master.m3u8');
  await page.evaluate(() => (film.video.textTracks[1].mode = 'showing'));
  await says(page, 1, 1.5, ['Guten Tag']);
  assert.deepEqual(await selected(page), [false, true]);
  await page.evaluate(() => (film.video.textTracks[1].mode = 'disabled'));
  await page.waitForFunction(() => film.player.tracks.every(({ kind, selected }) => kind !== 'text' || !selected));

  await page.evaluate(() => film.player.selectTrack('text', 0));
  await says(page, 0, 1.5, ['Hello']);
  await page.evaluate(() => film.player.load('/film/master.m3u8'));
  assert.deepEqual(await modes(page), ['disabled', 'disabled']);
  await page.evaluate(() => film.player.load('/text/manifest.mpd'));
  assert.deepEqual(await modes(page), ['disabled', 'disabled'], 'the same tracks, of another film');
  await finished(page);
});

async function opened(manifest, options = {}) {
  const page = await stage.player(options);
  await stage.server.clearRequests();
  assert.equal(await page.evaluate((url) => film.play(url), `/text/${manifest}`), null);
  await page.evaluate(() => film.video.pause());
  return page;
}

async function finished(page) {
  const wrong = await page.evaluate(() =>
    film.events.filter(({ name }) => name === 'error' || name === 'warning'),
  );
  assert.deepEqual(wrong, []);
  assert.deepEqual(page.faults, []);
  await page.context().close();
}

/** At this time the browser shows these words of that track: without tags, as it reads them. */
async function says(page, number, time, words) {
  await page.evaluate((time) => film.seek(time), time);
  const shown = ([number, words]) => {
    const cues = [...(film.video.textTracks[number].activeCues ?? [])];
    const texts = cues.map((cue) => cue.getCueAsHTML().textContent);
    return JSON.stringify(texts) === JSON.stringify(words);
  };
  await page.waitForFunction(shown, [number, words]);
}

function modes(page) {
  return page.evaluate(() => [...film.video.textTracks].map(({ mode }) => mode));
}

function selected(page) {
  return page.evaluate(() =>
    film.player.tracks.filter(({ kind }) => kind === 'text').map(({ selected }) => selected),
  );
}

/** The files of text that were asked for. */
async function asked() {
  const requests = await stage.server.requests();
  return requests.map(({ path }) => path).filter((path) => path.startsWith('/text/') && path.endsWith('.vtt'));
}

/** Writes manifests with text tracks besides: a playlist of segments each for HLS, a file each for DASH. */
async function subtitle(packaged, folder) {
  const languages = Object.keys(SAID);
  for (const language of languages) {
    const cues = SAID[language];
    await writeFile(`${folder}/${language}.vtt`, webvtt(cues));
    const lines = ['#EXTM3U', '#EXT-X-VERSION:7', `#EXT-X-TARGETDURATION:${SEGMENT}`, '#EXT-X-PLAYLIST-TYPE:VOD'];
    for (let start = 0; start < SECONDS; start += SEGMENT) {
      const name = `${language}-${start / SEGMENT}.vtt`;
      // RFC 8216bis §3.1.4: a cue is in every segment that it touches.
      const touching = cues.filter(([begin, end]) => begin < start + SEGMENT && end > start);
      await writeFile(`${folder}/${name}`, webvtt(touching, 'X-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0\n'));
      lines.push(`#EXTINF:${SEGMENT},`, name);
    }
    await writeFile(`${folder}/${language}.m3u8`, [...lines, '#EXT-X-ENDLIST', ''].join('\n'));
  }

  const media = languages.map(
    (language) =>
      `#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="text",NAME="${LABELS[language]}",LANGUAGE="${language}",URI="${language}.m3u8"\n`,
  );
  const multivariant = await readFile(`${packaged}/master.m3u8`, 'utf8');
  const hls = multivariant
    .replace(/URI="/g, 'URI="/film/')
    .replace(/^(?=[^#\n])/gm, '/film/')
    .replace(/^#EXT-X-STREAM-INF:.*$/gm, '$&,SUBTITLES="text"')
    .replace(/^(?=#EXT-X-STREAM-INF)/m, media.join(''));
  await writeFile(`${folder}/master.m3u8`, hls);

  const sets = languages.map(
    (language) =>
      `<AdaptationSet contentType="text" mimeType="text/vtt" lang="${language}"><Label>${LABELS[language]}</Label>` +
      `<Representation id="${language}" bandwidth="256"><BaseURL>/text/${language}.vtt</BaseURL></Representation></AdaptationSet>`,
  );
  const mpd = await readFile(`${packaged}/manifest.mpd`, 'utf8');
  const dash = mpd
    .replace(/<Period/, '<BaseURL>/film/</BaseURL>$&')
    .replace(/<\/Period>/, `${sets.join('')}$&`);
  await writeFile(`${folder}/manifest.mpd`, dash);
}

/** A file with these cues. */
function webvtt(cues, header = '') {
  const time = (seconds) => `00:00:${String(seconds).padStart(2, '0')}.000`;
  const blocks = cues.map(
    ([start, end, settings, words]) =>
      `${time(start)} --> ${time(end)}${settings && ` ${settings}`}\n${words.replaceAll('&', '&amp;')}\n`,
  );
  return [`WEBVTT\n${header}`, ...blocks].join('\n');
}
