//! A package's MPD for one playback (ISO/IEC 23009-1), as an edit of the text: what is not understood here, such
//! as protection, goes through as it is.

use super::session::{Pathway, Session};
use quick_xml::{
    Reader, Writer,
    events::{BytesEnd, BytesStart, BytesText, Event},
};

/// Writes the MPD: without the representations that the viewer may not have, nor sets that are left with none, and
/// with the places that media can be fetched from.
pub(super) fn manifest(text: &[u8], session: &Session) -> Result<Vec<u8>, String> {
    let text = std::str::from_utf8(text).map_err(|error| error.to_string())?;
    let mut reader = Reader::from_str(text);
    let mut writer = Writer::new(Vec::with_capacity(text.len() + 1024));
    let mut located = false;
    // Where the set that is being written began, and how many representations it has kept.
    let mut set: Option<(usize, usize)> = None;
    loop {
        let event = reader.read_event().map_err(|error| error.to_string())?;
        match &event {
            Event::Eof => break,
            Event::Start(element) | Event::Empty(element) => match element.local_name().as_ref() {
                "Period" if !located => {
                    locate(&mut writer, session).map_err(|error| error.to_string())?;
                    located = true;
                }
                "AdaptationSet" if matches!(event, Event::Start(_)) => {
                    set = Some((writer.get_ref().len(), 0));
                }
                "Representation" => {
                    if !allowed(element, session)? {
                        if matches!(event, Event::Start(_)) {
                            let end = element.to_end().into_owned();
                            reader.read_to_end(end.name()).map_err(|error| error.to_string())?;
                        }
                        continue;
                    }
                    if let Some((_, kept)) = &mut set {
                        *kept += 1;
                    }
                }
                _ => {}
            },
            Event::End(element) if element.local_name().as_ref() == "AdaptationSet" => {
                if let Some((start, 0)) = set.take() {
                    writer.get_mut().truncate(start);
                    continue;
                }
            }
            _ => {}
        }
        writer.write_event(event).map_err(|error| error.to_string())?;
    }
    if located { Ok(writer.into_inner()) } else { Err("the MPD has no period".to_owned()) }
}

fn allowed(element: &BytesStart<'_>, session: &Session) -> Result<bool, String> {
    let id = element.try_get_attribute("id").map_err(|error| error.to_string())?;
    let Some(id) = id else { return Ok(true) };
    Ok(session.may_have_representation(&id.value))
}

/// The places, before the first period (ISO/IEC 23009-1, 5.6.5; ETSI TS 103 998, 5.2).
fn locate(writer: &mut Writer<Vec<u8>>, session: &Session) -> std::io::Result<()> {
    let mut element = |start: BytesStart<'_>, text: &str| {
        let name = start.name().as_ref().to_owned();
        writer.write_event(Event::Start(start))?;
        writer.write_event(Event::Text(BytesText::new(text)))?;
        writer.write_event(Event::End(BytesEnd::new(name)))
    };
    for Pathway { name, base } in &session.pathways {
        let mut start = BytesStart::new("BaseURL");
        if !name.is_empty() {
            start.push_attribute(("serviceLocation", name.as_str()));
        }
        element(start, base)?;
    }
    if let Some((steering, first)) = session.steering.as_ref().zip(session.pathways.first()) {
        let mut start = BytesStart::new("ContentSteering");
        start.push_attribute(("defaultServiceLocation", first.name.as_str()));
        start.push_attribute(("queryBeforeStart", "false"));
        element(start, steering)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::session::fixture::session;
    use crate::token::cat::Terms;

    const MPD: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" xmlns:cenc="urn:mpeg:cenc:2013" type="static">
  <ProgramInformation><Title>A &amp; B</Title></ProgramInformation>
  <Period id="0">
    <AdaptationSet id="0" contentType="video">
      <ContentProtection schemeIdUri="urn:mpeg:dash:mp4protection:2011" value="cbcs" cenc:default_KID="1"/>
      <Representation id="v1080" codecs="hvc1.1.6.L120"><BaseURL>v1080.aa/</BaseURL></Representation>
    </AdaptationSet>
    <AdaptationSet id="1" contentType="video">
      <Representation id="v720" codecs="avc1.64001f"><BaseURL>v720.aa/</BaseURL></Representation>
      <Representation id="v360"/>
    </AdaptationSet>
  </Period>
  <Period id="1"/>
</MPD>
"#;

    fn written(terms: &Terms, pathways: &[(&str, &str)]) -> String {
        let session = session(terms, pathways);
        String::from_utf8(super::manifest(MPD.as_bytes(), &session).unwrap()).unwrap()
    }

    #[test]
    fn with_one_place_all_else_stays() {
        let text = written(&Terms::default(), &[("", "/t/T/library/a/")]);
        let place = "<BaseURL>/t/T/library/a/</BaseURL>";
        assert_eq!(text, MPD.replace("<Period id=\"0\">", &format!("{place}<Period id=\"0\">")));
    }

    #[test]
    fn representations_go_and_sets_with_them_and_places_have_names() {
        let terms = Terms { max_height: Some(360), ..Terms::default() };
        let text = written(&terms, &[("b", "https://b/a/"), ("a", "https://a/a/")]);
        assert!(
            !text.contains("v1080") && !text.contains("v720") && text.contains("v360"),
            "{text}"
        );
        assert_eq!(text.matches("<AdaptationSet").count(), 1, "{text}");
        let places = "<BaseURL serviceLocation=\"b\">https://b/a/</BaseURL>\
            <BaseURL serviceLocation=\"a\">https://a/a/</BaseURL>\
            <ContentSteering defaultServiceLocation=\"b\" queryBeforeStart=\"false\">/v1/steering/p</ContentSteering>\
            <Period id=\"0\">";
        assert!(text.contains(places), "{text}");
        let parsed = dash_mpd_core::parse(&text).unwrap();
        assert_eq!(parsed.periods[0].adaptations[0].representations.len(), 1);
    }

    #[test]
    fn nonsense_is_an_error() {
        let session = session(&Terms::default(), &[("", "/")]);
        for text in ["", "<MPD/>", "<MPD><Period></MPD>", "<MPD><Period", "\u{0}"] {
            assert!(super::manifest(text.as_bytes(), &session).is_err(), "{text}");
        }
        assert!(super::manifest(b"\xff\xfe", &session).is_err());
    }
}
