//! Codec strings from sample entries: RFC 6381, and what each codec's own mapping adds.

use super::encryption::{self, TrackEncryption};
use super::error::Fault;
use super::reader::Reader;
use super::{Boxes, FourCc, Mp4Box};

/// What a sample entry says.
pub(super) struct Description {
    pub(super) sample_entry: FourCc,
    pub(super) encrypted: bool,
    pub(super) encryption: Option<TrackEncryption>,
    pub(super) codecs: String,
    pub(super) size: Option<(u16, u16)>,
}

/// Reads a sample entry (ISO/IEC 14496-12 §8.5.2) of a track with this handler.
pub(super) fn describe(entry: &Mp4Box<'_>, handler: FourCc) -> Result<Description, Fault> {
    let mut reader = entry.reader();
    reader.skip(8);
    let mut size = None;
    match &handler.0 {
        b"vide" => {
            reader.skip(16);
            size = Some((reader.u16(), reader.u16()));
            reader.skip(50);
        }
        b"soun" => {
            let version = reader.u16();
            reader.skip(18);
            // QuickTime's longer forms.
            reader.skip(match version {
                1 => 16,
                2 => 36,
                _ => 0,
            });
        }
        _ => {
            let sample_entry = entry.kind;
            let codecs = sample_entry.to_string();
            return Ok(Description {
                sample_entry,
                encrypted: false,
                encryption: None,
                codecs,
                size,
            });
        }
    }
    reader.check()?;
    let inside = Boxes::new(reader.rest(), reader.offset());
    let encrypted = entry.is(b"encv") || entry.is(b"enca");
    let mut sample_entry = entry.kind;
    let mut encryption = None;
    if encrypted && let Some(sinf) = inside.clone().find_kind(b"sinf")? {
        if let Some(frma) = sinf.child(b"frma")? {
            let mut reader = frma.reader();
            sample_entry = FourCc(reader.array());
            reader.check()?;
        }
        encryption = encryption::track(&sinf)?;
    }
    let codecs = match configuration(sample_entry, inside)? {
        Some(codecs) => codecs,
        None => sample_entry.to_string(),
    };
    Ok(Description { sample_entry, encrypted, encryption, codecs, size })
}

/// The codec string, if the sample entry's configuration box tells more than its type.
fn configuration(kind: FourCc, inside: Boxes<'_>) -> Result<Option<String>, Fault> {
    let name = match &kind.0 {
        b"avc1" | b"avc2" | b"avc3" | b"avc4" => b"avcC",
        b"hvc1" | b"hev1" => b"hvcC",
        b"mp4a" => b"esds",
        b"av01" => b"av1C",
        b"vp08" | b"vp09" => b"vpcC",
        // As media source implementations name them.
        b"Opus" => return Ok(Some("opus".into())),
        b"fLaC" => return Ok(Some("flac".into())),
        _ => return Ok(None),
    };
    let Some(found) = inside.find_kind(name)? else { return Ok(None) };
    let mut reader = found.reader();
    let mut text = Text(kind.to_string());
    match name {
        b"avcC" => {
            let [_, profile, constraints, level] = reader.array();
            text.dot();
            text.hex(profile, 2);
            text.hex(constraints, 2);
            text.hex(level, 2);
        }
        b"hvcC" => hevc(&mut text, reader.array()),
        b"esds" => {
            let Some((object, audio)) = elementary_stream(&mut reader) else { return Ok(None) };
            text.dot();
            text.hex(object, 2);
            if let Some(audio) = audio {
                text.dot();
                text.decimal(audio, 1);
            }
        }
        b"av1C" => {
            let [_, profile_level, flags] = reader.array();
            text.dot();
            text.decimal(profile_level >> 5, 1);
            text.dot();
            text.decimal(profile_level & 0x1f, 2);
            text.0.push(if flags & 0x80 == 0 { 'M' } else { 'H' });
            text.dot();
            let depth = match (flags & 0x40 != 0, flags & 0x20 != 0) {
                (false, _) => 8,
                (true, false) => 10,
                (true, true) => 12,
            };
            text.decimal(depth, 2);
        }
        _ => {
            reader.full();
            let [profile, level, depth] = reader.array();
            for value in [profile, level, depth >> 4] {
                text.dot();
                text.decimal(value, 2);
            }
        }
    }
    reader.check()?;
    Ok(Some(text.0))
}

/// ISO/IEC 14496-15 annex E.3, from the fields of `hvcC` up to the level.
fn hevc(text: &mut Text, fields: [u8; 13]) {
    let [_, profile, c0, c1, c2, c3, constraints @ .., level] = fields;
    text.dot();
    match profile >> 6 {
        0 => {}
        space => text.0.push(char::from(b'A' + space - 1)),
    }
    text.decimal(profile & 0x1f, 1);
    text.dot();
    let compatibility = u32::from_be_bytes([c0, c1, c2, c3]).reverse_bits();
    text.hex32(compatibility);
    text.dot();
    text.0.push(if profile & 0x20 == 0 { 'L' } else { 'H' });
    text.decimal(level, 1);
    let used = constraints.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    for &byte in constraints.iter().take(used) {
        text.dot();
        text.hex32(byte.into());
    }
}

