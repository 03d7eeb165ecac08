//! What is said of tracks, keys, events and live timing.

use super::*;
use crate::presentation::{
    Asset, Chunked, Clock, Continuity, Descriptor, EventData, EventTime, ProtectionMethod, Purpose,
    SwitchingSet, VideoRange,
};
use crate::time::WallTime;

fn sets(content: &str) -> Vec<SwitchingSet> {
    let parsed = parse(&film(10, content)).expect("a sound MPD");
    assert!(parsed.warnings.is_empty(), "{:?}", parsed.warnings);
    parsed.value.periods.into_iter().flat_map(|period| period.sets).collect()
}

fn live(attributes: &str, content: &str) -> Presentation {
    let set = video(
        "<Representation id='v' bandwidth='1'><SegmentTemplate duration='4' media='$Number$'/></Representation>",
    );
    let text = format!(
        "<MPD type='dynamic' availabilityStartTime='2026-01-01T00:00:00Z' {attributes}>{content}<Period id='p' start='PT0S'>{set}</Period></MPD>"
    );
    parse(&text).expect("a sound MPD").value
}

/// So many seconds after the start of 2026.
fn wall(seconds: i64) -> WallTime {
    WallTime::from_micros((1_767_225_600 + seconds) * 1_000_000)
}

#[test]
fn sets_to_switch_between_are_one() {
    let set = |id: u32, codecs: &str, others: &str, bandwidth: u32| {
        format!(
            "<AdaptationSet id='{id}' mimeType='video/mp4' codecs='{codecs}'>\
             <SupplementalProperty schemeIdUri='urn:mpeg:dash:adaptation-set-switching:2016' value='{others}'/>\
             <Representation id='r{id}' bandwidth='{bandwidth}'/></AdaptationSet>"
        )
    };
    let text = film(
        10,
        &[
            set(1, "avc1.640028", "2, 3,4", 3000),
            set(2, "avc1.4d401f", "1", 1000),
            set(3, "hvc1.1.6.L93.B0", "1", 2000),
            set(4, "avc1.4d401f", "", 500),
            set(5, "avc1.4d401f", "", 700),
        ]
        .concat(),
    );
    let period = parse(&text).expect("a sound MPD").value.periods.remove(0);
    let sets: Vec<Vec<&str>> = period
        .sets
        .iter()
        .map(|set| set.representations.iter().map(|one| one.id.as_str()).collect())
        .collect();
    assert_eq!(sets, [vec!["r4", "r2", "r1"], vec!["r3"], vec!["r5"]]);
}

#[test]
fn services_ask_for_other_things_in_a_period() {
    let text = film(
        10,
        &format!(
            "<ServiceDescription id='1'><Latency target='3000'/></ServiceDescription>{}",
            video("<Representation id='v' bandwidth='1'/>")
        ),
    );
    let presentation = parse(&text).expect("a sound MPD").value;
    let latency = presentation.periods[0].services[0].latency.expect("a latency");
    assert_eq!(latency.target, Some(MediaTime::from_secs(3)));
    assert!(presentation.services.is_empty());
}

