//! Key systems and key sessions, in the terms of Encrypted Media Extensions.

use serde::{Deserialize, Serialize};

/// Names a key session; never used twice by one player.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct KeySessionId(pub u64);

/// One thing to do with the platform's key system. What comes of it is told by the inputs
/// [`KeySystem`](super::Input::KeySystem), [`KeyMessage`](super::Input::KeyMessage),
/// [`KeyStatuses`](super::Input::KeyStatuses) and [`KeySessionFailed`](super::Input::KeySessionFailed).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum LicenseCommand {
    /// Open the first of these that there is (`requestMediaKeySystemAccess`, `createMediaKeys`,
    /// `setServerCertificate`), and have the element use it (`setMediaKeys`). Answered by `KeySystem`.
    Open {
        /// The key systems, the preferred one first.
        systems: Vec<KeySystemOffer>,
    },
    /// Create a session and generate a request, once what was asked to be opened is open. Answered by `KeyMessage`, or
    /// `KeySessionFailed`. Where one key system alone would do, it comes along with `Open`: licences are asked for a
    /// round sooner.
    Create {
        /// Its name from now on.
        session: KeySessionId,
        /// `cenc`, `keyids` or `skd`.
        init_data_type: String,
        /// The initialisation data.
        init_data: Vec<u8>,
        /// Keep the licence on the device, where the platform can.
        persistent: bool,
    },
    /// Give a session what the licence server answered (`update`). Answered by `KeyStatuses`, or
    /// `KeySessionFailed`.
    Update {
        /// The session.
        session: KeySessionId,
        /// The licence.
        response: Vec<u8>,
    },
    /// End a session, and forget its keys.
    Close {
        /// The session.
        session: KeySessionId,
    },
    /// End every session and give the key system back.
    Shut,
}

/// Licences and requests for them do not print.
impl core::fmt::Debug for LicenseCommand {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Open { systems } => f.debug_struct("Open").field("systems", systems).finish(),
            Self::Create { session, init_data_type, .. } => {
                write!(f, "Create({}, {init_data_type})", session.0)
            }
            Self::Update { session, response } => {
                write!(f, "Update({}, {} bytes)", session.0, response.len())
            }
            Self::Close { session } => write!(f, "Close({})", session.0),
            Self::Shut => f.write_str("Shut"),
        }
    }
}

/// A key system that would do, and what it has to be able to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySystemOffer {
    /// Its name, such as `org.w3.clearkey`.
    pub key_system: String,
    /// The kinds of initialisation data it is given, one of which it must know.
    pub init_data_types: Vec<String>,
    /// `cenc` or `cbcs`.
    pub encryption_scheme: String,
    /// What of the pictures it must decrypt; empty if there are none.
    pub video: Vec<String>,
    /// What of the sound.
    pub audio: Vec<String>,
    /// How well it must protect the pictures, in its own words; empty: as it likes.
    pub video_robustness: String,
    /// How well it must protect the sound.
    pub audio_robustness: String,
    /// Licences are to be kept on the device.
    pub persistent: bool,
    /// The certificate of the licence server.
    pub certificate: Option<Vec<u8>>,
}

/// A key, and what may be done with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyState {
    /// The key's id: 16 bytes, unless the platform hides it.
    pub id: Vec<u8>,
    /// What may be done with it.
    pub status: KeyStatus,
}

/// What may be done with a key (`MediaKeyStatus`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum KeyStatus {
    /// It decrypts.
    Usable,
    /// Not any more: it has expired.
    Expired,
    /// Not any more: it was released.
    Released,
    /// Not on this screen or cable.
    OutputRestricted,
    /// It decrypts, and the picture is shown smaller than it is.
    OutputDownscaled,
    /// Not yet: its time has not come.
    UsableInFuture,
    /// It is not known yet.
    Pending,
    /// The key system failed.
    InternalError,
}

impl KeyStatus {
    /// The name in Encrypted Media Extensions.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Usable => "usable",
            Self::Expired => "expired",
            Self::Released => "released",
            Self::OutputRestricted => "output-restricted",
            Self::OutputDownscaled => "output-downscaled",
            Self::UsableInFuture => "usable-in-future",
            Self::Pending => "status-pending",
            Self::InternalError => "internal-error",
        }
    }

    /// The status of that name.
    pub fn named(name: &str) -> Self {
        match name {
            "usable" => Self::Usable,
            "expired" => Self::Expired,
            "released" => Self::Released,
            "output-restricted" => Self::OutputRestricted,
            "output-downscaled" => Self::OutputDownscaled,
            "usable-in-future" => Self::UsableInFuture,
            "status-pending" => Self::Pending,
            _ => Self::InternalError,
        }
    }
}
