//! Content keys as others exchange them: DASH-IF CPIX 2.3 documents with plain keys (`pskc:PlainValue`).
//!
//! Documents whose keys are encrypted for a recipient are refused: they say so, and nothing is guessed.

use super::{Method, systems::System};
use crate::vault::{Key, KeyId, Tier};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use kinora_cenc::ContentKey;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// A document larger than this is not read.
const LONGEST: usize = 1 << 20;
/// Nor one of more keys.
const MOST_KEYS: usize = 4096;

/// What is wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CpixError {
    /// It is too large to be read.
    #[error("a document of more than {LONGEST} bytes or {MOST_KEYS} keys")]
    TooLarge,
    /// It is not XML, or no CPIX.
    #[error("this is no CPIX document: {reason}")]
    Malformed {
        /// What is wrong; never a part of the document, which holds keys.
        reason: &'static str,
    },
    /// A key is not given in the clear.
    #[error("key {id} is encrypted or missing; export the document with plain keys")]
    NoPlainKey {
        /// The key.
        id: KeyId,
    },
    /// No rule says what a key is for.
    #[error("no ContentKeyUsageRule says what key {id} is for")]
    NoUsage {
        /// The key.
        id: KeyId,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(rename = "CPIX")]
struct Cpix {
    #[serde(rename = "@xmlns", default)]
    xmlns: String,
    #[serde(rename = "@xmlns:pskc", default)]
    xmlns_pskc: String,
    #[serde(rename = "@contentId", default)]
    content_id: String,
    #[serde(rename = "@version", default)]
    version: String,
    #[serde(rename = "ContentKeyList", default)]
    keys: KeyList,
    #[serde(rename = "DRMSystemList", default, skip_serializing_if = "SystemList::is_empty")]
    systems: SystemList,
    #[serde(
        rename = "ContentKeyPeriodList",
        default,
        skip_serializing_if = "PeriodList::is_empty"
    )]
    periods: PeriodList,
    #[serde(rename = "ContentKeyUsageRuleList", default)]
    rules: RuleList,
}

#[derive(Default, Serialize, Deserialize)]
struct KeyList {
    #[serde(rename = "ContentKey", default)]
    keys: Vec<CpixKey>,
}

#[derive(Serialize, Deserialize)]
struct CpixKey {
    #[serde(rename = "@kid")]
    kid: String,
    #[serde(rename = "@commonEncryptionScheme", default, skip_serializing_if = "Option::is_none")]
    scheme: Option<String>,
    #[serde(rename = "Data", default)]
    data: Option<Data>,
}

#[derive(Serialize, Deserialize)]
struct Data {
    #[serde(rename = "pskc:Secret", alias = "Secret", default)]
    secret: Option<Secret>,
}

#[derive(Serialize, Deserialize)]
struct Secret {
    #[serde(rename = "pskc:PlainValue", alias = "PlainValue", default)]
    plain: Option<Zeroizing<String>>,
}

#[derive(Default, Serialize, Deserialize)]
struct SystemList {
    #[serde(rename = "DRMSystem", default)]
    systems: Vec<DrmSystem>,
}

impl SystemList {
    fn is_empty(&self) -> bool {
        self.systems.is_empty()
    }
}

#[derive(Serialize, Deserialize)]
struct DrmSystem {
    #[serde(rename = "@kid")]
    kid: String,
    #[serde(rename = "@systemId")]
    system: String,
    #[serde(rename = "PSSH", default, skip_serializing_if = "Option::is_none")]
    pssh: Option<String>,
}

#[derive(Default, Serialize, Deserialize)]
struct PeriodList {
    #[serde(rename = "ContentKeyPeriod", default)]
    periods: Vec<CpixPeriod>,
}

impl PeriodList {
    fn is_empty(&self) -> bool {
        self.periods.is_empty()
    }
}

#[derive(Serialize, Deserialize)]
struct CpixPeriod {
    #[serde(rename = "@id", default)]
    id: String,
    #[serde(rename = "@index", default)]
    index: u32,
}

#[derive(Default, Serialize, Deserialize)]
struct RuleList {
    #[serde(rename = "ContentKeyUsageRule", default)]
    rules: Vec<Rule>,
}

#[derive(Serialize, Deserialize)]
struct Rule {
    #[serde(rename = "@kid")]
    kid: String,
    #[serde(rename = "@intendedTrackType", default)]
    intended: String,
    #[serde(rename = "KeyPeriodFilter", default, skip_serializing_if = "Vec::is_empty")]
    periods: Vec<PeriodFilter>,
    #[serde(rename = "AudioFilter", default, skip_serializing_if = "Option::is_none")]
    audio: Option<AudioFilter>,
    #[serde(rename = "VideoFilter", default, skip_serializing_if = "Option::is_none")]
    video: Option<VideoFilter>,
}

#[derive(Serialize, Deserialize)]
struct PeriodFilter {
    #[serde(rename = "@periodId")]
    id: String,
}

#[derive(Default, Serialize, Deserialize)]
struct AudioFilter {}

