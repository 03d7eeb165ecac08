//! Reference resolution after RFC 3986 §5, without a URL library: a player only joins references
//! onto URLs it was given, and leaves checking and normalising hosts to the platform that fetches.

/// The URL that `reference` means in a document at `base` (RFC 3986 §5.2.2, strict). The fragment
/// is dropped, as is white space around the reference.
///
/// Any text is accepted. What is not a URL comes out as something the platform's client refuses.
///
/// ```
/// use kinora_core::url::resolve;
/// assert_eq!(
///     resolve("https://cdn.example/film/main.mpd?token=1", "../audio/init.mp4"),
///     "https://cdn.example/audio/init.mp4",
/// );
/// ```
pub fn resolve(base: &str, reference: &str) -> String {
    let reference = Parts::of(reference);
    let base = Parts::of(base);
    let mut out = String::with_capacity(base.length() + reference.length() + 1);

    if let Some(scheme) = reference.scheme {
        push_start(&mut out, Some(scheme), reference.authority);
        push_without_dots(&mut out, "", reference.path);
    } else if reference.authority.is_some() {
        push_start(&mut out, base.scheme, reference.authority);
        push_without_dots(&mut out, "", reference.path);
    } else {
        push_start(&mut out, base.scheme, base.authority);
        if reference.path.is_empty() {
            out.push_str(base.path);
            push_query(&mut out, reference.query.or(base.query));
            return out;
        }
        if reference.path.starts_with('/') {
            push_without_dots(&mut out, "", reference.path);
        } else if base.path.is_empty() {
            let root = if base.authority.is_some() { "/" } else { "" };
            push_without_dots(&mut out, root, reference.path);
        } else {
            let folder = base.path.get(..folder_length(base.path)).unwrap_or("");
            push_without_dots(&mut out, folder, reference.path);
        }
    }
    push_query(&mut out, reference.query);
    out
}

/// The URL that lies to `to` as `url` lies to `from`; none if those are on different hosts, or if
/// `url` has no host.
pub(crate) fn moved(url: &str, from: &str, to: &str) -> Option<String> {
    let (parts, base) = (Parts::of(url), Parts::of(from));
    if parts.authority.is_none() || (parts.scheme, parts.authority) != (base.scheme, base.authority)
    {
        return None;
    }
    // Folders that both paths begin with.
    let (path, base) = (parts.path, base.path);
    let same = path.bytes().zip(base.bytes()).take_while(|(one, other)| one == other).count();
    let common = path.get(..same).map_or(0, folder_length);
    let (rest, above) = (path.get(common..)?, base.get(common..)?);
    let mut reference = String::with_capacity(rest.len() + 8);
    for _ in above.bytes().filter(|&byte| byte == b'/') {
        reference.push_str("../");
    }
    // Without a slash before it, a colon would end a scheme, and nothing would be the base itself.
    if reference.is_empty() {
        reference.push_str("./");
    }
    reference.push_str(rest);
    push_query(&mut reference, parts.query);
    Some(resolve(to, &reference))
}

/// A base against which many references are resolved.
#[derive(Debug)]
pub(crate) struct Folder<'a> {
    base: &'a str,
    /// What a plain name is appended to.
    folder: String,
}

impl<'a> Folder<'a> {
    pub(crate) fn of(base: &'a str) -> Self {
        let mut folder = resolve(base, "a");
        folder.pop();
        Self { base, folder }
    }

    /// As [`resolve`], and quick for references that are just to be appended.
    pub(crate) fn resolve(&self, reference: &str) -> String {
        if !is_plain(reference) {
            return resolve(self.base, reference);
        }
        let mut out = String::with_capacity(self.folder.len() + reference.len());
        out.push_str(&self.folder);
        out.push_str(reference);
        out
    }
}

/// Whether a reference is a path from the folder of its base on, without dots to be removed, and
/// maybe a query.
fn is_plain(reference: &str) -> bool {
    let mut before = b'/';
    let mut query = false;
    for &byte in reference.as_bytes() {
        match byte {
            0..=b' ' | b'#' => return false,
            b':' | b'.' | b'/' | b'?' if query => {}
            b':' => return false,
            b'.' | b'/' if before == b'/' => return false,
            b'?' if before == b'/' => return false,
            b'?' => query = true,
            _ => {}
        }
        before = byte;
    }
    !reference.is_empty()
}

