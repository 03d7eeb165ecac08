//! Entering a package into the catalogue.

use crate::{
    Error, Result,
    clock::UnixTime,
    package::presentation::Presentation,
    storage::{
        Catalogue,
        catalogue::{Artwork, ArtworkKind, Kind, Media, Put, Title},
    },
    web::text::{Codec, Link, Slug},
};
use sha2::{Digest, Sha256};
use std::{fs, path::Path};

/// What in the catalogue a package is of: a film, or an episode of a series that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The film or the series.
    pub title: Slug,
    /// The episode.
    pub episode: Option<Slug>,
}

impl Target {
    /// What plays; the package is called so too.
    pub fn item(&self) -> &Slug {
        self.episode.as_ref().unwrap_or(&self.title)
    }
}

impl std::str::FromStr for Target {
    type Err = String;

    /// `FILM` or `SERIES/EPISODE`.
    fn from_str(text: &str) -> Result<Self, String> {
        let slug = |text: &str| text.parse::<Slug>().map_err(|error| error.to_string());
        let (title, episode) = match text.split_once('/') {
            Some((title, episode)) => (title, Some(slug(episode)?)),
            None => (text, None),
        };
        Ok(Self { title: slug(title)?, episode })
    }
}

/// Says in the catalogue that the target plays a package of the library, with its poster; a film that is not there
/// yet is entered with what the package says of itself.
///
/// # Errors
/// When there is no such series or episode, or something cannot be written.
pub async fn register(
    catalogue: &dyn Catalogue,
    target: &Target,
    presentation: &Presentation,
    poster: Option<Artwork>,
    now: UnixTime,
) -> Result<()> {
    let refuse = |reason: String| Err(Error::Option { flag: "--register", reason });
    let package = target.item().clone();
    let thumbnails = presentation
        .thumbnails
        .as_ref()
        .and_then(|path| Link::try_from(format!("/library/{}/{path}", package.as_str())).ok());
    let media = Media {
        duration_seconds: (presentation.duration.round() as u32).max(1),
        hls: None,
        dash: None,
        package: Some(package),
        thumbnails,
        video_codecs: codings(presentation.video.iter().map(|one| one.codecs.as_str())),
        audio_codecs: codings(presentation.audio.iter().map(|one| one.codecs.as_str())),
    };
    let draft = catalogue.draft(target.title.as_str()).await?;
    let mut title = match (draft, &target.episode) {
        (Some(title), _) => title,
        (None, None) => film(target.title.clone(), presentation)?,
        (None, Some(_)) => {
            return refuse(format!("there is no series {:?}", target.title.as_str()));
        }
    };
    match &target.episode {
        None if title.kind == Kind::Film => {
            if let Some(poster) = poster.filter(|_| title.artwork.is_empty()) {
                title.artwork.push(poster);
            }
            title.media = Some(media);
        }
        None => return refuse("a series plays by its episodes: SERIES/EPISODE".to_owned()),
        Some(id) => {
            let mut episodes = title.seasons.iter_mut().flat_map(|season| &mut season.episodes);
            match episodes.find(|episode| episode.id == *id) {
                Some(episode) => episode.media = Some(media),
                None => return refuse(format!("the series has no episode {:?}", id.as_str())),
            }
            if let Some(poster) = poster.filter(|_| title.artwork.is_empty()) {
                title.artwork.push(poster);
            }
        }
    }
    match catalogue.put(vec![title], now).await? {
        Put::Done { .. } => Ok(()),
        Put::Taken(id) => refuse(format!("{id:?} belongs to another title")),
    }
}

/// The codings in lists of codings (RFC 6381), each once.
fn codings<'a>(lists: impl Iterator<Item = &'a str>) -> Vec<Codec> {
    let all = lists.flat_map(|list| list.split(','));
    let mut codings: Vec<Codec> =
        all.filter_map(|codec| codec.trim().split('.').next()?.parse().ok()).collect();
    codings.sort_unstable();
    codings.dedup();
    codings
}