#[derive(Default, Serialize, Deserialize)]
struct VideoFilter {
    #[serde(rename = "@minPixels", default, skip_serializing_if = "Option::is_none")]
    least: Option<u64>,
    #[serde(rename = "@maxPixels", default, skip_serializing_if = "Option::is_none")]
    most: Option<u64>,
}

/// Most pixels of a picture of a tier, at 16:9.
const SD_PIXELS: u64 = 1024 * 576;
const HD_PIXELS: u64 = 1920 * 1080;

impl Rule {
    fn tier(&self) -> Option<Tier> {
        match (self.intended.as_str(), &self.audio, &self.video) {
            ("AUDIO", ..) => Some(Tier::Audio),
            ("SD", ..) => Some(Tier::Sd),
            ("HD", ..) => Some(Tier::Hd),
            ("UHD" | "UHD1" | "UHD2", ..) => Some(Tier::Uhd),
            (_, Some(_), None) => Some(Tier::Audio),
            (_, None, Some(VideoFilter { most, .. })) => Some(match most {
                Some(most) if *most <= SD_PIXELS => Tier::Sd,
                Some(most) if *most <= HD_PIXELS => Tier::Hd,
                _ => Tier::Uhd,
            }),
            _ => None,
        }
    }
}

/// The keys of a document.
///
/// # Errors
/// See [`CpixError`].
pub fn read(document: &str) -> Result<Vec<Key>, CpixError> {
    if document.len() > LONGEST {
        return Err(CpixError::TooLarge);
    }
    let malformed = |reason| CpixError::Malformed { reason };
    let cpix: Cpix =
        quick_xml::de::from_str(document).map_err(|_| malformed("it cannot be read as one"))?;
    if cpix.keys.keys.is_empty() {
        return Err(malformed("it lists no key"));
    }
    if cpix.keys.keys.len() > MOST_KEYS || cpix.rules.rules.len() > MOST_KEYS {
        return Err(CpixError::TooLarge);
    }
    let mut keys = Vec::new();
    for CpixKey { kid, data, .. } in &cpix.keys.keys {
        let id: KeyId = kid.parse().map_err(|_| malformed("a kid is no UUID"))?;
        let plain = data.as_ref().and_then(|data| data.secret.as_ref()?.plain.as_ref());
        let plain = plain.and_then(|text| BASE64.decode(text.trim()).ok().map(Zeroizing::new));
        let key = plain.and_then(|bytes| ContentKey::from_slice(&bytes));
        let key = key.ok_or(CpixError::NoPlainKey { id })?;
        let rules = || cpix.rules.rules.iter().filter(|rule| rule.kid.parse() == Ok(id));
        if rules().next().is_none() {
            return Err(CpixError::NoUsage { id });
        }
        for rule in rules() {
            let tier = rule.tier().ok_or(CpixError::NoUsage { id })?;
            let period = rule.periods.first().map_or(Ok(0), |filter| {
                let mut named = cpix.periods.periods.iter().filter(|period| period.id == filter.id);
                named
                    .next()
                    .map(|period| period.index)
                    .ok_or(malformed("a rule names a period that is not listed"))
            })?;
            let content = cpix.content_id.clone();
            keys.push(Key { id, content, item: None, tier, period, key: key.clone() });
        }
    }
    Ok(keys)
}

