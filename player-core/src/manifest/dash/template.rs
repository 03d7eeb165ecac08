//! URL templates (ISO/IEC 23009-1 §5.3.9.4.4).

use super::runs;
use crate::manifest::ManifestErrorKind;
use crate::presentation::index::{Place, Places, UrlPattern};
use crate::url::{self, cut};

/// A template that has been understood, for all representations that inherit it.
pub(super) struct Template<'a> {
    written: &'a str,
    /// The URL that it is relative to.
    base: String,
    /// What is written, with places for what varies.
    reference: String,
    /// The absolute URL that it means, with the same places.
    resolved: String,
    /// Those.
    places: Places,
    /// Whatever plain id is put in its place, the reference resolves to this.
    holds: bool,
    /// How often the id stands in it.
    pub(super) ids: usize,
    /// URLs of segments differ by number alone.
    numbered: bool,
    /// There is nothing in it that varies between segments.
    fixed: bool,
}

/// What the identifiers of a template stand for that are the same in every segment.
pub(super) struct Context<'a> {
    /// `$RepresentationID$`.
    pub(super) id: &'a str,
    /// `$Bandwidth$`.
    pub(super) bandwidth: u64,
}

impl<'a> Template<'a> {
    /// It is of this text, and relative to this URL.
    pub(super) fn is_of(&self, written: &str, base: &str) -> bool {
        // Both are long, and mostly the same.
        let same = |one: &str, other: &str| {
            one.len() == other.len()
                && runs::common(one.as_bytes(), 0, other.as_bytes(), 0) == one.len()
        };
        same(self.written, written) && same(&self.base, base)
    }

    /// Understands what is written, relative to an absolute URL.
    #[inline(never)]
    pub(super) fn read(written: &'a str, base: &str) -> Result<Self, ManifestErrorKind> {
        let invalid = || ManifestErrorKind::invalid("SegmentTemplate", written);
        let mut reference = String::with_capacity(written.len());
        let (mut variables, mut ids) = (0, 0);
        let mut rest = written;
        while let Some((before, after)) = cut(rest, b'$') {
            UrlPattern::push_text(&mut reference, before);
            let (identifier, after) = cut(after, b'$').ok_or_else(invalid)?;
            rest = after;
            let (name, format) = match cut(identifier, b'%') {
                Some((name, format)) => (name, Some(format)),
                None => (identifier, None),
            };
            let width = match format {
                None => 1,
                Some(format) => width(format).ok_or_else(invalid)?,
            };
            let place = match name {
                "" if format.is_none() => {
                    reference.push('$');
                    continue;
                }
                "RepresentationID" if format.is_none() => {
                    ids += 1;
                    Place::Id
                }
                "Bandwidth" => Place::Bandwidth,
                "Number" => Place::Number,
                "Time" => Place::Time,
                "SubNumber" => Place::SubNumber,
                _ => return Err(invalid()),
            };
            if !matches!(place, Place::Id | Place::Bandwidth) {
                if variables >= MOST_VARIABLES {
                    return Err(ManifestErrorKind::limit(
                        "variables in a template",
                        MOST_VARIABLES,
                    ));
                }
                variables += 1;
            }
            place.push(&mut reference, width);
        }
        UrlPattern::push_text(&mut reference, rest);

        let resolved = url::resolve(base, &reference);
        let (places, numbered) = (Places::of(&resolved), UrlPattern::numbers(&resolved));
        // The document's own URL may have anything in it.
        let sound = UrlPattern::first_place(base).is_none();
        // What is put before a colon may make a scheme of it.
        let scheme = cut(&reference, b':').map_or("", |(before, _)| before);
        let holds = sound && UrlPattern::first_place(scheme).is_none();
        let fixed = sound && variables == 0;
        let base = base.to_owned();
        Ok(Self { written, base, reference, resolved, places, holds, ids, numbered, fixed })
    }

    /// URLs of segments differ by number alone.
    pub(super) fn is_numbered(&self) -> bool {
        self.numbered
    }

    /// The pattern of absolute URLs that it is for a representation.
    #[inline(never)]
    pub(super) fn pattern(&self, of: &Context<'_>) -> UrlPattern {
        // Digits never change how a reference resolves, so resolving once serves every segment.
        if self.holds && is_plain(of.id) || self.places.is_empty() {
            return UrlPattern::filled(&self.resolved, &self.places, of.id, of.bandwidth);
        }
        let own = UrlPattern::filled_with_any(&self.reference, of.id, of.bandwidth);
        UrlPattern::new(url::resolve(&self.base, &own.into_text()))
    }

