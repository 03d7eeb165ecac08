//! Decisions do not depend on the platform.

use kinora_abr::fingerprint;

/// What [`fingerprint`] gives for [`SEED`], on every platform and in every build. A change of any rule,
/// of the estimator or of a default changes it; a change of compiler, optimisation or target must not.
const FINGERPRINT: u64 = 0x3c3f_95a3_fc6e_38d9;
const SEED: u64 = 2026;

#[test]
fn decisions_are_the_same_to_the_last_bit() {
    let digest = fingerprint(SEED);
    assert_eq!(digest, FINGERPRINT, "{digest:#018x}");
    assert_eq!(digest, fingerprint(SEED));
    assert_ne!(digest, fingerprint(SEED + 1), "the network has a say");
}
