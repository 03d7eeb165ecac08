import { Player, PlayerError } from 'kinora';
import { element } from './dom.js';
import { Inspector } from './inspector.js';
import { installShortcuts } from './shortcuts.js';
import { bitrate, failureText, qualityName } from './words.js';

const DEFAULT_URL = '/film/master.m3u8';
/** The names under which a package holds its manifests. */
const MANIFESTS = { hls: 'master.m3u8', dash: 'manifest.mpd' };

type Format = keyof typeof MANIFESTS;

const parameters = new URLSearchParams(location.search);
const video = element<HTMLVideoElement>('video');
const picker = element<HTMLSelectElement>('quality');
const formats = document.querySelectorAll<HTMLInputElement>('input[name=format]');
let url = new URL(parameters.get('url') ?? DEFAULT_URL, location.href);

installShortcuts(video);
try {
  if (!Player.isSupported()) {
    throw new Error('This browser lacks Media Source Extensions, workers or WebAssembly.');
  }
  await run();
} catch (error) {
  showFailure(error);
}

async function run(): Promise<void> {
  const player = await Player.create(video, {
    mediaSource: parameters.get('mse') === 'page' ? 'page' : 'auto',
    record: parameters.has('record'),
  });
  const inspector = new Inspector(player);
  // For people at the console, and for tests.
  Object.assign(window, { kinora: player });

  player.addEventListener('loaded', () => fillPicker(player));
  player.addEventListener('error', ({ detail }) => showFailure(detail));
  player.addEventListener('buffering', () => showSpinner(true));
  player.addEventListener('playing', () => showSpinner(false));
  player.addEventListener('ended', () => showSpinner(false));
  player.addEventListener('ready', () => showSpinner(false));

  const play = async (start?: number) => {
    hideFailure();
    showSpinner(true);
    inspector.clear();
    fillPicker(player);
    for (const choice of formats) choice.checked = choice.value === formatOf(url);
    void showMetadata();
    try {
      await player.load(url, start === undefined ? {} : { start });
      await begin();
    } catch (error) {
      // Another load has taken its place.
      if (!(error instanceof DOMException && error.name === 'AbortError')) showFailure(error);
    }
  };

  for (const choice of formats) {
    choice.addEventListener('change', () => {
      url = new URL(MANIFESTS[choice.value as Format], url);
      const address = new URL(location.href);
      address.searchParams.set('url', url.origin === location.origin ? url.pathname : url.href);
      history.replaceState(null, '', address);
      void play(video.currentTime);
    });
  }
  picker.addEventListener('change', () => {
    player.selectQuality('video', picker.value || null).catch(showFailure);
  });
  element('retry').addEventListener('click', () => void play(video.currentTime));
  await play();
}

/** Starts playing; without sound where the browser wants a gesture first. */
async function begin(): Promise<void> {
  try {
    await video.play();
  } catch {
    video.muted = true;
    // If even that is refused, the controls are there.
    await video.play().catch(() => undefined);
  }
}

function formatOf({ pathname }: URL): Format | undefined {
  if (pathname.endsWith('.m3u8')) return 'hls';
  return pathname.endsWith('.mpd') ? 'dash' : undefined;
}

function fillPicker(player: Player): void {
  const track = player.tracks.find(({ kind, selected }) => kind === 'video' && selected);
  const automatic = new Option('Auto', '');
  const qualities = (track?.qualities ?? []).toReversed();
  const options = qualities.map(
    (quality) => new Option(`${qualityName(quality)} · ${bitrate(quality.bandwidth)}`, quality.id),
  );
  picker.replaceChildren(automatic, ...options);
  picker.disabled = options.length === 0;
}

/** Title and credit stand in the package's own description, where it has one. */
async function showMetadata(): Promise<void> {
  let about: { title?: unknown; credit?: unknown; license?: unknown } = {};
  try {
    const response = await fetch(new URL('package.json', url));
    if (response.ok) about = await response.json();
  } catch {
    // Anything may be played here, also what has no description.
  }
  const text = (value: unknown) => (typeof value === 'string' ? value : '');
  const title = text(about.title) || decodeURIComponent(url.pathname.split('/').at(-2) ?? '');
  element('title').textContent = title;
  document.title = title ? `${title} – Kinora` : 'Kinora';
  const credit = [text(about.credit), text(about.license)].filter(Boolean).join(', ');
  element('credit').textContent = credit && !credit.includes(title) ? `${title} ${credit}` : credit;
}

function showSpinner(visible: boolean): void {
  element('spinner').hidden = !visible;
}

function showFailure(error: unknown): void {
  showSpinner(false);
  const known = error instanceof PlayerError;
  const { title, advice } = known
    ? failureText(error, url.href)
    : { title: 'This page cannot play', advice: 'Another browser may do better.' };
  const set = (name: string, text: string) => {
    const field = document.querySelector(`[data-failure=${name}]`);
    if (field) field.textContent = text;
  };
  set('title', title);
  set('advice', advice);
  set('code', known ? error.code : '');
  set('message', error instanceof Error ? error.message : String(error));
  element('failure').hidden = false;
}

function hideFailure(): void {
  element('failure').hidden = true;
}
