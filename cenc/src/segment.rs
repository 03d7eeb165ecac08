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
/// [`Error::Length`] and [`Error::Padding`], with the segment as it was: another key may fit.
pub fn decrypt(key: &ContentKey, iv: &[u8; 16], segment: &mut Vec<u8>) -> Result<(), Error> {
    if segment.is_empty() || !segment.len().is_multiple_of(BLOCK) {
        return Err(Error::Length);
    }
    let padding = padding(key, iv, segment).ok_or(Error::Padding)?;
    let (blocks, _) = aes::Block::slice_as_chunks_mut(segment);
    cbc::Decryptor::<Aes128>::new(key.expose().into(), iv.into()).decrypt_blocks(blocks);
    segment.truncate(segment.len() - padding);
    Ok(())
}

/// Bytes of padding, by the last block alone; none if that is no padding.
fn padding(key: &ContentKey, iv: &[u8; 16], segment: &[u8]) -> Option<usize> {
    let (before, last) = segment.split_at(segment.len() - BLOCK);
    let chained = before.last_chunk::<BLOCK>().unwrap_or(iv);
    let mut last: [u8; BLOCK] = last.try_into().ok()?;
    let (blocks, _) = aes::Block::slice_as_chunks_mut(&mut last);
    cbc::Decryptor::<Aes128>::new(key.expose().into(), chained.into()).decrypt_blocks(blocks);
    let padding = usize::from(last[BLOCK - 1]);
    let start = BLOCK.checked_sub(padding).filter(|_| padding > 0)?;
    last.get(start..)?.iter().all(|byte| usize::from(*byte) == padding).then_some(padding)
}

/// The initialisation vector of a segment whose playlist names none: its media sequence number.
pub fn iv_of_sequence(number: u64) -> [u8; 16] {
    u128::from(number).to_be_bytes()
}
