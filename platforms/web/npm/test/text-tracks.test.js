import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { load } from './load.js';

/** As browsers have it: what an enumeration does not hold is ignored, what is out of range throws. */
class FakeCue {
  track = null;
  id = '';
  line = 'auto';
  snapToLines = true;
  #position = 'auto';
  #size = 100;
  #vertical = '';
  #align = 'center';

  constructor(startTime, endTime, text) {
    Object.assign(this, { startTime, endTime, text });
  }

  get vertical() {
    return this.#vertical;
  }
  set vertical(value) {
    if (['', 'rl', 'lr'].includes(value)) this.#vertical = value;
  }

  get align() {
    return this.#align;
  }
  set align(value) {
    if (['start', 'center', 'end', 'left', 'right'].includes(value)) this.#align = value;
  }

  get size() {
    return this.#size;
  }
  set size(value) {
    this.#size = inRange(value);
  }

  get position() {
    return this.#position;
  }
  set position(value) {
    this.#position = inRange(value);
  }
}
globalThis.VTTCue = FakeCue;

function inRange(value) {
  if (!(value >= 0 && value <= 100)) throw new DOMException(`${value}`, 'IndexSizeError');
  return value;
}

class FakeTrack {
  #mode = 'hidden';
  cues = [];

  constructor(list, label, language) {
    Object.assign(this, { list, label, language });
  }

  get mode() {
    return this.#mode;
  }
  set mode(mode) {
    if (mode !== this.#mode) queueMicrotask(() => this.list.dispatchEvent(new Event('change')));
    this.#mode = mode;
  }

  addCue(cue) {
    cue.track?.removeCue(cue);
    this.cues.push(cue);
    cue.track = this;
  }

  removeCue(cue) {
    if (!this.cues.includes(cue)) throw new DOMException('not here', 'NotFoundError');
    this.cues.splice(this.cues.indexOf(cue), 1);
    cue.track = null;
  }
}

class FakeElement {
  duration = 60;
  seekable = { length: 0 };
  textTracks = Object.assign(new EventTarget(), { all: [] });

  addTextTrack(kind, label, language) {
    assert.equal(kind, 'subtitles');
    const track = new FakeTrack(this.textTracks, label, language);
    this.textTracks.all.push(track);
    return track;
  }

  get modes() {
    return this.textTracks.all.map(({ mode }) => mode);
  }

