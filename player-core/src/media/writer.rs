//! Writing boxes (ISO/IEC 14496-12 §4.2).

/// Boxes being written.
pub(super) struct Writer {
    pub(super) out: Vec<u8>,
}

impl Writer {
    pub(super) fn u8(&mut self, value: u8) {
        self.out.push(value);
    }

    pub(super) fn u16(&mut self, value: u16) {
        self.bytes(&value.to_be_bytes());
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.bytes(&value.to_be_bytes());
    }

    pub(super) fn words(&mut self, values: &[u32]) {
        for value in values {
            self.u32(*value);
        }
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Begins a box; where, for [`end`](Self::end).
    pub(super) fn begin(&mut self, name: &[u8; 4]) -> usize {
        let at = self.out.len();
        self.u32(0);
        self.bytes(name);
        at
    }

    pub(super) fn end(&mut self, at: usize) {
        let size = (self.out.len() - at) as u32;
        self.set(at, size);
    }

    pub(super) fn set(&mut self, at: usize, value: u32) {
        if let Some(place) = self.out.get_mut(at..at + 4) {
            place.copy_from_slice(&value.to_be_bytes());
        }
    }

    /// A box that holds nothing but words.
    pub(super) fn leaf(&mut self, name: &[u8; 4], values: &[u32]) {
        let at = self.begin(name);
        self.words(values);
        self.end(at);
    }
}
