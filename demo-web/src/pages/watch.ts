import type { Config, Filters } from 'kinora';
import { element } from '../dom.js';
import type { Reporting } from '../reporting.js';
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
  readonly #reporting: Reporting;
  #theatre: Theatre | undefined;
  #playback: Playback | undefined;
  #beat: ReturnType<typeof setInterval> | undefined;
  /** Ends what is told of the playback. */
  #told: (() => void) | undefined;
  #format: Format = 'hls';
  /** Counts the playbacks, so that one that comes late does not begin. */
  #turn = 0;

  constructor(service: Service, reporting: Reporting) {
    this.#service = service;
    this.#reporting = reporting;
  }

  async show(item: string, at?: number): Promise<void> {
    const turn = ++this.#turn;
    this.#theatre ??= await Theatre.open(this.#filters());
    const theatre = this.#theatre;
    const codecs = Object.keys(CODINGS).filter((name) => MediaSource.isTypeSupported(CODINGS[name] ?? ''));
    const playback = await this.#service.play(item, { codecs });
    const start = at ?? playback.resume_seconds;
    try {
      const title = await this.#service.title(playback.title_id);
      const path = (this.#format === 'dash' ? playback.dash : playback.hls) ?? playback.hls ?? playback.dash;
      if (!path) throw new Error('there is nothing to play');
      await theatre.configure(configuration(playback));
      if (turn !== this.#turn) throw new DOMException('the viewer has gone on', 'AbortError');
      this.#begin(theatre, playback, item);
      const episode = title.items.find(({ id, name }) => id === item && name);
      await theatre.show({
        url: new URL(path, location.href),
        start,
        title: episode ? `${title.name}: ${episode.name}` : title.name,
      });
    } catch (error) {
      // What does not begin takes no other device's place.
      await this.#service.leave(playback.playback_id, start);
      if (turn === this.#turn) throw error;
    }
  }

  /** Stops, and remembers where. */
  async leave(): Promise<void> {
    this.#turn++;
    const theatre = this.#theatre;
    if (!theatre?.isOpen) return;
    const told = this.#end(theatre);
    element('hud').classList.remove('open');
    await theatre.close();
    await told;
  }

  /** Says where the viewer is, again and again. */
  #begin(theatre: Theatre, playback: Playback, item: string): void {
    this.#playback = playback;
    this.#told?.();
    const { reporter } = this.#reporting;
    this.#told = reporter
      ? theatre.report(reporter, { playbackId: playback.playback_id, itemId: item })
      : undefined;
    const tell = () => {
      this.#service.heartbeat(playback.playback_id, theatre.at).catch(() => undefined);
    };
    clearInterval(this.#beat);
    this.#beat = setInterval(tell, playback.heartbeat_interval * 1000);
    theatre.video.onpause = tell;
    theatre.onover = () => void this.#end(theatre);
    // Manifests are for one playback and for soon: whoever wants the other one, or another try, begins again.
    theatre.onwish = ({ format, at }) => {
      this.#format = format ?? this.#format;
      clearInterval(this.#beat);
      this.show(item, at).catch((error) => theatre.fail(error));
    };
  }

  /** Gives the stream back to the household's other devices. */
  async #end(theatre: Theatre): Promise<void> {
    clearInterval(this.#beat);
    theatre.video.onpause = null;
    this.#told?.();
    this.#told = undefined;
    const playback = this.#playback;
    this.#playback = undefined;
    if (playback) await this.#service.leave(playback.playback_id, theatre.at);
  }

  /** The licences of what plays are for whoever is signed in; nobody else is told who that is. */
  #filters(): Filters {
    return {
      request: async (request) => {
        const licence = this.#playback?.license_url;
        // The role has keys of whole segments besides, next to its licences.
        if (!licence || !request.url.startsWith(new URL('..', new URL(licence, location.href)).href)) return;
        const token = await this.#service.token();
        if (token) request.headers['authorization'] = `Bearer ${token}`;
      },
    };
  }
}

/** What a playback asks of the player; what it says nothing about is as usual again. */
function configuration({ abr, license_url }: Playback): Config {
  return {
    abr: {
      rule: abr.rule ?? null,
      initialThroughput: abr.initial_throughput_bps ?? null,
      maxHeight: abr.max_height ?? null,
      maxBandwidth: abr.max_bandwidth_bps ?? null,
    },
    drm: {
      keySystems: license_url
        ? [{ name: 'org.w3.clearkey', licenseUrl: new URL(license_url, location.href).href }]
        : [],
    },
  };
}
