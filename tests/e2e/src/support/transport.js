import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { made } from './film.js';
import { encryptSamples } from './sample-aes.js';

const run = promisify(execFile);

/** A film as HLS of MPEG-2 transport streams, as ffmpeg cuts it. */
export class Transport {
  folder;

  /**
   * Cuts a clip: two qualities with pictures that refer to later ones, and sound; `apart`: the sound in streams of its
   * own; `sealed`: encrypted as a whole; `samples`: its samples encrypted.
   */
  static async cut(clip, { apart = false, sealed = false, samples = false } = {}) {
    const film = new Transport();
    await mkdir(made, { recursive: true });
    film.folder = await mkdtemp(`${made}transport-`);
    const keys = [];
    if (sealed) {
      await writeFile(`${film.folder}/key.bin`, randomBytes(16));
      // The URL in playlists, and where the key lies; the vector is the number of the segment.
      await writeFile(`${film.folder}/keys.txt`, `../key.bin\n${film.folder}/key.bin\n`);
      keys.push('-hls_key_info_file', `${film.folder}/keys.txt`);
    }
    const sound = apart ? ['-map', '0:a'] : ['-map', '0:a', '-map', '0:a'];
    const streams = apart ? 'v:0,agroup:sound v:1,agroup:sound a:0,agroup:sound,default:yes' : 'v:0,a:0 v:1,a:1';
    await run('ffmpeg', [
      '-v', 'error', '-y', '-i', clip, '-map', '0:v', '-map', '0:v', ...sound,
      '-c:v', 'libx264', '-preset', 'veryfast', '-pix_fmt', 'yuv420p', '-bf', '2', '-g', '48', '-keyint_min', '48',
      '-sc_threshold', '0', '-filter:v:0', 'scale=-2:180', '-b:v:0', '300k', '-b:v:1', '1200k', '-c:a', 'aac', '-b:a', '96k',
      '-f', 'hls', '-hls_time', '2', '-hls_playlist_type', 'vod', ...keys, '-var_stream_map', streams,
      '-master_pl_name', 'master.m3u8', '-hls_segment_filename', `${film.folder}/%v/seg-%d.ts`,
      `${film.folder}/%v/media.m3u8`,
    ]);
    if (samples) await film.#encrypt();
    return film;
  }

  async #encrypt() {
    const [key, iv] = [randomBytes(16), randomBytes(16)];
    await writeFile(`${this.folder}/key.bin`, key);
    const tag = `#EXT-X-KEY:METHOD=SAMPLE-AES,URI="../key.bin",IV=0x${iv.toString('hex')}`;
    for (const entry of await readdir(this.folder, { recursive: true })) {
      const path = `${this.folder}/${entry}`;
      if (entry.endsWith('.ts')) await writeFile(path, encryptSamples(await readFile(path), key, iv));
      if (!entry.endsWith('media.m3u8')) continue;
      const text = await readFile(path, 'utf8');
      await writeFile(path, text.replace('#EXTINF', `${tag}\n#EXTINF`));
    }
  }

  async remove() {
    await rm(this.folder, { recursive: true });
  }
}