/// Scheme and authority of a URL: the server it is of.
pub(crate) fn site(url: &str) -> &str {
    let url = url.trim_start_matches(|c: char| c <= ' ');
    let authority = cut_word(url, "://").map_or(0, |(scheme, _)| scheme.len() + 3);
    let rest = url.get(authority..).unwrap_or("");
    let end = rest.find(['/', '?', '#']).map_or(url.len(), |end| authority + end);
    url.get(..end).unwrap_or(url)
}

/// Adds a query to a URL, after the query that it may have.
pub(crate) fn with_query(url: &str, query: &str) -> String {
    if query.is_empty() {
        return url.to_owned();
    }
    let before = cut(url, b'#').map_or(url, |(before, _)| before);
    let fragment = url.get(before.len()..).unwrap_or("");
    let joint = if before.contains('?') { "&" } else { "?" };
    [before, joint, query, fragment].concat()
}

/// Appends text, percent-encoded but for what RFC 3986 §2.3 leaves unreserved.
pub(crate) fn push_encoded(out: &mut String, text: &str) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(DIGITS[usize::from(byte >> 4)]));
            out.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
}

/// The same URL on another host, which may be given with a port; else the port stays.
pub(crate) fn with_host(url: &str, host: &str) -> String {
    let site = site(url);
    let start = cut_word(site, "://").map_or(0, |(scheme, _)| scheme.len() + 3);
    let (scheme, authority) = (site.get(..start).unwrap_or(""), site.get(start..).unwrap_or(""));
    let path = url.trim_start_matches(|c: char| c <= ' ').get(site.len()..).unwrap_or("");
    let port = authority.rfind(':').and_then(|colon| authority.get(colon..)).unwrap_or("");
    let port = if port.contains(']') || host.contains(':') { "" } else { port };
    [scheme, host, port, path].concat()
}

/// The path that leads from one URL to another on the same host, without its query; none if that is
/// on another.
pub(crate) fn relative_path(from: &str, to: &str) -> Option<String> {
    let (here, there) = (Parts::of(from), Parts::of(to));
    if (here.scheme, here.authority) != (there.scheme, there.authority) {
        return None;
    }
    let same = here.path.bytes().zip(there.path.bytes()).take_while(|(a, b)| a == b).count();
    let common = here.path.get(..same).map_or(0, folder_length);
    let above = here.path.get(common..)?.bytes().filter(|byte| *byte == b'/').count();
    Some(["../".repeat(above).as_str(), there.path.get(common..)?].concat())
}

/// What lies before and after the first of a byte, which must be ASCII. Text is mostly short, and a
/// search of the standard library takes more code at each of its many places than all of this.
#[inline(never)]
pub(crate) fn cut(text: &str, byte: u8) -> Option<(&str, &str)> {
    let at = text.as_bytes().iter().position(|&one| one == byte)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// What lies before and after the first of a word, which must not be empty; as [`cut`].
#[inline(never)]
pub(crate) fn cut_word<'t>(text: &'t str, word: &str) -> Option<(&'t str, &'t str)> {
    let (bytes, wanted) = (text.as_bytes(), word.as_bytes());
    let at = (0..text.len()).find(|&at| bytes.get(at..at + word.len()) == Some(wanted))?;
    Some((text.get(..at)?, text.get(at + word.len()..)?))
}

/// How long a path is up to and with its last slash.
#[inline(never)]
fn folder_length(path: &str) -> usize {
    path.bytes().rposition(|byte| byte == b'/').map_or(0, |last| last + 1)
}

/// Without white space and control characters around it.
#[inline(never)]
fn trimmed(text: &str) -> &str {
    let (bytes, mut start, mut end) = (text.as_bytes(), 0, text.len());
    while start < end && bytes.get(end - 1).is_some_and(|&byte| byte <= b' ') {
        end -= 1;
    }
    while start < end && bytes.get(start).is_some_and(|&byte| byte <= b' ') {
        start += 1;
    }
    text.get(start..end).unwrap_or("")
}

