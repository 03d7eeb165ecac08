// The service that a viewer signs in to: its HTTP API, as far as the page needs it.

export interface Artwork {
  kind: 'poster' | 'backdrop' | 'logo' | 'still';
  url: string;
  width: number;
  height: number;
}

export interface Summary {
  id: string;
  kind: 'film' | 'series';
  name: string;
  year: number | null;
  maturity: number;
  genres: string[];
  artwork: Artwork[];
}

export interface Started {
  item_id: string;
  season: number | null;
  episode: number | null;
  position_seconds: number;
  duration_seconds: number;
}

export interface Row {
  id: string;
  /** Why the row is there. */
  reason?: { kind: string; title_name?: string; genre?: string };
  titles: Summary[];
  started?: Started[];
}

export interface Item {
  id: string;
  playable: boolean;
  duration_seconds: number | null;
  season: number | null;
  episode: number | null;
  name: string | null;
  synopsis: string | null;
  position_seconds: number | null;
  finished: boolean;
}

export interface Title extends Summary {
  synopsis: string;
  people: { name: string; role: string; character?: string | null }[];
  items: Item[];
  listed: boolean;
}

export interface Profile {
  id: string;
  name: string;
  kids: boolean;
}

export interface Playback {
  playback_id: string;
  title_id: string;
  hls: string | null;
  dash: string | null;
  resume_seconds: number;
  heartbeat_interval: number;
  /** Where licences are, if it is protected. */
  license_url: string | null;
  abr: AbrSettings;
}

/** How the viewer's experiments have qualities chosen. */
export interface AbrSettings {
  rule?: string;
  initial_throughput_bps?: number;
  max_height?: number;
  max_bandwidth_bps?: number;
}

interface Tokens {
  access_token: string;
  /** Seconds. */
  expires_in: number;
  refresh_token: string;
  profile_id: string | null;
}

/** What the service answered instead of what was asked for. */
export class Problem extends Error {
  readonly code: string;
  readonly status: number;

  constructor(status: number, code: string, detail: string) {
    super(detail);
    this.name = 'Problem';
    this.status = status;
    this.code = code;
  }
}

/** Where the refresh token is kept, so that a page that is loaded again is signed in still. */
const KEPT = 'kinora.refresh-token';

export class Service {
  #access: string | null = null;
  /** Until when the access token is taken to be good. */
  #fresh = 0;
  #refreshing: Promise<boolean> | null = null;
  /** The profile it acts as. */
  profile: string | null = null;

  /** The service that this page came from; none if that only serves files. */
  static async find(): Promise<Service | null> {
    try {
      const response = await fetch('/v1/profiles');
      return response.headers.get('content-type') === 'application/problem+json' && response.status === 401
        ? new Service()
        : null;
    } catch {
      return null;
    }
  }

