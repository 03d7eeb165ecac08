//! Texts that come again and again, a little changed: manifests that are reloaded. A session log holds what is new in
//! each, and says where the rest stood in the one before.

use crate::io::RequestId;

/// So many are told apart.
const MOST_TEXTS: usize = 16;
/// None that is longer is remembered.
const LONGEST: usize = 1 << 20;

/// So many bytes that are new, and then what stood there in the text before: from where, and how much.
pub(super) type Piece<'a> = (&'a [u8], u32, u32);

/// Texts by their number.
#[derive(Debug, Default)]
pub(super) struct Texts {
    texts: Vec<Text>,
    /// What they are known by, for who writes.
    names: Vec<String>,
}

#[derive(Debug, Default)]
struct Text {
    /// By which request it comes.
    id: Option<RequestId>,
    before: Vec<u8>,
    now: Vec<u8>,
}

impl Texts {
    /// The number of the text of a name, if this much more of it can be remembered.
    pub(super) fn find(&mut self, name: &str, id: RequestId, more: usize) -> Option<u8> {
        let known = self.names.iter().position(|known| known == name);
        let number = match known {
            Some(number) => number,
            None if self.names.len() < MOST_TEXTS => {
                self.names.push(name.to_owned());
                self.texts.push(Text::default());
                self.names.len() - 1
            }
            None => return None,
        };
        let text = self.texts.get(number)?;
        let held = if text.id == Some(id) { text.now.len() } else { 0 };
        (held + more <= LONGEST).then_some(number as u8)
    }

    /// Takes the next bytes of a text, and says what is new in them.
    pub(super) fn compare<'a>(
        &mut self,
        number: u8,
        id: RequestId,
        data: &'a [u8],
    ) -> Vec<Piece<'a>> {
        let Some(text) = self.texts.get_mut(usize::from(number)) else { return Vec::new() };
        text.turn_to(id);
        text.now.extend_from_slice(data);
        compare(&text.before, data)
    }

    /// The bytes that were told of so; none if they were not told of a text that there is.
    pub(super) fn restore(
        &mut self,
        number: u8,
        id: RequestId,
        pieces: &[Piece<'_>],
    ) -> Option<Vec<u8>> {
        let number = usize::from(number);
        if number >= MOST_TEXTS {
            return None;
        }
        while self.texts.len() <= number {
            self.texts.push(Text::default());
        }
        let text = &mut self.texts[number];
        text.turn_to(id);
        let mut data = Vec::new();
        for (fresh, from, length) in pieces {
            let old = text.before.get(*from as usize..)?.get(..*length as usize)?;
            if text.now.len() + data.len() + fresh.len() + old.len() > LONGEST {
                return None;
            }
            data.extend_from_slice(fresh);
            data.extend_from_slice(old);
        }
        text.now.extend_from_slice(&data);
        Some(data)
    }
}

impl Text {
    fn turn_to(&mut self, id: RequestId) {
        if self.id != Some(id) {
            self.id = Some(id);
            core::mem::swap(&mut self.before, &mut self.now);
            self.now.clear();
        }
    }
}

/// Looks for each line of a text, or tag, in the one before, and takes as much as goes on alike.
fn compare<'a>(before: &[u8], data: &'a [u8]) -> Vec<Piece<'a>> {
    // Whoever sends nothing but news is not looked at for ever.
    let mut patience = before.len().saturating_mul(16);
    let (mut pieces, mut fresh, mut at, mut from) = (Vec::new(), 0, 0, 0);
    while at < data.len() {
        let line = line(&data[at..]);
        // They go on after where the last ended: lines do not change their order.
        let long = line.len() >= 4;
        let Some(place) = long.then(|| find(before, from, line, &mut patience)).flatten() else {
            at += line.len();
            continue;
        };
        let mut length = line.len();
        while at + length < data.len() && before.get(place + length) == Some(&data[at + length]) {
            length += 1;
        }
        pieces.push((&data[fresh..at], place as u32, length as u32));
        at += length;
        fresh = at;
        from = place + length;
    }
    if fresh < at {
        pieces.push((&data[fresh..], 0, 0));
    }
    pieces
}

/// A line, or as much of it as ends with a tag.
fn line(text: &[u8]) -> &[u8] {
    let end = text.iter().position(|byte| matches!(byte, b'\n' | b'>'));
    end.map_or(text, |end| &text[..=end])
}

fn find(text: &[u8], start: usize, line: &[u8], patience: &mut usize) -> Option<usize> {
    let mut at = start;
    while at + line.len() <= text.len() && *patience > 0 {
        *patience -= 1;
        if text[at] == line[0] && text[at..].starts_with(line) {
            return Some(at);
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn playlist(first: u32, last: u32) -> String {
        let mut text = format!("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:{first}\n");
        for number in first..last {
            text += &format!("#EXTINF:4.000,\nsegments/{number}.m4s\n");
        }
        text
    }

    fn fresh(pieces: &[Piece<'_>]) -> usize {
        pieces.iter().map(|(fresh, ..)| fresh.len()).sum()
    }

    #[test]
    fn of_a_window_that_moves_little_is_new() {
        let (before, now) = (playlist(99, 199), playlist(101, 201));
        let pieces = compare(before.as_bytes(), now.as_bytes());
        assert!(pieces.len() < 12 && fresh(&pieces) < 90, "{pieces:?}");
        // An MPD may be one line.
        let mpd = |last: u32| {
            let entries: String =
                (0..last).map(|time| format!("<S t=\"{time}\" d=\"1\"/>")).collect();
            format!("<MPD publishTime=\"{last}\"><Period>{entries}</Period></MPD>")
        };
        let (before, now) = (mpd(300), mpd(301));
        let pieces = compare(before.as_bytes(), now.as_bytes());
        assert!(pieces.len() < 6 && fresh(&pieces) < 50, "{pieces:?}");
    }

    #[test]
    fn what_is_all_new_is_looked_at_for_a_bounded_time() {
        let before = "a".repeat(1 << 18);
        let now = "aaab\n".repeat(1 << 15);
        // Without a bound this would be looked for eight thousand million times.
        assert_eq!(compare(before.as_bytes(), now.as_bytes()), [(now.as_bytes(), 0, 0)]);
    }

    #[test]
    fn what_is_no_text_is_none() {
        let mut texts = Texts::default();
        assert_eq!(texts.restore(16, RequestId(1), &[]), None);
        assert_eq!(texts.restore(0, RequestId(1), &[(b"x", 0, 1)]), None);
        assert_eq!(texts.restore(0, RequestId(2), &[(b"x", u32::MAX, u32::MAX)]), None);
        assert_eq!(texts.restore(0, RequestId(3), &[(b"x", 0, 0)]), Some(b"x".to_vec()));
    }

    proptest! {
        #[test]
        fn texts_come_back(
            all in prop::collection::vec(("[ab\n>]{0,60}", 0usize..60), 1..8),
        ) {
            let (mut written, mut read) = (Texts::default(), Texts::default());
            for (number, (text, cut)) in all.iter().enumerate() {
                let id = RequestId(number as u64);
                let (one, other) = text.as_bytes().split_at((*cut).min(text.len()));
                for part in [one, other] {
                    let slot = written.find("name", id, part.len()).expect("short");
                    let pieces = written.compare(slot, id, part);
                    let restored = read.restore(slot, id, &pieces);
                    prop_assert_eq!(restored.as_deref(), Some(part));
                }
            }
        }
    }
}
