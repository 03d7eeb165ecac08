//! Why media cannot be understood.

use core::fmt;

use serde::{Deserialize, Serialize};

use super::ts::TransportFault;

/// A four-character code: the type of a box, handler or sample entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FourCc(pub [u8; 4]);

impl fmt::Display for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        self.0.iter().try_for_each(|&byte| {
            f.write_char(if (b' '..=b'~').contains(&byte) { char::from(byte) } else { '?' })
        })
    }
}

/// A fault in a piece of media, and where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoxError {
    /// Byte offset from the start of the piece that was examined.
    pub offset: u64,
    /// The fault.
    pub kind: BoxErrorKind,
}

/// A fault in a piece of media: one variant for each way it deviates from what it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum BoxErrorKind {
    /// A box, or a field in it, goes on beyond its end.
    Truncated {
        /// The box.
        within: FourCc,
    },
    /// A box claims a size smaller than its own header.
    InvalidSize {
        /// The box.
        within: FourCc,
    },
    /// A box that must be there is not.
    Missing {
        /// The box.
        name: FourCc,
    },
    /// A field has a value it may not have.
    InvalidValue {
        /// The box.
        within: FourCc,
        /// The field.
        field: String,
    },
    /// It needs something this player cannot do.
    Unsupported {
        /// What.
        feature: String,
    },
    /// It cannot be turned into ISO BMFF.
    Transport(TransportFault),
}

/// A fault on its way out of a reader. In a box, because results that hold one are handed on at
/// every field.
pub(super) type Fault = Box<BoxError>;

impl BoxErrorKind {
    #[cold]
    #[inline(never)]
    pub(super) fn at(self, offset: u64) -> Fault {
        Box::new(BoxError { offset, kind: self })
    }
}

impl BoxError {
    #[cold]
    pub(super) fn truncated(offset: u64, within: FourCc) -> Fault {
        BoxErrorKind::Truncated { within }.at(offset)
    }

    #[cold]
    pub(super) fn missing(offset: u64, name: &[u8; 4]) -> Fault {
        BoxErrorKind::Missing { name: FourCc(*name) }.at(offset)
    }

    #[cold]
    #[inline(never)]
    pub(super) fn invalid(offset: u64, within: FourCc, field: &str) -> Fault {
        BoxErrorKind::InvalidValue { within, field: field.to_owned() }.at(offset)
    }
}

impl fmt::Display for BoxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}: ", self.offset)?;
        match &self.kind {
            BoxErrorKind::Truncated { within } => write!(f, "the box '{within}' is cut off"),
            BoxErrorKind::InvalidSize { within } => {
                write!(f, "the box '{within}' claims a size smaller than its header")
            }
            BoxErrorKind::Missing { name } => write!(f, "there is no box '{name}'"),
            BoxErrorKind::InvalidValue { within, field } => {
                write!(f, "the box '{within}' has an impossible {field}")
            }
            BoxErrorKind::Transport(fault) => fault.fmt(f),
            BoxErrorKind::Unsupported { feature } => write!(f, "{feature} cannot be played"),
        }
    }
}

impl core::error::Error for BoxError {}