/// The path of a URL, without scheme, host, query and fragment.
pub(crate) fn path(url: &str) -> &str {
    Parts::of(url).path
}

/// The value of a parameter of a URL's query, percent-decoded (RFC 3986 §2.1); none if it is not
/// there, or does not decode to UTF-8.
pub(crate) fn query_parameter(url: &str, name: &str) -> Option<String> {
    let value = Parts::of(url).query?.split('&').find_map(|parameter| {
        let (key, value) = cut(parameter, b'=').unwrap_or((parameter, ""));
        (percent_decoded(key)? == name).then_some(value)
    })?;
    percent_decoded(value)
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(if byte == b'%' {
            let mut digit = || char::from(rest.next()?).to_digit(16);
            (digit()? << 4 | digit()?) as u8
        } else {
            byte
        });
    }
    String::from_utf8(bytes).ok()
}

/// The components of a reference (RFC 3986 appendix B); the fragment is gone.
struct Parts<'a> {
    scheme: Option<&'a str>,
    authority: Option<&'a str>,
    path: &'a str,
    query: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Self {
        let text = trimmed(text);
        let text = cut(text, b'#').map_or(text, |(before, _)| before);
        let (scheme, rest) = match cut(text, b':') {
            Some((scheme, rest)) if is_scheme(scheme) => (Some(scheme), rest),
            _ => (None, text),
        };
        let (rest, query) = match cut(rest, b'?') {
            Some((rest, query)) => (rest, Some(query)),
            None => (rest, None),
        };
        let (authority, path) = match rest.strip_prefix("//") {
            Some(rest) => {
                let authority = cut(rest, b'/').map_or(rest, |(authority, _)| authority);
                (Some(authority), rest.get(authority.len()..).unwrap_or(""))
            }
            None => (None, rest),
        };
        Self { scheme, authority, path, query }
    }

    fn length(&self) -> usize {
        [self.scheme, self.authority, Some(self.path), self.query]
            .into_iter()
            .flatten()
            .map(|part| part.len() + 3)
            .sum()
    }
}

/// RFC 3986 §3.1.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
}

fn push_start(out: &mut String, scheme: Option<&str>, authority: Option<&str>) {
    if let Some(scheme) = scheme {
        out.push_str(scheme);
        out.push(':');
    }
    if let Some(authority) = authority {
        out.push_str("//");
        out.push_str(authority);
    }
}

fn push_query(out: &mut String, query: Option<&str>) {
    if let Some(query) = query {
        out.push('?');
        out.push_str(query);
    }
}

