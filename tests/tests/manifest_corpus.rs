//! What the player understands of every manifest of the corpus, as `kinora-lab manifest --json
//! --segments` prints it. A change here is a change of what is understood: compare it with the
//! specification before accepting it (`cargo insta review`, or `INSTA_UPDATE=always cargo test`).

use std::path::Path;

use kinora_tests::manifest::{Place, PresentationView, Refusals};

#[test]
fn every_manifest_is_understood_as_before() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut differing = Vec::new();
    for folder in ["hls", "dash"] {
        let entries = std::fs::read_dir(corpus.join(folder)).expect("the corpus");
        let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
        paths.sort();
        assert!(paths.len() >= 10, "the corpus has gone");
        for path in paths {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            let url = format!("https://cdn.example/films/one/{name}?session=1");
            let answer = Place::new(&path, Some(&url)).and_then(|place| place.read());
            let answer = answer.expect("a file");
            // All are compared before any fails, so that one run shows everything.
            let compared = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                let mut settings = insta::Settings::clone_current();
                settings.set_snapshot_path(corpus.join("snapshots").join(folder));
                settings.set_prepend_module_to_snapshot(false);
                settings.set_omit_expression(true);
                settings.bind(|| match PresentationView::of(&answer, 20) {
                    Some(view) => insta::assert_json_snapshot!(name.as_str(), view),
                    None => insta::assert_json_snapshot!(name.as_str(), Refusals::of(&answer)),
                });
            }));
            if compared.is_err() {
                differing.push(format!("{folder}/{name}"));
            }
        }
    }
    assert!(differing.is_empty(), "understood otherwise: {}", differing.join(", "));
}

/// A request that was redirected: what the answer says is relative to where it came from in the end
/// (RFC 3986 §5.1.3).
#[test]
fn references_follow_a_redirect() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut compared = 0;
    for folder in ["hls", "dash"] {
        for entry in std::fs::read_dir(corpus.join(folder)).expect("the corpus") {
            let path = entry.expect("an entry").path();
            let text = String::from_utf8_lossy(&std::fs::read(&path).expect("a file")).into_owned();
            // What names its host is found there, wherever the manifest comes from.
            if text.contains("cdn.example") {
                continue;
            }
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            let understood = |base: &str| {
                let url = format!("{base}{name}?session=1");
                let answer = Place::new(&path, Some(&url)).and_then(|place| place.read());
                let answer = answer.expect("a file");
                let view = PresentationView::of(&answer, 20)?;
                Some(serde_json::to_string_pretty(&view).expect("JSON"))
            };
            let Some(asked) = understood("https://cdn.example/films/one/") else { continue };
            let moved = [
                ("https://cdn.example/films/one/", "https://edge.example:8443/copies/two/"),
                ("https://cdn.example/films/", "https://edge.example:8443/copies/"),
                ("https://cdn.example/", "https://edge.example:8443/"),
            ];
            let moved = moved.iter().fold(asked, |text, (from, to)| text.replace(from, to));
            let redirected = understood("https://edge.example:8443/copies/two/");
            assert_eq!(redirected.as_deref(), Some(moved.as_str()), "{folder}/{name}");
            compared += 1;
        }
    }
    assert!(compared >= 40, "only {compared} manifests were compared");
}
