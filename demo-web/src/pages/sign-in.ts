import { make } from '../dom.js';
import { Problem, type Service } from '../service.js';

/** Asks who it is. */
export function signInPage(service: Service, done: () => void): HTMLElement {
  const email = make('input', { type: 'email', name: 'email', autocomplete: 'username', required: true });
  email.autofocus = true;
  const password = make('input', {
    type: 'password',
    name: 'password',
    autocomplete: 'current-password',
    required: true,
  });
  const wrong = make('p', { className: 'wrong', id: 'wrong' });
  wrong.setAttribute('role', 'alert');
  const button = make('button', { type: 'submit', className: 'primary', textContent: 'Sign in' });
  const form = make('form', { className: 'sign-in card' }, [
    make('h2', { textContent: 'Sign in' }),
    make('label', {}, [make('span', { textContent: 'Email' }), email]),
    make('label', {}, [make('span', { textContent: 'Password' }), password]),
    wrong,
    button,
  ]);
  form.setAttribute('aria-describedby', 'wrong');
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    wrong.textContent = '';
    button.disabled = true;
    try {
      await service.signIn(email.value, password.value);
      done();
    } catch (error) {
      const known = error instanceof Problem;
      wrong.textContent =
        known && error.code === 'wrong_credentials'
          ? 'This address and this password do not fit together.'
          : `That did not work: ${error instanceof Error ? error.message : String(error)}`;
      password.select();
    } finally {
      button.disabled = false;
    }
  });
  return form;
}
