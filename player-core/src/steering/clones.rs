//! Pathways made of others (RFC 8216bis §7.3): the same, but for hosts, parameters or whole URLs.

use super::manifest::PathwayClone;
use crate::presentation::{Origin, Presentation, Representation};
use crate::url;

/// The most places that one representation can be had from.
const MOST_ORIGINS: usize = 32;

/// Adds a clone to everything that its base has. Whether there was anything.
pub(super) fn apply(presentation: &mut Presentation, clone: &PathwayClone) -> bool {
    let mut found = false;
    for period in &mut presentation.periods {
        for set in &mut period.sets {
            for representation in &mut set.representations {
                found |= add(representation, clone);
            }
        }
    }
    found
}

/// Whether anything can be had by a pathway.
pub(super) fn has_pathway(presentation: &Presentation, name: &str) -> bool {
    let mut sets = presentation.periods.iter().flat_map(|period| &period.sets);
    sets.any(|set| {
        let mut origins = set.representations.iter().flat_map(|one| &one.origins);
        origins.any(|origin| origin.pathway.as_deref() == Some(name))
    })
}

fn add(representation: &mut Representation, clone: &PathwayClone) -> bool {
    let of = |name: &str| {
        let mut origins = representation.origins.iter();
        origins.find(|origin| origin.pathway.as_deref() == Some(name))
    };
    if of(&clone.id).is_some() {
        return true;
    }
    let Some(base) = of(&clone.base) else { return false };
    if representation.origins.len() >= MOST_ORIGINS {
        return false;
    }
    let own = clone.uris.iter().find(|(id, _)| *id == representation.id).map(|(_, uri)| uri);
    let mut url = match (own, &clone.host) {
        (Some(uri), _) => url::resolve(&base.url, uri),
        (None, Some(host)) => url::with_host(&base.url, host),
        (None, None) => base.url.clone(),
    };
    let mut query = String::new();
    for (name, value) in &clone.params {
        if !query.is_empty() {
            query.push('&');
        }
        url::push_encoded(&mut query, name);
        query.push('=');
        url::push_encoded(&mut query, value);
    }
    if representation.has_playlist() {
        // The parameters are the playlist's, which says of its segments what it likes.
        url = url::with_query(&url, &core::mem::take(&mut query));
    }
    let origin = Origin {
        pathway: Some(clone.id.clone()),
        priority: base.priority,
        weight: base.weight,
        url,
        query,
    };
    representation.origins.push(origin);
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::MediaKind;
    use crate::presentation::{Period, Segments, SwitchingSet};

    fn presentation(dash: bool) -> Presentation {
        let url = "https://a.example:8443/film/v1/".to_owned();
        let segments = if dash {
            Segments::IndexBox {
                url: url.clone(),
                range: None,
                init: None,
                media_offset: crate::time::MediaTime::ZERO,
                end: None,
            }
        } else {
            Segments::Playlist { url: url.clone() }
        };
        let mut representation = Representation::new("v1", 1, segments);
        let pathway = Some("A".to_owned());
        representation.origins = vec![Origin { pathway, url, ..Origin::default() }];
        let sets = vec![SwitchingSet {
            representations: vec![representation],
            ..SwitchingSet::new(MediaKind::Video)
        }];
        Presentation { periods: vec![Period { sets, ..Period::default() }], ..Default::default() }
    }

    fn clone() -> PathwayClone {
        PathwayClone {
            base: "A".into(),
            id: "B".into(),
            host: Some("b.example".into()),
            params: vec![("to ken".into(), "x&y".into())],
            uris: Vec::new(),
        }
    }

    fn origins(presentation: &Presentation) -> &[Origin] {
        &presentation.periods[0].sets[0].representations[0].origins
    }

    #[test]
    fn a_playlist_has_its_host_and_parameters_replaced() {
        let mut hls = presentation(false);
        assert!(apply(&mut hls, &clone()));
        assert_eq!(origins(&hls)[1].url, "https://b.example:8443/film/v1/?to%20ken=x%26y");
        assert_eq!(origins(&hls)[1].query, "");
    }

    #[test]
    fn a_base_url_keeps_parameters_for_everything_below_it() {
        let mut dash = presentation(true);
        assert!(apply(&mut dash, &clone()));
        assert_eq!(origins(&dash)[1].url, "https://b.example:8443/film/v1/");
        assert_eq!(origins(&dash)[1].query, "to%20ken=x%26y");
    }

    #[test]
    fn a_url_of_its_own_goes_before_the_host() {
        let uris = vec![("v1".into(), "https://c.example/own.m3u8".into())];
        let mut hls = presentation(false);
        assert!(apply(&mut hls, &PathwayClone { uris, params: Vec::new(), ..clone() }));
        assert_eq!(origins(&hls)[1].url, "https://c.example/own.m3u8");
    }

    #[test]
    fn a_clone_of_a_clone_is_one_and_of_nothing_is_none() {
        let mut hls = presentation(false);
        let third = PathwayClone { base: "B".into(), id: "C".into(), ..clone() };
        assert!(!apply(&mut hls, &third), "its base is not there yet");
        assert!(apply(&mut hls, &clone()) && apply(&mut hls, &third));
        assert!(apply(&mut hls, &clone()), "known already");
        assert_eq!(origins(&hls).len(), 3);
        assert!(has_pathway(&hls, "C") && !has_pathway(&hls, "D"));
    }
}