#[test]
fn protection_has_keys_and_systems() {
    const WIDEVINE: &str = "urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed";
    let common = format!(
        "<ContentProtection schemeIdUri='urn:mpeg:dash:mp4protection:2011' value='cbcs' cenc:default_KID='9EB4050D-E44B-4802-932E-27D75083E266'/>\
         <ContentProtection schemeIdUri='{}' robustness='HW_SECURE_ALL'><cenc:pssh xmlns:cenc='urn:mpeg:cenc:2013'>\n AAAB \n</cenc:pssh>\
         <dashif:Laurl xmlns:dashif='https://dashif.org/CPS' licenseType='EME-1.0'>https://keys.example/w?a&amp;b</dashif:Laurl></ContentProtection>\
         <ContentProtection schemeIdUri='urn:uuid:9A04F079-9840-4286-AB92-E65BE0885F95'><mspr:pro>AQID</mspr:pro><pssh xmlns='urn:mpeg:cenc:2013'>BBBB</pssh>\
         <ms:laurl licenseUrl='https://keys.example/p'/></ContentProtection>",
        WIDEVINE.to_uppercase().replace("URN:UUID", "urn:uuid")
    );
    let sets = sets(&video(&format!(
        "{common}<Representation id='a' bandwidth='1'/><Representation id='b' bandwidth='2'>\
         <ContentProtection schemeIdUri='urn:mpeg:dash:mp4protection:2011' value='cbcs' cenc:default_KID='00000000-0000-0000-0000-000000000001'/></Representation>"
    )));
    let of = |at: usize| sets[0].representations[at].protection.as_deref().expect("protected");
    let (first, second) = (of(0), of(1));
    assert_eq!(first.method, ProtectionMethod::Cbcs);
    assert_eq!(first.key_ids.len(), 1);
    assert_eq!(first.key_ids[0][..3], [0x9e, 0xb4, 0x05]);
    let [widevine, playready] = &first.systems[..] else { panic!("{:?}", first.systems) };
    assert_eq!(widevine.scheme, WIDEVINE);
    assert_eq!(widevine.pssh.as_deref(), Some(&[0, 0, 1][..]));
    assert_eq!(widevine.license_urls, ["https://keys.example/w?a&b"]);
    assert_eq!(widevine.robustness.as_deref(), Some("HW_SECURE_ALL"));
    assert_eq!(playready.pro.as_deref(), Some(&[1, 2, 3][..]));
    assert_eq!(playready.pssh.as_deref(), Some(&[4, 16, 65][..]));
    assert_eq!(playready.license_urls, ["https://keys.example/p"]);
    assert_eq!(second.key_ids.len(), 2);
    assert_eq!(second.key_ids[0][15], 1);
    assert_eq!(second.systems, first.systems);
}

#[test]
fn protection_may_stand_elsewhere_and_be_broken() {
    let set = video("<ContentProtection ref='x'/><Representation id='a' bandwidth='1'/>");
    let text = format!(
        "<MPD mediaPresentationDuration='PT4S'><ContentProtection refId='x' schemeIdUri='urn:uuid:1' ><pssh>A*</pssh></ContentProtection><Period>{set}</Period></MPD>"
    );
    let parsed = parse(&text).expect("a sound MPD");
    let protection = parsed.value.periods[0].sets[0].representations[0].protection.clone();
    let protection = protection.expect("protected");
    assert_eq!(protection.systems[0].scheme, "urn:uuid:1");
    assert_eq!(protection.systems[0].pssh, None);
    assert_eq!(parsed.warnings[0].message, "the pssh is not Base64");
}

#[test]
fn tracks_have_purposes() {
    let sets = sets(
        "<AdaptationSet id='1' mimeType='video/mp4'><Representation id='v' bandwidth='1'/></AdaptationSet>\
         <AdaptationSet id='2' mimeType='video/mp4'><EssentialProperty schemeIdUri='http://dashif.org/guidelines/trickmode' value='1'/>\
         <Representation id='t' bandwidth='1' maxPlayoutRate='8'/></AdaptationSet>\
         <AdaptationSet id='3' contentType='image' mimeType='image/jpeg'><SegmentTemplate media='$Number$' duration='5'/>\
         <Representation id='i' bandwidth='1' width='3200' height='1800'><EssentialProperty schemeIdUri='http://dashif.org/guidelines/thumbnail_tile' value='10x5'/></Representation></AdaptationSet>\
         <AdaptationSet id='4' contentType='image' mimeType='image/jpeg'><EssentialProperty schemeIdUri='http://dashif.org/thumbnail_tile' value='4x2'/>\
         <SegmentTemplate media='$Number$' duration='5'/><Representation id='i' bandwidth='1'/></AdaptationSet>",
    );
    let brief: Vec<_> = sets
        .iter()
        .map(|s| (s.id.as_deref(), s.purpose.clone(), s.representations[0].tiles))
        .collect();
    let of = Some("1".to_owned());
    assert_eq!(
        brief,
        [
            (Some("1"), Purpose::Playback, None),
            (Some("2"), Purpose::TrickPlay { of }, None),
            (Some("3"), Purpose::Thumbnails, Some((10, 5))),
            (Some("4"), Purpose::Thumbnails, Some((4, 2))),
        ]
    );
    assert_eq!(sets[1].representations[0].max_playout_rate, Some(8.0));
}

