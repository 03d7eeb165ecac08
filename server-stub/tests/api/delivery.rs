//! Media, to whoever plays them.

use crate::{
    suite,
    world::{Answer, Device, World},
};
use kinora_server::{auth::Config, plans::Plans, roles::Data, web::Limits};
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use std::{fs, path::Path};

suite! {
    a_packaged_film_plays_to_its_last_byte
    thumbnails_are_to_be_had_and_nothing_else_with_their_token
    a_device_gets_what_it_plays
    a_token_opens_its_own_package_and_no_other
    what_is_shared_can_be_kept_and_what_is_not_cannot
    no_log_has_what_is_secret
}

pub(crate) const SEGMENT: &[u8] = b"a segment, as far as a test needs one";

/// Writes packages as the packager would, of two pictures and a sound, and enters them.
pub(crate) fn library(world: &World, names: &[&str]) {
    let mut titles = Vec::new();
    for name in names {
        let package = world.data.path().join("packages").join(name);
        for directory in ["v720.aa", "v360.bb", "audio.cc"] {
            let directory = package.join(directory);
            fs::create_dir_all(&directory).unwrap();
            let playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MAP:URI=\"init.mp4\"\n\
                #EXTINF:2,\nseg-00001.m4s\n#EXT-X-ENDLIST\n";
            fs::write(directory.join("media.m3u8"), playlist).unwrap();
            fs::write(directory.join("init.mp4"), b"init").unwrap();
            fs::write(directory.join("seg-00001.m4s"), SEGMENT).unwrap();
        }
        write_manifests(&package);
        let pictures = package.join("thumbnails.dd");
        fs::create_dir_all(&pictures).unwrap();
        fs::write(pictures.join("thumbnails.vtt"), "WEBVTT\n").unwrap();
        fs::write(pictures.join("sheet-001.jpg"), "a sheet of pictures").unwrap();
        let thumbnails = format!("/library/{name}/thumbnails.dd/thumbnails.vtt");
        titles.push(json!({
            "id": name, "kind": "film", "name": name, "maturity": 0,
            "media": {"duration_seconds": 600, "package": name, "thumbnails": thumbnails,
                "video_codecs": ["avc1"], "audio_codecs": ["mp4a"]},
        }));
        // Of this the catalogue does not know how it is coded.
        titles.push(json!({
            "id": format!("{name}-untold"), "kind": "film", "name": name, "maturity": 0,
            "media": {"duration_seconds": 600, "package": name},
        }));
    }
    let file = world.data.path().join("library.json");
    fs::write(&file, json!({ "titles": titles }).to_string()).unwrap();
    let output = world.run(&["import", file.to_str().unwrap()]);
    assert!(output.status.success(), "{output:?}");
}

fn write_manifests(package: &Path) {
    let picture = |id: &str, directory: &str, height: u32, codecs: &str| {
        json!({"id": id, "directory": directory, "codecs": codecs,
               "video": {"width": height * 16 / 9, "height": height, "frame_rate": "24"}})
    };
    let summary = json!({
        "title": "A film",
        "video": [picture("v720", "v720.aa", 720, "avc1.64001f"), picture("v360", "v360.bb", 360, "avc1.4d401e")],
        "audio": [{"id": "audio", "directory": "audio.cc", "codecs": "mp4a.40.2", "audio": {}}],
    });
    fs::write(package.join("package.json"), summary.to_string()).unwrap();
    let master = "#EXTM3U\n#EXT-X-VERSION:7\n\
        #EXT-X-MEDIA:TYPE=AUDIO,URI=\"audio.cc/media.m3u8\",GROUP-ID=\"audio\",NAME=\"Main\"\n\
        #EXT-X-STREAM-INF:BANDWIDTH=2000000,CODECS=\"avc1.64001f,mp4a.40.2\",RESOLUTION=1280x720,AUDIO=\"audio\"\n\
        v720.aa/media.m3u8\n\
        #EXT-X-STREAM-INF:BANDWIDTH=500000,CODECS=\"avc1.4d401e,mp4a.40.2\",RESOLUTION=640x360,AUDIO=\"audio\"\n\
        v360.bb/media.m3u8\n";
    fs::write(package.join("master.m3u8"), master).unwrap();
    let mpd = r#"<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period>
        <AdaptationSet contentType="video">
          <Representation id="v720" codecs="avc1.64001f" height="720"><BaseURL>v720.aa/</BaseURL></Representation>
          <Representation id="v360" codecs="avc1.4d401e" height="360"><BaseURL>v360.bb/</BaseURL></Representation>
        </AdaptationSet></Period></MPD>"#;
    fs::write(package.join("manifest.mpd"), mpd).unwrap();
    fs::write(package.join("secret.txt"), "nobody asks for this").unwrap();
}