/// A document of these keys, in the clear, with what these systems want to know of them.
///
/// # Errors
/// When it cannot be put into words.
pub fn write(
    keys: &[Key],
    method: Method,
    systems: &[System],
) -> Result<Zeroizing<String>, CpixError> {
    let content = keys.first().map(|key| key.content.clone()).unwrap_or_default();
    let scheme = method.scheme();
    let plain = |key: &Key| {
        let plain = Zeroizing::new(BASE64.encode(key.key.expose()));
        Some(Data { secret: Some(Secret { plain: Some(plain) }) })
    };
    let drm = |key: &Key| -> Vec<DrmSystem> {
        let of_system = |system: &System| DrmSystem {
            kid: key.id.to_string(),
            system: system.id().to_string(),
            pssh: scheme
                .and_then(|scheme| system.pssh(scheme, &content, &[key.id]))
                .map(|pssh| BASE64.encode(pssh)),
        };
        systems.iter().map(of_system).collect()
    };
    let mut periods: Vec<u32> = keys.iter().map(|key| key.period).collect();
    periods.sort_unstable();
    periods.dedup();
    let rotates = periods.len() > 1;
    let rule = |key: &Key| Rule {
        kid: key.id.to_string(),
        intended: match key.tier {
            Tier::Audio => "AUDIO",
            Tier::Sd => "SD",
            Tier::Hd => "HD",
            Tier::Uhd => "UHD",
        }
        .into(),
        periods: if rotates {
            vec![PeriodFilter { id: period_id(key.period) }]
        } else {
            Vec::new()
        },
        audio: (key.tier == Tier::Audio).then(AudioFilter::default),
        video: match key.tier {
            Tier::Audio => None,
            Tier::Sd => Some(VideoFilter { least: None, most: Some(SD_PIXELS) }),
            Tier::Hd => Some(VideoFilter { least: Some(SD_PIXELS + 1), most: Some(HD_PIXELS) }),
            Tier::Uhd => Some(VideoFilter { least: Some(HD_PIXELS + 1), most: None }),
        },
    };
    let cpix = Cpix {
        xmlns: "urn:dashif:org:cpix".into(),
        xmlns_pskc: "urn:ietf:params:xml:ns:keyprov:pskc".into(),
        version: "2.3".into(),
        keys: KeyList {
            keys: keys
                .iter()
                .map(|key| CpixKey {
                    kid: key.id.to_string(),
                    scheme: scheme.map(|scheme| scheme.name().into()),
                    data: plain(key),
                })
                .collect(),
        },
        systems: SystemList { systems: keys.iter().flat_map(drm).collect() },
        periods: PeriodList {
            periods: periods
                .iter()
                .filter(|_| rotates)
                .map(|index| CpixPeriod { id: period_id(*index), index: *index })
                .collect(),
        },
        rules: RuleList { rules: keys.iter().map(rule).collect() },
        content_id: content,
    };
    let mut text = Zeroizing::new(String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"));
    let cannot = |_| CpixError::Malformed { reason: "it cannot be written" };
    cpix.serialize(quick_xml::se::Serializer::new(&mut *text)).map_err(cannot)?;
    Ok(text)
}

fn period_id(index: u32) -> String {
    format!("period_{index}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(tier: Tier, period: u32) -> Key {
        let key = ContentKey::from([tier as u8 + 1; 16]);
        Key { id: KeyId::random(), content: "c0ffee".into(), item: None, tier, period, key }
    }

    #[test]
    fn keys_come_back() {
        for keys in [
            vec![key(Tier::Audio, 0)],
            vec![key(Tier::Audio, 0), key(Tier::Sd, 0), key(Tier::Hd, 0), key(Tier::Uhd, 0)],
            vec![key(Tier::Sd, 0), key(Tier::Sd, 1), key(Tier::Audio, 0), key(Tier::Audio, 1)],
        ] {
            let systems = [System::Common, System::Widevine, System::Fairplay];
            let text = write(&keys, Method::Cbcs, &systems).unwrap();
            assert_eq!(read(&text), Ok(keys), "{}", *text);
        }
    }

    /// As a key server's documentation shows one.
    const OTHERS: &str = r#"<?xml version="1.0"?>
        <cpix:CPIX id="x" contentId="movie" xmlns:cpix="urn:dashif:org:cpix" xmlns:k="urn:ietf:params:xml:ns:keyprov:pskc">
          <cpix:ContentKeyList>
            <cpix:ContentKey kid="40D02DD1-61A3-4787-A155-572325D47B80" explicitIV="QNAt0WGjR4ehVVcjJdR7gA==">
              <cpix:Data><k:Secret><k:PlainValue>gPxt0PMwrHM4TdjwdQmhhQ==</k:PlainValue></k:Secret></cpix:Data>
            </cpix:ContentKey>
          </cpix:ContentKeyList>
          <cpix:ContentKeyUsageRuleList>
            <cpix:ContentKeyUsageRule kid="40d02dd1-61a3-4787-a155-572325d47b80"><cpix:VideoFilter maxPixels="442368"/></cpix:ContentKeyUsageRule>
            <cpix:ContentKeyUsageRule kid="40d02dd1-61a3-4787-a155-572325d47b80"><cpix:AudioFilter/></cpix:ContentKeyUsageRule>
          </cpix:ContentKeyUsageRuleList>
        </cpix:CPIX>"#;

    #[test]
    fn documents_of_others_are_read_by_their_filters() {
        let keys = read(OTHERS).unwrap();
        let tiers: Vec<Tier> = keys.iter().map(|key| key.tier).collect();
        assert_eq!(tiers, [Tier::Sd, Tier::Audio]);
        assert_eq!(keys[0].content, "movie");
        assert_eq!(keys[0].key.expose()[..2], [0x80, 0xfc]);
    }

    #[test]
    fn what_cannot_be_used_is_named_without_its_keys() {
        let id: KeyId = "40d02dd1-61a3-4787-a155-572325d47b80".parse().unwrap();
        let without = OTHERS.replace("k:PlainValue", "k:EncryptedValue");
        assert_eq!(read(&without), Err(CpixError::NoPlainKey { id }));
        let unused = OTHERS.replace("ContentKeyUsageRule kid=\"40", "ContentKeyUsageRule kid=\"41");
        assert_eq!(read(&unused), Err(CpixError::NoUsage { id }));
        for broken in ["", "<a/>", "<CPIX/>", "not xml", &OTHERS[..300]] {
            assert!(matches!(read(broken), Err(CpixError::Malformed { .. })), "{broken}");
        }
        assert_eq!(read(&" ".repeat(LONGEST + 1)), Err(CpixError::TooLarge));
    }
}
