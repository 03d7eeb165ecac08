//! How a set is encrypted, and who can give the key (ISO/IEC 23009-1, 5.8.4.1; ISO/IEC 23001-7, 11).

use crate::package::{presentation::Protected, protect::systems::System};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use dash_mpd_core::{CencPssh, ContentProtection, Laurl, MsprPro};

/// Prefixes of elements, and the namespaces they stand for.
pub(super) const NAMESPACES: [(&str, &str); 2] =
    [("dashif", "https://dashif.org/CPS"), ("clearkey", "http://dashif.org/guidelines/clearKey")];
/// ClearKey's own id, beside the common format's that it reads.
const CLEAR_KEY: &str = "urn:uuid:e2719d58-a985-b3c9-781a-b030af78d30e";

pub(super) fn descriptors(protected: &Protected) -> Vec<ContentProtection> {
    let Some(scheme) = protected.method.scheme() else { return Vec::new() };
    let mut descriptors = vec![ContentProtection {
        schemeIdUri: "urn:mpeg:dash:mp4protection:2011".into(),
        value: Some(scheme.name().into()),
        default_KID: protected.periods.first().map(|period| period.key_id.to_string()),
        ..ContentProtection::default()
    }];
    for (system, pssh) in protected.pssh() {
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
