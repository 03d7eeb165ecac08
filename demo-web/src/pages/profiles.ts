import { hue, make } from '../dom.js';
import type { Go } from '../journey.js';
import type { Service } from '../service.js';

/** Asks who of the household it is. */
export async function profilesPage(service: Service, go: Go): Promise<HTMLElement> {
  const profiles = await service.profiles();
  const choices = profiles.map((profile, index) => {
    const face = make('span', { className: 'face', textContent: profile.name.slice(0, 1).toUpperCase() });
    face.style.setProperty('--hue', String(hue(profile.id)));
    face.setAttribute('aria-hidden', 'true');
    const button = make('button', { type: 'button', className: 'profile' }, [
      face,
      make('span', { textContent: profile.name }),
      ...(profile.kids ? [make('span', { className: 'tag', textContent: 'Kids' })] : []),
    ]);
    button.autofocus = index === 0;
    button.addEventListener('click', async () => {
      await service.choose(profile.id);
      go('');
    });
    return make('li', {}, [button]);
  });
  return make('section', { className: 'profiles' }, [
    make('h2', { textContent: 'Who is watching?' }),
    make('ul', {}, choices),
  ]);
}
