import { make } from '../dom.js';
import { Problem, type Service } from '../service.js';

/** Lets a television sign in that shows a code. */
export function activatePage(service: Service, known: string): HTMLElement {
  const code = make('input', { name: 'code', autocomplete: 'off', required: true, value: known, maxLength: 16 });
  code.autofocus = true;
  const told = make('p', { className: 'wrong' });
  told.setAttribute('role', 'alert');
  const form = make('form', { className: 'sign-in card' }, [
    make('h2', { textContent: 'Sign a device in' }),
    make('label', {}, [make('span', { textContent: 'The code it shows' }), code]),
    told,
    make('button', { type: 'submit', className: 'primary', textContent: 'Go on' }),
  ]);
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    told.textContent = '';
    const typed = code.value.trim();
    try {
      const { client_id } = await service.waitingDevice(typed);
      form.replaceWith(decision(service, typed, client_id));
    } catch (error) {
      told.textContent =
        error instanceof Problem && error.status === 404
          ? 'No device waits with this code. It may have run out: look at the screen again.'
          : `That did not work: ${error instanceof Error ? error.message : String(error)}`;
      code.select();
    }
  });
  return form;
}

/** Whoever typed in a code says whether the device is theirs: anyone can show a code, and call themselves anything. */
function decision(service: Service, code: string, device: string): HTMLElement {
  const question = make('p', { textContent: `“${device}” wants to sign in to this account. Do so only if the code is on a screen in front of you.` });
  const card = make('section', { className: 'sign-in card' }, [make('h2', { textContent: 'Is this your device?' }), question]);
  const answer = (textContent: string, approve: boolean, done: string) => {
    const button = make('button', { type: 'button', textContent, ...(approve ? { className: 'primary' } : {}) });
    button.addEventListener('click', async () => {
      try {
        await service.decide(code, approve);
        question.textContent = done;
        card.querySelectorAll('button').forEach((other) => other.remove());
      } catch (error) {
        question.textContent = `That did not work: ${error instanceof Error ? error.message : String(error)}`;
      }
    });
    return button;
  };
  card.append(
    answer('Sign it in', true, 'Done: the device goes on by itself.'),
    answer('Refuse it', false, 'The device was refused.'),
  );
  return card;
}
