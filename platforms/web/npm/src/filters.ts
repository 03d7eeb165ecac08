// The filters of an app, which live on the page, around the `fetch` of the worker.

import type {
  Filters,
  MediaKind,
  PlayerRequest,
  PlayerResponse,
  RequestKind,
} from './types.js';

/** Which filters an app has. */
export interface FilterKinds {
  request: boolean;
  /** Kinds of requests whose responses are filtered. */
  response: RequestKind[];
}

/** What the worker asks the page for. */
export interface FilterCalls {
  filterRequest(request: PlayerRequest): Promise<PlayerRequest>;
  filterResponse(response: PlayerResponse): Promise<PlayerResponse>;
}

/** Segments are large, and held back until they are whole. */
const USUAL_KINDS: RequestKind[] = ['manifest', 'playlist', 'init', 'index', 'steering', 'license', 'key'];

/** The page's end. */
export class PageFilters implements FilterCalls {
  readonly kinds: FilterKinds;
  readonly #filters: Filters;

  constructor(filters: Filters) {
    this.#filters = filters;
    const response = filters.response ? (filters.responseKinds ?? USUAL_KINDS) : [];
    this.kinds = { request: !!filters.request, response };
  }

  async filterRequest(request: PlayerRequest): Promise<PlayerRequest> {
    return (await this.#filters.request?.(request)) ?? request;
  }

  async filterResponse(response: PlayerResponse): Promise<PlayerResponse> {
    return (await this.#filters.response?.(response)) ?? response;
  }
}

/** The worker's end: a `fetch` that asks the page before and after; none if there is nothing to ask. */
export function filteredFetch(
  kinds: FilterKinds,
  page: FilterCalls,
): ((request: Request, kind: RequestKind, media: MediaKind | null) => Promise<Response>) | undefined {
  if (!kinds.request && kinds.response.length === 0) return undefined;
  return async (asked, kind, media) => {
    let request = asked;
    if (kinds.request) {
      const headers = Object.fromEntries(asked.headers);
      const sent = asked.method === 'POST' ? new Uint8Array(await asked.arrayBuffer()) : undefined;
      const changed = await page.filterRequest({
        kind,
        media,
        url: asked.url,
        headers,
        ...(sent && { body: sent }),
      });
      asked.signal.throwIfAborted();
      const body = changed.body as BodyInit | undefined;
      request = new Request(changed.url, {
        ...(body && { method: 'POST', body }),
        headers: changed.headers,
        credentials: changed.credentials ?? 'same-origin',
        signal: asked.signal,
      });
    }
    const response = await fetch(request);
    if (!kinds.response.includes(kind)) return response;
    const changed = await page.filterResponse({
      kind,
      media,
      url: response.url,
      status: response.status,
      headers: Object.fromEntries(response.headers),
      data: await response.arrayBuffer(),
    });
    asked.signal.throwIfAborted();
    // What the server said of the length and the encoding holds no longer.
    const { 'content-length': _, 'content-encoding': __, ...headers } = changed.headers;
    const { status } = changed;
    const bodiless = status === 204 || status === 205 || status === 304;
    const made = new Response(bodiless ? null : changed.data, { status, headers });
    // A response that was made has no URL of its own, and relative URLs resolve against it.
    return Object.defineProperty(made, 'url', { value: changed.url || asked.url });
  };
}
