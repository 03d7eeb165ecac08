import { element } from './dom.js';
import { activatePage } from './pages/activate.js';
import type { Interaction } from 'kinora/telemetry';
import { browsePage, searchPage } from './pages/browse.js';
import { profilesPage } from './pages/profiles.js';
import { signInPage } from './pages/sign-in.js';
import { titlePage } from './pages/title.js';
import { Screening } from './pages/watch.js';
import { Reporting } from './reporting.js';
import { Problem, type Service } from './service.js';

/** Where somebody is: the part of the address after `#`. */
export type Go = (place: string) => void;

/** From signing in to watching and back: one page of several, by the address. */
export class Journey {
  readonly #service: Service;
  readonly #app = element('app');
  readonly #screening: Screening;
  readonly #reporting: Reporting;
  #signedIn = false;
  /** Counts the pages, so that one that was left does not show up late. */
  #turn = 0;

  constructor(service: Service) {
    this.#service = service;
    this.#reporting = new Reporting(service);
    this.#screening = new Screening(service, this.#reporting);
  }

  async begin(): Promise<void> {
    this.#signedIn = await this.#service.resume();
    addEventListener('hashchange', () => void this.#show());
    element('sign-out').addEventListener('click', () => void this.#signOut());
    element<HTMLFormElement>('search').addEventListener('submit', (event) => {
      event.preventDefault();
      const text = element<HTMLInputElement>('search-text').value.trim();
      this.#go(text ? `search/${encodeURIComponent(text)}` : '');
    });
    // The film goes on in nobody's absence: where it stopped is known before the page is gone.
    addEventListener('pagehide', () => void this.#screening.leave());
    await this.#show();
  }

  readonly #go: Go = (place) => {
    const next = `#/${place}`;
    if (location.hash === next) void this.#show();
    else location.hash = next;
  };

  async #signOut(): Promise<void> {
    await this.#screening.leave();
    await this.#reporting.flush();
    await this.#service.signOut();
    this.#signedIn = false;
    this.#go('');
  }

  async #show(): Promise<void> {
    const turn = ++this.#turn;
    await this.#screening.leave();
    const [path = '', query] = location.hash.replace(/^#\/?/, '').split('?');
    const [name = '', ...rest] = path.split('/');
    const subject = decodeURIComponent(rest.join('/'));
    const watching = this.#signedIn && this.#service.profile !== null && name === 'watch';
    element('theatre').hidden = !watching;
    this.#app.hidden = watching;
    for (const id of ['account', 'search']) element(id).hidden = !this.#signedIn;
    element('controls').hidden = !watching;
    try {
      if (watching) {
        await this.#screening.show(subject);
        return;
      }
      element('title').textContent = '';
      document.title = 'Kinora';
      this.#app.setAttribute('aria-busy', 'true');
      const page = await this.#page(name, subject, new URLSearchParams(query));
      if (turn !== this.#turn) return;
      this.#app.replaceChildren(page);
      this.#app.querySelector<HTMLElement>('[autofocus], h2')?.focus();
    } catch (error) {
      if (turn === this.#turn) this.#failed(error);
    } finally {
      this.#app.removeAttribute('aria-busy');
    }
  }

  #page(name: string, subject: string, query: URLSearchParams): Promise<HTMLElement> | HTMLElement {
    if (!this.#signedIn) {
      return signInPage(this.#service, () => {
        this.#signedIn = true;
        void this.#show();
      });
    }
    if (name === 'activate') return activatePage(this.#service, query.get('user_code') ?? '');
    if (this.#service.profile === null || name === 'profiles') return profilesPage(this.#service, this.#go);
    const tell = (interaction: Interaction) => this.#reporting.reporter?.tell(interaction);
    if (name === 'title') {
      const [row, place] = [query.get('row'), query.get('place')];
      const from = row !== null && place !== null ? { row_id: row, place: Number(place) } : {};
      tell({ type: 'title_opened', title_id: subject, ...from });
      return titlePage(this.#service, subject, this.#go);
    }
    if (name === 'search') return searchPage(this.#service, subject, tell);
    return browsePage(this.#service, tell);
  }

  #failed(error: unknown): void {
    if (error instanceof Problem && error.status === 401) {
      this.#signedIn = false;
      void this.#show();
      return;
    }
    element('theatre').hidden = true;
    this.#app.hidden = false;
    const box = document.createElement('section');
    box.className = 'trouble';
    box.setAttribute('role', 'alert');
    const text = document.createElement('p');
    const full = error instanceof Problem && error.code === 'too_many_streams';
    text.textContent = full
      ? 'This household watches on as many devices as it may already. Stop one of them, and try again.'
      : `That did not work: ${error instanceof Error ? error.message : String(error)}`;
    const back = document.createElement('a');
    back.href = '#/';
    back.textContent = 'Back to all films';
    box.append(text, back);
    this.#app.replaceChildren(box);
  }
}