  /** An access token that is valid for a while yet; none if nobody is signed in. */
  async token(): Promise<string | null> {
    if (!this.#access || Date.now() > this.#fresh) await this.#refresh().catch(() => false);
    return this.#access;
  }

  /** Goes on with an earlier visit; false if there was none, or it has ended. */
  async resume(): Promise<boolean> {
    return this.#refresh();
  }

  async signIn(email: string, password: string): Promise<void> {
    const answer = await this.#send('POST', '/v1/sessions', { email, password }, false);
    this.#take(await read<Tokens>(answer));
  }

  async signOut(): Promise<void> {
    await this.#ask('DELETE', '/v1/sessions/current').catch(() => undefined);
    localStorage.removeItem(KEPT);
    this.#access = null;
    this.profile = null;
  }

  profiles(): Promise<Profile[]> {
    return this.#ask('GET', '/v1/profiles');
  }

  async choose(profile: string): Promise<void> {
    this.#take(await this.#ask<Omit<Tokens, 'refresh_token'>>('POST', `/v1/profiles/${profile}/select`));
  }

  /** What is recommended to the profile; the catalogue's own rows where nothing recommends. */
  async rows(): Promise<Row[]> {
    try {
      return (await this.#ask<{ rows: Row[] }>('GET', '/v1/rows')).rows;
    } catch (error) {
      if (error instanceof Problem && (error.status === 404 || error.status === 503)) {
        return this.#ask('GET', '/v1/catalog/rows');
      }
      throw error;
    }
  }

  search(text: string): Promise<Summary[]> {
    return this.#ask<Summary[] | { titles: Summary[] }>(
      'GET',
      `/v1/catalog/search?${new URLSearchParams({ q: text })}`,
    ).then((found) => (Array.isArray(found) ? found : found.titles));
  }

  title(id: string): Promise<Title> {
    return this.#ask('GET', `/v1/catalog/titles/${encodeURIComponent(id)}`);
  }

  async list(id: string, listed: boolean): Promise<void> {
    await this.#ask(listed ? 'PUT' : 'DELETE', `/v1/my-list/${encodeURIComponent(id)}`);
  }

  /** The device that waits with a code. */
  waitingDevice(code: string): Promise<{ client_id: string }> {
    return this.#ask('GET', `/v1/device/codes/${encodeURIComponent(code)}`);
  }

  /** Lets the device that waits with a code sign in, or refuses it. */
  async decide(code: string, approve: boolean): Promise<void> {
    await this.#ask('POST', `/v1/device/codes/${encodeURIComponent(code)}`, { approve });
  }

  play(item: string, device: { codecs: string[] }): Promise<Playback> {
    return this.#ask('POST', `/v1/playback/${encodeURIComponent(item)}`, { device });
  }

  async heartbeat(playback: string, position: number): Promise<void> {
    const position_seconds = Math.max(0, Math.floor(position));
    await this.#ask('POST', `/v1/playbacks/${playback}/heartbeat`, { position_seconds });
  }

  /** Says where the viewer stopped, and that they did. Also while the page is being left. */
  async leave(playback: string, position: number): Promise<void> {
    const headers = { authorization: `Bearer ${this.#access}`, 'content-type': 'application/json' };
    const body = JSON.stringify({ position_seconds: Math.max(0, Math.floor(position)) });
    const path = `/v1/playbacks/${playback}`;
    await fetch(`${path}/heartbeat`, { method: 'POST', headers, body, keepalive: true }).catch(() => undefined);
    await fetch(path, { method: 'DELETE', headers, keepalive: true }).catch(() => undefined);
  }

  async #ask<T>(method: string, path: string, body?: unknown): Promise<T> {
    if (!this.#access) await this.#refresh();
    let answer = await this.#send(method, path, body, true);
    // Access tokens are short-lived: one that ran out is no reason to bother anyone.
    if (answer.status === 401 && (await this.#refresh())) answer = await this.#send(method, path, body, true);
    return read<T>(answer);
  }

  #send(method: string, path: string, body: unknown, signed: boolean): Promise<Response> {
    const headers: Record<string, string> = {};
    if (signed && this.#access) headers['authorization'] = `Bearer ${this.#access}`;
    if (body !== undefined) headers['content-type'] = 'application/json';
    return fetch(path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  }

  /** A refresh token is taken once: of several requests that need it, one asks and all wait. */
  #refresh(): Promise<boolean> {
    this.#refreshing ??= this.#refreshNow().finally(() => (this.#refreshing = null));
    return this.#refreshing;
  }

  async #refreshNow(): Promise<boolean> {
    const refresh_token = localStorage.getItem(KEPT);
    if (!refresh_token) return false;
    const answer = await this.#send('POST', '/v1/sessions/refresh', { refresh_token }, false);
    if (!answer.ok) {
      if (answer.status === 401) localStorage.removeItem(KEPT);
      return false;
    }
    this.#take(await read<Tokens>(answer));
    return true;
  }

  /** Choosing a profile changes the access token alone. */
  #take(tokens: Omit<Tokens, 'refresh_token'> & Partial<Tokens>): void {
    this.#access = tokens.access_token;
    // Half of its time: whoever is handed it uses it a little later.
    this.#fresh = Date.now() + tokens.expires_in * 500;
    this.profile = tokens.profile_id;
    if (tokens.refresh_token) localStorage.setItem(KEPT, tokens.refresh_token);
  }
}

async function read<T>(answer: Response): Promise<T> {
  if (answer.ok) return (answer.status === 204 ? undefined : await answer.json()) as T;
  const problem = await answer.json().catch(() => ({}));
  const detail = typeof problem.detail === 'string' ? problem.detail : `the service answered ${answer.status}`;
  throw new Problem(answer.status, typeof problem.code === 'string' ? problem.code : 'unknown', detail);
}
