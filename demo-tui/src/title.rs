//! What is played, as people call it: the packager leaves a description beside the manifest.

use kinora_native::core::url::resolve;
use kinora_native::transport::HttpTransport;
use serde::Deserialize;

/// The description's name, relative to the manifest.
const DESCRIPTION: &str = "package.json";

/// Larger than any description.
const LIMIT: usize = 1 << 20;

/// What is played, as people call it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Title {
    pub(crate) title: String,
    /// Whom to name when it is shown.
    #[serde(default)]
    pub(crate) credit: Option<String>,
    #[serde(default)]
    pub(crate) license: Option<String>,
}

impl Title {
    /// The last part of the URL that says something, for want of better.
    pub(crate) fn from_url(url: &str) -> Self {
        let path = url.split(['?', '#']).next().unwrap_or(url);
        let path = path.split_once("://").map_or(path, |(_, rest)| rest);
        let mut parts = path.split('/').rev().filter(|part| !part.is_empty());
        let file = parts.next().unwrap_or(url);
        // Manifests are all called the same; folders are not. The last part is the host.
        let folder = parts.next().filter(|_| parts.next().is_some());
        Self { title: folder.unwrap_or(file).to_owned(), credit: None, license: None }
    }

    /// Reads the description beside the manifest, if there is one.
    pub(crate) async fn fetch(transport: &HttpTransport, manifest: &str) -> Option<Self> {
        let body = transport.small_resource(&resolve(manifest, DESCRIPTION), LIMIT).await?;
        serde_json::from_slice(&body).ok()
    }

    /// On one line, with the credit.
    pub(crate) fn line(&self) -> String {
        let parts = [Some(&self.title), self.credit.as_ref(), self.license.as_ref()];
        parts.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(" · ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_description_the_url_names_the_film() {
        let title = |url| Title::from_url(url).title;
        assert_eq!(title("https://cdn.example/bbb/master.m3u8?token=1"), "bbb");
        assert_eq!(title("http://127.0.0.1:8080/manifest.mpd"), "manifest.mpd");
        assert_eq!(title("http://127.0.0.1:8080/"), "127.0.0.1:8080");
    }

    #[test]
    fn the_credit_is_on_the_line() {
        let json = r#"{"title":"Big Buck Bunny","credit":"(c) Blender Foundation","license":"CC-BY 3.0","video":[]}"#;
        let title: Title = serde_json::from_str(json).unwrap();
        assert_eq!(title.line(), "Big Buck Bunny · (c) Blender Foundation · CC-BY 3.0");
    }
}
