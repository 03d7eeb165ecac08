//! Key systems: how manifests name them, what they are called in EME, what each is given.

use super::json;
use super::segments::IDENTITY;
use crate::config::{DrmConfig, KeySystemConfig};
use crate::io::KeySystemOffer;
use crate::media::pssh;
use crate::presentation::{KeyId, Protection, ProtectionMethod, ProtectionSystem};

/// The W3C's common initialisation data, which names keys alone.
const COMMON: &str = "urn:uuid:1077efec-c0b2-4d02-ace3-3c1e52e2fb4b";

/// A family of key systems: one vendor's, whatever their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    ClearKey,
    Widevine,
    PlayReady,
    FairPlay,
}

impl Family {
    /// Those that a manifest may name, the best protecting first.
    const ALL: [Self; 4] = [Self::Widevine, Self::PlayReady, Self::FairPlay, Self::ClearKey];

    /// Of the name of a key system.
    pub(super) fn of_key_system(name: &str) -> Option<Self> {
        if name == "org.w3.clearkey" {
            Some(Self::ClearKey)
        } else if name.starts_with("com.widevine") {
            Some(Self::Widevine)
        } else if name.starts_with("com.microsoft.playready") {
            Some(Self::PlayReady)
        } else if name.starts_with("com.apple.fps") {
            Some(Self::FairPlay)
        } else {
            None
        }
    }

    /// Of what a manifest calls it.
    fn of_scheme(scheme: &str) -> Option<Self> {
        match scheme {
            IDENTITY
            | "org.w3.clearkey"
            | COMMON
            | "urn:uuid:e2719d58-a985-b3c9-781a-b030af78d30e" => Some(Self::ClearKey),
            "urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed" => Some(Self::Widevine),
            "urn:uuid:9a04f079-9840-4286-ab92-e65be0885f95" => Some(Self::PlayReady),
            "com.apple.streamingkeydelivery" | "urn:uuid:94ce86fb-07ff-4f43-adb8-93d2fa968ca2" => {
                Some(Self::FairPlay)
            }
            _ => None,
        }
    }

    /// The name it is asked for under, unless the app says another.
    const fn key_system(self) -> &'static str {
        match self {
            Self::ClearKey => "org.w3.clearkey",
            Self::Widevine => "com.widevine.alpha",
            Self::PlayReady => "com.microsoft.playready.recommendation",
            Self::FairPlay => "com.apple.fps",
        }
    }

    /// The media type of what it asks with.
    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::ClearKey => "application/json",
            _ => "application/octet-stream",
        }
    }

    const fn init_data_type(self) -> &'static str {
        match self {
            Self::ClearKey => "keyids",
            Self::FairPlay => "skd",
            Self::Widevine | Self::PlayReady => "cenc",
        }
    }

    /// What a session for these keys begins with: the kind of it, and the bytes.
    pub(super) fn init_data(
        self,
        protection: &Protection,
        ids: &[KeyId],
    ) -> Option<(&'static str, Vec<u8>)> {
        let data = match self {
            // Key ids say all there is to say, however the manifest does.
            Self::ClearKey if !ids.is_empty() => json::key_ids(ids),
            Self::ClearKey => return None,
            Self::FairPlay => self.systems(protection).find_map(|s| s.uri.clone())?.into_bytes(),
            Self::Widevine | Self::PlayReady => {
                self.systems(protection).find_map(|system| system.pssh.clone())?
            }
        };
        Some((self.init_data_type(), data))
    }

    /// Where the manifest says that its licences are.
    pub(super) fn license_url(self, protection: &Protection) -> Option<&str> {
        self.systems(protection).find_map(|system| system.license_urls.first()).map(String::as_str)
    }

    /// Where the key itself is: HLS has no licences for what every player may decrypt.
    pub(super) fn key_url(self, protection: &Protection) -> Option<&str> {
        let mut systems = self.systems(protection);
        systems.find(|system| system.scheme == IDENTITY)?.uri.as_deref()
    }

    fn systems(self, protection: &Protection) -> impl Iterator<Item = &ProtectionSystem> {
        protection.systems.iter().filter(move |s| Self::of_scheme(&s.scheme) == Some(self))
    }
}

/// Whether the samples are encrypted in a way that key systems decrypt.
pub(crate) fn decryptable(protection: &Protection) -> bool {
    matches!(
        protection.method,
        ProtectionMethod::Cenc | ProtectionMethod::Cbcs | ProtectionMethod::SampleAes
    )
}

/// Whether enough is known of the keys to ask some key system for them.
pub(super) fn is_named(protection: &Protection, ids: &[KeyId]) -> bool {
    Family::ALL.iter().any(|family| family.init_data(protection, ids).is_some())
}

