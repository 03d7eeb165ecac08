/** Picture, sound or text. Sound muxed into the picture's segments is part of `video`. */
export type MediaKind = 'video' | 'audio' | 'text';

/** How a player behaves. Absent fields keep their value; the defaults suit video on demand. */
export interface Config {
  buffer?: {
    /** Stop fetching with so much ahead, in seconds. Default 30. */
    forward?: number;
    /** Drop what is further behind the playhead than this, in seconds. Default 30. */
    back?: number;
    /**
     * Stop fetching a kind of media with so many bytes of it ahead, however little time they last; at
     * least two segments. Default 100 MiB.
     */
    forwardBytes?: number;
    /** Drop what is behind so many bytes, counted back from the playhead. Default 50 MiB. */
    backBytes?: number;
  };
  abr?: {
    /** Name of the rule that chooses qualities: `throughput`, `bola`, `dynamic` or `kinora`. */
    rule?: string | null;
    /** Throughput to reckon with before anything was measured, in bit/s. */
    initialThroughput?: number | null;
    /** Never choose a picture taller than this many pixels, unless all are. */
    maxHeight?: number | null;
    /** Never choose a peak bit rate above this many bit/s, unless all are. */
    maxBandwidth?: number | null;
    /**
     * Choose no picture with more lines than the element shows, in physical pixels. Default false.
     */
    limitToViewport?: boolean;
    /** Save data: at most 480 lines. Also when the browser's data saver is on. Default false. */
    dataSaver?: boolean;
    /**
     * Fetch again, in a better quality, what waits in the buffer, where that pays. Costs up to three
     * tenths more data on networks that become faster. Default true.
     */
    replace?: boolean;
  };
  /** What stands beside the kinds holds for all of them. */
  retry?: RetryBudget & {
    /**
     * Pause before the second attempt at a place, in seconds; it doubles each time. Where another
     * place has the same, that is asked without a pause. Default 0.5.
     */
    baseDelay?: number;
    /** No pause is longer than this many seconds, unless a server asks for it. Default 8. */
    maxDelay?: number;
    /** An origin that failed is not asked for so many seconds while there is another. Default 30. */
    penalty?: number;
    /** No more requests than this in any minute, whatever happens. Default 1200. */
    requestsPerMinute?: number;
    manifest?: RetryBudget;
    playlist?: RetryBudget;
    /** Initialisation segments and indexes. */
    init?: RetryBudget;
    segment?: RetryBudget;
    /** Steering manifests. Default: 2 attempts in 10 seconds. */
    steering?: RetryBudget;
    /** Licences. Default: 10 attempts. */
    license?: RetryBudget;
    /** Reports to collectors (`cmcd.targets`): as many attempts as there is time for. Default: 300 seconds. */
    report?: RetryBudget;
  };
  /** How encrypted content gets its keys. */
  drm?: {
    /** The key systems to use, the preferred one first; if empty, those for which the manifest has a licence URL. */
    keySystems?: KeySystemConfig[];
  };
  /** What CDNs are told with each request, and collectors of what happens: Common Media Client Data (CTA-5004). */
  cmcd?: {
    /**
     * As the argument `CMCD` of each URL, or as header fields, which servers of other origins must
     * allow (CORS). Default `off`.
     */
    mode?: 'off' | 'query' | 'headers';
    /** What CDNs are told. Default 1. Collectors are always told of version 2. */
    version?: 1 | 2;
    /** Names the playback session (`sid`). Default: a random one for each player. */
    sessionId?: string | null;
    /** Names the content (`cid`). */
    contentId?: string | null;
    /** A signature of the content (`cs`). */
    contentSignature?: string | null;
    /** Tell CDNs these keys alone; all that are known if empty, but for `tpb`, which has to be named. */
    keys?: string[] | null;
    /**
     * Keys of the app's own with their values, such as `com.example-key`: lower-case letters, digits, `_`, `.`, `*` and at
     * least one `-`, beginning with a letter; any other is left out, and what comes after 64 characters of a value.
     */
    custom?: Record<string, string>;
    /** Say that so many times an object's bit rate is fast enough (`rtp`), which lets a CDN be slower. */
    throughputFactor?: number | null;
    /** Who is told of what happens (event mode). */
    targets?: CmcdTarget[];
  };
  /** Live presentations. */
  live?: {
    /** How far behind what happens to play, in seconds; `null`: what the service asks for. */
    targetLatency?: number | null;
    /** Play a little faster or slower to keep the latency. Default true. */
    catchUp?: boolean;
    /** The most the rate may differ from 1 for that, 0 to 0.5; `null`: what the service allows. */
    maxRateChange?: number | null;
    /** Jump to the target when playback is this many seconds later; `null`: a few segments. */
    jumpAfter?: number | null;
  };
  /** Record every input, so that {@link Player.sessionLog} has something to give. Default false. */
  record?: boolean;
}