#[test]
fn descriptors_are_kept() {
    let sets = sets(
        "<AdaptationSet id='7' mimeType='audio/mp4' lang='de' selectionPriority='3'><Accessibility schemeIdUri='urn:tva:metadata:cs:AudioPurposeCS:2007' value='1'/>\
         <Role schemeIdUri='urn:mpeg:dash:role:2011' value='description'/><Rating schemeIdUri='urn:r' value='12' id='z'/><Viewpoint schemeIdUri='urn:v'/>\
         <Label xml:lang='de'>Ton</Label><Label lang='en'>Sound</Label><GroupLabel>All</GroupLabel>\
         <SupplementalProperty schemeIdUri='urn:mpeg:dash:adaptation-set-switching:2016' value='8,9'/>\
         <SupplementalProperty schemeIdUri='urn:mpeg:dash:period-continuity:2015' value='p0'/>\
         <InbandEventStream schemeIdUri='urn:scte:scte35:2013:bin' value='1001'/>\
         <Representation id='a' bandwidth='1' audioSamplingRate='44100 48000' qualityRanking='2'><AudioChannelConfiguration schemeIdUri='tag:dolby.com,2014:dash:audio_channel_configuration:2011' value='F801'/></Representation></AdaptationSet>",
    );
    let set = &sets[0];
    let descriptor = |scheme: &str, value: &str, id: Option<&str>| Descriptor {
        scheme: scheme.into(),
        value: value.into(),
        id: id.map(str::to_owned),
    };
    assert_eq!(
        (set.priority, set.default, &set.roles[..]),
        (3, false, &["description".to_owned()][..])
    );
    assert_eq!(
        set.accessibility,
        [descriptor("urn:tva:metadata:cs:AudioPurposeCS:2007", "1", None)]
    );
    assert_eq!(
        set.properties,
        [
            descriptor("urn:r", "12", Some("z")),
            descriptor("urn:v", "", None),
            descriptor("urn:mpeg:dash:adaptation-set-switching:2016", "8,9", None),
        ]
    );
    let labels: Vec<_> =
        set.labels.iter().map(|l| (l.language.as_deref(), l.text.as_str(), l.group)).collect();
    assert_eq!(
        labels,
        [(Some("de"), "Ton", false), (Some("en"), "Sound", false), (None, "All", true)]
    );
    assert_eq!(set.label.as_deref(), Some("Ton"));
    assert_eq!(set.continues, Some(Continuity { periods: vec!["p0".into()], timestamps: true }));
    assert_eq!(set.event_schemes, [descriptor("urn:scte:scte35:2013:bin", "1001", None)]);
    let representation = &set.representations[0];
    assert_eq!(representation.channels, Some(6));
    assert_eq!(representation.sampling_rate, Some(44_100));
    assert_eq!(representation.score, Some(-2.0));
}

#[test]
fn channels_are_counted_by_scheme() {
    use crate::manifest::dash::describe::channels;
    const CICP: &str = "urn:mpeg:mpegB:cicp:ChannelConfiguration";
    for (scheme, value, expected) in [
        ("urn:mpeg:dash:23003:3:audio_channel_configuration:2011", "2", Some(2)),
        ("urn:mpeg:dash:23003:3:audio_channel_configuration:2011", "1 2 3", Some(3)),
        (CICP, "6", Some(6)),
        (CICP, "7", Some(8)),
        (CICP, "12", Some(8)),
        (CICP, "19", Some(12)),
        (CICP, "0", None),
        (CICP, "99", None),
        ("tag:dolby.com,2014:dash:audio_channel_configuration:2011", "A000", Some(2)),
        ("urn:dolby:dash:audio_channel_configuration:2011", "FA01", Some(8)),
        ("urn:dolby:dash:audio_channel_configuration:2011", "x", None),
        ("urn:other", "2", None),
    ] {
        assert_eq!(channels(scheme, value), expected, "{scheme} {value}");
    }
}