/// Appends `folder` + `path` with `.` and `..` segments taken out (RFC 3986 §5.2.4), never cutting
/// into what `out` holds already. Each byte is written once and cut once, so this is linear.
fn push_without_dots(out: &mut String, folder: &str, path: &str) {
    let dotted =
        |text: &str| text.starts_with('.') || text.as_bytes().windows(2).any(|pair| pair == b"/.");
    if !dotted(folder) && !dotted(path) {
        out.push_str(folder);
        out.push_str(path);
        return;
    }
    let root = out.len();
    let absolute = folder.starts_with('/') || (folder.is_empty() && path.starts_with('/'));
    // A folder ends with a slash, so its segments and those of the path never run together.
    for mut rest in [folder, path] {
        while !rest.is_empty() {
            let name = cut(rest, b'/').map_or(rest, |(name, _)| name);
            // With the slash that ends it, if one does.
            let (segment, after) = rest.split_at_checked(name.len() + 1).unwrap_or((rest, ""));
            match name {
                "." => {}
                ".." => {
                    let written = out.get(root..).unwrap_or("");
                    let kept = written.strip_suffix('/').unwrap_or(written);
                    // The root's own slash stays.
                    let kept = folder_length(kept).max(usize::from(absolute));
                    crate::items::shorten(out, root + kept);
                }
                _ => out.push_str(segment),
            }
            rest = after;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RFC 3986 §5.4.1 and §5.4.2, less the fragments.
    #[test]
    fn the_examples_of_the_standard() {
        let base = "http://a/b/c/d;p?q";
        for (reference, expected) in [
            ("g:h", "g:h"),
            ("g", "http://a/b/c/g"),
            ("./g", "http://a/b/c/g"),
            ("g/", "http://a/b/c/g/"),
            ("/g", "http://a/g"),
            ("//g", "http://g"),
            ("?y", "http://a/b/c/d;p?y"),
            ("g?y", "http://a/b/c/g?y"),
            ("#s", "http://a/b/c/d;p?q"),
            ("g#s", "http://a/b/c/g"),
            ("g?y#s", "http://a/b/c/g?y"),
            (";x", "http://a/b/c/;x"),
            ("g;x", "http://a/b/c/g;x"),
            ("g;x?y#s", "http://a/b/c/g;x?y"),
            ("", "http://a/b/c/d;p?q"),
            (".", "http://a/b/c/"),
            ("./", "http://a/b/c/"),
            ("..", "http://a/b/"),
            ("../", "http://a/b/"),
            ("../g", "http://a/b/g"),
            ("../..", "http://a/"),
            ("../../", "http://a/"),
            ("../../g", "http://a/g"),
            ("../../../g", "http://a/g"),
            ("../../../../g", "http://a/g"),
            ("/./g", "http://a/g"),
            ("/../g", "http://a/g"),
            ("g.", "http://a/b/c/g."),
            (".g", "http://a/b/c/.g"),
            ("g..", "http://a/b/c/g.."),
            ("..g", "http://a/b/c/..g"),
            ("./../g", "http://a/b/g"),
            ("./g/.", "http://a/b/c/g/"),
            ("g/./h", "http://a/b/c/g/h"),
            ("g/../h", "http://a/b/c/h"),
            ("g;x=1/./y", "http://a/b/c/g;x=1/y"),
            ("g;x=1/../y", "http://a/b/c/y"),
            ("g?y/./x", "http://a/b/c/g?y/./x"),
            ("g?y/../x", "http://a/b/c/g?y/../x"),
            ("g#s/./x", "http://a/b/c/g"),
            ("g#s/../x", "http://a/b/c/g"),
            ("http:g", "http:g"),
        ] {
            assert_eq!(resolve(base, reference), expected, "{reference}");
        }
    }

    #[test]
    fn a_base_without_a_path_gets_a_root() {
        assert_eq!(resolve("https://a", "g"), "https://a/g");
        assert_eq!(resolve("https://a?x", "g?y"), "https://a/g?y");
        assert_eq!(resolve("https://a/x", "/../.."), "https://a/");
    }

    #[test]
    fn relative_bases_stay_relative() {
        assert_eq!(resolve("clips/main.m3u8", "video/1.m4s"), "clips/video/1.m4s");
        assert_eq!(resolve("main.m3u8", "1.m4s"), "1.m4s");
        assert_eq!(resolve("", "1.m4s"), "1.m4s");
        assert_eq!(resolve("a/b", "../../../x"), "x");
    }

    #[test]
    fn slashes_in_a_query_are_no_folders() {
        assert_eq!(resolve("https://a/b/main.mpd?u=c/d/e", "1.m4s"), "https://a/b/1.m4s");
        assert_eq!(resolve("https://a?u=c/d", "1.m4s"), "https://a/1.m4s");
    }

    #[test]
    fn query_parameters_are_decoded() {
        let url = "https://a/b?x=1&to%6ben=a%2Fb%c3%a9&flag&bad=%f#frag";
        assert_eq!(query_parameter(url, "token"), Some("a/b\u{e9}".into()));
        assert_eq!(query_parameter(url, "flag"), Some(String::new()));
        assert_eq!(query_parameter(url, "bad"), None);
        assert_eq!(query_parameter(url, "y"), None);
        assert_eq!(query_parameter("https://a/b", "x"), None);
    }

    #[test]
    fn a_host_is_replaced() {
        for (url, host, expected) in [
            ("https://a.example/x?y#z", "b.example", "https://b.example/x?y#z"),
            ("https://a.example:8443/x", "b.example", "https://b.example:8443/x"),
            ("https://a.example:8443/x", "b.example:1", "https://b.example:1/x"),
            ("https://[::1]/x", "b", "https://b/x"),
            ("https://a", "b", "https://b"),
        ] {
            assert_eq!(with_host(url, host), expected, "{url}");
        }
    }

    #[test]
    fn a_path_leads_from_one_url_to_another() {
        let from = "https://a/film/v/7.m4s?token=1";
        let path = |to| relative_path(from, to);
        assert_eq!(path("https://a/film/v/8.m4s?token=2").as_deref(), Some("8.m4s"));
        assert_eq!(path("https://a/film/audio/8.m4s").as_deref(), Some("../audio/8.m4s"));
        assert_eq!(path("https://a/other/8.m4s").as_deref(), Some("../../other/8.m4s"));
        assert_eq!(path("https://b/film/v/8.m4s"), None);
    }

    #[test]
    fn a_site_is_scheme_and_authority() {
        assert_eq!(site("https://a.example:8080/x/y?z"), "https://a.example:8080");
        assert_eq!(site("https://a?x"), "https://a");
        assert_eq!(site("clips/1.m4s"), "clips");
        assert_eq!(site(""), "");
    }

    #[test]
    fn a_query_is_added_to_a_query() {
        assert_eq!(with_query("https://a/b", "x=1"), "https://a/b?x=1");
        assert_eq!(with_query("https://a/b?c#d", "x=1"), "https://a/b?c&x=1#d");
        assert_eq!(with_query("https://a/b", ""), "https://a/b");
    }

    #[test]
    fn white_space_around_is_no_part_of_it() {
        assert_eq!(resolve("https://a/b", "\n\t 1.m4s \r\n"), "https://a/1.m4s");
    }

    #[test]
    fn urls_move_with_what_they_lie_beside() {
        let from = "https://a/films/one/video/main.m3u8?token=1";
        let to = "https://b/copy/one/video/main.m3u8?token=2";
        for (url, expected) in [
            ("https://a/films/one/video/1.ts", Some("https://b/copy/one/video/1.ts")),
            ("https://a/films/one/video/x/1.ts?r=1", Some("https://b/copy/one/video/x/1.ts?r=1")),
            ("https://a/films/one/audio/1.ts", Some("https://b/copy/one/audio/1.ts")),
            ("https://a/films/one/video/a:b", Some("https://b/copy/one/video/a:b")),
            ("https://a/films/one/videos/1.ts", Some("https://b/copy/one/videos/1.ts")),
            ("https://a/", Some("https://b/")),
            ("https://a:80/films/one/video/1.ts", None),
            ("http://a/films/one/video/1.ts", None),
            ("https://c/films/one/video/1.ts", None),
            ("data:,a", None),
        ] {
            assert_eq!(moved(url, from, to).as_deref(), expected, "{url}");
        }
    }

    proptest! {
        #[test]
        fn what_is_relative_moves(reference in "(\\.\\./){0,2}[a-m]{1,3}(/[a-m.]{1,3}){0,3}") {
            let (from, to) = ("https://a/p/q/r/main", "http://b:8/x/y/z/other?q");
            let url = resolve(from, &reference);
            prop_assert_eq!(moved(&url, from, to), Some(resolve(to, &reference)));
        }

        #[test]
        fn any_text_resolves(base in "\\PC{0,60}", reference in "[.:/?#a\u{e9}%]{0,40}") {
            let _ = resolve(&base, &reference);
            let _ = resolve(&reference, &base);
        }

        #[test]
        fn a_folder_resolves_likewise(
            base in "(https?://[a-z]{1,3})?[a-c./?#:]{0,12}",
            reference in "[a-c./?#: ]{0,12}|[a-c]{1,3}(/[a-c]{1,3}){0,2}(\\?[a-c/.:]{0,4})?",
        ) {
            prop_assert_eq!(Folder::of(&base).resolve(&reference), resolve(&base, &reference));
        }

        #[test]
        fn resolving_twice_changes_nothing(reference in "[a-c./?]{0,30}") {
            prop_assume!(!reference.starts_with("//"));
            let once = resolve("https://host/a/b/c?q", &reference);
            prop_assert!(once.starts_with("https://host/"), "{once}");
            prop_assert_eq!(resolve("https://other/", &once), once.clone());
        }
    }
}