/** A key system, and how its licences are had. */
export interface KeySystemConfig {
  /** Its name, such as `org.w3.clearkey` or `com.widevine.alpha`. */
  name: string;
  /** Where licences are, in place of where the manifest says; absolute. */
  licenseUrl?: string;
  /** Header fields of licence requests; those of ClearKey go with requests for bare keys (HLS `AES-128`), too. */
  headers?: Record<string, string>;
  /** How well pictures must be protected, in the key system's words. */
  videoRobustness?: string;
  /** How well sound must be protected. */
  audioRobustness?: string;
  /** The licence server's certificate. */
  serverCertificate?: Uint8Array;
  /** Keep licences on the device, where the browser can. */
  persistent?: boolean;
  /** Ask for a licence again after so many seconds, where the key system does not do so by itself. */
  renewAfter?: number;
}

/** A key system that would do, and what it has to be able to. */
export interface KeySystemOffer {
  keySystem: string;
  /** As W3C EME §3.1 names them, such as `cenc` or `keyids`. */
  initDataTypes: string[];
  /** `cenc` or `cbcs`. */
  encryptionScheme: string;
  /** MIME types with codecs, of each kind. */
  video: string[];
  audio: string[];
  videoRobustness: string;
  audioRobustness: string;
  persistent: boolean;
  /** The licence server's. */
  certificate: Uint8Array | null;
}

/** What a key system tells the player of its sessions, whenever it has something to tell. */
export interface KeyListener {
  /** The session asks its licence server this; the player carries it there. */
  onMessage(session: number, message: Uint8Array): void;
  /** All keys of the session, and the status of each in the words of W3C EME §6.1, such as `usable`. */
  onStatuses(session: number, ids: Uint8Array[], statuses: string[]): void;
}

/**
 * A key system as the player needs it: the browser's (Encrypted Media Extensions), unless an app hands over one of its
 * own. It holds keys and decides nothing; which sessions there are, and where licences are, comes from the player, which
 * numbers the sessions. Methods reject with what went wrong, as a text or an `Error`.
 */
export interface KeySystem {
  /** Opens the first of these that there is; resolves to its name. */
  openKeySystem(offers: KeySystemOffer[]): Promise<string>;
  /** Begins a session, which then asks for its licence by `onMessage`, or tells of keys that it has already. */
  createKeySession(
    session: number,
    initDataType: string,
    initData: Uint8Array,
    persistent: boolean,
  ): Promise<void>;
  /** Takes what the licence server answered; `onStatuses` then says which keys there are. */
  updateKeySession(session: number, response: Uint8Array): Promise<void>;
  /** Ends a session, of whose keys there is no more need. */
  closeKeySession(session: number): Promise<void>;
  /** Ends every session. What is loaded next opens a key system anew. */
  shutKeySystem(): Promise<void>;
}

/** Makes the key system of a player. What plays in the element is decrypted by whatever it sets there. */
export type KeySystemFactory = (element: HTMLMediaElement, listener: KeyListener) => KeySystem;

/** How much is spent on one resource before it is given up. */
export interface RetryBudget {
  /** Attempts, the first included; as many as there is time for once playback has begun. Default 4. */
  attempts?: number;
  /** No attempt begins later than so many seconds after the first, or after the buffer has run dry. Default 30. */
  time?: number;
  /** Give an attempt up when no response has begun for so many seconds. Default 10. */
  firstByteTimeout?: number;
  /** Give an attempt up when nothing more has arrived for so many seconds. Default 10. */
  stallTimeout?: number;
}

