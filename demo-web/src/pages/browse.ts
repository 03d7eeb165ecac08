import type { Interaction } from 'kinora/telemetry';
import { card } from '../cards.js';
import { make } from '../dom.js';
import { inView, whenSeen } from '../seen.js';
import type { Row, Service, Summary } from '../service.js';

const NAMES: Record<string, string> = {
  'continue-watching': 'Continue watching',
  'my-list': 'My list',
  'for-you': 'For you',
  'new-for-you': 'New, and perhaps for you',
  new: 'New here',
  trending: 'Watched by many',
};

/** Hears what the viewer looks at. */
type Tell = (interaction: Interaction) => void;

/** Everything, in rows. */
export async function browsePage(service: Service, tell: Tell): Promise<HTMLElement> {
  const rows = await service.rows();
  const sections = rows.map((row, index) => rowSection(row, index));
  whenSeen(sections, (section) => {
    const row = rows[sections.indexOf(section)];
    const shelf = section.querySelector<HTMLElement>('.shelf');
    if (!row || !shelf) return;
    const title_ids = inView(shelf).flatMap((place) => row.titles[place]?.id ?? []);
    tell({ type: 'row_shown', row_id: row.id, title_ids });
  });
  if (sections.length === 0) sections.push(make('p', { textContent: 'There is nothing to watch here yet.' }));
  return make('div', { className: 'rows' }, sections);
}

/** What a search finds. */
export async function searchPage(service: Service, text: string, tell: Tell): Promise<HTMLElement> {
  const titles: Summary[] = await service.search(text);
  tell({ type: 'searched', found: titles.length });
  const heading = titles.length > 0 ? `Found for “${text}”` : `Nothing found for “${text}”`;
  return make('section', { className: 'found' }, [
    make('h2', { textContent: heading, tabIndex: -1 }),
    make('ul', { className: 'grid' }, titles.map((title) => make('li', {}, [card(title)]))),
  ]);
}

function rowSection(row: Row, index: number): HTMLElement {
  const id = `row-${index}`;
  const heading = make('h2', { id, textContent: nameOf(row) });
  const cards = row.titles.map((title, place) => make('li', {}, [card(title, row.started?.[place], { row: row.id, place })]));
  const list = make('ul', { className: 'shelf' }, cards);
  // So that a keyboard can scroll it.
  list.tabIndex = 0;
  list.setAttribute('aria-labelledby', id);
  return make('section', {}, [heading, list]);
}

function nameOf({ id, reason }: Row): string {
  if (reason?.title_name) return `Because you watched ${reason.title_name}`;
  const known = NAMES[id];
  if (known) return known;
  const words = id.replace(/^genre-/, '').replaceAll('-', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}
