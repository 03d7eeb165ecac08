//! HLS encryption of samples in transport streams and packed audio (`METHOD=SAMPLE-AES`; Apple's *MPEG-2 Stream
//! Encryption Format for HTTP Live Streaming*): AES-CBC over some blocks, anew in each NAL unit and each frame.

use crate::{BLOCK, ContentKey};
use aes::Aes128;
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, InnerIvInit, KeyInit};

/// Bytes at the start of a slice that stay clear, and blocks of which the first is encrypted.
const NAL_CLEAR: usize = 32;
const NAL_STEP: usize = 10;
/// A NAL unit of so many bytes, or fewer, stays clear: as it is, with what keeps start codes from arising in it put in once.
pub const NAL_SHORT: usize = 48;
/// Bytes at the start of a frame of sound, behind its ADTS header, that stay clear.
const FRAME_CLEAR: usize = 16;

/// Encrypts and decrypts what one key and one vector hold for, in place. With a wrong key it becomes other bytes:
/// nothing tells.
///
/// The expanded key is wiped when it is dropped.
pub struct TransportCipher {
    key: Aes128,
    iv: [u8; 16],
}

impl core::fmt::Debug for TransportCipher {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str("TransportCipher(..)")
    }
}

impl TransportCipher {
    /// A cipher of that key.
    pub fn new(key: &ContentKey, iv: [u8; 16]) -> Self {
        Self { key: Aes128::new(key.expose().into()), iv }
    }

    /// Encrypts a slice of H.264 (`nal_unit_type` 1 or 5), from its header on. What keeps start codes from arising is
    /// put in afterwards.
    pub fn encrypt_nal(&self, unit: &mut [u8]) {
        let mut chain = cbc::Encryptor::inner_iv_init(&self.key, (&self.iv).into());
        for run in nal_blocks(unit).chunks_mut(NAL_STEP) {
            chain.encrypt_blocks(&mut run[..1]);
        }
    }

    /// Decrypts a slice of H.264, of which what keeps start codes from arising has been taken out.
    pub fn decrypt_nal(&self, unit: &mut [u8]) {
        let mut chain = cbc::Decryptor::inner_iv_init(&self.key, (&self.iv).into());
        for run in nal_blocks(unit).chunks_mut(NAL_STEP) {
            chain.decrypt_blocks(&mut run[..1]);
        }
    }

    /// Encrypts a frame of AAC, without its ADTS header.
    pub fn encrypt_frame(&self, frame: &mut [u8]) {
        let mut chain = cbc::Encryptor::inner_iv_init(&self.key, (&self.iv).into());
        chain.encrypt_blocks(frame_blocks(frame));
    }

    /// Decrypts a frame of AAC, without its ADTS header.
    pub fn decrypt_frame(&self, frame: &mut [u8]) {
        let mut chain = cbc::Decryptor::inner_iv_init(&self.key, (&self.iv).into());
        chain.decrypt_blocks(frame_blocks(frame));
    }
}

/// The blocks of a slice of which every tenth is encrypted: one needs a byte after it.
fn nal_blocks(unit: &mut [u8]) -> &mut [aes::Block] {
    let end = if unit.len() > NAL_SHORT { unit.len() - 1 } else { NAL_CLEAR.min(unit.len()) };
    blocks(unit.get_mut(NAL_CLEAR..end))
}

fn frame_blocks(frame: &mut [u8]) -> &mut [aes::Block] {
    blocks(frame.get_mut(FRAME_CLEAR..))
}

/// The whole blocks of a part.
fn blocks(part: Option<&mut [u8]>) -> &mut [aes::Block] {
    let (blocks, _) = aes::Block::slice_as_chunks_mut(part.unwrap_or_default());
    blocks
}

const _: () = assert!(BLOCK == 16);

#[cfg(test)]
mod tests {
    use super::*;

    fn cipher() -> TransportCipher {
        TransportCipher::new(&ContentKey::from([3; 16]), [9; 16])
    }

    fn sample(length: usize) -> Vec<u8> {
        (0..length).map(|at| at as u8).collect()
    }

    /// Which bytes an encryption changes, as ranges of whole blocks.
    fn changed(before: &[u8], after: &[u8]) -> Vec<usize> {
        let starts = (0..before.len()).step_by(BLOCK);
        let differs = |at: &usize| {
            let end = (at + BLOCK).min(before.len());
            before[*at..end] != after[*at..end]
        };
        starts.filter(differs).collect()
    }

    #[test]
    fn one_block_of_ten_of_a_slice_is_encrypted_after_a_clear_start() {
        for (length, expected) in [
            (20, vec![]),
            (48, vec![]),
            (49, vec![32]),
            (32 + 160, vec![32]),
            (32 + 160 + 16, vec![32]),
            (32 + 160 + 17, vec![32, 192]),
            (500, vec![32, 192, 352]),
        ] {
            let clear = sample(length);
            let mut unit = clear.clone();
            cipher().encrypt_nal(&mut unit);
            assert_eq!(changed(&clear, &unit), expected, "{length}");
            cipher().decrypt_nal(&mut unit);
            assert_eq!(unit, clear, "{length}");
        }
    }

    #[test]
    fn whole_blocks_of_a_frame_are_encrypted_after_a_clear_start() {
        for (length, expected) in
            [(0, vec![]), (16, vec![]), (31, vec![]), (32, vec![16]), (70, vec![16, 32, 48])]
        {
            let clear = sample(length);
            let mut frame = clear.clone();
            cipher().encrypt_frame(&mut frame);
            assert_eq!(changed(&clear, &frame), expected, "{length}");
            cipher().decrypt_frame(&mut frame);
            assert_eq!(frame, clear, "{length}");
        }
    }

    #[test]
    fn the_chain_goes_on_over_what_is_skipped_and_begins_anew_in_each_unit() {
        let mut unit = sample(400);
        cipher().encrypt_nal(&mut unit);
        // The second encrypted block is chained to the first.
        let chained = unit[32..48].try_into().expect("a block");
        let next = TransportCipher::new(&ContentKey::from([3; 16]), chained);
        let mut frame = [&[0; 16], &sample(400)[192..208]].concat();
        next.encrypt_frame(&mut frame);
        assert_eq!(frame[16..], unit[192..208]);
        let mut again = sample(400);
        cipher().encrypt_nal(&mut again);
        assert_eq!(again, unit);
    }
}
