import { Reporter } from 'kinora/telemetry';
import type { Service } from './service.js';

/** Tells the service what a profile plays and looks at, as that profile and no other. */
export class Reporting {
  readonly #service: Service;
  #profile: string | null = null;
  #reporter: Reporter | null = null;

  constructor(service: Service) {
    this.#service = service;
  }

  /** For the profile that is chosen now; none while there is none. */
  get reporter(): Reporter | null {
    const { profile } = this.#service;
    if (profile !== this.#profile) {
      this.#reporter?.close();
      this.#profile = profile;
      this.#reporter = profile === null ? null : this.#of(profile);
    }
    return this.#reporter;
  }

  /** What the profile did until now is told before somebody else acts. */
  async flush(): Promise<void> {
    await this.#reporter?.flush();
  }

  #of(profile: string): Reporter {
    // Whoever acts by now may be somebody else, and what waits is not theirs.
    const token = () => (this.#service.profile === profile ? this.#service.token() : null);
    return new Reporter({ url: '/v1/events', token, profile });
  }
}
