//! What a codec string (RFC 6381) is for.

use crate::io::MediaKind;

/// The registered sample entries, and other names that codec strings begin with.
const CODINGS: [(MediaKind, &str); 3] = [
    (
        MediaKind::Video,
        "avc1 avc2 avc3 avc4 hvc1 hev1 hvc2 hev2 vvc1 vvi1 dvh1 dvhe dva1 dvav dav1 dvc1 dvi1 av01 \
         vp08 vp09 vp8 vp9 mp4v mjpg jpeg evc1 lcv1 theora",
    ),
    (
        MediaKind::Audio,
        "mp4a ac-3 ec-3 ac-4 opus flac alac mp3 vorbis dtsc dtse dtsh dtsl dtsx dtsy mha1 mha2 mhm1 \
         mhm2 iamf samr sawb lpcm ipcm fpcm usac",
    ),
    (MediaKind::Text, "wvtt stpp tx3g c608 c708 sbtt"),
];

/// The kind of media a codec carries, by the coding it begins with; none if that is not known.
#[inline(never)]
pub(crate) fn kind(codec: &str) -> Option<MediaKind> {
    let coding = codec.split('.').next().unwrap_or(codec).trim();
    let known = |names: &str| names.split(' ').any(|name| name.eq_ignore_ascii_case(coding));
    CODINGS.iter().find(|(_, names)| known(names)).map(|&(kind, _)| kind)
}

/// A name shared by the codecs between which a decoder can switch without being set up anew: the
/// same coding, whether parameter sets lie in or out of band.
pub(crate) fn family(codec: &str) -> &str {
    match codec.split('.').next().unwrap_or(codec).trim() {
        "avc1" | "avc2" | "avc3" | "avc4" => "avc",
        "hvc1" | "hev1" => "hevc",
        "dvh1" | "dvhe" => "dolby-hevc",
        "dva1" | "dvav" => "dolby-avc",
        "vvc1" | "vvi1" => "vvc",
        "vp09" | "vp9" => "vp9",
        "vp08" | "vp8" => "vp8",
        other => other,
    }
}

/// Whether the codecs of two lists are of the same [families](family), in order.
#[inline(never)]
pub(crate) fn are_alike(one: &str, other: &str) -> bool {
    one == other || list(one).map(family).eq(list(other).map(family))
}

/// The codecs of one kind in a list, comma-separated.
pub(crate) fn of_kind(codecs: &str, wanted: MediaKind) -> String {
    let mut out = String::new();
    for codec in list(codecs).filter(|codec| kind(codec) == Some(wanted)) {
        if !out.is_empty() {
            out.push(',');
        }
        out.push_str(codec);
    }
    out
}

/// The codecs of a comma-separated list.
pub(crate) fn list(codecs: &str) -> impl Iterator<Item = &str> {
    codecs.split(',').map(str::trim).filter(|codec| !codec.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted_out_by_kind() {
        let codecs = " avc1.64001f , mp4a.40.2,ec-3,wvtt, xyz0 ";
        assert_eq!(of_kind(codecs, MediaKind::Video), "avc1.64001f");
        assert_eq!(of_kind(codecs, MediaKind::Audio), "mp4a.40.2,ec-3");
        assert_eq!(of_kind(codecs, MediaKind::Text), "wvtt");
    }
}
