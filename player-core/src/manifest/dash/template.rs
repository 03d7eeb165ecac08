//! URL templates (ISO/IEC 23009-1 §5.3.9.4.4).

use crate::manifest::ManifestErrorKind;
use crate::presentation::index::{Place, UrlPattern};
use crate::url::{self, cut};

/// What the identifiers of a template stand for that are the same in every segment.
pub(super) struct Context<'a> {
    /// Absolute URL that the template is relative to.
    pub(super) base: &'a str,
    /// `$RepresentationID$`.
    pub(super) id: &'a str,
    /// `$Bandwidth$`.
    pub(super) bandwidth: u64,
}

/// Turns a template into a pattern of absolute URLs.
#[inline(never)]
pub(super) fn compile(
    template: &str,
    context: &Context<'_>,
) -> Result<UrlPattern, ManifestErrorKind> {
    let invalid = || ManifestErrorKind::invalid("SegmentTemplate", template);
    let mut reference = String::with_capacity(template.len() + context.id.len());
    let mut variables = 0;
    let mut rest = template;
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
                UrlPattern::push_text(&mut reference, context.id);
                continue;
            }
            "Bandwidth" => {
                let digits = context.bandwidth.to_string();
                let zeroes = usize::from(width).saturating_sub(digits.len());
                reference.extend(core::iter::repeat_n('0', zeroes));
                reference.push_str(&digits);
                continue;
            }
            "Number" => Place::Number,
            "Time" => Place::Time,
            "SubNumber" => Place::SubNumber,
            _ => return Err(invalid()),
        };
        if variables >= MOST_VARIABLES {
            return Err(ManifestErrorKind::limit("variables in a template", MOST_VARIABLES));
        }
        variables += 1;
        place.push(&mut reference, width);
    }
    UrlPattern::push_text(&mut reference, rest);

    // Digits never change how a reference resolves, so resolving once serves every segment.
    Ok(UrlPattern::new(url::resolve(context.base, &reference)))
}

/// The one URL that a template stands for, as that of an initialisation segment does.
pub(super) fn url(
    template: &str,
    context: &Context<'_>,
    number: u64,
    time: u64,
) -> Result<String, ManifestErrorKind> {
    Ok(compile(template, context)?.expand(number, time, 1))
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
        let context =
            Context { base: "https://a/b/c.mpd?q=$Number$", id: "v/1 $x", bandwidth: 64_000 };
        Ok(compile(template, &context)?.expand(number, time, 3))
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
        fn any_template_is_answered(template in "[$%0-9dNumberTi/.\u{7f}]{0,30}", base in "\\PC{0,20}") {
            let context = Context { base: &base, id: "\u{7f}", bandwidth: 1 };
            if let Ok(pattern) = compile(&template, &context) {
                let _ = pattern.expand(1, 2, 3);
            }
        }
    }
}
