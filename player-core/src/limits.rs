//! What keeps a representation from being chosen before any rule is asked: the app's caps, the size of
//! the picture on the screen, and what the device and its network are for.

use kinora_abr::Limits;

use crate::config::AbrConfig;
use crate::io::{Area, Environment};
use crate::presentation::SwitchingSet;

/// The limits on the representations of a set.
pub(crate) fn limits(config: &AbrConfig, environment: &Environment, set: &SwitchingSet) -> Limits {
    let viewport = environment.viewport.filter(|_| config.limit_to_viewport);
    Limits {
        max_bitrate_bps: config.max_bandwidth_bps.map(|bandwidth| bandwidth as f64),
        max_height: config.max_height,
        viewport_height: viewport.and_then(|area| lines_in(area, set)),
        data_saver: config.data_saver || environment.data_saver,
        metered: environment.metered,
        ..Limits::default()
    }
}

/// How many lines of the picture the area shows: the picture is fitted into it, so that a wide picture
/// in a tall area fills its width and not its height. None for an area that shows nothing: where the
/// element is not laid out, its size says nothing of what the viewer will see.
fn lines_in(area: Area, set: &SwitchingSet) -> Option<u32> {
    if area.width == 0 || area.height == 0 {
        return None;
    }
    let shape = set.representations.iter().rev().find_map(|one| one.width.zip(one.height));
    let lines = match shape.filter(|(width, height)| *width > 0 && *height > 0) {
        Some((width, height)) => {
            let fitted = u64::from(area.width) * u64::from(height) / u64::from(width);
            u32::try_from(fitted).unwrap_or(u32::MAX).min(area.height)
        }
        None => area.height,
    };
    Some(lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::MediaKind;
    use crate::presentation::{Representation, Segments};

    fn set() -> SwitchingSet {
        let segments = Segments::Playlist { url: "https://a/1.m3u8".into() };
        let mut wide = Representation::new("1", 1, segments);
        (wide.width, wide.height) = (Some(1920), Some(1080));
        SwitchingSet { representations: vec![wide], ..SwitchingSet::new(MediaKind::Video) }
    }

    #[test]
    fn a_picture_is_fitted_into_its_area() {
        let lines = |width, height| lines_in(Area { width, height }, &set());
        assert_eq!(lines(1280, 720), Some(720));
        assert_eq!(lines(720, 1280), Some(405), "a telephone held upright");
        assert_eq!(lines(4000, 500), Some(500));
        assert_eq!(lines(0, 500), None);
    }

    #[test]
    fn the_viewport_counts_where_the_app_says_so() {
        let environment = Environment {
            viewport: Some(Area { width: 640, height: 360 }),
            metered: true,
            ..Environment::default()
        };
        let config = AbrConfig { limit_to_viewport: true, ..AbrConfig::default() };
        assert_eq!(limits(&config, &environment, &set()).viewport_height, Some(360));
        let config = AbrConfig { limit_to_viewport: false, ..config };
        let limits = limits(&config, &environment, &set());
        assert_eq!((limits.viewport_height, limits.metered), (None, true));
    }
}
