import { element, list } from './dom.js';

interface Shortcut {
  keys: string[];
  label: string;
  does: string;
  run(): void;
}

/** Listens for keys anywhere on the page, except where someone types or a control has its own use. */
export function installShortcuts(video: HTMLVideoElement): void {
  const help = element<HTMLDialogElement>('help');
  const move = (by: number) => {
    const end = Number.isFinite(video.duration) ? video.duration : 0;
    video.currentTime = Math.min(Math.max(video.currentTime + by, 0), end);
  };
  const louder = (by: number) => {
    video.volume = Math.min(Math.max(video.volume + by, 0), 1);
    video.muted = false;
  };
  const shortcuts: Shortcut[] = [
    {
      keys: [' ', 'k'],
      label: 'Space or K',
      does: 'play or pause',
      run: () => void (video.paused ? video.play().catch(() => undefined) : video.pause()),
    },
    { keys: ['ArrowLeft'], label: '←', does: 'back 5 s', run: () => move(-5) },
    { keys: ['ArrowRight'], label: '→', does: 'forward 5 s', run: () => move(5) },
    { keys: ['j'], label: 'J', does: 'back 30 s', run: () => move(-30) },
    { keys: ['l'], label: 'L', does: 'forward 30 s', run: () => move(30) },
    { keys: ['ArrowUp'], label: '↑', does: 'louder', run: () => louder(0.1) },
    { keys: ['ArrowDown'], label: '↓', does: 'quieter', run: () => louder(-0.1) },
    { keys: ['m'], label: 'M', does: 'mute', run: () => void (video.muted = !video.muted) },
    { keys: ['c'], label: 'C', does: 'the next subtitles, or none', run: turnSubtitles },
    {
      keys: ['f'],
      label: 'F',
      does: 'full screen',
      run: () =>
        void (document.fullscreenElement
          ? document.exitFullscreen()
          : video.parentElement?.requestFullscreen()),
    },
    {
      keys: ['i'],
      label: 'I',
      does: 'figures over the picture',
      run: () => void element('hud').classList.toggle('open'),
    },
    {
      keys: ['?'],
      label: '?',
      does: 'this help',
      run: () => (help.open ? help.close() : help.showModal()),
    },
  ];
  list(
    element('keys'),
    shortcuts.map(({ label, does }) => [label, does]),
  );
  element('help-button').addEventListener('click', () => help.showModal());
  document.addEventListener(
    'keydown',
    (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const { target } = event;
      const busy = target instanceof HTMLElement && target.matches('input, select, textarea, button');
      if (busy && event.key !== '?') return;
      const shortcut = shortcuts.find(({ keys }) => keys.includes(event.key));
      if (!shortcut) return;
      // Before the video's own controls act on the same key.
      event.preventDefault();
      event.stopPropagation();
      shortcut.run();
    },
    { capture: true },
  );
}

function turnSubtitles(): void {
  const picker = element<HTMLSelectElement>('subtitles');
  if (picker.length === 0) return;
  picker.selectedIndex = (picker.selectedIndex + 1) % picker.length;
  picker.dispatchEvent(new Event('change'));
}
