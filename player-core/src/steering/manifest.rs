//! Steering manifests (RFC 8216bis §7.2; ETSI TS 103 998 §6): what a steering server says.

use super::json::{Kind, NotJson, Reader};
use crate::io::SteeringFault;

/// What a steering server says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SteeringManifest {
    /// Seconds until it is to be asked again (`TTL`).
    pub(super) ttl: Option<u64>,
    /// Where to ask then, relative to where this came from (`RELOAD-URI`).
    pub(super) reload_uri: Option<String>,
    /// Best first (`PATHWAY-PRIORITY`; `SERVICE-LOCATION-PRIORITY` in drafts for DASH).
    pub(super) priority: Vec<String>,
    pub(super) clones: Vec<PathwayClone>,
}

/// A pathway that is another but for its URLs (`PATHWAY-CLONES`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PathwayClone {
    /// `BASE-ID`.
    pub(super) base: String,
    /// `ID`.
    pub(super) id: String,
    /// `HOST`.
    pub(super) host: Option<String>,
    /// `PARAMS`, sorted by name.
    pub(super) params: Vec<(String, String)>,
    /// `PER-VARIANT-URIS` and `PER-RENDITION-URIS`, by stable id.
    pub(super) uris: Vec<(String, String)>,
}

/// The most pathways, clones, parameters or URLs of each that are taken.
const MOST: usize = 256;

/// Reads a steering manifest, and notes what of it makes no sense.
pub(super) fn read(
    body: &[u8],
    faults: &mut Vec<SteeringFault>,
) -> Result<SteeringManifest, SteeringFault> {
    let text = core::str::from_utf8(body).map_err(|_| SteeringFault::Malformed)?;
    let mut reader = Reader::new(text);
    let mut version = None;
    let manifest = read_manifest(&mut reader, &mut version, faults);
    let manifest = manifest.map_err(|NotJson { .. }| SteeringFault::Malformed)?;
    // §7.2: a version that is not understood says nothing that could be.
    if version != Some(1) { Err(SteeringFault::Version) } else { Ok(manifest) }
}

fn read_manifest(
    reader: &mut Reader<'_>,
    version: &mut Option<u64>,
    faults: &mut Vec<SteeringFault>,
) -> Result<SteeringManifest, NotJson> {
    let mut manifest = SteeringManifest::default();
    reader.enter(Kind::Object)?;
    let mut first = true;
    while reader.more(Kind::Object, &mut first)? {
        let key = reader.key()?;
        match (key.as_str(), reader.kind()?) {
            ("VERSION", Kind::Number) => *version = reader.count()?,
            ("TTL", Kind::Number) => manifest.ttl = reader.count()?,
            ("RELOAD-URI", Kind::String) => manifest.reload_uri = Some(reader.string()?),
            ("PATHWAY-PRIORITY" | "SERVICE-LOCATION-PRIORITY", Kind::Array) => {
                manifest.priority = strings(reader)?;
            }
            ("PATHWAY-CLONES", Kind::Array) => {
                reader.enter(Kind::Array)?;
                let mut first = true;
                while reader.more(Kind::Array, &mut first)? {
                    if reader.kind()? != Kind::Object {
                        reader.skip()?;
                        faults.push(SteeringFault::Clone);
                        continue;
                    }
                    let clone = read_clone(reader)?;
                    let whole = !clone.base.is_empty() && !clone.id.is_empty();
                    if whole && manifest.clones.len() < MOST {
                        manifest.clones.push(clone);
                    } else {
                        faults.push(SteeringFault::Clone);
                    }
                }
            }
            // What is not known is passed over (§7.2).
            _ => reader.skip()?,
        }
    }
    reader.end()?;
    Ok(manifest)
}

fn read_clone(reader: &mut Reader<'_>) -> Result<PathwayClone, NotJson> {
    let mut clone = PathwayClone::default();
    reader.enter(Kind::Object)?;
    let mut first = true;
    while reader.more(Kind::Object, &mut first)? {
        let key = reader.key()?;
        match (key.as_str(), reader.kind()?) {
            ("BASE-ID", Kind::String) => clone.base = reader.string()?,
            ("ID", Kind::String) => clone.id = reader.string()?,
            ("URI-REPLACEMENT", Kind::Object) => read_replacement(reader, &mut clone)?,
            _ => reader.skip()?,
        }
    }
    Ok(clone)
}

