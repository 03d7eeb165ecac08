import type { Cue, Track } from './types.js';

type Choice = number | null;

/** The element's tracks that players have made, by name and language: what was added to an element stays for ever. */
const made = new WeakMap<HTMLMediaElement, Map<string, TextTrack>>();

/**
 * Text in the element's own text tracks: the browser draws it, and its controls and the page's may choose by the `mode` of
 * a track.
 */
export class TextTracks {
  readonly #element: HTMLMediaElement;
  readonly #choose: (index: Choice) => void;
  readonly #listening = new AbortController();
  #offered = new Map<number, TextTrack>();
  #selected: Choice = null;
  #cues: VTTCue[] = [];

  /** `choose` hears what is chosen by the element. */
  constructor(element: HTMLMediaElement, choose: (index: Choice) => void) {
    this.#element = element;
    this.#choose = choose;
    const { signal } = this.#listening;
    element.textTracks.addEventListener('change', () => this.#look(), { signal });
  }

  /** What there is to choose from now, and what of it is chosen. */
  offer(tracks: readonly Track[]): void {
    this.clear();
    for (const track of this.#offered.values()) track.mode = 'disabled';
    this.#offered = new Map();
    let selected: Choice = null;
    for (const { kind, index, label, language, selected: isSelected } of tracks) {
      if (kind !== 'text') continue;
      const known = new Set(this.#offered.values());
      this.#offered.set(index, this.#track(label ?? language ?? '', language ?? '', known));
      if (isSelected) selected = index;
    }
    this.select(selected);
  }

  /** The cues to come are of this track. */
  select(index: Choice): void {
    if (index !== this.#selected) this.clear();
    this.#selected = index;
    for (const [number, track] of this.#offered) {
      if (number !== index) track.mode = 'disabled';
      // An app that draws cues itself may have hidden it, which is not to be undone.
      else if (track.mode === 'disabled') track.mode = 'showing';
    }
  }

  add(cues: readonly Cue[]): void {
    const track = this.#offered.get(this.#selected ?? -1);
    if (!track) return;
    this.#forget();
    for (const cue of cues) {
      const shown = new VTTCue(cue.start, cue.end, cue.text);
      shown.id = cue.id;
      applySettings(shown, cue.settings);
      track.addCue(shown);
      this.#cues.push(shown);
    }
  }

  clear(): void {
    for (const cue of this.#cues) cue.track?.removeCue(cue);
    this.#cues = [];
  }

  destroy(): void {
    this.#listening.abort();
    this.offer([]);
  }

  /** Live: what lies behind where the viewer may go is not shown again. */
  #forget(): void {
    const { duration, seekable } = this.#element;
    if (duration !== Infinity || seekable.length === 0) return;
    const start = seekable.start(0);
    this.#cues = this.#cues.filter((cue) => {
      const stays = cue.endTime >= start;
      if (!stays) cue.track?.removeCue(cue);
      return stays;
    });
  }

  /** One with this name, which is none of `taken`. */
  #track(label: string, language: string, taken: Set<TextTrack>): TextTrack {
    const tracks = made.get(this.#element) ?? new Map<string, TextTrack>();
    made.set(this.#element, tracks);
    for (let copy = 0; ; copy++) {
      const name = [language, label, copy].join('\n');
      const track = tracks.get(name) ?? this.#element.addTextTrack('subtitles', label, language);
      tracks.set(name, track);
      if (taken.has(track)) continue;
      // A new one is hidden, which would be a choice.
      track.mode = 'disabled';
      return track;
    }
  }

  /** Somebody changed the mode of a track. */
  #look(): void {
    const chosen = [...this.#offered].filter(([, { mode }]) => mode !== 'disabled').map(([index]) => index);
    // Where two are chosen, the one that was not before is meant.
    const index = chosen.find((index) => index !== this.#selected) ?? chosen[0] ?? null;
    if (index !== this.#selected) this.#choose(index);
  }
}

/** The settings of a cue (W3C WebVTT §4.4 and §6.3); those that make no sense are left out. */
function applySettings(cue: VTTCue, settings: string): void {
  for (const setting of settings.split(/\s+/)) {
    const colon = setting.indexOf(':');
    const value = setting.slice(colon + 1);
    const [offset = '', align] = value.split(',');
    const share = percentage(offset);
    switch (setting.slice(0, colon)) {
      // Setting what these attributes cannot be does nothing.
      case 'vertical':
        cue.vertical = value as DirectionSetting;
        break;
      case 'align':
        cue.align = value as AlignSetting;
        break;
      case 'size':
        cue.size = percentage(value) ?? cue.size;
        break;
      case 'position':
        if (share === undefined || !fits(align, ['line-left', 'center', 'line-right'])) break;
        cue.position = share;
        if (align) cue.positionAlign = align as PositionAlignSetting;
        break;
      case 'line': {
        const number = /^-?\d+(\.\d+)?$/.test(offset) ? Number(offset) : undefined;
        const line = share ?? number;
        if (line === undefined || !fits(align, ['start', 'center', 'end'])) break;
        cue.snapToLines = share === undefined;
        cue.line = line;
        if (align) cue.lineAlign = align as LineAlignSetting;
        break;
      }
    }
  }
}

/** From 0 to 100. */
function percentage(text: string): number | undefined {
  const value = /^\d+(\.\d+)?%$/.test(text) ? Number(text.slice(0, -1)) : NaN;
  return value <= 100 ? value : undefined;
}

function fits(align: string | undefined, known: string[]): boolean {
  return align === undefined || known.includes(align);
}
