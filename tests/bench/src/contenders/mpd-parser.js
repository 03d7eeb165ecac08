// It makes every segment at once. Periods become one list of playlists.
import { parse } from 'mpd-parser';

const parsed = (name, playlists) => async (files) => {
  const [text, manifestUri] = [await files.text(name), files.url(name)];
  return {
    answer: playlists,
    run() {
      const manifest = parse(text, { manifestUri });
      return manifest.playlists.length;
    },
  };
};

export default {
  'dash-1-period': parsed('one-period.mpd', 5),
  'dash-1-period-expanded': parsed('one-period.mpd', 5),
  'dash-5-periods': parsed('five-periods.mpd', 5),
  'dash-5-periods-expanded': parsed('five-periods.mpd', 5),
  'dash-5-mb': parsed('many-periods.mpd', 5),
};
