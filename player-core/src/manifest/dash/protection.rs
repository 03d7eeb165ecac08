//! How content is encrypted, and who can give the key (ISO/IEC 23009-1 §5.8.4.1, DASH-IF IOP §7).

use super::describe;
use super::names::Name;
use super::resolve::Resolver;
use super::tree::Element;
use crate::manifest::{WarningCode, binary};
use crate::presentation::{KeyId, Protection, ProtectionMethod, ProtectionSystem};

/// The most descriptors that count.
const MOST_SYSTEMS: usize = 32;

/// What the `ContentProtection` elements inside elements say together, the nearest first.
pub(super) fn protection(
    parents: &[Element<'_>],
    resolver: &mut Resolver<'_, '_>,
) -> Option<Protection> {
    let mut protection: Option<Protection> = None;
    let mut left = MOST_SYSTEMS;
    for parent in parents {
        for element in parent.all(Name::ContentProtection).take(left) {
            left -= 1;
            let protection = protection.get_or_insert_default();
            add(element, protection, resolver);
            if let Some(shared) = element.get(Name::Ref).and_then(|id| referred(resolver.mpd, id)) {
                add(shared, protection, resolver);
            }
        }
    }
    protection
}

/// Bytes that it takes.
pub(super) fn size(protection: &Protection) -> usize {
    let system = |system: &ProtectionSystem| {
        let blob = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
        let urls: usize = system.license_urls.iter().map(String::len).sum();
        size_of::<ProtectionSystem>() + blob(&system.pssh) + blob(&system.pro) + urls
    };
    size_of::<Protection>() + protection.systems.iter().map(system).sum::<usize>()
}

/// The descriptor that others refer to by this id (`@refId`). It may be of the MPD or a period.
#[inline(never)]
fn referred<'a>(mpd: Element<'a>, id: &str) -> Option<Element<'a>> {
    let of = |parent: Element<'a>| {
        let mut descriptors = parent.all(Name::ContentProtection);
        descriptors.find(|element| element.get(Name::RefId) == Some(id))
    };
    of(mpd).or_else(|| mpd.all(Name::Period).take(64).find_map(of))
}

#[inline(never)]
fn add(element: Element<'_>, protection: &mut Protection, resolver: &mut Resolver<'_, '_>) {
    let (scheme, value) = describe::scheme(element);
    if let Some(ids) = element.get(Name::DefaultKid) {
        for id in ids.split_ascii_whitespace() {
            match key_id(id) {
                Some(id) if protection.key_ids.contains(&id) => {}
                Some(id) => protection.key_ids.push(id),
                None => resolver.overlook(element, Name::DefaultKid, id),
            }
        }
    }
    if scheme.is_empty() {
        return;
    }
    if scheme == "urn:mpeg:dash:mp4protection:2011" {
        protection.method = match value {
            "cenc" | "" => ProtectionMethod::Cenc,
            "cbcs" => ProtectionMethod::Cbcs,
            other => ProtectionMethod::Other(other.to_owned()),
        };
        return;
    }
    let scheme = scheme.to_ascii_lowercase();
    let known = protection.systems.iter().position(|system| system.scheme == scheme);
    let place = known.unwrap_or_else(|| {
        protection.systems.push(ProtectionSystem { scheme, ..ProtectionSystem::default() });
        protection.systems.len() - 1
    });
    let Some(system) = protection.systems.get_mut(place) else { return };
    let mut warn = |element: Element<'_>| {
        let name = element.name().text();
        let message = format!("the {name} is not Base64");
        resolver.warnings.add(element.at(), WarningCode::BadValue, message);
    };
    for child in element.children() {
        let text = child.content();
        let blob = match child.name() {
            Name::Pssh => &mut system.pssh,
            Name::Pro => &mut system.pro,
            Name::Laurl => {
                let url = child.get(Name::LicenseUrl).unwrap_or(text);
                if !url.is_empty() && !system.license_urls.iter().any(|known| known == url) {
                    system.license_urls.push(url.to_owned());
                }
                continue;
            }
            _ => continue,
        };
        if blob.is_none() {
            *blob = binary::base64(text).filter(|bytes| !bytes.is_empty());
            if blob.is_none() {
                warn(child);
            }
        }
    }
    if system.robustness.is_none() {
        system.robustness = element.owned(Name::Robustness);
    }
}

/// A UUID as ISO/IEC 23001-7 §11.2 writes it.
fn key_id(text: &str) -> Option<KeyId> {
    let mut digits = String::with_capacity(32);
    text.split('-').for_each(|piece| digits.push_str(piece));
    binary::hexadecimal(&digits)?.try_into().ok()
}
