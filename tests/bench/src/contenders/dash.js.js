// What dash.js reads XML with: a tree of elements, of which nothing is understood yet.
import { parseXml } from '@svta/cml-xml';

const parsed = (name) => async (files) => {
  const text = await files.text(name);
  return {
    run() {
      const mpd = parseXml(text).childNodes.find((node) => node.nodeName === 'MPD');
      return mpd.childNodes.filter((node) => node.nodeName === 'Period').length;
    },
  };
};

export default {
  'dash-1-period': parsed('one-period.mpd'),
  'dash-5-periods': parsed('five-periods.mpd'),
  'dash-5-mb': parsed('many-periods.mpd'),
};
