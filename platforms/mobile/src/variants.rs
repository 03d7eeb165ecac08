//! The core's enums are open to additions, so the compiler lets a declaration here omit a variant;
//! handing one out then fails. These tests compare what this crate describes to the binding
//! generator with the variants that the core's own deserialisation lists.

use std::fmt;

use kinora_core::abr::{Cause, Network};
use kinora_core::config::CmcdMode;
use kinora_core::error::{ErrorCategory, ErrorCode, Severity};
use kinora_core::io::{
    AppendBody, BodyHandling, Event, Input, KeyStatus, LatencyStanding, LicenseCommand,
    MediaCommand, MediaFailure, MediaKind, NetworkState, OperationResult, Output, PictureKind,
    PlaybackStatus, ReadyState, RequestFailure, RequestKind, Selection, SourceFormat,
    SteeringFault, Warning,
};
use kinora_core::manifest::WarningCode;
use kinora_core::telemetry::{ClockSource, MaskReason, OriginHealth, TimerReason};
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use uniffi::Lift;

use crate::UniFfiTag;

/// The numbers this crate reads as a variant must be as many as the core has variants.
fn assert_complete<T>()
where
    T: for<'de> Deserialize<'de> + Lift<UniFfiTag>,
{
    let in_the_core = variants::<T>();
    let declared = (1..).take_while(|&number| knows::<T>(number)).count();
    let name = std::any::type_name::<T>();
    assert_eq!(declared, in_the_core.len(), "{name} declared here; the core has {in_the_core:?}");
}

/// Reading a variant by its number succeeds, or fails over the fields that are missing.
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
    assert_complete::<CmcdMode>();
    assert_complete::<ClockSource>();
    assert_complete::<ErrorCategory>();
    assert_complete::<ErrorCode>();
    assert_complete::<Event>();
    assert_complete::<Input>();
    assert_complete::<KeyStatus>();
    assert_complete::<LicenseCommand>();
    assert_complete::<LatencyStanding>();
    assert_complete::<MediaCommand>();
    assert_complete::<MediaFailure>();
    assert_complete::<MediaKind>();
    assert_complete::<NetworkState>();
    assert_complete::<OperationResult>();
    assert_complete::<OriginHealth>();
    assert_complete::<Output>();
    assert_complete::<PlaybackStatus>();
    assert_complete::<ReadyState>();
    assert_complete::<RequestFailure>();
    assert_complete::<RequestKind>();
    assert_complete::<Selection>();
    assert_complete::<Severity>();
    assert_complete::<SourceFormat>();
    assert_complete::<SteeringFault>();
    assert_complete::<TimerReason>();
    assert_complete::<MaskReason>();
    assert_complete::<PictureKind>();
    assert_complete::<Network>();
    assert_complete::<Warning>();
    assert_complete::<WarningCode>();
}

#[test]
fn a_missing_variant_would_be_noticed() {
    assert!(variants::<Cause>().contains(&"Startup"));
    assert!(!knows::<Severity>(3));
    assert!(knows::<Input>(3), "its fields are missing, but the variant is known");
}
