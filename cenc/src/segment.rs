//! HLS encryption of whole segments (`METHOD=AES-128`, RFC 8216bis §4.4.4.4): AES-CBC with PKCS #7 padding.

use crate::{BLOCK, ContentKey, Error};
use aes::Aes128;
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};

/// Encrypts a segment: it grows by its padding, 1 to 16 bytes.
pub fn encrypt(key: &ContentKey, iv: &[u8; 16], segment: &mut Vec<u8>) {
    let padding = BLOCK - segment.len() % BLOCK;
    segment.resize(segment.len() + padding, padding as u8);
    let (blocks, _) = aes::Block::slice_as_chunks_mut(segment);
    cbc::Encryptor::<Aes128>::new(key.expose().into(), iv.into()).encrypt_blocks(blocks);
}

/// Decrypts a segment, and takes its padding off.
///
/// # Errors
/// [`Error::Length`], with the segment as it was; [`Error::Padding`], with the segment empty: what was made of it
/// with a wrong key is not left to be taken for media.
pub fn decrypt(key: &ContentKey, iv: &[u8; 16], segment: &mut Vec<u8>) -> Result<(), Error> {
    if segment.is_empty() || !segment.len().is_multiple_of(BLOCK) {
        return Err(Error::Length);
    }
    let (blocks, _) = aes::Block::slice_as_chunks_mut(segment);
    cbc::Decryptor::<Aes128>::new(key.expose().into(), iv.into()).decrypt_blocks(blocks);
    let padding = segment.last().map_or(0, |last| usize::from(*last));
    let tail = segment.len().checked_sub(padding).filter(|_| (1..=BLOCK).contains(&padding));
    match tail.and_then(|start| Some((start, segment.get(start..)?))) {
        Some((start, tail)) if tail.iter().all(|byte| usize::from(*byte) == padding) => {
            segment.truncate(start);
            Ok(())
        }
        _ => {
            segment.clear();
            Err(Error::Padding)
        }
    }
}

/// The initialisation vector of a segment whose playlist names none: its media sequence number.
pub fn iv_of_sequence(number: u64) -> [u8; 16] {
    u128::from(number).to_be_bytes()
}