  get texts() {
    return this.textTracks.all.map(({ cues }) => cues.map(({ text }) => text).join());
  }
}

const { TextTracks } = await load('text-tracks.ts');
const settled = () => new Promise((resolve) => setImmediate(resolve));
const ENGLISH = { kind: 'text', index: 0, label: 'English', language: 'en', selected: false };
const GERMAN = { kind: 'text', index: 1, label: null, language: 'de', selected: false };
const FILM = [{ kind: 'video', index: 0, label: null, language: null, selected: true }, ENGLISH, GERMAN];
const cue = (text, start = 0, settings = '') => ({ id: '', start, end: start + 2, settings, text });

let element;
let chosen;
let text;
beforeEach(() => {
  element = new FakeElement();
  chosen = [];
  text = new TextTracks(element, (index) => chosen.push(index));
  text.offer(FILM);
});

test('the text tracks of a film are the element’s, and none is shown until it is chosen', async () => {
  const { all } = element.textTracks;
  assert.deepEqual(all.map(({ label, language }) => [label, language]), [['English', 'en'], ['de', 'de']]);
  assert.deepEqual(element.modes, ['disabled', 'disabled']);
  text.select(1);
  text.add([cue('Guten Tag'), cue('Danke', 4)]);
  assert.deepEqual(element.modes, ['disabled', 'showing']);
  assert.deepEqual(element.texts, ['', 'Guten Tag,Danke']);
  assert.deepEqual(all[1].cues.map(({ startTime, endTime }) => [startTime, endTime]), [[0, 2], [4, 6]]);
  await settled();
  assert.deepEqual(chosen, [], 'what was asked for is not asked for again');
});

test('another track, or none, takes the cues away', () => {
  text.select(0);
  text.add([cue('Hello')]);
  text.select(1);
  assert.deepEqual(element.texts, ['', '']);
  assert.deepEqual(element.modes, ['disabled', 'showing']);
  text.add([cue('Guten Tag')]);
  text.clear();
  assert.deepEqual(element.texts, ['', '']);
  text.add([cue('Tschüss')]);
  text.select(null);
  assert.deepEqual([element.modes, element.texts], [['disabled', 'disabled'], ['', '']]);
  text.add([cue('late')]);
  assert.deepEqual(element.texts, ['', '']);
});

test('what the element’s controls choose is chosen', async () => {
  const [english, german] = element.textTracks.all;
  english.mode = 'showing';
  await settled();
  assert.deepEqual(chosen, [0]);
  text.select(0);
  // Some show a track before they hide the other.
  german.mode = 'showing';
  await settled();
  assert.deepEqual(chosen, [0, 1]);
  text.select(1);
  await settled();
  german.mode = 'disabled';
  await settled();
  assert.deepEqual(chosen, [0, 1, null]);
});

test('a hidden track is chosen, and stays hidden', async () => {
  const [english] = element.textTracks.all;
  english.mode = 'hidden';
  await settled();
  assert.deepEqual(chosen, [0]);
  text.select(0);
  assert.equal(english.mode, 'hidden');
});

test('another film uses the same tracks again, and leaves the others disabled', async () => {
  text.select(1);
  text.add([cue('Guten Tag')]);
  text.offer([]);
  assert.deepEqual([element.modes, element.texts], [['disabled', 'disabled'], ['', '']]);
  const twin = { ...GERMAN, index: 2 };
  text.offer([{ ...ENGLISH, language: 'en-GB' }, { ...GERMAN, selected: true }, twin]);
  const { all } = element.textTracks;
  assert.deepEqual(all.map(({ language }) => language), ['en', 'de', 'en-GB', 'de']);
  assert.deepEqual(element.modes, ['disabled', 'showing', 'disabled', 'disabled']);
  text.select(2);
  text.add([cue('Hallo')]);
  assert.deepEqual(element.texts, ['', '', '', 'Hallo']);
  // Another player of this element.
  text.destroy();
  new TextTracks(element, () => assert.fail()).offer(FILM);
  assert.equal(all.length, 4);
  await settled();
  assert.deepEqual(chosen, []);
});

test('a player that has ended leaves no cues and chooses nothing', async () => {
  text.select(0);
  text.add([cue('Hello')]);
  text.destroy();
  assert.deepEqual([element.modes, element.texts], [['disabled', 'disabled'], ['', '']]);
  element.textTracks.all[0].mode = 'showing';
  await settled();
  assert.deepEqual(chosen, []);
});

test('a cue that the page has taken out does not matter', () => {
  text.select(0);
  text.add([cue('one'), cue('two')]);
  const [english] = element.textTracks.all;
  english.removeCue(english.cues[0]);
  text.clear();
  assert.deepEqual(element.texts, ['', '']);
});

test('cues of live playback go with what lies behind the window', () => {
  text.select(0);
  element.duration = Infinity;
  element.seekable = { length: 1, start: () => 10 };
  text.add([cue('over', 0), cue('partly', 9), cue('now', 30)]);
  assert.deepEqual(element.texts[0], 'over,partly,now');
  text.add([cue('then', 32)]);
  assert.deepEqual(element.texts[0], 'partly,now,then');
});

const AUTO = { vertical: '', line: 'auto', snapToLines: true, position: 'auto', size: 100, align: 'center' };
for (const [settings, expected] of [
  ['', {}],
  ['line:0', { line: 0 }],
  ['line:-1,end align:start', { line: -1, lineAlign: 'end', align: 'start' }],
  ['line:12.5%,center', { line: 12.5, snapToLines: false, lineAlign: 'center' }],
  ['position:30%,line-left\tsize:40%', { position: 30, positionAlign: 'line-left', size: 40 }],
  ['vertical:rl   align:right', { vertical: 'rl', align: 'right' }],
  // What makes no sense is left out, and what stands beside it is not.
  ['line:10px position:101% size:-1% align:middle vertical:up align', {}],
  ['line:5%,middle position:50%,start size:50', {}],
  ['line: position: size: region:fred :5 %', {}],
  ['line:1e3 size:1e1% position:NaN% align:left', { align: 'left' }],
]) {
  test(`the settings "${settings}"`, () => {
    text.select(0);
    text.add([cue('x', 0, settings)]);
    const [{ lineAlign, positionAlign, ...made }] = element.textTracks.all[0].cues;
    const wanted = { ...AUTO, ...expected };
    const { vertical, size, align, position } = element.textTracks.all[0].cues[0];
    const { line, snapToLines } = made;
    const seen = { vertical, line, snapToLines, position, size, align };
    if (lineAlign) seen.lineAlign = lineAlign;
    if (positionAlign) seen.positionAlign = positionAlign;
    assert.deepEqual(seen, wanted);
  });
}