pub(crate) async fn play(device: &Device<'_>, item: &str, body: Option<Value>) -> Value {
    let answer = device.ask(Method::POST, &format!("/v1/playback/{item}"), body).await;
    answer.is(StatusCode::CREATED).json()
}

/// The paths that a playlist names, in its own lines and in `URI` attributes.
fn uris(playlist: &str) -> Vec<String> {
    let mut uris = Vec::new();
    for line in playlist.lines() {
        if !line.starts_with('#') {
            uris.push(line.to_owned());
        } else if let Some((_, rest)) = line.split_once("URI=\"") {
            uris.push(rest.split('"').next().unwrap().to_owned());
        }
    }
    uris
}

pub(crate) async fn hls(world: &World, playback: &Value) -> Vec<String> {
    let manifest = world.get(playback["hls"].as_str().unwrap()).await.is(StatusCode::OK);
    uris(&manifest.body)
}

async fn a_packaged_film_plays_to_its_last_byte(world: &World) {
    library(world, &["bunny"]);
    let device = world.household("ada").await.viewing().await;
    let playback = play(&device, "bunny", None).await;
    assert_eq!(playback["manifest_lifetime"], 300);
    assert_eq!(playback["media_lifetime"], 2400);
    assert_eq!(playback["license_url"], Value::Null);
    assert_eq!(playback["steering_url"], Value::Null, "there are no edges");
    assert_eq!(playback["abr"], json!({}));
    let playlists = hls(world, &playback).await;
    assert_eq!(playlists.len(), 3, "{playlists:?}");
    for playlist in playlists {
        let directory = playlist.rsplit_once('/').unwrap().0.to_owned();
        let media = world.get(&playlist).await.is(StatusCode::OK);
        for file in uris(&media.body) {
            world.get(&format!("{directory}/{file}")).await.is(StatusCode::OK);
        }
        let segment = world
            .request(Method::GET, &format!("{directory}/seg-00001.m4s"))
            .header(header::RANGE, "bytes=2-8");
        let segment = Answer::of(segment.send().await.unwrap()).await;
        assert_eq!(segment.is(StatusCode::PARTIAL_CONTENT).body, "segment");
    }
    let mpd = world.get(playback["dash"].as_str().unwrap()).await.is(StatusCode::OK);
    assert_eq!(mpd.headers[header::CONTENT_TYPE], "application/dash+xml");
    let base = mpd.body.split_once("<BaseURL>").unwrap().1.split('<').next().unwrap();
    let segment = world.get(&format!("{base}v360.bb/seg-00001.m4s")).await;
    assert_eq!(segment.is(StatusCode::OK).body.as_bytes(), SEGMENT);
}

async fn thumbnails_are_to_be_had_and_nothing_else_with_their_token(world: &World) {
    library(world, &["bunny"]);
    let device = world.household("ada").await.viewing().await;
    let small = json!({"device": {"max_height": 360, "codecs": ["avc1", "mp4a"]}});
    let playback = play(&device, "bunny", Some(small)).await;
    let thumbnails = playback["thumbnails"].as_str().unwrap();
    let track = world.get(thumbnails).await.is(StatusCode::OK);
    assert_eq!(track.body, "WEBVTT\n");
    assert_eq!(track.headers[header::CACHE_CONTROL], "public, max-age=31536000, immutable");
    let (directory, _) = thumbnails.rsplit_once('/').unwrap();
    world.get(&format!("{directory}/sheet-001.jpg")).await.is(StatusCode::OK);
    for other in ["v360.bb/seg-00001.m4s", "master.m3u8", "secret.txt"] {
        let path = thumbnails.replace("thumbnails.dd/thumbnails.vtt", other);
        world.get(&path).await.is(StatusCode::FORBIDDEN);
    }
}

