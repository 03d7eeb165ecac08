// A title in a list: its picture, or its name where it has none.

import { hue, make } from './dom.js';
import type { Artwork, Started, Summary } from './service.js';

/** Where a card stands. */
export interface Place {
  row: string;
  place: number;
}

export function card(title: Summary, started?: Started, at?: Place): HTMLElement {
  const from = at ? `?${new URLSearchParams({ row: at.row, place: String(at.place) })}` : '';
  const href = started ? `#/watch/${started.item_id}` : `#/title/${title.id}${from}`;
  const facts = [title.year, title.kind === 'series' ? 'Series' : null].filter(Boolean).join(' · ');
  const link = make('a', { className: 'title-card', href }, [
    picture(title),
    make('span', { className: 'name', textContent: title.name }),
    make('span', { className: 'facts', textContent: started ? episodeOf(started) || facts : facts }),
  ]);
  if (started) {
    const bar = make('progress', {
      max: Math.max(started.duration_seconds, 1),
      value: started.position_seconds,
    });
    bar.setAttribute('aria-label', 'Watched');
    link.insertBefore(bar, link.children[1] ?? null);
  }
  return link;
}

/** The picture of a title, wide. */
export function picture(title: Summary): HTMLElement {
  const art = wide(title.artwork);
  if (art) return make('img', { className: 'art', src: art.url, alt: '', loading: 'lazy', width: 320, height: 180 });
  const drawn = make('span', { className: 'art drawn', textContent: title.name });
  drawn.setAttribute('aria-hidden', 'true');
  drawn.style.setProperty('--hue', String(hue(title.id)));
  return drawn;
}

function wide(artwork: Artwork[]): Artwork | undefined {
  return artwork.find(({ kind }) => kind === 'backdrop' || kind === 'still') ?? artwork[0];
}

function episodeOf({ season, episode }: Started): string {
  return season === null ? '' : `Season ${season}, episode ${episode}`;
}