fn film(id: Slug, presentation: &Presentation) -> Result<Title> {
    // A name may hold what a line of the catalogue must not.
    let name: String = presentation.title.chars().filter(|c| !c.is_control()).take(200).collect();
    let name = if name.is_empty() { id.as_str().to_owned() } else { name };
    let title = serde_json::json!({"id": id, "kind": "film", "name": name, "maturity": 0});
    serde_json::from_value(title)
        .map_err(|error| Error::Option { flag: "--register", reason: error.to_string() })
}

/// Copies a package's poster to where the service shows pictures from, under a name that changes with it.
///
/// # Errors
/// When the picture cannot be read or written.
pub fn artwork(package: &Path, artwork: &Path, item: &Slug) -> Result<Option<Artwork>> {
    let picture = match fs::read(package.join("poster.jpg")) {
        Ok(picture) => picture,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("read", package)(error)),
    };
    let Some((width, height)) = jpeg_size(&picture) else { return Ok(None) };
    fs::create_dir_all(artwork).map_err(Error::io("create", artwork))?;
    let digest: String =
        Sha256::digest(&picture).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let name = format!("{}.{digest}.jpg", item.as_str());
    let path = artwork.join(&name);
    fs::write(&path, &picture).map_err(Error::io("write", &path))?;
    let url = Link::try_from(format!("/artwork/{name}")).ok();
    Ok(url.map(|url| Artwork { kind: ArtworkKind::Backdrop, url, width, height }))
}