/// Object type, and audio object type if it is MPEG-4 audio (ISO/IEC 14496-1 §7.2.6), from `esds`.
fn elementary_stream(reader: &mut Reader<'_>) -> Option<(u8, Option<u8>)> {
    reader.full();
    descriptor(reader, 3)?;
    reader.skip(2);
    let flags = reader.u8();
    if flags & 0x80 != 0 {
        reader.skip(2);
    }
    if flags & 0x40 != 0 {
        let url = reader.u8();
        reader.skip(url.into());
    }
    if flags & 0x20 != 0 {
        reader.skip(2);
    }
    descriptor(reader, 4)?;
    let object = reader.u8();
    reader.skip(12);
    if object != 0x40 || reader.rest().is_empty() || descriptor(reader, 5).is_none() {
        return Some((object, None));
    }
    let first = reader.u8();
    let audio = match first >> 3 {
        31 => 32 + ((first & 7) << 3 | reader.u8() >> 5),
        audio => audio,
    };
    Some((object, Some(audio)))
}

/// Passes over the head of a descriptor, if it has this tag.
fn descriptor(reader: &mut Reader<'_>, tag: u8) -> Option<()> {
    if reader.u8() != tag {
        return None;
    }
    // At most four bytes of seven bits; the lengths themselves are not needed.
    for _ in 0..4 {
        if reader.u8() & 0x80 == 0 {
            break;
        }
    }
    Some(())
}

/// Writes numbers as codec strings have them.
struct Text(String);

impl Text {
    fn dot(&mut self) {
        self.0.push('.');
    }

    fn hex(&mut self, value: u8, digits: u32) {
        for place in (0..digits).rev() {
            let digit = u32::from(value) >> (4 * place) & 15;
            self.0.extend(char::from_digit(digit, 16));
        }
    }

    /// Upper-case, without leading zeroes.
    fn hex32(&mut self, value: u32) {
        let digits = (32 - value.leading_zeros()).div_ceil(4).max(1);
        for place in (0..digits).rev() {
            let digit = char::from_digit(value >> (4 * place) & 15, 16);
            self.0.extend(digit.map(|digit| digit.to_ascii_uppercase()));
        }
    }

    fn decimal(&mut self, value: u8, digits: usize) {
        let text = value.to_string();
        for _ in text.len()..digits {
            self.0.push('0');
        }
        self.0.push_str(&text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::testing::{boxed, sample_entry};

    fn codecs(kind: &[u8; 4], handler: &[u8; 4], inside: &[u8]) -> (String, bool) {
        let entry = sample_entry(kind, handler, inside);
        let entry = Boxes::new(&entry, 0).next().expect("one box").expect("a whole one");
        let description = describe(&entry, FourCc(*handler)).expect("a sound entry");
        (description.codecs, description.encrypted)
    }

    fn esds(object: u8, audio_config: &[u8]) -> Vec<u8> {
        let mut decoder = vec![object, 0x15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        if !audio_config.is_empty() {
            decoder.extend([5, 0x80, 0x80, 0x80, audio_config.len() as u8]);
            decoder.extend(audio_config);
        }
        let mut body = vec![0, 0, 0, 0, 3, 25, 0, 1, 0, 4, decoder.len() as u8];
        body.extend(decoder);
        boxed(b"esds", &body)
    }

    #[test]
    fn strings_are_those_of_the_codecs_registrations() {
        let hvcc = [1, 1, 0x60, 0, 0, 0, 0x90, 0, 0, 0, 0, 0, 93];
        for (kind, handler, inside, expected) in [
            (b"avc3", b"vide", boxed(b"avcC", &[1, 0x4d, 0x40, 0x1e]), "avc3.4d401e"),
            (b"hvc1", b"vide", boxed(b"hvcC", &hvcc), "hvc1.1.6.L93.90"),
            (
                b"hev1",
                b"vide",
                boxed(b"hvcC", &[1, 0x62, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 150]),
                "hev1.A2.20.H150",
            ),
            (b"mp4a", b"soun", esds(0x40, &[0x12, 0x10]), "mp4a.40.2"),
            (b"mp4a", b"soun", esds(0x40, &[0xf9, 0x40]), "mp4a.40.42"),
            (b"mp4a", b"soun", esds(0x69, &[]), "mp4a.69"),
            (b"mp4a", b"soun", vec![], "mp4a"),
            (b"av01", b"vide", boxed(b"av1C", &[0x81, 0x04, 0x4c, 0]), "av01.0.04M.10"),
            (b"vp09", b"vide", boxed(b"vpcC", &[1, 0, 0, 0, 2, 31, 0xa2]), "vp09.02.31.10"),
            (b"Opus", b"soun", vec![], "opus"),
            (b"ec-3", b"soun", vec![], "ec-3"),
            (b"wvtt", b"text", vec![], "wvtt"),
        ] {
            assert_eq!(codecs(kind, handler, &inside), (expected.into(), false));
        }
    }

    #[test]
    fn encrypted_entries_name_what_is_inside() {
        let mut inside = boxed(b"avcC", &[1, 0x64, 0, 0x28]);
        inside.extend(boxed(b"sinf", &boxed(b"frma", b"avc1")));
        assert_eq!(codecs(b"encv", b"vide", &inside), ("avc1.640028".into(), true));
    }
}
