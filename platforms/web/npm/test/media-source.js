/** A media source whose buffers finish when the test says so. */
export class FakeMediaSource extends EventTarget {
  static last;
  readyState = 'open';
  duration = NaN;
  buffers = [];
  /** What a page's element takes of one in a worker. */
  handle = {};

  constructor() {
    super();
    FakeMediaSource.last = this;
  }

  addSourceBuffer(type) {
    if (type === 'video/none') throw new DOMException('no such type', 'NotSupportedError');
    const buffer = new FakeBuffer();
    this.buffers.push(buffer);
    return buffer;
  }

  endOfStream() {
    this.readyState = 'ended';
  }
}

class FakeBuffer extends EventTarget {
  timestampOffset = 0;
  appendWindowStart = 0;
  appendWindowEnd = Infinity;
  updating = false;
  ranges = [];
  calls = [];
  full = false;

  get buffered() {
    return {
      length: this.ranges.length,
      start: (i) => this.ranges[i][0],
      end: (i) => this.ranges[i][1],
    };
  }

  appendBuffer(bytes) {
    this.#begin();
    if (this.full) {
      this.updating = false;
      throw new DOMException('no room', 'QuotaExceededError');
    }
    this.calls.push(['append', [...bytes], this.timestampOffset, this.appendWindowStart, this.appendWindowEnd]);
  }

  remove(start, end) {
    this.#begin();
    this.calls.push(['remove', start, end]);
  }

  /** `bufferedchange` of a managed source, with so many ranges gone. */
  change({ removed }) {
    this.dispatchEvent(Object.assign(new Event('bufferedchange'), { removedRanges: { length: removed } }));
  }

  changeType(type) {
    this.calls.push(['changeType', type]);
  }

  finish(...events) {
    this.updating = false;
    for (const event of events.length > 0 ? events : ['updateend']) this.dispatchEvent(new Event(event));
  }

  #begin() {
    if (this.updating) throw new DOMException('still updating', 'InvalidStateError');
    this.updating = true;
  }
}

/** An element that opens its source at once, and remembers what it was asked. */
export class FakeElement {
  calls = [];

  async attach(source) {
    this.calls.push(['attach']);
    queueMicrotask(() => source.dispatchEvent(new Event('sourceopen')));
  }

  async detach() {
    this.calls.push(['detach']);
  }

  async seek(position) {
    this.calls.push(['seek', position]);
  }

  async setRate(rate) {
    this.calls.push(['setRate', rate]);
  }
}