async fn a_device_gets_what_it_plays(world: &World) {
    library(world, &["bunny"]);
    let device = world.household("ada").await.viewing().await;
    let small = json!({"device": {"max_height": 480, "codecs": ["avc1", "mp4a"]}});
    let playback = play(&device, "bunny", Some(small)).await;
    let playlists = hls(world, &playback).await;
    assert!(playlists.iter().all(|uri| !uri.contains("v720")), "{playlists:?}");
    let mpd = world.get(playback["dash"].as_str().unwrap()).await.is(StatusCode::OK).body;
    assert!(!mpd.contains("v720") && mpd.contains("v360"), "{mpd}");
    // Nor by a guess.
    let guess = playlists.iter().find(|uri| uri.contains("v360")).unwrap();
    let guess = guess.replace("v360.bb", "v720.aa");
    world.get(&guess).await.is(StatusCode::FORBIDDEN);
    for codecs in [json!(["vp09", "Opus"]), json!(["avc1", "Opus"]), json!(["vp09", "mp4a"])] {
        let none = json!({"device": {"codecs": codecs}});
        let answer = device.ask(Method::POST, "/v1/playback/bunny", Some(none)).await;
        answer.is(StatusCode::NOT_ACCEPTABLE).problem("not_playable");
    }
    // It goes on with what it plays, and takes no stream.
    let playing = device.get("/v1/playbacks").await.is(StatusCode::OK).json();
    assert_eq!(playing[0]["playback_id"], playback["playback_id"], "{playing}");
    let none = json!({"device": {"codecs": ["vp09", "Opus"]}});
    let playback = play(&device, "bunny-untold", Some(none)).await;
    world.get(playback["hls"].as_str().unwrap()).await.is(StatusCode::NOT_ACCEPTABLE);
    for nonsense in [
        json!({"device": {"max_height": 0.5}}),
        json!({"device": {"codecs": ["avc1.64001f"]}}),
        json!({"device": {"codecs": vec!["avc1"; 17]}}),
        json!({"device": {"root": true}}),
        json!([]),
    ] {
        let answer = device.ask(Method::POST, "/v1/playback/bunny", Some(nonsense)).await;
        answer.is(StatusCode::UNPROCESSABLE_ENTITY).problem("invalid_value");
    }
}