#[test]
fn ranges_of_brightness_are_told() {
    let range = |codecs: &str, value: &str| {
        let property = match value {
            "" => String::new(),
            _ => format!(
                "<SupplementalProperty schemeIdUri='urn:mpeg:mpegB:cicp:TransferCharacteristics' value='{value}'/>"
            ),
        };
        let sets = sets(&format!(
            "<AdaptationSet mimeType='video/mp4' codecs='{codecs}'>{property}<Representation id='v' bandwidth='1'/></AdaptationSet>"
        ));
        sets[0].representations[0].video_range.clone()
    };
    assert_eq!(range("hvc1.2.4.L120", "16"), VideoRange::Pq);
    assert_eq!(range("hvc1.2.4.L120", "18"), VideoRange::Hlg);
    assert_eq!(range("hvc1.2.4.L120", "1"), VideoRange::Sdr);
    assert_eq!(range("dvh1.05.06", ""), VideoRange::Pq);
    assert_eq!(range("dvh1.08.06", "18"), VideoRange::Hlg);
    assert_eq!(range("avc1.64001f", ""), VideoRange::Sdr);
}

#[test]
fn the_last_number_is_respected() {
    let index = index(
        "<SupplementalProperty schemeIdUri='http://dashif.org/guidelines/last-segment-number' value='4'/>\
         <SegmentTemplate duration='2' startNumber='3' media='$Number$'/>",
    );
    assert_eq!(index.iter().map(|segment| segment.number).collect::<Vec<_>>(), [3, 4]);
}

#[test]
fn events_are_placed_in_their_period() {
    let set = video("<Representation id='v' bandwidth='1'/>");
    let text = format!(
        "<MPD><Period start='PT10S' duration='PT20S'>\
         <EventStream schemeIdUri='urn:scte:scte35:2014:xml+bin' timescale='90000' presentationTimeOffset='90000'>\
         <Event presentationTime='270000' duration='900000' id='7'><scte35:Signal xmlns:scte35='x'><scte35:Binary>/DAh</scte35:Binary></scte35:Signal></Event></EventStream>\
         <EventStream schemeIdUri='urn:x' value='v'><Event>a &amp; b</Event><Event presentationTime='1' contentEncoding='base64'>AQI=</Event>\
         <Event presentationTime='x'/><Event presentationTime='1' messageData='m'><other a='1'/></Event></EventStream>{set}</Period></MPD>"
    );
    let parsed = parse(&text).expect("a sound MPD");
    let brief: Vec<_> = parsed.value.periods[0]
        .events
        .iter()
        .map(|event| {
            let EventTime::Media(start) = event.start else { panic!("media time") };
            (event.id.as_str(), start.to_string(), event.data.clone())
        })
        .collect();
    let text = |text: &str| EventData::Text(text.to_owned());
    assert_eq!(
        brief,
        [
            ("v@0", "10.000".to_owned(), text("a & b")),
            ("v@1", "11.000".to_owned(), EventData::Bytes(vec![1, 2])),
            ("v@1", "11.000".to_owned(), text("m")),
            (
                "7",
                "12.000".to_owned(),
                text(
                    "<scte35:Signal xmlns:scte35='x'><scte35:Binary>/DAh</scte35:Binary></scte35:Signal>"
                )
            ),
        ]
    );
    let splice = &parsed.value.periods[0].events[3];
    assert_eq!(splice.scte35.command.as_deref(), Some(&[0xfc, 0x30, 0x21][..]));
    assert_eq!(splice.duration, Some(MediaTime::from_secs(10)));
    assert_eq!(parsed.warnings.len(), 1);
}

