import { picture } from '../cards.js';
import { make } from '../dom.js';
import type { Go } from '../journey.js';
import type { Item, Service, Title } from '../service.js';
import { Theatre } from '../theatre.js';

/** All there is to say of a title, and what of it plays. */
export async function titlePage(service: Service, id: string, go: Go): Promise<HTMLElement> {
  const title = await service.title(id);
  document.title = `${title.name} – Kinora`;
  const facts = [
    title.year,
    title.maturity > 0 ? `from ${title.maturity}` : 'for everyone',
    ...title.genres.map((genre) => genre.replaceAll('-', ' ')),
  ];
  const next = title.items.find((item) => item.playable && !item.finished) ?? title.items.find((i) => i.playable);
  if (next) Theatre.warmUp();
  const actions = make('p', { className: 'actions' }, [
    ...(next ? [playButton(next, title)] : [make('span', { className: 'tag', textContent: 'Cannot be played here' })]),
    listButton(service, title, go),
  ]);
  return make('article', { className: 'title-page' }, [
    picture(title),
    make('div', {}, [
      make('h2', { textContent: title.name, tabIndex: -1 }),
      make('p', { className: 'facts', textContent: facts.filter(Boolean).join(' · ') }),
      actions,
      make('p', { textContent: title.synopsis }),
      ...people(title),
      ...(title.kind === 'series' ? [episodes(title.items)] : []),
    ]),
  ]);
}

function playButton(item: Item, title: Title): HTMLElement {
  const begun = (item.position_seconds ?? 0) > 0 && !item.finished;
  const which = title.kind === 'series' && item.season !== null ? ` season ${item.season}, episode ${item.episode}` : '';
  const link = make('a', {
    className: 'primary button',
    href: `#/watch/${item.id}`,
    textContent: `${begun ? 'Resume' : 'Play'}${which}`,
  });
  link.setAttribute('autofocus', '');
  return link;
}

function listButton(service: Service, title: Title, go: Go): HTMLElement {
  const button = make('button', { type: 'button', textContent: title.listed ? 'On my list ✓' : 'Add to my list' });
  button.setAttribute('aria-pressed', String(title.listed));
  button.addEventListener('click', async () => {
    await service.list(title.id, !title.listed);
    go(`title/${title.id}`);
  });
  return button;
}

function people(title: Title): HTMLElement[] {
  if (title.people.length === 0) return [];
  const names = (role: string) => title.people.filter((person) => person.role === role).map(({ name }) => name);
  const lines = [
    ['Director', names('director')],
    ['With', names('actor')],
    ['Written by', names('writer')],
  ] as const;
  return lines
    .filter(([, found]) => found.length > 0)
    .map(([label, found]) => make('p', { className: 'people', textContent: `${label}: ${found.join(', ')}` }));
}

function episodes(items: Item[]): HTMLElement {
  const entries = items.map((item) => {
    const label = `${item.season}.${item.episode} ${item.name ?? ''}`;
    const name = item.playable
      ? make('a', { href: `#/watch/${item.id}`, textContent: label })
      : make('span', { textContent: label });
    return make('li', {}, [name, make('p', { textContent: item.synopsis ?? '' })]);
  });
  return make('ol', { className: 'episodes' }, entries);
}
