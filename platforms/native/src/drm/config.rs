//! What a command line says of licences.

use kinora_core::config::{DrmConfig, KeySystemConfig};

/// ClearKey with this licence server, or that of the manifest, and these header fields in its requests; whatever the
/// manifest says if there are neither.
pub fn clear_key(license_url: Option<String>, headers: Vec<(String, String)>) -> DrmConfig {
    if license_url.is_none() && headers.is_empty() {
        return DrmConfig::default();
    }
    let key_system = kinora_clearkey::NAME.to_owned();
    let system = KeySystemConfig { key_system, license_url, headers, ..KeySystemConfig::default() };
    DrmConfig { key_systems: vec![system] }
}

/// Reads a header field of a command line, `NAME=VALUE`.
///
/// # Errors
/// Without a `=`.
pub fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}