/** A collector that is told of what happens (CTA-5004-B, event mode), by POST of `application/cmcd`; it must allow that (CORS). */
export interface CmcdTarget {
  /** Where to send reports: an absolute URL. */
  url: string;
  /** The events to report. Default: `ps`, `e` and `t`. */
  events?: CmcdEvent[] | null;
  /** Tell these keys alone, besides those an event must have; all that are known if empty, but for `tpb`. */
  keys?: string[] | null;
  /** Seconds between reports of the event `t`; 0: none. Default 30. */
  interval?: number;
  /** Send so many reports at a time. Default 1. */
  batch?: number;
  /** The field `Authorization` of its requests. */
  authorization?: string | null;
}

/**
 * Playback state, error, time interval, response received, bit rate, playback rate, background, content ID, hostname, mute and
 * unmute, each as it changes.
 */
export type CmcdEvent = 'ps' | 'e' | 't' | 'rr' | 'bc' | 'pr' | 'b' | 'c' | 'h' | 'm' | 'um';

/** What a request is for. */
export type RequestKind =
  | 'manifest'
  | 'playlist'
  | 'init'
  | 'index'
  | 'segment'
  | 'steering'
  | 'clock'
  | 'license'
  | 'key'
  | 'report';

/** A request that is about to be made. */
export interface PlayerRequest {
  kind: RequestKind;
  /** The kind of media it serves, if one. */
  media: MediaKind | null;
  url: string;
  /** By lower-case name; `range` among them. */
  headers: Record<string, string>;
  /** What is sent, of a licence request. */
  body?: Uint8Array;
  /** As `fetch` has it. Default `same-origin`. */
  credentials?: RequestCredentials;
}

/** A response, whole. */
export interface PlayerResponse {
  kind: RequestKind;
  media: MediaKind | null;
  /** After redirects; relative URLs in it resolve against this. */
  url: string;
  status: number;
  headers: Record<string, string>;
  data: ArrayBuffer;
}

/**
 * What an app does to requests before they leave, and to responses before the player sees them. Each may
 * change what it is given, or return another, now or later; where it throws, the request has failed and
 * is repeated like any other.
 */
export interface Filters {
  /** Adds header fields, credentials, query parameters, a signature. Asked anew for each attempt. */
  request?(request: PlayerRequest): PlayerRequest | void | Promise<PlayerRequest | void>;
  /** Rewrites a response, which is held back until it is whole. */
  response?(response: PlayerResponse): PlayerResponse | void | Promise<PlayerResponse | void>;
  /** Kinds whose responses are filtered. Default: all but segments. */
  responseKinds?: RequestKind[];
}

/** What {@link Player.create} takes: a {@link Config}, and what cannot change afterwards. */
export interface CreateOptions extends Config {
  /**
   * Where the `MediaSource` lives: `auto` is the player's worker where the browser can do that and
   * the page elsewhere; `page` is always the page. Default `auto`.
   */
  mediaSource?: 'auto' | 'page';
  /**
   * Who draws text: `element` puts the cues into text tracks of the element, for the browser to draw and its controls to
   * choose from; `app` leaves them to whoever hears the event `cues`. Default `element`.
   */
  textTracks?: 'element' | 'app';
  /** Changes requests and responses on their way. */
  filters?: Filters;
  /** A key system of the app's in place of the browser's: for tests, and for platforms that have another. */
  keySystem?: KeySystemFactory;
  /** Seed of everything that looks random, such as the jitter of retries. Default: a random one. */
  seed?: number;
}

/** What {@link Player.load} takes besides the URL. */
export interface LoadOptions {
  /** Where to start, in seconds; the beginning, or the live edge, if absent. */
  start?: number;
  /** The manifest's format; if absent, its first bytes tell. */
  format?: 'hls' | 'dash';
}

/** One representation of a track. */
export interface Quality {
  id: string;
  /** Peak bit rate in bit/s. */
  bandwidth: number;
  width: number | null;
  height: number | null;
  /** Codecs (RFC 6381), comma-separated. */
  codecs: string;
}

/** Alternatives of content, each in one or more qualities. */
export interface Track {
  kind: MediaKind;
  /** Its number among those of its kind, for {@link Player.selectTrack}. */
  index: number;
  /** Language (BCP 47), if known. */
  language: string | null;
  /** A name for people, if given. */
  label: string | null;
  /** Lowest bit rate first; none of text. */
  qualities: Quality[];
  /** No text is until it is chosen. */
  selected: boolean;
}

