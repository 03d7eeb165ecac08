//! Popularity: what was touched lately by many.

use super::Preferences;

/// Each title's share of what the most popular one has: 0 to 1. A touch loses half of its weight in
/// `half_life` seconds before `now`; one that comes later than `now` counts as one of now.
pub(super) fn decayed(preferences: &Preferences, now: i64, half_life: f64) -> Vec<f32> {
    let mut sums = vec![0.0_f64; preferences.items().len()];
    for entry in preferences.rows().flatten() {
        let age = now.saturating_sub(entry.at).max(0) as f64;
        sums[entry.item as usize] += f64::from(entry.strength) * (-age / half_life).exp2();
    }
    let most = sums.iter().copied().fold(0.0, f64::max);
    let scale = if most > 0.0 { most.recip() } else { 0.0 };
    sums.into_iter().map(|sum| (sum * scale) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recommend::{Interaction, Kind};

    #[test]
    fn a_touch_halves_in_a_half_life() {
        let touch = |profile: &str, item: &str, at| {
            let (profile, item) = (profile.to_owned(), item.to_owned());
            Ok(Interaction { profile, item, at, kind: Kind::Watch, weight: 1.0 })
        };
        let preferences = Preferences::collect(
            [touch("p", "a", 80), touch("q", "a", 70), touch("p", "b", 100), touch("p", "c", 120)],
            ["d".to_owned()],
        );
        let popularity = decayed(&preferences.unwrap(), 100, 10.0);
        assert_eq!(popularity, [0.375, 1.0, 1.0, 0.0]);
    }
}
