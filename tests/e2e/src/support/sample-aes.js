// Apple's MPEG-2 Stream Encryption Format for HTTP Live Streaming, as no tool at hand writes it.

import { createCipheriv } from 'node:crypto';

const PACKET = 188;
/** Stream types of H.264 and AAC, in the clear and with encrypted samples. */
const ENCRYPTED = new Map([[0x1b, 0xdb], [0x0f, 0xcf]]);

/** A transport stream of H.264 and AAC with its samples encrypted. It has no clock references. */
export function encryptSamples(segment, key, iv) {
  const packets = [];
  for (let at = 0; at < segment.length; at += PACKET) packets.push(read(segment.subarray(at, at + PACKET)));
  const association = packets.find(({ pid }) => pid === 0).payload;
  const mapPid = association.readUInt16BE(association[0] + 11) & 0x1fff;
  const map = encryptedMap(packets.find(({ pid }) => pid === mapPid).payload);
  const out = [];
  const counters = new Map();
  const write = (pid, payload) => {
    for (let at = 0; at < payload.length; at += PACKET - 4) {
      const piece = payload.subarray(at, at + PACKET - 4);
      const stuffing = PACKET - 4 - piece.length;
      const counter = counters.get(pid) ?? 0;
      counters.set(pid, (counter + 1) & 15);
      const head = [0x47, (at === 0 ? 0x40 : 0) | (pid >> 8), pid & 255, (stuffing > 0 ? 0x30 : 0x10) | counter];
      const field = Buffer.alloc(stuffing, 0xff);
      if (stuffing > 0) field[0] = stuffing - 1;
      if (stuffing > 1) field[1] = 0;
      out.push(Buffer.from(head), field, piece);
    }
  };
  write(0, association);
  write(mapPid, map.payload);
  for (const { pid, stream, pes } of gather(packets, map.streams)) {
    const body = 9 + pes[8];
    const cipher = (bytes) => createCipheriv('aes-128-cbc', key, iv).setAutoPadding(false).update(bytes);
    const encrypted = (stream === 0x1b ? pictures : sound)(pes.subarray(body), cipher);
    const head = Buffer.from(pes.subarray(0, body));
    const length = body - 6 + encrypted.length;
    head.writeUInt16BE(stream === 0x1b || length > 0xffff ? 0 : length, 4);
    write(pid, Buffer.concat([head, encrypted]));
  }
  return Buffer.concat(out);
}

function read(packet) {
  const field = packet[3] & 0x20 ? packet[4] + 1 : 0;
  const payload = packet[3] & 0x10 ? packet.subarray(4 + field) : Buffer.alloc(0);
  return { pid: packet.readUInt16BE(1) & 0x1fff, starts: (packet[1] & 0x40) !== 0, payload };
}

/** The map with other stream types, and the types of its streams before. */
function encryptedMap(payload) {
  const start = payload[0] + 1;
  const end = start + 3 + (payload.readUInt16BE(start + 1) & 0xfff);
  const section = Buffer.from(payload.subarray(start, end));
  const streams = new Map();
  let at = 12 + (section.readUInt16BE(10) & 0xfff);
  while (at < section.length - 4) {
    streams.set(section.readUInt16BE(at + 1) & 0x1fff, section[at]);
    section[at] = ENCRYPTED.get(section[at]) ?? section[at];
    at += 5 + (section.readUInt16BE(at + 3) & 0xfff);
  }
  let crc = 0xffffffff;
  for (const byte of section.subarray(0, -4)) {
    crc ^= byte << 24;
    for (let bit = 0; bit < 8; bit++) crc = (crc << 1) ^ (crc < 0 ? 0x04c11db7 : 0);
  }
  section.writeInt32BE(crc | 0, section.length - 4);
  const whole = Buffer.alloc(PACKET - 4, 0xff);
  whole[0] = 0;
  section.copy(whole, 1);
  return { payload: whole, streams };
}

/** PES packets in the order they begin. */
function gather(packets, streams) {
  const found = [];
  const open = new Map();
  for (const { pid, starts, payload } of packets) {
    if (!ENCRYPTED.has(streams.get(pid))) continue;
    if (starts) {
      open.set(pid, { pid, stream: streams.get(pid), parts: [] });
      found.push(open.get(pid));
    }
    open.get(pid)?.parts.push(payload);
  }
  return found.map(({ parts, ...rest }) => ({ ...rest, pes: Buffer.concat(parts) }));
}

/** Every tenth block of a slice, after 32 bytes; then what keeps start codes from arising. */
function pictures(data, cipher) {
  const out = [];
  for (const unit of units(data)) {
    const kind = unit[0] & 31;
    if ((kind !== 1 && kind !== 5) || unit.length <= 48) {
      out.push(Buffer.from([0, 0, 0, 1]), unit);
      continue;
    }
    const copy = Buffer.from(unit);
    const places = [];
    for (let at = 32; copy.length - at > 16; at += 160) places.push(at);
    const blocks = cipher(Buffer.concat(places.map((at) => copy.subarray(at, at + 16))));
    places.forEach((at, number) => blocks.copy(copy, at, number * 16, number * 16 + 16));
    out.push(Buffer.from([0, 0, 0, 1]), escaped(copy));
  }
  return Buffer.concat(out);
}

function units(data) {
  const starts = [];
  for (let at = data.indexOf('000001', 0, 'hex'); at >= 0; at = data.indexOf('000001', at + 3, 'hex')) starts.push(at);
  return starts.map((start, number) => {
    let end = starts[number + 1] ?? data.length;
    while (data[end - 1] === 0) end -= 1;
    return data.subarray(start + 3, end);
  });
}

function escaped(unit) {
  const out = [];
  let zeros = 0;
  for (const byte of unit) {
    if (zeros === 2 && byte <= 3) {
      out.push(3);
      zeros = 0;
    }
    zeros = byte === 0 ? zeros + 1 : 0;
    out.push(byte);
  }
  return Buffer.from(out);
}

/** The whole blocks of every frame, after its header and 16 bytes. */
function sound(data, cipher) {
  const copy = Buffer.from(data);
  let at = 0;
  while (at + 7 <= copy.length) {
    const frame = ((copy[at + 3] & 3) << 11) | (copy[at + 4] << 3) | (copy[at + 5] >> 5);
    const start = at + (copy[at + 1] & 1 ? 7 : 9) + 16;
    const length = Math.max(0, Math.floor((at + frame - start) / 16) * 16);
    if (length > 0) cipher(copy.subarray(start, start + length)).copy(copy, start);
    at += frame;
  }
  return copy;
}