fn read_replacement(reader: &mut Reader<'_>, clone: &mut PathwayClone) -> Result<(), NotJson> {
    reader.enter(Kind::Object)?;
    let mut first = true;
    while reader.more(Kind::Object, &mut first)? {
        let key = reader.key()?;
        match (key.as_str(), reader.kind()?) {
            ("HOST", Kind::String) => clone.host = Some(reader.string()?),
            ("PARAMS", Kind::Object) => {
                let mut params = core::mem::take(&mut clone.params);
                read_pairs(reader, &mut params)?;
                // There are few.
                for param in params {
                    let place = clone.params.partition_point(|known| *known < param);
                    crate::items::put(&mut clone.params, place, param);
                }
            }
            ("PER-VARIANT-URIS" | "PER-RENDITION-URIS", Kind::Object) => {
                read_pairs(reader, &mut clone.uris)?;
            }
            _ => reader.skip()?,
        }
    }
    Ok(())
}

/// The members of an object whose values are strings.
fn read_pairs(reader: &mut Reader<'_>, to: &mut Vec<(String, String)>) -> Result<(), NotJson> {
    reader.enter(Kind::Object)?;
    let mut first = true;
    while reader.more(Kind::Object, &mut first)? {
        let key = reader.key()?;
        if reader.kind()? != Kind::String {
            reader.skip()?;
            continue;
        }
        let value = reader.string()?;
        if to.len() < MOST && !key.is_empty() {
            to.push((key, value));
        }
    }
    Ok(())
}

/// The strings of an array.
fn strings(reader: &mut Reader<'_>) -> Result<Vec<String>, NotJson> {
    let mut strings: Vec<String> = Vec::new();
    reader.enter(Kind::Array)?;
    let mut first = true;
    while reader.more(Kind::Array, &mut first)? {
        if reader.kind()? != Kind::String {
            reader.skip()?;
            continue;
        }
        let string = reader.string()?;
        if strings.len() < MOST && !strings.contains(&string) {
            strings.push(string);
        }
    }
    Ok(strings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_whole(text: &str) -> Result<SteeringManifest, SteeringFault> {
        let mut faults = Vec::new();
        let read = read(text.as_bytes(), &mut faults);
        assert_eq!(faults, []);
        read
    }

    #[test]
    fn the_example_of_the_specification() {
        // RFC 8216bis §7.2 and §7.3.
        let manifest = read_whole(
            r#"{
                "VERSION": 1, "TTL": 300, "RELOAD-URI": "https://example.com/steering?video=00012&session=123",
                "PATHWAY-PRIORITY": ["CDN-A", "CDN-B", "CDN-A-CLONE"],
                "PATHWAY-CLONES": [{
                    "BASE-ID": "CDN-A", "ID": "CDN-A-CLONE",
                    "URI-REPLACEMENT": {
                        "HOST": "backup2.example.com",
                        "PARAMS": { "token": "dkfs1239414", "a": "b" },
                        "PER-RENDITION-URIS": { "r1": "https://r" }, "PER-VARIANT-URIS": { "v1": "https://v" }
                    }
                }]
            }"#,
        )
        .expect("a sound manifest");
        assert_eq!((manifest.ttl, manifest.priority.len()), (Some(300), 3));
        assert!(manifest.reload_uri.is_some_and(|uri| uri.ends_with("session=123")));
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(
            manifest.clones,
            [PathwayClone {
                base: "CDN-A".into(),
                id: "CDN-A-CLONE".into(),
                host: Some("backup2.example.com".into()),
                params: vec![pair("a", "b"), pair("token", "dkfs1239414")],
                uris: vec![pair("r1", "https://r"), pair("v1", "https://v")],
            }]
        );
    }

    #[test]
    fn what_is_no_steering_manifest_is_named() {
        for (text, fault) in [
            ("", SteeringFault::Malformed),
            ("<html>", SteeringFault::Malformed),
            ("{\"VERSION\":1", SteeringFault::Malformed),
            ("[]", SteeringFault::Malformed),
            ("{}", SteeringFault::Version),
            ("{\"VERSION\":2,\"TTL\":9}", SteeringFault::Version),
            ("{\"VERSION\":\"1\"}", SteeringFault::Version),
        ] {
            assert_eq!(read_whole(text), Err(fault), "{text}");
        }
    }

    #[test]
    fn values_of_other_types_are_passed_over() {
        let text = r#"{"VERSION":1,"TTL":"soon","PATHWAY-PRIORITY":["A",1,null,"A","B"],"X":[{}],"PATHWAY-CLONES":{}}"#;
        let expected =
            SteeringManifest { priority: vec!["A".into(), "B".into()], ..Default::default() };
        assert_eq!(read_whole(text), Ok(expected));
    }
}
