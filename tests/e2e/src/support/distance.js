import { createServer, connect } from 'node:net';
import { once } from 'node:events';

/** A server as it looks from far away: all that is sent to it, and all it sends, is so many milliseconds on its way. */
export class Distance {
  #server;
  url;

  static async of(url, roundTrip) {
    const distance = new Distance();
    const { hostname, port } = new URL(url);
    distance.#server = createServer((near) => {
      const far = connect(Number(port), hostname);
      carry(near, far, roundTrip / 2);
      carry(far, near, roundTrip / 2);
    });
    distance.#server.listen(0, '127.0.0.1');
    await once(distance.#server, 'listening');
    distance.url = `http://127.0.0.1:${distance.#server.address().port}`;
    return distance;
  }

  close() {
    this.#server.close();
  }
}

function carry(from, to, delay) {
  const later = (deed) => setTimeout(() => to.destroyed || deed(), delay);
  from.setNoDelay(true);
  from.on('data', (bytes) => later(() => to.write(bytes)));
  from.on('end', () => later(() => to.end()));
  from.on('error', () => to.destroy());
}
