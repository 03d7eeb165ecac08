//! What of a presentation this player can play. The parsers understand more than it can.

use crate::drm;
use crate::presentation::{Presentation, Protection, Purpose, Representation, Segments};

/// What neither a key system nor the player decrypts.
pub(crate) const LOCKED: &str =
    "content encrypted in an unknown way, or with keys of an unknown format";

/// Leaves in a presentation what can be played. Says what cannot, if nothing is left.
pub(crate) fn keep_playable(presentation: &mut Presentation) -> Result<(), &'static str> {
    let mut refused = None;
    presentation.periods.retain(|period| {
        let here = period.remote.is_none();
        if !here {
            refused.get_or_insert("a period whose content is elsewhere");
        }
        here
    });
    let grows = presentation.live.is_some();
    for period in &mut presentation.periods {
        period.sets.retain_mut(|set| {
            set.representations.retain(|representation| {
                let locked = is_locked(representation);
                if locked {
                    refused.get_or_insert(LOCKED);
                }
                !locked && (grows || !is_bare(representation))
            });
            set.purpose == Purpose::Playback && !set.representations.is_empty()
        });
    }
    match refused {
        Some(feature) if presentation.periods.iter().all(|period| period.sets.is_empty()) => {
            Err(feature)
        }
        _ => Ok(()),
    }
}

/// Whether there is nothing of it.
fn is_bare(representation: &Representation) -> bool {
    matches!(&representation.segments, Segments::Known(index) if index.is_bare())
}

/// Whether nothing decrypts it.
fn is_locked(representation: &Representation) -> bool {
    let locked = |protection: &Protection| !drm::supported(protection);
    representation.protection.as_deref().is_some_and(locked)
        || matches!(&representation.segments, Segments::Known(index) if index.keys().iter().any(locked))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::io::MediaKind;
    use crate::presentation::{Period, ProtectionMethod, SwitchingSet};

    fn set(purpose: Purpose, encrypted: bool) -> SwitchingSet {
        let segments = Segments::Playlist { url: "https://a/1.m3u8".into() };
        let mut representation = Representation::new("1", 1, segments);
        representation.protection = encrypted.then(|| {
            let method = ProtectionMethod::Other("ROT-13".into());
            Arc::new(Protection { method, ..Protection::default() })
        });
        SwitchingSet {
            purpose,
            representations: vec![representation],
            ..SwitchingSet::new(MediaKind::Video)
        }
    }

    fn of(sets: Vec<SwitchingSet>) -> Presentation {
        let periods = vec![Period { sets, ..Period::default() }];
        Presentation { periods, ..Presentation::default() }
    }

    #[test]
    fn what_cannot_be_played_is_left_out() {
        let clear = set(Purpose::Playback, false);
        let mut presentation = of(vec![
            set(Purpose::TrickPlay { of: None }, false),
            set(Purpose::Playback, true),
            clear.clone(),
            set(Purpose::Thumbnails, false),
            SwitchingSet { in_stream: Some("CC1".into()), ..SwitchingSet::new(MediaKind::Text) },
        ]);
        assert_eq!(keep_playable(&mut presentation), Ok(()));
        assert_eq!(presentation, of(vec![clear]));
    }

    #[test]
    fn nothing_left_has_a_reason() {
        let encrypted = set(Purpose::Playback, true);
        assert_eq!(keep_playable(&mut of(vec![encrypted.clone()])), Err(LOCKED));
        let mut remote = of(vec![set(Purpose::Playback, false)]);
        remote.periods[0].remote = Some("https://a/period.xml".into());
        assert_eq!(keep_playable(&mut remote), Err("a period whose content is elsewhere"));
    }
}
