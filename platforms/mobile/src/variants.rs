//! The core's enums are open to additions, so the compiler lets a declaration here omit a variant;
//! handing one out then fails. These tests compare what this crate describes to the binding
//! generator with the variants that the core's own deserialisation lists.

use std::fmt;

use kinora_core::abr::Cause;
use kinora_core::error::{ErrorCategory, ErrorCode, Severity};
use kinora_core::io::{
    AppendBody, BodyHandling, Event, Input, MediaCommand, MediaFailure, MediaKind, OperationResult,
    Output, PlaybackStatus, ReadyState, RequestFailure, RequestKind, Selection, SourceFormat,
    Warning,
};
use kinora_core::telemetry::TimerReason;
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use uniffi::Lift;

use crate::UniFfiTag;

/// Reading an enum by its number must succeed, or fail over its missing fields, for the numbers of
/// all variants, and for no other.
fn assert_complete<T>()
where
    T: for<'de> Deserialize<'de> + Lift<UniFfiTag>,
{
    let name = std::any::type_name::<T>();
    let variants = variants::<T>();
    for (number, variant) in (1i32..).zip(variants) {
        assert!(knows::<T>(number), "{name}::{variant} is not declared in this crate");
    }
    assert!(!knows::<T>(variants.len() as i32 + 1), "{name} has variants the core does not have");
}

fn knows<T: Lift<UniFfiTag>>(number: i32) -> bool {
    match T::try_read(&mut number.to_be_bytes().as_slice()) {
        Ok(_) => true,
        Err(error) => !error.to_string().starts_with("Invalid "),
    }
}

/// The names of an enum's variants, which its derived deserialisation announces.
fn variants<T: for<'de> Deserialize<'de>>() -> &'static [&'static str] {
    match T::deserialize(Announcement) {
        Err(Announced(variants)) => variants,
        Ok(_) => unreachable!("nothing was there to read"),
    }
}

struct Announcement;

#[derive(Debug)]
struct Announced(&'static [&'static str]);

impl<'de> Deserializer<'de> for Announcement {
    type Error = Announced;

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Announced> {
        Err(Announced(&[]))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Announced> {
        Err(Announced(variants))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

impl Error for Announced {
    fn custom<T: fmt::Display>(_message: T) -> Self {
        Self(&[])
    }
}

impl fmt::Display for Announced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl std::error::Error for Announced {}

#[test]
fn every_variant_of_the_core_is_declared() {
    assert_complete::<AppendBody>();
    assert_complete::<BodyHandling>();
    assert_complete::<ErrorCategory>();
    assert_complete::<ErrorCode>();
    assert_complete::<Event>();
    assert_complete::<Input>();
    assert_complete::<MediaCommand>();
    assert_complete::<MediaFailure>();
    assert_complete::<MediaKind>();
    assert_complete::<OperationResult>();
    assert_complete::<Output>();
    assert_complete::<PlaybackStatus>();
    assert_complete::<ReadyState>();
    assert_complete::<RequestFailure>();
    assert_complete::<RequestKind>();
    assert_complete::<Selection>();
    assert_complete::<Severity>();
    assert_complete::<SourceFormat>();
    assert_complete::<TimerReason>();
    assert_complete::<Warning>();
}

#[test]
fn variants_are_declared_in_the_order_of_the_core() {
    // The number on the wire is the place in the declaration; a swap would not show above.
    for (number, &code) in (1i32..).zip(ErrorCode::ALL) {
        assert_eq!(ErrorCode::try_read(&mut number.to_be_bytes().as_slice()).ok(), Some(code));
    }
}

#[test]
fn a_missing_variant_would_be_noticed() {
    assert!(variants::<Cause>().contains(&"Startup"));
    assert!(!knows::<Severity>(3));
    assert!(knows::<Input>(2), "its fields are missing, but the variant is known");
}