    /// The one URL that it stands for, as that of an initialisation segment does.
    pub(super) fn url(&self, of: &Context<'_>, number: u64, time: u64) -> String {
        let pattern = self.pattern(of);
        match self.fixed {
            true => pattern.into_text(),
            false => pattern.expand(number, time, 1),
        }
    }
}

/// Whether an id can be put into a URL without a change to what any other part of that is.
fn is_plain(id: &str) -> bool {
    let mut named = false;
    for &byte in id.as_bytes() {
        match byte {
            0..=b' ' | b'#' | b'/' | b':' | b'?' | b'\x7f' => return false,
            b'.' => {}
            _ => named = true,
        }
    }
    named
}

/// The width in `%0[width]d`.
fn width(format: &str) -> Option<u8> {
    let digits = format.strip_prefix('0')?.strip_suffix('d')?;
    let width = crate::manifest::decimal::integer(digits)?;
    u8::try_from(width).ok().filter(|&width| width <= WIDEST)
}

/// Each is useful once.
const MOST_VARIABLES: usize = 64;

/// More digits than a 64-bit number has are useless.
const WIDEST: u8 = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn expand(template: &str, number: u64, time: u64) -> Result<String, ManifestErrorKind> {
        let context = Context { id: "v/1 $x", bandwidth: 64_000 };
        let read = Template::read(template, "https://a/b/c.mpd?q=$Number$")?;
        Ok(read.pattern(&context).expand(number, time, 3))
    }

    #[test]
    fn identifiers_are_replaced() {
        for (template, expected) in [
            ("seg-$Number$.m4s", "https://a/b/seg-7.m4s"),
            ("$Number%05d$/$Time$.m4s", "https://a/b/00007/9000.m4s"),
            ("$Time%02d$$Number$", "https://a/b/90007"),
            ("$Bandwidth%08d$-$Bandwidth$-$$", "https://a/b/00064000-64000-$"),
            ("/$RepresentationID$/$Number$", "https://a/v/1 $x/7"),
            ("https://$RepresentationID$/", "https://v/1 $x/"),
            ("../$Number$/../x?t=$Time$", "https://a/x?t=9000"),
            ("$Number%01d$", "https://a/b/7"),
            ("$Number$_$SubNumber%02d$", "https://a/b/7_03"),
            ("\u{7f}$Number$\u{7f}", "https://a/b/7"),
            ("", "https://a/b/c.mpd?q=$Number$"),
        ] {
            assert_eq!(expand(template, 7, 9000).as_deref(), Ok(expected), "{template}");
        }
    }

    #[test]
    fn faults_are_named() {
        for template in [
            "$Number",
            "$number$",
            "$Number%5d$",
            "$Number%0xd$",
            "$Number%099d$",
            "$%02d$",
            "$RepresentationID%02d$",
        ] {
            assert_eq!(
                expand(template, 1, 1),
                Err(ManifestErrorKind::invalid("SegmentTemplate", template)),
            );
        }
    }

    proptest! {
        #[test]
        fn what_is_shared_is_what_each_would_have(
            template in proptest::collection::vec(
                prop_oneof![
                    3 => Just("$RepresentationID$".to_owned()),
                    1 => Just("$Bandwidth%03d$".to_owned()),
                    1 => Just("$Number$".to_owned()),
                    7 => "[-a.:/?#%0-9 \u{7f}$]{1,3}",
                ],
                0..6,
            ),
            base in prop_oneof![Just("https://a/b/c.mpd?q".to_owned()), "[a.:/?#\u{7f}\u{e0c1}]{0,9}", "\\PC{0,20}"],
            id in prop_oneof!["[-a1.]{0,3}", "[a.:/?# \u{7f}]{0,4}"],
        ) {
            let (template, of) = (template.concat(), Context { id: &id, bandwidth: 7 });
            if let Ok(read) = Template::read(&template, &base) {
                let own = UrlPattern::filled_with_any(&read.reference, &id, 7).into_text();
                let own = UrlPattern::new(url::resolve(&base, &own));
                prop_assert_eq!(read.url(&of, 1, 2), own.expand(1, 2, 1));
                prop_assert_eq!(read.pattern(&of), own);
            }
        }
    }
}