/// The keys that are needed: those the manifest names, and those in its initialisation data.
pub(super) fn key_ids(protection: &Protection) -> Vec<KeyId> {
    let mut ids = protection.key_ids.clone();
    for data in protection.systems.iter().filter_map(|system| system.pssh.as_deref()) {
        // What a key system alone understands is left to it.
        for id in pssh::parse(data).unwrap_or_default().into_iter().flat_map(|pssh| pssh.key_ids) {
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
    }
    ids
}

/// The key systems that would do for some content, in the app's order or else the best first.
pub(super) fn offers(
    config: &DrmConfig,
    protection: &Protection,
    ids: &[KeyId],
    (video, audio): (&[String], &[String]),
) -> Vec<KeySystemOffer> {
    let offer = |family: Family, own: Option<&KeySystemConfig>| -> Option<KeySystemOffer> {
        family.init_data(protection, ids)?;
        let url = own.and_then(|own| own.license_url.as_deref());
        url.or(family.license_url(protection)).or(family.key_url(protection))?;
        let text = |value: Option<&String>| value.cloned().unwrap_or_default();
        let named = family.systems(protection).find_map(|system| system.robustness.as_ref());
        Some(KeySystemOffer {
            key_system: own.map_or(family.key_system(), |own| &own.key_system).to_owned(),
            init_data_types: vec![family.init_data_type().to_owned()],
            encryption_scheme: match protection.method {
                ProtectionMethod::Cenc => "cenc",
                _ => "cbcs",
            }
            .to_owned(),
            video: video.to_vec(),
            audio: audio.to_vec(),
            video_robustness: text(own.and_then(|own| own.video_robustness.as_ref()).or(named)),
            audio_robustness: text(own.and_then(|own| own.audio_robustness.as_ref())),
            persistent: own.is_some_and(|own| own.persistent),
            certificate: own.and_then(|own| own.certificate.clone()),
        })
    };
    let mut offers = Vec::new();
    for own in &config.key_systems {
        let family = Family::of_key_system(&own.key_system);
        offers.extend(family.and_then(|family| offer(family, Some(own))));
    }
    if config.key_systems.is_empty() {
        for family in Family::ALL {
            offers.extend(offer(family, None));
        }
    }
    offers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn protection(systems: &[(&str, Option<&str>)]) -> Protection {
        let system = |(scheme, url): &(&str, Option<&str>)| ProtectionSystem {
            scheme: (*scheme).to_owned(),
            license_urls: url.iter().map(|url| (*url).to_owned()).collect(),
            pssh: Some(vec![1]),
            ..ProtectionSystem::default()
        };
        let systems = systems.iter().map(system).collect();
        Protection { key_ids: vec![[1; 16]], systems, ..Protection::default() }
    }

    fn names(config: &DrmConfig, protection: &Protection) -> Vec<String> {
        let offers = offers(config, protection, &key_ids(protection), (&[], &[]));
        offers.into_iter().map(|offer| offer.key_system).collect()
    }

    #[test]
    fn the_manifest_says_what_would_do_and_the_app_in_which_order() {
        let both = protection(&[
            ("urn:uuid:e2719d58-a985-b3c9-781a-b030af78d30e", Some("https://a/clearkey")),
            ("urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed", Some("https://a/widevine")),
            ("urn:uuid:9a04f079-9840-4286-ab92-e65be0885f95", None),
        ]);
        let mut config = DrmConfig::default();
        // PlayReady has no licence server here.
        assert_eq!(names(&config, &both), ["com.widevine.alpha", "org.w3.clearkey"]);
        let own = |key_system: &str| KeySystemConfig {
            key_system: key_system.to_owned(),
            license_url: Some("https://b/license".to_owned()),
            ..KeySystemConfig::default()
        };
        config.key_systems = vec![own("org.w3.clearkey"), own("com.microsoft.playready.hardware")];
        assert_eq!(names(&config, &both), ["org.w3.clearkey", "com.microsoft.playready.hardware"]);
        config.key_systems = vec![own("com.unheard.of")];
        assert!(names(&config, &both).is_empty());
    }

    #[test]
    fn clearkey_needs_nothing_but_key_ids() {
        let config = DrmConfig {
            key_systems: vec![KeySystemConfig {
                key_system: "org.w3.clearkey".into(),
                license_url: Some("https://b/license".into()),
                ..KeySystemConfig::default()
            }],
        };
        assert_eq!(names(&config, &protection(&[])), ["org.w3.clearkey"]);
        let unknown = Protection { key_ids: Vec::new(), ..protection(&[]) };
        assert!(names(&config, &unknown).is_empty());
    }
}
