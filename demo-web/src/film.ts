import { type Format, Theatre } from './theatre.js';

const DEFAULT_URL = '/film/master.m3u8';
/** The names under which a package holds its manifests. */
const MANIFESTS: Record<Format, string> = { hls: 'master.m3u8', dash: 'manifest.mpd' };

/** Plays one film, by its address alone. */
export async function showFilm(): Promise<void> {
  const theatre = await Theatre.open();
  const parameter = new URLSearchParams(location.search).get('url');
  let url = new URL(parameter ?? DEFAULT_URL, location.href);
  const play = async (start?: number) => {
    void describe(theatre, url);
    await theatre.show({ url, title: '', ...(start === undefined ? {} : { start }) });
  };
  theatre.onwish = ({ format, at }) => {
    if (format) {
      url = new URL(MANIFESTS[format], url);
      const address = new URL(location.href);
      address.searchParams.set('url', url.origin === location.origin ? url.pathname : url.href);
      history.replaceState(null, '', address);
    }
    void play(at);
  };
  await play();
}

/** Title and credit stand in the package's own description, where it has one. */
async function describe(theatre: Theatre, url: URL): Promise<void> {
  let about: { title?: unknown; credit?: unknown; license?: unknown } = {};
  try {
    const response = await fetch(new URL('package.json', url));
    if (response.ok) about = await response.json();
  } catch {
    // Anything may be played here, also what has no description.
  }
  const text = (value: unknown) => (typeof value === 'string' ? value : '');
  const title = text(about.title) || decodeURIComponent(url.pathname.split('/').at(-2) ?? '');
  const credit = [text(about.credit), text(about.license)].filter(Boolean).join(', ');
  theatre.describe({ title, credit: credit && !credit.includes(title) ? `${title} ${credit}` : credit });
}
