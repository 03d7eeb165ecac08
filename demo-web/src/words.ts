// What figures and codes are called when people read them.

import type { PlayerError, Quality, Track, Warning } from 'kinora';

export function bitrate(bps: number): string {
  return bps >= 1e6 ? `${(bps / 1e6).toFixed(bps >= 1e7 ? 0 : 1)} Mbit/s` : `${Math.round(bps / 1e3)} kbit/s`;
}

export function bytes(count: number): string {
  return count >= 1e6 ? `${(count / 1e6).toFixed(1)} MB` : `${Math.round(count / 1e3)} kB`;
}

export function seconds(value: number): string {
  return `${value.toFixed(1)} s`;
}

export function clock(value: number): string {
  const whole = Math.max(0, Math.floor(value));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}

export function percent(share: number): string {
  return share > 0 && share < 0.01 ? '< 1 %' : `${Math.round(share * 100)} %`;
}

export function qualityName(quality: Quality): string {
  return quality.height ? `${quality.height}p` : bitrate(quality.bandwidth);
}

export function trackName({ label, language, index }: Track): string {
  return label || (language && languageName(language)) || `Track ${index + 1}`;
}

function languageName(language: string): string {
  try {
    return new Intl.DisplayNames(undefined, { type: 'language' }).of(language) ?? language;
  } catch {
    // What a manifest calls a language need not be one.
    return language;
  }
}

export function warningText(warning: Warning): string {
  switch (warning.type) {
    case 'manifest':
      return `The manifest breaks its specification in line ${warning.line}: ${warning.message}`;
    case 'retry':
      return `Attempt ${warning.attempts} failed and is repeated: ${warning.error.message}`;
    case 'abandoned':
      return `The ${warning.kind} segment at ${clock(warning.segmentStart)} would have come too late and was given up`;
    case 'gap-jumped':
      return `Jumped over a hole from ${seconds(warning.from)} to ${seconds(warning.to)}`;
    case 'buffer-full':
      return `The browser's ${warning.kind} buffer is full; keeping less ahead`;
    case 'key':
      return `A key is not to be had; playing what needs none or another: ${warning.error.message}`;
    case 'text':
      return `Some of the subtitles are missing: ${warning.error.message}`;
    case 'rebuilt':
      return `The browser's buffers were made anew at ${clock(warning.at)}: ${warning.reason}`;
    case 'fell-behind-window':
      return `Fell out of what the broadcast keeps; went on from ${clock(warning.to)}`;
    case 'jumped-to-live':
      return `Was too far behind the broadcast; jumped from ${clock(warning.from)} to ${clock(warning.to)}`;
    case 'manifest-stalled':
      return `The manifest has not changed for ${seconds(warning.silence)}; asking for it less often`;
    case 'manifest-resumed':
      return 'The manifest changes again';
    case 'parts-too-far':
      return `The server answers after ${seconds(warning.firstByte)}, parts of ${seconds(warning.part)} come too slowly; playing whole segments`;
    case 'parts-resumed':
      return 'The server is near enough to play parts again';
    case 'steering':
      return `The steering server is not followed (${warning.fault}); staying with the last order of servers`;
  }
}

/** A headline and what to do, for the viewer; the engineer's message stands below. */
export function failureText(error: PlayerError, manifest: string): { title: string; advice: string } {
  switch (error.code) {
    case 'NETWORK_UNREACHABLE':
    case 'NETWORK_INTERRUPTED':
    case 'NETWORK_TIMEOUT':
      return { title: 'The server cannot be reached', advice: 'Check the connection, then try again.' };
    case 'HTTP_STATUS':
      if (error.httpStatus === 404 || error.httpStatus === 410) {
        return error.url === manifest
          ? { title: 'There is no film here', advice: 'The server knows nothing under this address.' }
          : { title: 'Part of this film is missing', advice: 'The server does not have what the manifest names.' };
      }
      return error.httpStatus === 401 || error.httpStatus === 403
        ? { title: 'You may not watch this film', advice: 'The server wants to know who you are, or has said no.' }
        : { title: 'The server refused', advice: `It answered with status ${error.httpStatus}.` };
    case 'RANGE_IGNORED':
      return { title: 'The server misunderstood', advice: 'It cannot serve parts of a file, and this film needs that.' };
    case 'FEATURE_UNSUPPORTED':
      return { title: 'This film is ahead of the player', advice: 'It uses a feature that is not there yet.' };
    case 'RESPONSE_TOO_LARGE':
    case 'MANIFEST_UNKNOWN_FORMAT':
      return { title: 'This is not a film', advice: 'The address leads to neither an HLS playlist nor a DASH MPD.' };
    case 'MANIFEST_INVALID':
      return { title: 'The manifest is damaged', advice: 'It cannot be understood as it is.' };
    case 'NOTHING_PLAYABLE':
      return { title: 'There is nothing to play', advice: 'The manifest holds no picture and no sound.' };
    case 'MEDIA_NOT_SUPPORTED':
      return { title: 'This browser cannot play the film', advice: 'It lacks the codecs. Another browser may have them.' };
    case 'MEDIA_INVALID':
    case 'MEDIA_DECODE':
    case 'MEDIA_ELEMENT':
      return { title: 'The film cannot be decoded', advice: 'A segment is damaged, or not what the manifest says.' };
    case 'KEY_SYSTEM_UNAVAILABLE':
      return { title: 'This browser cannot unlock the film', advice: 'It lacks the protection that the film needs.' };
    case 'LICENSE_REFUSED':
      return { title: 'You may not watch this film', advice: 'The licence server has said no.' };
    case 'KEY_UNUSABLE':
    case 'KEY_SESSION_FAILED':
    case 'DECRYPTION_FAILED':
      return { title: 'The film stays locked', advice: 'Its key does not fit, or must not be used here. Try again.' };
    case 'BUFFER_TOO_SMALL':
      return { title: 'The segments are too large', advice: 'The browser’s buffer does not hold a single one.' };
    case 'INVALID_ARGUMENT':
      return { title: 'That cannot be played', advice: 'The address or an option makes no sense.' };
    case 'INTERNAL':
      return { title: 'The player failed', advice: 'Reload the page. If it happens again, please report it.' };
  }
}