/** Why a quality was chosen. */
export interface Reasons {
  /** The rule that decided. */
  rule: string;
  /** What tipped the balance: a stable name, such as `throughput-bound`. */
  reason: string;
  /** The same in words. */
  explanation: string;
  /** Expected throughput in bit/s, and the span it most likely lies in. */
  throughput: number;
  throughputLow: number;
  throughputHigh: number;
  /** The qualities weighed, lowest first. */
  candidates: Candidate[];
}

/** A quality that was weighed. */
export interface Candidate {
  /** Its place on the ladder, from 0. */
  rung: number;
  /** Expected time to fetch the segment, in seconds. */
  downloadTime: number;
  /** Expected buffer once it has arrived, in seconds. */
  predictedBuffer: number;
  /** Probability that the buffer runs dry before, from 0 to 1. */
  stallProbability: number;
}

/** A choice of quality for one segment. */
export interface Decision {
  kind: MediaKind;
  /** Start of the segment, in seconds. */
  segmentStart: number;
  quality: Quality;
  /** Media ahead of the playhead at that moment, in seconds. */
  buffer: number;
  /** It takes the place of the same segment in this quality, which waits in the buffer. */
  replaces: Quality | null;
  reasons: Reasons;
}

export interface QualityChange {
  kind: MediaKind;
  /** What was shown before; `null` at the start. */
  from: Quality | null;
  to: Quality;
  /** What tipped the balance: a stable name. */
  reason: string;
  /** The same in words. */
  explanation: string;
}

/** Something went wrong and the player went on. */
export type Warning =
  | { type: 'manifest'; url: string; line: number; code: ManifestWarningCode; message: string }
  | { type: 'key'; error: PlayerErrorFields }
  | { type: 'text'; error: PlayerErrorFields }
  | { type: 'retry'; url: string; error: PlayerErrorFields; attempts: number }
  | { type: 'abandoned'; kind: MediaKind; segmentStart: number }
  | { type: 'gap-jumped'; from: number; to: number }
  | { type: 'rebuilt'; at: number; reason: string }
  | { type: 'fell-behind-window'; from: number; to: number }
  | { type: 'jumped-to-live'; from: number; to: number }
  | { type: 'manifest-stalled'; url: string; silence: number }
  | { type: 'manifest-resumed'; url: string }
  | { type: 'parts-too-far'; firstByte: number; part: number }
  | { type: 'parts-resumed' }
  | { type: 'buffer-full'; kind: MediaKind }
  | { type: 'steering'; url: string; fault: SteeringFault };

/** What a steering server does wrong. */
export type SteeringFault =
  | 'unreachable'
  | 'gone'
  | 'malformed'
  | 'version'
  | 'ttl'
  | 'unknown-pathway'
  | 'clone';

/** How a manifest deviates from its specification; names stay the same from release to release. */
export type ManifestWarningCode =
  | 'unknown-tag'
  | 'bad-value'
  | 'syntax'
  | 'missing'
  | 'duplicate'
  | 'misplaced'
  | 'inconsistent'
  | 'overlap'
  | 'unsupported'
  | 'limit';

export type ErrorCategory = 'network' | 'manifest' | 'media' | 'drm' | 'player';
export type ErrorSeverity = 'recoverable' | 'fatal';
export type ErrorCode =
  | 'NETWORK_UNREACHABLE'
  | 'NETWORK_INTERRUPTED'
  | 'NETWORK_TIMEOUT'
  | 'HTTP_STATUS'
  | 'RESPONSE_TOO_LARGE'
  | 'RANGE_IGNORED'
  | 'FEATURE_UNSUPPORTED'
  | 'MANIFEST_UNKNOWN_FORMAT'
  | 'MANIFEST_INVALID'
  | 'NOTHING_PLAYABLE'
  | 'MEDIA_INVALID'
  | 'MEDIA_NOT_SUPPORTED'
  | 'MEDIA_DECODE'
  | 'MEDIA_ELEMENT'
  | 'BUFFER_TOO_SMALL'
  | 'KEY_SYSTEM_UNAVAILABLE'
  | 'LICENSE_REFUSED'
  | 'KEY_UNUSABLE'
  | 'KEY_SESSION_FAILED'
  | 'DECRYPTION_FAILED'
  | 'INVALID_ARGUMENT'
  | 'INTERNAL';

