// What the two parsers of rx-player have in common: they answer with the same model.

const options = (url) => ({
  aggressiveMode: false,
  enableXML: true,
  externalClockOffset: undefined,
  manifestReceivedTime: 1,
  minRepresentationBitrate: undefined,
  referenceDateTime: undefined,
  serverSyncInfos: undefined,
  unsafelyBaseOnPreviousManifest: null,
  url,
  xmlNamespaces: undefined,
});

/** Cases for a function that parses what `read` takes from the files. */
export function cases(read, parse) {
  const manifest = (name, count) => async (files) => {
    const [input, args] = [await read(files, name), options(files.url(name))];
    return {
      run() {
        const { type, value } = parse(input, args);
        if (type !== 'done') throw new Error(`it answered with ${type}`);
        return count(value.parsed);
      },
    };
  };
  const periods = (name) => manifest(name, (parsed) => parsed.periods.length);
  const segments = (name) => manifest(name, segmentsOf);
  return {
    'dash-1-period': periods('one-period.mpd'),
    'dash-1-period-expanded': segments('one-period.mpd'),
    'dash-5-periods': periods('five-periods.mpd'),
    'dash-5-periods-expanded': segments('five-periods.mpd'),
    'dash-live-full': periods('live-after.mpd'),
    'dash-live-patch': periods('live-after.mpd'),
    'dash-5-mb': periods('many-periods.mpd'),
  };
}

function segmentsOf({ periods }) {
  let count = 0;
  for (const period of periods) {
    for (const { representations } of Object.values(period.adaptations).flat()) {
      for (const { index } of representations) {
        count += index.getSegments(period.start, period.duration).filter(({ url }) => url).length;
      }
    }
  }
  return count;
}