async fn a_token_opens_its_own_package_and_no_other(world: &World) {
    library(world, &["bunny", "sintel"]);
    let ada = world.household("ada").await.viewing().await;
    let playback = play(&ada, "bunny", None).await;
    let manifest = playback["hls"].as_str().unwrap();
    let media = hls(world, &playback).await.remove(0);
    let directory = media.rsplit_once('/').unwrap().0;
    let token = |path: &str| path.split('/').nth(2).unwrap().to_owned();
    let (for_manifests, for_media) = (token(manifest), token(&media));
    for path in [
        manifest.replace("bunny", "sintel"),
        media.replace("bunny", "sintel"),
        manifest.replace("master.m3u8", "v360.bb/seg-00001.m4s"),
        format!("/t/{for_media}/library/bunny/master.m3u8"),
        format!("/t/{for_media}/library/bunny/secret.txt"),
        format!("/t/{for_media}x/library/bunny/v360.bb/seg-00001.m4s"),
        format!("/t/{}/library/bunny/v360.bb/seg-00001.m4s", &for_media[..for_media.len() - 4]),
        "/t//library/bunny/v360.bb/seg-00001.m4s".to_owned(),
        "/t/x/library/bunny/v360.bb/seg-00001.m4s".to_owned(),
        format!("/t/{}/library/bunny/v360.bb/seg-00001.m4s", "A".repeat(1500)),
        format!("/t/{}/library/bunny/v360.bb/seg-00001.m4s", ada.access),
        // "{}" with `alg: none`, tagged as a token would be
        "/t/2D3RhEChASCgQA/library/bunny/v360.bb/seg-00001.m4s".to_owned(),
    ] {
        let answer = world.get(&path).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}: {}", answer.body);
        assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
    }
    // Out of the package by the names of files: what a client library would tidy up goes over the wire as it is.
    for rest in [
        "../sintel/v360.bb/seg-00001.m4s",
        "%2e%2e/sintel/v360.bb/seg-00001.m4s",
        "v360.bb/../../sintel/v360.bb/seg-00001.m4s",
        "v360.bb/..%2f..%2f..%2f..%2fsecrets/delivery-keys.json",
        "v360.bb/%00",
        "v360.bb//etc/passwd",
        "v360.bb/.%2e/secret.txt",
    ] {
        let path = format!("/t/{for_media}/library/bunny/{rest}");
        let (status, body) = raw(world, &path).await;
        assert!((400..500).contains(&status), "{path}: {status}");
        assert!(!body.contains("seed") && !body.contains("nobody asks"), "{body}");
    }
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        let answer = world.request(method, &media).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
    }
    // A packaged film is not to be had without a token, nor is what is beside the packages.
    for path in
        ["/library/bunny/master.m3u8", "/packages/bunny/master.m3u8", "/secrets/delivery-keys.json"]
    {
        assert!(world.get(path).await.status.is_client_error(), "{path}");
    }
    // The manifest again, after the playback has ended: as somebody else would with a copied URL.
    world.get(manifest).await.is(StatusCode::OK);
    let id = playback["playback_id"].as_str().unwrap();
    ada.delete(&format!("/v1/playbacks/{id}")).await.is(StatusCode::NO_CONTENT);
    world.get(manifest).await.is(StatusCode::GONE);
    world.get(&format!("{directory}/seg-00001.m4s")).await.is(StatusCode::OK);
    assert_ne!(for_manifests, for_media);
}

/// A GET of a path as it stands.
async fn raw(world: &World, path: &str) -> (u16, String) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let address = world.url("").trim_start_matches("http://").to_owned();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    (answer.split(' ').nth(1).unwrap().parse().unwrap(), answer)
}

async fn what_is_shared_can_be_kept_and_what_is_not_cannot(world: &World) {
    library(world, &["bunny"]);
    let ada = world.household("ada").await.viewing().await;
    let bob = world.household("bob").await.viewing().await;
    let mut tags = Vec::new();
    for device in [&ada, &bob] {
        let playback = play(device, "bunny", None).await;
        let manifest = world.get(playback["hls"].as_str().unwrap()).await.is(StatusCode::OK);
        assert_eq!(manifest.headers[header::CACHE_CONTROL], "private, no-store");
        let media = uris(&manifest.body).remove(0);
        let segment = format!("{}/seg-00001.m4s", media.rsplit_once('/').unwrap().0);
        for path in [media, segment.clone()] {
            let answer = world.get(&path).await.is(StatusCode::OK);
            let kept = &answer.headers[header::CACHE_CONTROL];
            assert_eq!(kept, "public, max-age=31536000, immutable");
        }
        let answer = world.get(&segment).await;
        tags.push((
            segment.split("/library").nth(1).unwrap().to_owned(),
            answer.headers[header::ETAG].clone(),
        ));
    }
    assert_eq!(tags[0], tags[1], "beyond the token it is the same for everyone");
}

