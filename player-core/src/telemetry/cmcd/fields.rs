//! Keys and their values, as a dictionary of structured fields (RFC 9651).

use super::Facts;
use crate::manifest::binary;
use crate::url;

/// Longer fields of a response are not told again: each cache on the way adds a few dozen bytes.
const MOST_ECHOED: usize = 4_096;

/// The header field that a key belongs to, in the order of their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shard {
    Object,
    Request,
    Session,
    Status,
}

pub(super) const SHARDS: [(Shard, &str); 4] = [
    (Shard::Object, "CMCD-Object"),
    (Shard::Request, "CMCD-Request"),
    (Shard::Session, "CMCD-Session"),
    (Shard::Status, "CMCD-Status"),
];

#[derive(Debug)]
pub(super) struct Key<'a> {
    pub(super) name: &'a str,
    pub(super) shard: Shard,
    /// What follows the name, with the equals sign; nothing for what is true.
    value: String,
}

/// What is told on one occasion, key by key.
pub(super) struct Report<'a> {
    pub(super) keys: Vec<Key<'a>>,
    /// The keys that are asked for; all if empty.
    pub(super) wanted: &'a [String],
    /// What is told whatever is asked for, besides the version.
    pub(super) required: &'a str,
    /// `ot`; empty if it is about no object.
    pub(super) object: &'static str,
    /// Of version 2.
    pub(super) second: bool,
}

impl<'a> Report<'a> {
    /// Whether it is told only because it was asked for by name.
    pub(super) fn is_named(&self, name: &str) -> bool {
        self.wanted.iter().any(|key| key == name)
    }

    fn put(&mut self, name: &'a str, shard: Shard, value: String) {
        self.insert(self.keys.len(), Key { name, shard, value });
    }

    fn insert(&mut self, position: usize, key: Key<'a>) {
        // The version is no choice, nor are the event and its time.
        let always = matches!(key.name, "v" | "e" | "ts") || key.name == self.required;
        if self.wanted.is_empty() || always || self.is_named(key.name) {
            crate::items::put(&mut self.keys, position, key);
        }
    }

    /// A key of the app's own, once all others are there; nothing if its name may be taken for one of these, or is none (RFC
    /// 9651 §3.1.2).
    pub(super) fn custom(&mut self, name: &'a str, value: &str) {
        let letters =
            |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.' | b'*');
        let begins = name.as_bytes().first().is_some_and(u8::is_ascii_lowercase);
        let position = self.keys.iter().take_while(|key| key.name < name).count();
        let known = self.keys.get(position).is_some_and(|key| key.name == name);
        if begins && !known && name.contains('-') && name.bytes().all(letters) {
            let value = ["=", &quoted(value, 64)].concat();
            self.insert(position, Key { name, shard: Shard::Session, value });
        }
    }

    /// A field of a response, as it came.
    pub(super) fn echo(&mut self, name: &'static str, field: Option<&str>) {
        if let Some(field) = field.filter(|field| field.len() <= MOST_ECHOED) {
            let mut text = String::from("=\"");
            binary::push_base64(field.as_bytes(), false, &mut text);
            text.push('"');
            self.put(name, Shard::Request, text);
        }
    }

    pub(super) fn flag(&mut self, name: &'static str, shard: Shard, value: bool) {
        if value {
            self.put(name, shard, String::new());
        }
    }

    pub(super) fn number(&mut self, name: &'static str, shard: Shard, value: u64) {
        self.put(name, shard, ["=", &value.to_string()].concat());
    }

    /// Of the object; in version 2 a list of one, that says of which media it is.
    pub(super) fn measure(&mut self, name: &'static str, shard: Shard, value: u64) {
        let media = matches!(self.object, "a" | "v" | "av" | "tt" | "c");
        self.list(name, shard, &[(value, if media { self.object } else { "" })]);
    }

    /// Of each kind of media that has it.
    pub(super) fn each(
        &mut self,
        name: &'static str,
        shard: Shard,
        media: &[Facts],
        value: fn(&Facts) -> Option<u64>,
    ) {
        let mut values = Vec::new();
        for facts in media {
            if let Some(value) = value(facts) {
                values.push((value, facts.object()));
            }
        }
        self.list(name, shard, &values);
    }

    /// In version 1 there are no lists, and the first is told.
    pub(super) fn list(&mut self, name: &'static str, shard: Shard, values: &[(u64, &str)]) {
        let Some((first, _)) = values.first() else { return };
        if !self.second {
            return self.number(name, shard, *first);
        }
        let mut text = String::from("=(");
        for (value, object) in values {
            if text.len() > 2 {
                text.push(' ');
            }
            text.push_str(&value.to_string());
            if !object.is_empty() {
                text.push(';');
                text.push_str(object);
            }
        }
        text.push(')');
        self.put(name, shard, text);
    }

    pub(super) fn token(&mut self, name: &'static str, shard: Shard, value: &str) {
        self.put(name, shard, ["=", value].concat());
    }

    pub(super) fn string(&mut self, name: &'static str, shard: Shard, value: &str, most: usize) {
        self.put(name, shard, ["=", &quoted(value, most)].concat());
    }

    /// A list, also if it is one alone.
    pub(super) fn strings(&mut self, name: &'static str, shard: Shard, values: &[&str]) {
        if values.is_empty() {
            return;
        }
        let mut text = String::from("=(");
        for value in values {
            if text.len() > 2 {
                text.push(' ');
            }
            text.push_str(&quoted(value, usize::MAX));
        }
        text.push(')');
        self.put(name, shard, text);
    }

    pub(super) fn path(&mut self, name: &'static str, shard: Shard, path: &str) {
        if self.second {
            return self.strings(name, shard, &[path]);
        }
        // CTA-5004 wants it encoded, besides what the query does.
        let mut encoded = String::new();
        url::push_encoded(&mut encoded, path);
        self.string(name, shard, &encoded, usize::MAX);
    }

    /// With at most three digits after the point (RFC 9651 §3.3.2).
    pub(super) fn decimal(&mut self, name: &'static str, shard: Shard, value: f64) {
        let thousandths = (value.clamp(0.0, 1e6) * 1000.0 + 0.5) as u64;
        let mut text = ["=", &(thousandths / 1000).to_string()].concat();
        let mut fraction = thousandths % 1000;
        if fraction > 0 {
            text.push('.');
        }
        while fraction > 0 {
            text.push(char::from(b'0' + (fraction / 100) as u8));
            fraction = fraction % 100 * 10;
        }
        self.put(name, shard, text);
    }
}

/// The keys of one header field, or all.
pub(super) fn joined(keys: &[Key<'_>], shard: Option<Shard>) -> String {
    let mut out = String::new();
    for key in keys {
        if shard.is_none_or(|shard| shard == key.shard) {
            if !out.is_empty() {
                out.push(',');
            }
            out.push_str(key.name);
            out.push_str(&key.value);
        }
    }
    out
}

/// A string of structured fields (RFC 9651 §3.3.3), which knows ASCII only; what else there is becomes
/// a question mark.
pub(super) fn quoted(text: &str, most: usize) -> String {
    let mut out = String::from("\"");
    for char in text.chars().take(most) {
        match char {
            '"' | '\\' => {
                out.push('\\');
                out.push(char);
            }
            ' '..='~' => out.push(char),
            _ => out.push('?'),
        }
    }
    out.push('"');
    out
}
