//! The parameter sets of H.264 (ISO/IEC 14496-10 §7.4.1.2.1): which a decoder is set up with, and which samples carry.

use super::TransportFault;
use super::bits::Bits;
use super::sps::{Sps, unescaped};

/// The most parameter sets that `avcC` has room for.
const MOST_SPS: usize = 31;
const MOST_PPS: usize = 255;

/// The parameter sets that pictures refer to: what a decoder is set up with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Parameters {
    pub(super) sps: Vec<(Sps, Vec<u8>)>,
    /// By id, rising.
    pub(super) pps: Vec<(u32, Vec<u8>)>,
}

impl Parameters {
    fn get(&self, id: Id) -> Option<&[u8]> {
        let unit = match id {
            Id::Sequence(id) => {
                self.sps.iter().find(|(known, _)| known.id == id).map(|(_, unit)| unit)
            }
            Id::Picture(id) => {
                self.pps.iter().find(|(known, _)| *known == id).map(|(_, unit)| unit)
            }
        };
        unit.map(Vec::as_slice)
    }

    /// Puts a set in the place of the one of its id, if there is room for it.
    fn put(&mut self, id: Id, unit: &[u8]) -> bool {
        if unit.len() > usize::from(u16::MAX) {
            return false;
        }
        match id {
            Id::Sequence(id) => {
                let Some(sps) = Sps::read(unit) else { return false };
                let room = self.sps.len() < MOST_SPS;
                match self.sps.iter_mut().find(|(known, _)| known.id == id) {
                    Some(known) => *known = (sps, unit.to_vec()),
                    None if room => self.sps.push((sps, unit.to_vec())),
                    None => return false,
                }
            }
            Id::Picture(id) => {
                let room = self.pps.len() < MOST_PPS;
                let place = self.pps.partition_point(|(known, _)| *known < id);
                match self.pps.get_mut(place).filter(|(known, _)| *known == id) {
                    Some(known) => known.1 = unit.to_vec(),
                    None if room => self.pps.insert(place, (id, unit.to_vec())),
                    None => return false,
                }
            }
        }
        true
    }
}

/// Which parameter set it is: another of the same takes its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Id {
    Sequence(u32),
    Picture(u32),
}

/// Follows the parameter sets through a segment.
#[derive(Debug)]
pub(super) struct Sets<'a> {
    /// Those in effect before it.
    earlier: Option<&'a Parameters>,
    /// The first of each id in it.
    own: Parameters,
    /// Those that samples have changed since, and what to.
    changed: Vec<(Id, Vec<u8>)>,
}

impl<'a> Sets<'a> {
    pub(super) fn after(earlier: Option<&'a Parameters>) -> Self {
        Self { earlier, own: Parameters::default(), changed: Vec::new() }
    }

    /// Takes a sequence parameter set, or one of pictures. Whether samples need not carry it: a decoder has it, or is
    /// set up with it before the segment.
    pub(super) fn take(&mut self, is_sequence: bool, unit: &[u8]) -> bool {
        let id = if is_sequence {
            let Some(sps) = Sps::read(unit) else { return true };
            Id::Sequence(sps.id)
        } else {
            let plain = unescaped(unit, 16);
            Id::Picture(Bits::new(plain.get(1..).unwrap_or_default()).unsigned())
        };
        let is_first = self.own.get(id).is_none();
        let changed = self.changed.iter().position(|(known, _)| *known == id);
        let last = match changed.and_then(|at| self.changed.get(at)) {
            Some((_, unit)) => Some(unit.as_slice()),
            None => self.own.get(id).or_else(|| self.earlier?.get(id)),
        };
        let (is_new, is_same) = (last.is_none(), last == Some(unit));
        if is_first && !self.own.put(id, unit) {
            return false;
        }
        if is_same || is_new {
            return true;
        }
        // What a decoder was set up with before may be the same as now, and is not sent again then.
        match changed.and_then(|at| self.changed.get_mut(at)) {
            Some((_, last)) => *last = unit.to_vec(),
            None => self.changed.push((id, unit.to_vec())),
        }
        false
    }

    /// Whether a picture may come in two fields.
    pub(super) fn may_have_fields(&self) -> bool {
        let earlier = self.earlier.map_or(&[][..], |earlier| &earlier.sps);
        self.own.sps.iter().chain(earlier).any(|(sps, _)| sps.fields)
    }

    /// What a decoder is to be set up with for the segment, and what is in effect after it.
    pub(super) fn finish(self) -> Result<(Parameters, Parameters), TransportFault> {
        let Self { earlier, mut own, changed } = self;
        if let Some(earlier) = earlier {
            if own.sps.is_empty() {
                own.sps.clone_from(&earlier.sps);
            }
            // Another sequence has picture parameter sets of its own.
            if own.sps == earlier.sps || own.pps.is_empty() {
                for (id, unit) in &earlier.pps {
                    if own.get(Id::Picture(*id)).is_none() {
                        own.put(Id::Picture(*id), unit);
                    }
                }
            }
        }
        if own.sps.is_empty() || own.pps.is_empty() {
            return Err(TransportFault::NoParameterSets);
        }
        let mut after = own.clone();
        for (id, unit) in &changed {
            after.put(*id, unit);
        }
        Ok((own, after))
    }
}

#[cfg(test)]
mod tests {
    use super::super::avc::tests::{PPS, SPS};
    use super::*;

    /// Another of id 0, and one of id 1.
    const OTHER: &[u8] = &[0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xa0];
    const SECOND: &[u8] = &[0x68, 0x5b, 0xe3, 0xcb, 0x22, 0xc0];

    fn parameters(pps: &[(u32, &[u8])]) -> Parameters {
        let sps = Sps::read(SPS).expect("whole");
        let pps = pps.iter().map(|(id, unit)| (*id, unit.to_vec())).collect();
        Parameters { sps: vec![(sps, SPS.to_vec())], pps }
    }

    #[test]
    fn a_set_that_returns_after_another_of_its_id_is_sent_again() {
        let mut sets = Sets::after(None);
        assert!(sets.take(true, SPS) && sets.take(false, PPS));
        assert!(sets.take(false, PPS));
        assert!(!sets.take(false, OTHER));
        assert!(sets.take(false, OTHER));
        assert!(!sets.take(false, PPS), "the decoder has the other one");
        assert!(!sets.take(false, OTHER));
        let (before, after) = sets.finish().expect("sets");
        assert_eq!(before, parameters(&[(0, PPS)]));
        assert_eq!(after, parameters(&[(0, OTHER)]));

        // The next segment needs what the last was begun with: the decoder is not set up with it once more.
        let mut sets = Sets::after(Some(&after));
        assert!(sets.take(true, SPS));
        assert!(!sets.take(false, PPS));
        assert!(sets.take(false, PPS));
        let again = (parameters(&[(0, PPS)]), parameters(&[(0, PPS)]));
        assert_eq!(sets.finish(), Ok(again));
    }

    #[test]
    fn sets_that_a_segment_does_not_repeat_hold_on_while_the_sequence_is_the_same() {
        let earlier = parameters(&[(0, PPS), (1, SECOND)]);
        let mut sets = Sets::after(Some(&earlier));
        assert!(sets.take(true, SPS) && sets.take(false, SECOND));
        assert_eq!(sets.finish(), Ok((earlier.clone(), earlier.clone())));

        let mut other = SPS.to_vec();
        other[3] = 0x28;
        let mut sets = Sets::after(Some(&earlier));
        sets.take(true, &other);
        assert!(sets.take(false, PPS));
        assert_eq!(sets.finish().expect("sets").0.pps, [(0, PPS.to_vec())]);
    }
}