/// Pixels across and down, from the frame header of a JPEG file (ITU-T T.81, B.2.2).
fn jpeg_size(file: &[u8]) -> Option<(u16, u16)> {
    let mut at = 2;
    loop {
        let [0xff, marker, high, low] = *file.get(at..at + 4)? else { return None };
        if matches!(marker, 0xc0..=0xc3) {
            let size = file.get(at + 5..at + 9)?;
            let number = |bytes: &[u8]| Some(u16::from_be_bytes(bytes.try_into().ok()?));
            return Some((number(size.get(2..4)?)?, number(size.get(0..2)?)?));
        }
        at += 2 + usize::from(u16::from_be_bytes([high, low]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::sqlite::SqliteCatalogue;

    #[test]
    fn the_size_of_a_picture_is_read_past_other_segments() {
        let mut file = vec![0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2];
        file.extend([0xff, 0xc0, 0, 11, 8, 2, 28, 3, 192, 1]);
        assert_eq!(jpeg_size(&file), Some((960, 540)));
        for end in 0..file.len() - 1 {
            assert_eq!(jpeg_size(&file[..end]), None);
        }
        assert_eq!(jpeg_size(&[0xff; 64]), None);
    }

    fn presentation() -> Presentation {
        Presentation {
            title: "A\u{7} title".to_owned(),
            credit: None,
            license: None,
            poster: None,
            thumbnails: Some("pictures-1/index.vtt".to_owned()),
            duration: 59.6,
            segment_duration: 4.0,
            hls: "master.m3u8".to_owned(),
            dash: Vec::new(),
            video: Vec::new(),
            audio: Vec::new(),
        }
    }

    fn poster(name: &str) -> Artwork {
        let url = format!("/artwork/{name}.jpg").try_into().unwrap();
        Artwork { kind: ArtworkKind::Backdrop, url, width: 16, height: 9 }
    }

    async fn catalogue() -> (tempfile::TempDir, SqliteCatalogue) {
        let directory = tempfile::tempdir().unwrap();
        let catalogue = SqliteCatalogue::open(directory.path()).await.unwrap();
        let titles = serde_json::json!({"titles": [
            {"id": "show", "kind": "series", "name": "Show", "synopsis": "Of two.", "maturity": 6, "seasons": [
                {"number": 1, "episodes": [
                    {"id": "show-1-1", "number": 1, "name": "One", "synopsis": "",
                     "media": {"duration_seconds": 5, "hls": "/one.m3u8"}},
                    {"id": "show-1-2", "number": 2, "name": "Two", "synopsis": "It ends."},
                ]},
            ]},
            {"id": "film", "kind": "film", "name": "Film", "synopsis": "Alone.", "maturity": 0},
        ]});
        let titles = crate::catalog::import::json(titles.to_string().as_bytes()).unwrap();
        catalogue.put(titles, UnixTime(1)).await.unwrap();
        (directory, catalogue)
    }

    #[test]
    fn each_coding_is_named_once() {
        let lists = ["avc1.64001f", "hvc1.1.6.L120, mp4a.40.2", "avc1.4d401e", "", "?"];
        let codings = codings(lists.into_iter());
        let names: Vec<&str> = codings.iter().map(Codec::as_str).collect();
        assert_eq!(names, ["avc1", "hvc1", "mp4a"]);
    }

    #[tokio::test]
    async fn an_episode_plays_its_package_and_the_rest_of_the_series_stays() {
        let (_directory, catalogue) = catalogue().await;
        let before = catalogue.draft("show").await.unwrap().unwrap();
        let target = "show/show-1-2".parse().unwrap();
        for picture in ["first", "second"] {
            let poster = Some(poster(picture));
            register(&catalogue, &target, &presentation(), poster, UnixTime(2)).await.unwrap();
        }
        let mut after = catalogue.draft("show").await.unwrap().unwrap();
        assert_eq!(after.artwork, [poster("first")], "a series has one picture of its own");
        let media = after.seasons[0].episodes[1].media.take().unwrap();
        assert_eq!((media.duration_seconds, media.hls, media.dash), (60, None, None));
        assert_eq!(media.package.unwrap().as_str(), "show-1-2");
        let thumbnails = media.thumbnails.unwrap();
        assert_eq!(thumbnails.as_str(), "/library/show-1-2/pictures-1/index.vtt");
        after.artwork.clear();
        assert_eq!(after, before, "all else is as it was");
    }

    #[tokio::test]
    async fn a_film_is_entered_or_goes_on_with_another_package() {
        let (_directory, catalogue) = catalogue().await;
        for (id, name, synopsis) in [("film", "Film", "Alone."), ("new", "A title", "")] {
            let target = id.parse().unwrap();
            register(&catalogue, &target, &presentation(), None, UnixTime(2)).await.unwrap();
            let film = catalogue.draft(id).await.unwrap().unwrap();
            assert_eq!((film.name.as_str(), film.synopsis.as_str()), (name, synopsis));
            assert_eq!(film.media.unwrap().package.unwrap().as_str(), id);
        }
    }

    #[tokio::test]
    async fn what_is_not_in_the_catalogue_is_named() {
        let (_directory, catalogue) = catalogue().await;
        let before = catalogue.revision().await.unwrap();
        for (target, said) in [
            ("nothing/episode", "no series \"nothing\""),
            ("show/show-1-3", "no episode \"show-1-3\""),
            ("show/film", "no episode \"film\""),
            ("film/film", "no episode \"film\""),
            ("show", "SERIES/EPISODE"),
            ("show-1-1", "belongs to another title"),
        ] {
            let parsed = target.parse().unwrap();
            let refused = register(&catalogue, &parsed, &presentation(), None, UnixTime(2)).await;
            let reason = refused.unwrap_err().to_string();
            assert!(reason.contains(said), "{target}: {reason}");
        }
        assert_eq!(catalogue.revision().await.unwrap(), before, "nothing was written");
    }

    #[test]
    fn a_target_is_a_film_or_an_episode() {
        let target = |text: &str| text.parse::<Target>();
        assert_eq!(target("bunny").unwrap().item().as_str(), "bunny");
        assert_eq!(target("show/show-1-1").unwrap().item().as_str(), "show-1-1");
        for text in ["", "/", "a/", "../x", "a/b/c", "A"] {
            assert!(target(text).is_err(), "{text}");
        }
    }
}
