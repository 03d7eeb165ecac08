//! Argon2id (RFC 9106) in memory that is kept: a hash takes twenty megabytes, and an allocator that is asked for them again
//! and again comes to hold several times as many.

use crate::id::random;
use argon2::{
    Algorithm, Argon2, Block, Params, Version,
    password_hash::phc::{Output, ParamsString, PasswordHash, Salt},
};
use subtle::ConstantTimeEq;

/// Makes one hash at a time.
pub(super) struct Hasher {
    params: Params,
    memory: Vec<Block>,
}

impl Hasher {
    /// One that makes hashes of this cost.
    pub(super) fn new(params: Params) -> Self {
        Self { params, memory: Vec::new() }
    }

    /// The hash of a password with a new salt, as a PHC string.
    pub(super) fn hash(&mut self, password: &[u8]) -> Result<String, String> {
        let salt = random::<16>();
        let params = self.params.clone();
        let mut output = [0; Params::DEFAULT_OUTPUT_LEN];
        let (algorithm, version) = (Algorithm::Argon2id, Version::V0x13);
        let written = self
            .compute(Argon2::new(algorithm, version, params.clone()), password, &salt, &mut output)
            .map_err(|error| error.to_string())?;
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let hash = PasswordHash {
            algorithm: algorithm.ident(),
            version: Some(version.into()),
            params: ParamsString::try_from(&params).map_err(|error| text(&error))?,
            salt: Some(Salt::new(&salt).map_err(|error| text(&error))?),
            hash: Some(Output::new(written).map_err(|error| text(&error))?),
        };
        Ok(hash.to_string())
    }

    /// Whether a hash, which says itself what it cost, is that of a password.
    pub(super) fn fits(&mut self, password: &[u8], hash: &str) -> bool {
        let parts = || {
            let hash = PasswordHash::new(hash).ok()?;
            let algorithm = Algorithm::try_from(hash.algorithm.as_str()).ok()?;
            let version = Version::try_from(hash.version?).ok()?;
            let params = Params::try_from(&hash).ok()?;
            Some((Argon2::new(algorithm, version, params), hash.salt?, hash.hash?))
        };
        let Some((argon2, salt, expected)) = parts() else { return false };
        let mut output = vec![0; expected.as_ref().len()];
        let made = self.compute(argon2, password, salt.as_ref(), &mut output);
        made.is_ok_and(|made| made.ct_eq(expected.as_ref()).into())
    }

    fn compute<'a>(
        &mut self,
        argon2: Argon2<'_>,
        password: &[u8],
        salt: &[u8],
        output: &'a mut [u8],
    ) -> argon2::Result<&'a [u8]> {
        let blocks = argon2.params().block_count();
        if self.memory.len() < blocks {
            self.memory.resize(blocks, Block::new());
        }
        let memory = self.memory.get_mut(..blocks).unwrap_or_default();
        argon2.hash_password_into_with_memory(password, salt, output, memory)?;
        Ok(output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use argon2::PasswordVerifier;

    #[test]
    fn hashes_are_those_of_everybody_else() {
        let mut hasher = Hasher::new(Params::new(64, 2, 1, None).unwrap());
        // The same memory, again and again, for more and for less.
        for password in ["correct horse", "", "battery"] {
            let hash = hasher.hash(password.as_bytes()).unwrap();
            let other = Argon2::default().verify_password(password.as_bytes(), hash.as_str());
            assert!(other.is_ok(), "{hash}");
            assert!(hasher.fits(password.as_bytes(), &hash));
            assert!(!hasher.fits(b"staple", &hash));
            // By the reference implementation: `argon2 somesalt -id -t 2 -k 256 -p 1`, of "password".
            let known = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$\
                nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
            assert!(hasher.fits(b"password", known));
        }
        for nonsense in ["", "$argon2id$", "$scrypt$ln=1$c29tZXNhbHQ$nf65EOgLrQMR"] {
            assert!(!hasher.fits(b"password", nonsense), "{nonsense}");
        }
    }
}