/** What is known of an error. */
export interface PlayerErrorFields {
  /** The part of the system at fault. */
  category: ErrorCategory;
  /** The row of the error table. */
  code: ErrorCode;
  /** Whether playback ended. */
  severity: ErrorSeverity;
  /** What is wrong and what to do, for an engineer. */
  message: string;
  /** What it is about. */
  url: string | null;
  /** The status, if an HTTP status is the reason. */
  httpStatus: number | null;
}

export interface TimeRange {
  start: number;
  end: number;
}

export type PlaybackStatus =
  | 'idle'
  | 'loading'
  | 'playing'
  | 'paused'
  | 'buffering'
  | 'ended'
  | 'failed';

/** A quality that may not be chosen. */
export interface Masked {
  id: string;
  reason:
    | 'pinned'
    | 'failed'
    | 'decoder'
    | 'max-bandwidth'
    | 'max-height'
    | 'viewport'
    | 'data-saver'
    | 'metered'
    | 'dropped-frames'
    | 'suggested';
}

/** One kind of media, at one instant. */
export interface StreamStats {
  kind: MediaKind;
  /** What the browser's buffer holds. */
  buffered: TimeRange[];
  /** Media ahead of the playhead without a hole, in seconds. */
  bufferAhead: number;
  /** What the player fills the buffer to, in seconds. */
  bufferGoal: number;
  /** What the viewer sees or hears. */
  shown: Quality | null;
  /** What was chosen last, and why. */
  next: Quality | null;
  reasons: Reasons | null;
  /** What could not be chosen then, and why. */
  masked: Masked[];
  /** Everything up to the end has been fetched. */
  complete: boolean;
}

/** A request in flight. */
export interface RequestStats {
  kind: RequestKind;
  /** The kind of media it serves, if one. */
  media: MediaKind | null;
  url: string;
  /** Seconds since it left. */
  age: number;
  /** Bytes so far. */
  received: number;
  /** Which attempt it is, from 1. */
  attempt: number;
}

/** A place content is loaded from. */
export interface OriginStats {
  /** Its pathway, or scheme and host. */
  name: string;
  /** On `probation`, the next request that has time to spare will try it. */
  health: 'healthy' | 'penalised' | 'probation';
  /** Seconds for which it is not asked. */
  penalty: number | null;
  /** How many requests it failed. */
  failures: number;
}

/** Live playback, at one instant. Times are seconds. */
export interface LiveStats {
  /** From when something happens, or is published where no clock tells, to when it is shown. */
  latency: number | null;
  /** What is aimed for. */
  target: number | null;
  /** The live edge: what can be played last. */
  edge: number;
  /** Where the viewer may go. */
  seekable: TimeRange;
  /** The latency is kept; otherwise the viewer is elsewhere on purpose. */
  following: boolean;
  /** The speed that keeps it. */
  rate: number;
  /** What the server's time is known from, and by how much that may be wrong. */
  clock: 'device' | 'date' | 'utc-timing' | null;
  clockUncertainty: number | null;
  /** The manifest has stopped to bring anything new. */
  stalled: boolean;
  /** The server is too far for the parts of Low-Latency HLS: whole segments are played. */
  far: boolean;
  /** Reloads of the manifest or of playlists since the load. */
  reloads: number;
}

/** How live playback stands to the latency aimed for. */
export interface LatencyChange {
  standing: 'on-target' | 'catching-up' | 'falling-back' | 'away';
  /** In seconds. */
  latency: number;
  target: number;
}