#[test]
fn alternative_content_is_recognised() {
    let set = video("<Representation id='v' bandwidth='1'/>");
    let text = film(
        60,
        &format!(
            "<EventStream schemeIdUri='urn:mpeg:dash:event:alternativeMPD:replace:2025' timescale='1000'>\
             <Event id='1' presentationTime='5000' duration='30000'><ReplacePresentation url='ad.mpd' maxDuration='20000'/></Event></EventStream>\
             <EventStream schemeIdUri='urn:mpeg:dash:event:alternativeMPD:insert:2025'>\
             <Event id='2' presentationTime='9'><InsertPresentation url='https://ads.example/'/></Event></EventStream>{set}"
        ),
    );
    let period = parse(&text).expect("a sound MPD").value.periods.remove(0);
    let brief: Vec<_> = period
        .events
        .iter()
        .map(|event| {
            let alternative = event.interstitial.as_deref().expect("alternative content");
            let offset = alternative.resume_offset.map(|offset| offset.to_string());
            (alternative.asset.clone(), offset, alternative.playout_limit)
        })
        .collect();
    let asset = |url: &str| Asset::Manifest(url.to_owned());
    assert_eq!(
        brief,
        [
            (
                asset("https://cdn.example/film/ad.mpd"),
                Some("30.000".into()),
                Some(MediaTime::from_secs(20))
            ),
            (asset("https://ads.example/"), Some("0.000".into()), None),
        ]
    );
    let linked = film(10, "<ImportedMPD uri='part.mpd'/>");
    let period = parse(&linked).expect("a sound MPD").value.periods.remove(0);
    assert_eq!(period.remote.as_deref(), Some("https://cdn.example/film/part.mpd"));
}

#[test]
fn live_timing_is_kept() {
    let presentation = live(
        "id='m' minimumUpdatePeriod='PT0S' publishTime='2026-01-01T01:00:00Z' timeShiftBufferDepth='PT5M' suggestedPresentationDelay='PT12S' availabilityEndTime='2026-01-02T00:00:00Z'",
        "<BaseURL availabilityTimeOffset='1.5' availabilityTimeComplete='false'>m/</BaseURL><Location>https://a.example/live.mpd</Location><Location>b.mpd</Location>\
         <PatchLocation ttl='60'>patch.mpp</PatchLocation><PatchLocation>other.mpp</PatchLocation>\
         <UTCTiming schemeIdUri='urn:mpeg:dash:utc:http-iso:2014' value='https://t.example/a time'/><UTCTiming schemeIdUri='urn:mpeg:dash:utc:direct:2014' value='2026-01-01T00:00:09Z'/>\
         <UTCTiming schemeIdUri='urn:mpeg:dash:utc:http-xsdate:2014' value='x'/><UTCTiming schemeIdUri='urn:mpeg:dash:utc:http-head:2014' value='h'/>\
         <UTCTiming schemeIdUri='urn:mpeg:dash:utc:http-ntp:2014' value='n'/><UTCTiming schemeIdUri='urn:mpeg:dash:utc:sntp:2014' value='n'/>\
         <ContentSteering defaultServiceLocation='a b' queryBeforeStart='true'>steer</ContentSteering>\
         <ServiceDescription id='0'><Scope schemeIdUri='urn:s'/><Latency min='2000' max='6000' target='4000' referenceId='7'/><PlaybackRate min='0.96' max='1.04'/><OperatingBandwidth target='5000000'/></ServiceDescription>",
    );
    let film = "https://cdn.example/film/";
    let live = presentation.live.expect("live");
    assert_eq!(live.origin, Some(wall(0)));
    assert_eq!(live.until, Some(wall(86_400)));
    assert_eq!(live.window, Some(MediaTime::from_secs(300)));
    assert_eq!(live.delay, Some(MediaTime::from_secs(12)));
    assert_eq!(
        live.clocks,
        [
            Clock::HttpIso("https://t.example/a".into()),
            Clock::HttpIso(format!("{film}time")),
            Clock::Direct(wall(9)),
            Clock::HttpXsDate(format!("{film}x")),
            Clock::HttpHead(format!("{film}h")),
            Clock::HttpNtp(format!("{film}n")),
        ]
    );
    let update = presentation.update;
    assert_eq!(update.period, Some(MediaTime::ZERO));
    assert_eq!(update.published, Some(wall(3600)));
    assert_eq!(update.locations, ["https://a.example/live.mpd".to_owned(), format!("{film}b.mpd")]);
    assert_eq!(
        update.patches,
        [(format!("{film}patch.mpp"), Some(wall(3660))), (format!("{film}other.mpp"), None)]
    );
    let steering = presentation.steering.expect("steering");
    assert_eq!(
        (steering.url, steering.default_pathways, steering.before_start),
        (format!("{film}steer"), vec!["a".into(), "b".into()], true)
    );
    let service = &presentation.services[0];
    assert_eq!(service.scopes, ["urn:s"]);
    let latency = service.latency.expect("latency");
    assert_eq!(latency.target, Some(MediaTime::from_secs(4)));
    assert_eq!(service.latency_reference.as_deref(), Some("7"));
    let rate = service.rate.expect("rate");
    assert_eq!((rate.least, rate.target, rate.most), (Some(0.96), None, Some(1.04)));
    assert_eq!(service.bandwidth.expect("bandwidth").target, Some(5_000_000));
    let representation = &presentation.periods[0].sets[0].representations[0];
    let offset = MediaTime::from_millis(1500);
    assert_eq!(representation.chunked, Some(Chunked { offset, complete: false, resync: None }));
    assert_eq!(presentation.id.as_deref(), Some("m"));
}

