import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { load } from './load.js';

const { PageFilters, filteredFetch } = await load('filters.ts');

const usual = globalThis.fetch;
afterEach(() => {
  globalThis.fetch = usual;
});

/** A fetch as the worker has it, over a server that answers with `body`. */
function fetching(filters, body = 'plain') {
  const page = new PageFilters(filters);
  const asked = [];
  globalThis.fetch = async (request) => {
    asked.push(request);
    return new Response(body, { headers: { 'content-type': 'text/plain' } });
  };
  return { asked, fetch: filteredFetch(page.kinds, page) };
}

test('an app without filters costs nothing', () => {
  assert.equal(fetching({}).fetch, undefined);
});

test('a request is signed, and what was asked for stays', async () => {
  const { asked, fetch } = fetching({
    request: async (request) => {
      await Promise.resolve();
      request.headers.authorization = `Bearer ${request.kind}`;
      request.url += '?signed';
      request.credentials = 'include';
    },
  });
  await fetch(new Request('https://cdn.example/1', { headers: { range: 'bytes=0-9' } }), 'segment', 'video');
  const [request] = asked;
  assert.equal(request.url, 'https://cdn.example/1?signed');
  assert.equal(request.headers.get('authorization'), 'Bearer segment');
  assert.equal(request.headers.get('range'), 'bytes=0-9');
  assert.equal(request.credentials, 'include');
});

test('a response is rewritten, and keeps its URL', async () => {
  const { fetch } = fetching({
    response: (response) => ({
      ...response,
      url: 'https://cdn.example/moved/1',
      data: new TextEncoder().encode(new TextDecoder().decode(response.data).toUpperCase()).buffer,
    }),
  });
  const response = await fetch(new Request('https://cdn.example/1'), 'manifest', null);
  assert.equal(await response.text(), 'PLAIN');
  assert.equal(response.url, 'https://cdn.example/moved/1');
  assert.equal(response.headers.get('content-type'), 'text/plain');
});

test('segments are not held back unless the app wants that', async () => {
  const filtered = [];
  const response = ({ kind }) => void filtered.push(kind);
  await fetching({ response }).fetch(new Request('https://cdn.example/1'), 'segment', 'video');
  assert.deepEqual(filtered, []);
  const { fetch } = fetching({ response, responseKinds: ['segment'] });
  await fetch(new Request('https://cdn.example/1'), 'segment', 'video');
  assert.deepEqual(filtered, ['segment']);
});

test('a filter that throws is a request that failed', async () => {
  const { asked, fetch } = fetching({
    request: () => {
      throw new Error('no token');
    },
  });
  await assert.rejects(fetch(new Request('https://cdn.example/1'), 'manifest', null), /no token/);
  assert.deepEqual(asked, []);
});

test('a request called off while it is filtered is not made', async () => {
  const controller = new AbortController();
  const { asked, fetch } = fetching({ request: () => controller.abort() });
  const request = new Request('https://cdn.example/1', { signal: controller.signal });
  await assert.rejects(fetch(request, 'manifest', null), { name: 'AbortError' });
  assert.deepEqual(asked, []);
});
