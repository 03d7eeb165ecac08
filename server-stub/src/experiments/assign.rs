//! Who is in which arm: a pure function of names, the same everywhere and for good.

use crate::storage::experiments::{Experiment, ExperimentArm, SHARES};
use sha2::{Digest, Sha256};

/// A number that looks random, of two names.
fn drawn(salt: &str, unit: &str) -> u64 {
    let mut hash = Sha256::new();
    hash.update(salt.as_bytes());
    // No name holds a NUL: no two pairs of names are hashed alike.
    hash.update([0]);
    hash.update(unit.as_bytes());
    let mut number = [0; 8];
    number.copy_from_slice(&hash.finalize()[..8]);
    u64::from_be_bytes(number)
}

/// The share of a layer that a unit, such as a profile, falls into: 0 to 9999.
pub fn share(layer: &str, unit: &str) -> u16 {
    (drawn(&format!("layer/{layer}"), unit) % u64::from(SHARES)) as u16
}

/// The arm of an experiment that a unit is in; none if its share of the layer is not the experiment's. The audience
/// is not looked at.
pub fn arm<'a>(experiment: &'a Experiment, unit: &str) -> Option<&'a ExperimentArm> {
    let share = share(experiment.layer.as_str(), unit);
    let own = experiment.first_share..experiment.first_share.saturating_add(experiment.shares);
    if !own.contains(&share) {
        return None;
    }
    let total: u64 = experiment.arms.iter().map(|arm| u64::from(arm.weight)).sum();
    // Drawn with a salt of its own: an arm is no part of the layer's shares, and tells nothing of another
    // experiment's arms.
    let mut place = drawn(&format!("arm/{}", experiment.id.as_str()), unit).checked_rem(total)?;
    experiment.arms.iter().find(|arm| {
        let weight = u64::from(arm.weight);
        let found = place < weight;
        place = place.wrapping_sub(weight);
        found
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::storage::experiments::{AbrSettings, Audience, Status};
    use proptest::prelude::*;

    pub(crate) fn experiment(
        id: &str,
        first_share: u16,
        shares: u16,
        weights: &[u16],
    ) -> Experiment {
        let arm = |(number, &weight): (usize, &u16)| ExperimentArm {
            id: format!("arm-{number}").parse().unwrap(),
            weight,
            abr: AbrSettings::default(),
        };
        Experiment {
            id: id.parse().unwrap(),
            hypothesis: "".parse().unwrap(),
            layer: "abr".parse().unwrap(),
            first_share,
            shares,
            arms: weights.iter().enumerate().map(arm).collect(),
            audience: Audience::default(),
            status: Status::Running,
        }
    }

    /// A client that computes the same has these to check itself by.
    #[test]
    fn a_unit_has_its_place_for_good() {
        let shares: Vec<u16> =
            ["", "a", "0123456789abcdef0123456789abcdef"].map(|unit| share("abr", unit)).to_vec();
        assert_eq!(shares, VECTORS);
    }

    const VECTORS: [u16; 3] = [4432, 4978, 9084];

    #[test]
    fn arms_have_their_parts() {
        let experiment = experiment("parts", 0, 10_000, &[1, 3, 0]);
        let mut counts = [0; 3];
        for unit in 0..40_000 {
            let arm = arm(&experiment, &unit.to_string()).unwrap();
            counts[experiment.arms.iter().position(|one| one == arm).unwrap()] += 1;
        }
        assert!((9_700..10_300).contains(&counts[0]) && counts[2] == 0, "{counts:?}");
    }

    /// To know the arm of one experiment tells nothing of the arm in another one.
    #[test]
    fn experiments_are_independent() {
        let one = experiment("one", 0, 10_000, &[1, 1]);
        let mut other = experiment("other", 0, 10_000, &[1, 1]);
        other.layer = "rows".parse().unwrap();
        let mut both = [[0; 2]; 2];
        for unit in 0..40_000 {
            let unit = unit.to_string();
            let place =
                |of: &Experiment| usize::from(arm(of, &unit).unwrap().id.as_str() == "arm-1");
            both[place(&one)][place(&other)] += 1;
        }
        assert!(both.as_flattened().iter().all(|n| (9_600..10_400).contains(n)), "{both:?}");
    }

    proptest! {
        #[test]
        fn no_unit_is_in_two_experiments_of_a_layer(unit in ".{0,40}", cut in 1_u16..9_999) {
            let one = experiment("one", 0, cut, &[1, 1]);
            let other = experiment("other", cut, SHARES - cut, &[1, 1]);
            prop_assert!(!one.overlaps(&other));
            prop_assert_ne!(arm(&one, &unit).is_some(), arm(&other, &unit).is_some());
        }
    }
}