/** Everything a support engineer wants to know, at one instant. Times are seconds. */
export interface Stats {
  status: PlaybackStatus;
  position: number;
  duration: number | null;
  rate: number;
  /** `null` when nothing live is loaded. */
  live: LiveStats | null;
  streams: StreamStats[];
  /** Expected throughput in bit/s; `null` until something was measured or configured. */
  throughput: number | null;
  /** Expected time from a request to its first byte. */
  timeToFirstByte: number | null;
  /** The rule that chooses qualities. */
  rule: string;
  /** Requests in flight, oldest first. */
  requests: RequestStats[];
  /** Requests that wait to be made: again, for the network, or for their turn. */
  requestsWaiting: number;
  /** The places content is loaded from, in the order they became known. */
  origins: OriginStats[];
  /** The origin that media was loaded from last: its pathway, or scheme and host. */
  pathway: string | null;
  /** The steering server, if there is one; `reload` says in how many seconds it is asked again. */
  steering: { url: string; priority: string[]; reload: number | null } | null;
  /** The browser says that there is no network. */
  offline: boolean;
  /** The browser says that it has enough media for now (`ManagedMediaSource`): no segment is asked for. */
  satisfied: boolean;
  /** What the player waits for, soonest first. */
  timers: { reason: string; due: number }[];
  /** What is fetched ahead, if something is. */
  preloading: string | null;
  /** What plays next, in order. */
  queue: string[];
  /** Since the load. */
  totals: {
    /** From the load to the first frame that could play. */
    startup: number | null;
    /** How often playback ran dry, seeks and the start not counted, and for how long. */
    stalls: number;
    stalled: number;
    qualityChanges: number;
    bytes: number;
    requests: number;
    /** Requests that failed and were repeated. */
    retries: number;
    /** Segments fetched again for a better picture while they waited. */
    replaced: number;
    /** Bytes of segments that were fetched and not shown: replaced, or given up on the way. */
    discarded: number;
    droppedFrames: number;
  };
}

/** Where bytes are. */
export interface Resource {
  url: string;
  /** The value of the `Range` header field, if it is a part. */
  range: string | null;
}

/** A picture beside the film, and where to get it. */
export interface Picture {
  /** An image, or a media segment with a key frame. */
  resource: Resource;
  /** What a decoder needs before the segment. */
  init: Resource | null;
  /** Its type, as far as the manifest tells. */
  mimeType: string;
  /** The time it stands for, in seconds. */
  start: number;
  end: number;
  /** The part of the image to show, in its pixels; all of it if absent. */
  tile: { x: number; y: number; width: number; height: number } | null;
}

/** Words to be shown for a time: a cue of WebVTT. */
export interface Cue {
  /** Its identifier; may be empty. */
  id: string;
  /** When it is shown, in seconds. */
  start: number;
  end: number;
  /** Where and how, as written (W3C WebVTT §4.4), such as `line:0 align:start`; may be empty. */
  settings: string;
  /** The words, with the tags of WebVTT; lines end with line feeds. */
  text: string;
}

/** The events of a {@link Player}, and the type of their `detail`. */
export interface PlayerEventMap {
  /** The manifest is understood. */
  loaded: { duration: number | null; live: boolean; tracks: Track[] };
  /** The first frame can play. Once for each load. */
  ready: null;
  /** The playhead moves. */
  playing: null;
  /** The playhead waits for data: after a seek, or because the network was too slow. */
  buffering: { seeking: boolean };
  /** The viewer now sees or hears another quality. */
  qualitychange: QualityChange;
  /** A segment was chosen for download. */
  decision: Decision;
  /** A CDN, pathway or host failed, and is not asked for `penalty` seconds while others have the same. */
  originfailed: { origin: string; error: PlayerErrorFields; penalty: number };
  /** An origin that had failed delivers again. */
  originrecovered: { origin: string };
  /** Media comes from another origin now: a pathway, or scheme and host. */
  pathwaychange: { from: string | null; to: string };
  /** Words of the text track that was chosen have come, each once. Those told of before hold on. */
  cues: Cue[];
  /** Another text track was chosen, none, or another film: no cue told of before holds any more. */
  cuescleared: null;
  /** Live: where the viewer may go has changed by more than the clock's going on explains. */
  seekablechange: TimeRange;
  /** Live: how playback stands to the latency aimed for has changed. */
  latencychange: LatencyChange;
  /** The presentation will not grow any more. */
  liveended: { duration: number | null };
  /** What played has ended, and the next item of the queue begins. */
  next: { url: string };
  /** The playhead has reached the end. */
  ended: null;
  /** Something went wrong and the player went on. */
  warning: Warning;
  /** Playback cannot go on. The detail is a `PlayerError`. */
  error: import('./error.js').PlayerError;
  /** New figures for {@link Player.stats}, four times a second. */
  stats: Stats;
}
