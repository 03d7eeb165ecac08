//! How a set is encrypted, and who can give the key (ISO/IEC 23009-1, 5.8.4.1; ISO/IEC 23001-7, 11).

use crate::package::{presentation::Protected, protect::systems::System};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use dash_mpd_core::{CencPssh, ContentProtection, Laurl, MsprPro};

/// Prefixes of elements, and the namespaces they stand for.
pub(super) const NAMESPACES: [(&str, &str); 2] =
    [("dashif", "https://dashif.org/CPS"), ("clearkey", "http://dashif.org/guidelines/clearKey")];
/// ClearKey's own id, which is not that of the common box it reads.
const CLEAR_KEY: &str = "urn:uuid:e2719d58-a985-b3c9-781a-b030af78d30e";

pub(super) fn descriptors(protected: &Protected) -> Vec<ContentProtection> {
    let Some(scheme) = protected.method.scheme() else { return Vec::new() };
    let mut descriptors = vec![ContentProtection {
        schemeIdUri: "urn:mpeg:dash:mp4protection:2011".into(),
        value: Some(scheme.name().into()),
        default_KID: protected.periods.first().map(|period| period.key_id.to_string()),
        ..ContentProtection::default()
    }];
    // Players give the common box to ClearKey as if it were key ids (dash.js 5.2 does), and a key that stays is named by
    // `default_KID`. Only where keys change does the box tell what nothing else does: the keys to come. ClearKey's
    // descriptor is another, below (DASH-IF IOP 4.3, 7.6.2.4).
    let told = protected.periods.len() <= 1;
    for (system, pssh) in protected.pssh() {
        if told && system == System::Common {
            continue;
        }
        descriptors.push(ContentProtection {
            schemeIdUri: format!("urn:uuid:{}", system.id()),
            value: name(system),
            cenc_pssh: vec![CencPssh { content: Some(BASE64.encode(pssh)) }],
            msprpro: (system == System::Playready).then(|| MsprPro {
                xmlns: Some("urn:microsoft:playready".into()),
                content: Some(System::playready_object(scheme, &protected.key_ids())),
            }),
            ..ContentProtection::default()
        });
    }
    if protected.systems.contains(&System::Common) {
        let url = |lic_type: &str| {
            let content = protected.license_url.clone()?;
            Some(Laurl { lic_type: Some(lic_type.into()), content: Some(content) })
        };
        descriptors.push(ContentProtection {
            schemeIdUri: CLEAR_KEY.into(),
            value: Some("ClearKey1.0".into()),
            laurl: url("EME-1.0"),
            // The older name of the same, which some players know alone.
            clearkey_laurl: url("EME-1.0"),
            ..ContentProtection::default()
        });
    }
    descriptors
}

fn name(system: System) -> Option<String> {
    let name = match system {
        System::Common => "cenc",
        System::Widevine => "Widevine",
        System::Playready => "MSPR 2.0",
        System::Fairplay => return None,
    };
    Some(name.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        package::{presentation::ProtectedPeriod, protect::Method},
        vault::{KeyId, Tier},
    };

    const COMMON: &str = "urn:uuid:1077efec-c0b2-4d02-ace3-3c1e52e2fb4b";

    fn protected(systems: &[System], keys: &[u8]) -> Protected {
        let period = |key: &u8| ProtectedPeriod { key_id: KeyId([*key; 16]) };
        Protected {
            method: Method::Cbcs,
            tier: Tier::Sd,
            content: "content".into(),
            rotation: None,
            periods: keys.iter().map(period).collect(),
            systems: systems.to_vec(),
            license_url: Some("/clearkey".into()),
            key_url: String::new(),
        }
    }

    fn schemes(protected: &Protected) -> Vec<String> {
        descriptors(protected).into_iter().map(|one| one.schemeIdUri).collect()
    }

    #[test]
    fn a_key_that_stays_is_named_and_clearkey_is_given_no_box() {
        let one = protected(&[System::Common], &[1]);
        assert_eq!(schemes(&one), ["urn:mpeg:dash:mp4protection:2011", CLEAR_KEY]);
        let [common, clear_key] = &descriptors(&one)[..] else { panic!("two descriptors") };
        let id = "01010101-0101-0101-0101-010101010101";
        assert_eq!(common.default_KID.as_deref(), Some(id));
        assert!(clear_key.cenc_pssh.is_empty());
        let url = |laurl: &Option<Laurl>| laurl.clone().and_then(|laurl| laurl.content);
        assert_eq!(url(&clear_key.laurl).as_deref(), Some("/clearkey"));
        assert_eq!(url(&clear_key.clearkey_laurl).as_deref(), Some("/clearkey"));
    }

    #[test]
    fn where_keys_change_the_common_box_names_those_to_come() {
        let all = protected(&[System::Common, System::Widevine], &[1, 2]);
        let widevine = "urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed";
        assert_eq!(schemes(&all)[1..], [COMMON, widevine, CLEAR_KEY]);
        let common = &descriptors(&all)[1];
        let pssh = common.cenc_pssh[0].content.as_deref().unwrap();
        let pssh = BASE64.decode(pssh).unwrap();
        assert_eq!(pssh[32..64], [[1; 16], [2; 16]].concat());
    }
}
