import { element } from '../dom.js';
import type { Playback, Service } from '../service.js';
import { type Format, Theatre } from '../theatre.js';

/** The codings that the page asks about, by their short names. */
const CODINGS: Record<string, string> = {
  avc1: 'video/mp4; codecs="avc1.640028"',
  hvc1: 'video/mp4; codecs="hvc1.1.6.L120.90"',
  av01: 'video/mp4; codecs="av01.0.08M.08"',
  mp4a: 'audio/mp4; codecs="mp4a.40.2"',
};

/** A playback: begun where the viewer stopped, kept alive while they watch, and ended when they leave. */
export class Screening {
  readonly #service: Service;
  #theatre: Theatre | undefined;
  #playback: Playback | undefined;
  #beat: ReturnType<typeof setInterval> | undefined;
  #format: Format = 'hls';
  /** Counts the playbacks, so that one that comes late does not begin. */
  #turn = 0;

  constructor(service: Service) {
    this.#service = service;
  }

  async show(item: string, at?: number): Promise<void> {
    const turn = ++this.#turn;
    this.#theatre ??= await Theatre.open();
    const theatre = this.#theatre;
    const codecs = Object.keys(CODINGS).filter((name) => MediaSource.isTypeSupported(CODINGS[name] ?? ''));
    const playback = await this.#service.play(item, { codecs });
    const title = await this.#service.title(playback.title_id);
    if (turn !== this.#turn) {
      await this.#service.leave(playback.playback_id, at ?? playback.resume_seconds);
      return;
    }
    this.#playback = playback;
    const path = (this.#format === 'dash' ? playback.dash : playback.hls) ?? playback.hls ?? playback.dash;
    if (!path) throw new Error('there is nothing to play');
    await theatre.configure(playback.abr);
    // Manifests are for one playback and for soon: whoever wants the other one, or another try, begins again.
    theatre.onwish = ({ format, at }) => {
      this.#format = format ?? this.#format;
      clearInterval(this.#beat);
      this.show(item, at).catch((error) => theatre.fail(error));
    };
    const tell = () => {
      this.#service.heartbeat(playback.playback_id, theatre.video.currentTime).catch(() => undefined);
    };
    clearInterval(this.#beat);
    this.#beat = setInterval(tell, playback.heartbeat_interval * 1000);
    theatre.video.onpause = tell;
    const episode = title.items.find(({ id, name }) => id === item && name);
    await theatre.show({
      url: new URL(path, location.href),
      start: at ?? playback.resume_seconds,
      title: episode ? `${title.name}: ${episode.name}` : title.name,
    });
  }

  /** Stops, and remembers where. */
  async leave(): Promise<void> {
    this.#turn++;
    clearInterval(this.#beat);
    const playback = this.#playback;
    const theatre = this.#theatre;
    if (!playback || !theatre) return;
    this.#playback = undefined;
    theatre.video.onpause = null;
    const told = this.#service.leave(playback.playback_id, theatre.video.currentTime);
    element('hud').classList.remove('open');
    await theatre.close();
    await told;
  }
}
