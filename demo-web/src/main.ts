import { element } from './dom.js';
import { showFilm } from './film.js';
import { Journey } from './journey.js';
import { Service } from './service.js';
import { showFailure } from './theatre.js';

try {
  // A film that is named is played; else whoever serves the page may have more to offer than one.
  const named = new URLSearchParams(location.search).has('url');
  const service = named ? null : await Service.find();
  if (service) {
    await new Journey(service).begin();
  } else {
    element('theatre').hidden = false;
    await showFilm();
  }
} catch (error) {
  element('theatre').hidden = false;
  showFailure(error, location.href);
}