#[test]
fn early_segments_and_reference_times() {
    let sets = sets(
        "<AdaptationSet mimeType='video/mp4'><SegmentTemplate timescale='1000' presentationTimeOffset='5000' duration='2000' availabilityTimeOffset='INF' media='$Number$'/>\
         <ProducerReferenceTime id='7' inband='true' type='captured' wallClockTime='2026-01-01T00:00:01Z' presentationTime='8000'/>\
         <Representation id='v' bandwidth='1'><Resync type='2' dT='500'/></Representation></AdaptationSet>",
    );
    let chunked = sets[0].representations[0].chunked.clone().expect("early");
    assert_eq!((chunked.offset, chunked.complete), (MediaTime::MAX, true));
    assert_eq!(chunked.resync, Some(MediaTime::from_millis(500)));
    let reference = &sets[0].reference_times[0];
    assert_eq!((reference.inband, reference.captured, reference.wall), (true, true, wall(1)));
    assert_eq!(reference.media, MediaTime::from_secs(3));
}

#[test]
fn preselections_and_dependencies() {
    let text = film(
        10,
        "<AdaptationSet id='1' mimeType='audio/mp4'><Representation id='a' bandwidth='1'/><Representation id='e' dependencyId='a' bandwidth='2'/>\
         <SubRepresentation level='0' bandwidth='3'/></AdaptationSet>\
         <Preselection id='s' preselectionComponents='1 2' lang='en' codecs='ac-4'><Role schemeIdUri='urn:mpeg:dash:role:2011' value='main'/><Label>All</Label></Preselection>",
    );
    let parsed = parse(&text).expect("a sound MPD");
    let period = &parsed.value.periods[0];
    let preselection = &period.preselections[0];
    assert_eq!(preselection.components, ["1", "2"]);
    assert_eq!(
        (preselection.language.as_deref(), preselection.codecs.as_str()),
        (Some("en"), "ac-4")
    );
    assert_eq!((&preselection.roles[0][..], &preselection.labels[0].text[..]), ("main", "All"));
    assert_eq!(period.sets[0].representations.len(), 1);
    assert_eq!(parsed.warnings.len(), 1);
}
