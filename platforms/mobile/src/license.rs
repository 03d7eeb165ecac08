//! Key systems and key sessions.

use kinora_core::io::{KeySessionId, KeyState, KeyStatus, KeySystemOffer, LicenseCommand};

/// One thing to do with the platform's key system: MediaDrm, AVContentKeySession, or one of the app's.
/// What comes of it is told by the inputs `KeySystem`, `KeyMessage`, `KeyStatuses` and `KeySessionFailed`.
#[uniffi::remote(Enum)]
#[non_exhaustive]
pub enum LicenseCommand {
    /// Open the first of these that there is. Answered by `KeySystem`.
    Open {
        /// The key systems, the preferred one first.
        systems: Vec<KeySystemOffer>,
    },
    /// Create a session and generate a request. Answered by `KeyMessage`, or `KeySessionFailed`.
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
    /// Give a session what the licence server answered. Answered by `KeyStatuses`, or `KeySessionFailed`.
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

/// A key system that would do, and what it has to be able to.
#[uniffi::remote(Record)]
pub struct KeySystemOffer {
    /// Its name, such as `com.widevine.alpha`.
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
#[uniffi::remote(Record)]
pub struct KeyState {
    /// The key's id: 16 bytes, unless the platform hides it.
    pub id: Vec<u8>,
    /// What may be done with it.
    pub status: KeyStatus,
}

/// What may be done with a key.
#[uniffi::remote(Enum)]
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