async fn no_log_has_what_is_secret(world: &World) {
    library(world, &["bunny"]);
    let ada = world.household("canary-address").await.viewing().await;
    let playback = play(&ada, "bunny", None).await;
    let manifest = playback["hls"].as_str().unwrap().to_owned();
    let media = hls(world, &playback).await.remove(0);
    world.get(&media).await.is(StatusCode::OK);
    world.get(&format!("{media}?canary-query")).await.is(StatusCode::OK);
    world.try_sign_in("canary-address", "canary-password").await.is(StatusCode::UNAUTHORIZED);
    world.get("/t/canary-token/library/bunny/x").await.is(StatusCode::FORBIDDEN);
    let request = world.request(Method::GET, "/v1/account").bearer_auth("canary-bearer");
    request.header("cookie", "canary-cookie").send().await.unwrap();
    let request = world.request(Method::GET, "/v1/catalog/search?text=canary-search");
    request.bearer_auth(&ada.access).header("x-request-id", "the-last-one").send().await.unwrap();
    while !world.log().contains("the-last-one") {
        tokio::task::yield_now().await;
    }
    let log = world.log();
    for line in log.lines().filter(|line| line.starts_with('{')) {
        serde_json::from_str::<Value>(line).unwrap();
    }
    let token = |path: &str| path.split('/').nth(2).unwrap().to_owned();
    let secrets = [
        ada.access.clone(),
        ada.refresh.clone(),
        token(&manifest),
        token(&media),
        "canary-".to_owned(),
    ];
    for secret in &secrets {
        if let Some(line) = log.lines().find(|line| line.contains(secret)) {
            panic!("{secret} is in the log: {line}");
        }
    }
    // The keys are where they should be, and readable by their owner alone.
    let keys = world.data.path().join("secrets/delivery-keys.json");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&keys).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let keys = fs::read_to_string(keys).unwrap();
    let keys: Value = serde_json::from_str(&keys).unwrap();
    assert!(!log.contains(keys["keys"][0]["seed"].as_str().unwrap()));
}

#[tokio::test]
async fn a_plan_says_how_many_play_and_in_which_quality() {
    let change = |data: &mut Data| {
        data.plans =
            Plans::default().with(r#"{"basic": {"streams": 1, "max_height": 480}}"#).unwrap();
    };
    let world = World::inside_changed(Config::default(), Limits::default(), change).await;
    library(&world, &["bunny"]);
    world.household("ada").await;
    let plan = |name: &[&str]| {
        let output = world.run(&[&["account", "plan", "ada@example.org"], name].concat());
        assert!(output.status.success(), "{output:?}");
    };
    plan(&["basic"]);
    let tv = world.sign_in("ada").await.viewing().await;
    let phone = world.sign_in("ada").await.viewing().await;
    assert_eq!(tv.get("/v1/account").await.is(StatusCode::OK).json()["plan"], "basic");
    // What a device says of itself only ever takes something away.
    for body in [json!({}), json!({"device": {"max_height": 2160}})] {
        let playlists = hls(&world, &play(&tv, "bunny", Some(body)).await).await;
        assert!(playlists.iter().all(|uri| !uri.contains("v720")), "{playlists:?}");
    }
    let refused = phone.ask(Method::POST, "/v1/playback/bunny", None).await;
    refused.is(StatusCode::CONFLICT).problem("too_many_streams");
    plan(&[]);
    let phone = world.sign_in("ada").await.viewing().await;
    let playlists = hls(&world, &play(&phone, "bunny", None).await).await;
    assert!(playlists.iter().any(|uri| uri.contains("v720")), "{playlists:?}");
}

#[tokio::test]
async fn a_token_expires() {
    let world = World::inside(Config::default()).await;
    library(&world, &["bunny"]);
    let ada = world.household("ada").await.viewing().await;
    let playback = play(&ada, "bunny", None).await;
    let media = hls(&world, &playback).await.remove(0);
    let id = playback["playback_id"].as_str().unwrap();
    let alive = async |seconds: u32| {
        for _ in 0..seconds / 30 {
            world.clock.advance(30);
            let path = format!("/v1/playbacks/{id}/heartbeat");
            ada.post(&path, json!({"position_seconds": 1})).await;
        }
    };
    alive(270).await;
    world.get(playback["hls"].as_str().unwrap()).await.is(StatusCode::OK);
    alive(30).await;
    world.get(playback["hls"].as_str().unwrap()).await.is(StatusCode::GONE);
    world.get(&media).await.is(StatusCode::OK);
    world.clock.advance(2400 - 300);
    world.get(&media).await.is(StatusCode::GONE);
}
