//! Just enough JSON (RFC 8259) to read a steering manifest: a reader that is asked for what comes next.
//! A library would cost every page more than all the rest of steering.

/// What is not JSON, or not the JSON expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotJson {
    /// Offset of the fault in bytes.
    pub(crate) at: usize,
}

/// Reads JSON from the front.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    text: &'a str,
    at: usize,
}

/// What a value is, by its first character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Object,
    Array,
    String,
    Number,
    Word,
}

/// Objects and arrays within each other, at most.
const MOST_DEPTH: u32 = 16;

impl<'a> Reader<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text: text.strip_prefix('\u{feff}').unwrap_or(text), at: 0 }
    }

    pub(crate) fn kind(&mut self) -> Result<Kind, NotJson> {
        Ok(match self.peek() {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'"') => Kind::String,
            Some(b'-' | b'0'..=b'9') => Kind::Number,
            Some(b't' | b'f' | b'n') => Kind::Word,
            _ => return self.fail(),
        })
    }

    /// Enters the object or array that comes next.
    pub(crate) fn enter(&mut self, kind: Kind) -> Result<(), NotJson> {
        if self.kind()? != kind || !matches!(kind, Kind::Object | Kind::Array) {
            return self.fail();
        }
        self.at += 1;
        Ok(())
    }

    /// Whether another member or element follows; `first` says that none came before. What has been
    /// entered is left otherwise.
    pub(crate) fn more(&mut self, kind: Kind, first: &mut bool) -> Result<bool, NotJson> {
        let end = if kind == Kind::Object { b'}' } else { b']' };
        let was_first = core::mem::replace(first, false);
        match self.peek() {
            Some(byte) if byte == end => {
                self.at += 1;
                Ok(false)
            }
            Some(b',') if !was_first => {
                self.at += 1;
                // A comma promises more.
                if self.peek() == Some(end) { self.fail() } else { Ok(true) }
            }
            Some(_) if was_first => Ok(true),
            _ => self.fail(),
        }
    }

    /// The name of the member that comes next.
    pub(crate) fn key(&mut self) -> Result<String, NotJson> {
        let key = self.string()?;
        if self.peek() != Some(b':') {
            return self.fail();
        }
        self.at += 1;
        Ok(key)
    }

    pub(crate) fn string(&mut self) -> Result<String, NotJson> {
        if self.peek() != Some(b'"') {
            return self.fail();
        }
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = self.text.get(self.at..).unwrap_or("");
            let plain = rest.find(|c: char| matches!(c, '"' | '\\') || c < ' ');
            let plain = plain.ok_or(NotJson { at: self.text.len() })?;
            out.push_str(rest.get(..plain).unwrap_or(""));
            self.at += plain + 1;
            match rest.as_bytes().get(plain) {
                Some(b'"') => return Ok(out),
                Some(b'\\') => out.push(self.escaped()?),
                _ => {
                    self.at -= 1;
                    return self.fail();
                }
            }
        }
    }

    fn escaped(&mut self) -> Result<char, NotJson> {
        let byte = self.text.as_bytes().get(self.at).copied();
        self.at += 1;
        Ok(match byte {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let unit = self.unit()?;
                let code = match unit {
                    0xd800..=0xdbff => {
                        if self.text.get(self.at..self.at + 2) != Some("\\u") {
                            return self.fail();
                        }
                        self.at += 2;
                        let low = self.unit()?.wrapping_sub(0xdc00);
                        if low > 0x3ff {
                            return self.fail();
                        }
                        0x1_0000 + ((unit - 0xd800) << 10 | low)
                    }
                    unit => unit,
                };
                char::from_u32(code).ok_or(NotJson { at: self.at })?
            }
            _ => return self.fail(),
        })
    }

    /// Four hexadecimal digits.
    fn unit(&mut self) -> Result<u32, NotJson> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.text.as_bytes().get(self.at).map(|&byte| char::from(byte));
            let digit =
                digit.and_then(|digit| digit.to_digit(16)).ok_or(NotJson { at: self.at })?;
            unit = unit << 4 | digit;
            self.at += 1;
        }
        Ok(unit)
    }

    /// A number, rounded down; what is negative is none, and what is too large is the largest.
    pub(crate) fn count(&mut self) -> Result<Option<u64>, NotJson> {
        if self.kind()? != Kind::Number {
            return self.fail();
        }
        let negative = self.take(b'-');
        let leading_zero = self.text.as_bytes().get(self.at) == Some(&b'0');
        let start = self.at;
        let mut value = self.digits()?;
        if leading_zero && self.at > start + 1 {
            return self.fail();
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            let small = self.take(b'-');
            if !small {
                self.take(b'+');
            }
            // What is written so is either next to nothing or beyond all sense.
            if self.digits()? > 0 {
                value = if small { 0 } else { u64::MAX };
            }
        }
        Ok((!negative).then_some(value))
    }

    fn digits(&mut self) -> Result<u64, NotJson> {
        let start = self.at;
        let mut value = 0u64;
        while let Some(digit @ b'0'..=b'9') = self.text.as_bytes().get(self.at) {
            value = value.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
            self.at += 1;
        }
        if self.at == start { self.fail() } else { Ok(value) }
    }

    fn take(&mut self, byte: u8) -> bool {
        let there = self.text.as_bytes().get(self.at) == Some(&byte);
        self.at += usize::from(there);
        there
    }

    /// Passes over the value that comes next, whatever it is.
    pub(crate) fn skip(&mut self) -> Result<(), NotJson> {
        self.skip_within(MOST_DEPTH)
    }

    fn skip_within(&mut self, depth: u32) -> Result<(), NotJson> {
        match self.kind()? {
            kind @ (Kind::Object | Kind::Array) => {
                let Some(depth) = depth.checked_sub(1) else { return self.fail() };
                self.enter(kind)?;
                let mut first = true;
                while self.more(kind, &mut first)? {
                    if kind == Kind::Object {
                        self.key()?;
                    }
                    self.skip_within(depth)?;
                }
                Ok(())
            }
            Kind::String => self.string().map(|_| ()),
            Kind::Number => self.count().map(|_| ()),
            Kind::Word => {
                let rest = self.text.get(self.at..).unwrap_or("");
                for word in ["true", "false", "null"] {
                    if rest.starts_with(word) {
                        self.at += word.len();
                        return Ok(());
                    }
                }
                self.fail()
            }
        }
    }

    /// Nothing but white space follows.
    pub(crate) fn end(&mut self) -> Result<(), NotJson> {
        if self.peek().is_none() { Ok(()) } else { self.fail() }
    }

    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = bytes.get(self.at) {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    fn fail<T>(&self) -> Result<T, NotJson> {
        Err(NotJson { at: self.at.min(self.text.len()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn is_json(text: &str) -> bool {
        let mut reader = Reader::new(text);
        reader.skip().and_then(|()| reader.end()).is_ok()
    }

    #[test]
    fn numbers_are_rounded_down() {
        let count = |text| Reader::new(text).count();
        for (text, value) in [
            ("300", Some(300)),
            ("0", Some(0)),
            ("1.9", Some(1)),
            ("-1", None),
            ("1e9", Some(u64::MAX)),
            ("1e-9", Some(0)),
            ("7e0", Some(7)),
            ("99999999999999999999999", Some(u64::MAX)),
        ] {
            assert_eq!(count(text), Ok(value), "{text}");
        }
        for text in ["", "01", "-", "1.", "1e", ".5", "\"1\""] {
            assert!(!is_json(text) || count(text).is_err(), "{text}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(is_json(&nested(16)));
        assert!(!is_json(&nested(17)));
        assert!(!is_json(&"[".repeat(1 << 20)));
    }

    #[test]
    fn a_byte_order_mark_is_passed_over() {
        assert!(is_json("\u{feff}{}"));
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-1e9..1e9).prop_map(Value::from),
            "\\PC{0,8}".prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map("\\PC{0,6}", inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(value in value(), pretty in any::<bool>()) {
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
            prop_assert!(is_json(&text.unwrap()));
        }

        #[test]
        fn strings_are_what_they_were(text in any::<String>()) {
            let written = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(Reader::new(&written).string(), Ok(text));
        }

        /// Mangled JSON is refused or accepted alike. Numbers that serde_json has no room for, and
        /// halves of surrogate pairs, are the exceptions.
        #[test]
        fn mangled_text_is_judged_alike(
            text in "[\\[\\]{}\",:0-9eE.+truefalsn \\\\u-]{0,24}",
        ) {
            let theirs = serde_json::from_str::<Value>(&text);
            let out_of_range = theirs.as_ref().is_err_and(|error| error.to_string().contains("out of range"));
            prop_assume!(!out_of_range);
            prop_assert_eq!(is_json(&text), theirs.is_ok(), "{}: {:?}", text, theirs);
        }

        #[test]
        fn escapes_are_read_alike(text in "\"(\\\\u[0-9a-fdD]{4}|\\\\[bfnrt/\\\\\"xu]|[a\u{e9}]){0,6}\"?") {
            let theirs = serde_json::from_str::<String>(&text).ok();
            let mut reader = Reader::new(&text);
            let ours = reader.string().and_then(|string| reader.end().map(|()| string)).ok();
            prop_assert_eq!(ours, theirs);
        }
    }
}
