//! The role's HTTP.

use super::{
    Parts, Playback,
    hooks::{Arm, Begun, Tailored},
    streams::{HEARTBEAT, LEASE, Lease},
};
use crate::{
    clock::UnixTime,
    id::PlaybackId,
    platform::Platform,
    steering::health::Report,
    storage::{
        catalogue::{LONGEST, Media, View},
        history::Position,
    },
    token::{
        Adult, Viewer,
        cat::{Grant, LONGEST_LIFETIME, MANIFEST_LIFETIME, Scope, Terms},
    },
    web::{
        extract::{Json, MaybeJson, Path},
        problem::{Code, Document, Problem},
        text::{Codec, Link, Slug},
        whole,
    },
};
use axum::{extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn all() -> OpenApiRouter<Playback> {
    OpenApiRouter::new()
        .routes(routes!(begin))
        .routes(routes!(heartbeat))
        .routes(routes!(end))
        .routes(routes!(list))
}

/// Seconds that media may be fetched for beyond their length: for pauses, and to begin again in time.
const MEDIA_MARGIN: u32 = 1800;

/// What the device can do.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Device {
    /// The lines of its screen: it is offered no picture that has more.
    #[serde(default, deserialize_with = "whole::optional")]
    #[schema(minimum = 1, maximum = 65535)]
    max_height: Option<u16>,
    /// The codings it plays, as the first part of RFC 6381's names, such as `avc1` and `mp4a`; all if there is none.
    #[serde(default)]
    #[schema(max_items = 16)]
    codecs: Vec<Codec>,
    /// What the player runs on.
    #[serde(default)]
    platform: Platform,
}

/// What to play it with.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PlaybackRequest {
    #[serde(default)]
    device: Device,
}

/// What a player needs to begin.
#[derive(Serialize, ToSchema)]
struct PlaybackStart {
    /// Names the playback, in its heartbeats.
    playback_id: PlaybackId,
    /// The film or the series.
    title_id: Slug,
    /// The HLS multivariant playlist.
    hls: Option<Link>,
    /// The DASH manifest.
    dash: Option<Link>,
    /// Seconds in which the manifest has to be fetched, where it is written for this playback.
    manifest_lifetime: Option<u32>,
    /// Seconds in which media can be fetched; begin again before that, if it still plays.
    media_lifetime: Option<u32>,
    /// How long it is.
    duration_seconds: u32,
    /// Where the profile stopped; 0 if it has not begun, or was at the end.
    resume_seconds: u32,
    /// Seconds between two heartbeats.
    heartbeat_interval: u32,
    /// Seconds without a heartbeat after which the playback has ended.
    lease_seconds: u32,
    /// Where to ask from where to fetch. The manifests name it too.
    steering_url: Option<Link>,
    /// Where the keys come from, if it is protected.
    license_url: Option<Link>,
    /// Small pictures along its length: a WebVTT track.
    thumbnails: Option<Link>,
    /// What the player's configuration should have under `abr`.
    #[schema(value_type = Object)]
    abr: serde_json::Map<String, serde_json::Value>,
    /// The experiments that ask for it; to be said in the player's events.
    experiments: Vec<Arm>,
}

/// Begin to play a film or an episode
///
/// The device takes one of the account's streams, in place of the one it had. It keeps it as long as it sends
/// heartbeats. What is of the library comes with manifests for this playback alone: they have to be fetched soon, and
/// list what the device plays.
#[utoipa::path(
    post, path = "/v1/playback/{item}", tag = "playback", security(("bearer" = [])),
    params(("item" = Slug, Path, description = "The film or the episode")),
    request_body = Option<PlaybackRequest>,
    responses(
        (status = 201, description = "Play", body = PlaybackStart),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
async fn begin(
    State(playback): State<Playback>,
    Viewer { claims, profile }: Viewer,
    Path(id): Path<Slug>,
    MaybeJson(request): MaybeJson<PlaybackRequest>,
) -> Result<(StatusCode, axum::Json<PlaybackStart>), Problem> {
    let PlaybackRequest { device } = request.unwrap_or_default();
    if device.codecs.len() > 16 {
        return Err(Problem::value("/device/codecs", "at most 16 codings"));
    }
    if device.max_height == Some(0) {
        return Err(Problem::value("/device/max_height", "a screen has one line at least"));
    }
    let (parts, now) = (&playback.0.parts, playback.0.parts.clock.now());
    let view = View { maturity_limit: profile.maturity_limit, region: claims.region.clone(), now };
    let missing = || Problem::not_found("film or episode that plays");
    let title = parts.catalogue.title_of(id.as_str(), &view).await?.ok_or_else(missing)?;
    let media = title.items().find(|item| *item.id == id).and_then(|item| item.media);
    let media = media.filter(|media| media.plays()).ok_or_else(missing)?.clone();
    if !media.plays_on(&device.codecs) {
        let list =
            |codecs: &[Codec]| codecs.iter().map(Codec::as_str).collect::<Vec<_>>().join(" or ");
        let (video, audio) = (list(&media.video_codecs), list(&media.audio_codecs));
        let detail = format!("its pictures are {video}, its sound {audio}");
        return Err(Problem::new(Code::NotPlayable, detail));
    }
    let position = parts.history.position(&profile.id, id.as_str()).await?;
    let resume = position.filter(|position| !position.finished).map(|position| position.seconds);
    let plan = parts.plans.of(claims.plan.as_ref());
    let most = usize::from(plan.streams);
    let lease = playback.0.streams.begin(&claims.sub, &claims.sid, id.as_str(), most, now).await?;
    let Some(Lease { id: playback_id, .. }) = lease else {
        let detail = format!("{most} devices play already; GET /v1/playbacks says what");
        return Err(Problem::new(Code::TooManyStreams, detail));
    };
    let begun = Begun {
        playback: playback_id.clone(),
        account: claims.sub,
        session: claims.sid,
        profile: profile.id,
        kids: profile.kids,
        region: claims.region,
        platform: device.platform,
        item: id,
        package: media.package.clone(),
    };
    let Tailored { abr, arms } = match &parts.experiments {
        Some(experiments) => experiments.tailor(&begun).await,
        None => Tailored::default(),
    };
    let license_url = match &parts.licences {
        Some(licences) => licences.url(&begun).await,
        None => None,
    };
    let media_lifetime = (media.duration_seconds + MEDIA_MARGIN).min(LONGEST_LIFETIME);
    let terms = Terms {
        max_height: device.max_height.into_iter().chain(plan.max_height).min(),
        codecs: device.codecs.into_iter().map(String::from).collect(),
        media_seconds: media_lifetime,
    };
    let of_library = begun.package.is_some();
    let duration_seconds = media.duration_seconds;
    let Places { hls, dash, thumbnails } = places(parts, &begun, media, terms, now);
    let steered = of_library && parts.edges.all().len() > 1;
    let steering_url = steered.then(|| format!("/v1/steering/{playback_id}"));
    let begun = PlaybackStart {
        playback_id,
        title_id: title.id,
        hls,
        dash,
        manifest_lifetime: of_library.then_some(MANIFEST_LIFETIME),
        media_lifetime: of_library.then_some(media_lifetime),
        duration_seconds,
        resume_seconds: resume.unwrap_or(0).min(duration_seconds),
        heartbeat_interval: HEARTBEAT,
        lease_seconds: LEASE,
        steering_url: steering_url.and_then(|url| Link::try_from(url).ok()),
        license_url,
        thumbnails,
        abr,
        experiments: arms,
    };
    Ok((StatusCode::CREATED, axum::Json(begun)))
}

/// Where a player finds what it plays.
struct Places {
    hls: Option<Link>,
    dash: Option<Link>,
    thumbnails: Option<Link>,
}

/// Where what a playback plays is: of the library, behind tokens that are good for little else.
fn places(parts: &Parts, begun: &Begun, media: Media, terms: Terms, now: UnixTime) -> Places {
    let Some(package) = begun.package.clone() else {
        let Media { hls, dash, thumbnails, .. } = media;
        return Places { hls, dash, thumbnails };
    };
    let directory = format!("/library/{}/", package.as_str());
    let place = |scope: Scope, lifetime: u32, file: &str| {
        let grant = Grant {
            playback: begun.playback.clone(),
            account: begun.account.clone(),
            package: package.clone(),
            issued: now,
            expires: now.plus(lifetime),
            scope,
        };
        let token = parts.delivery_keys.sign(&grant);
        Link::try_from(format!("{}/t/{token}{directory}{file}", parts.delivery_url)).ok()
    };
    // Of the library they are files like segments, in a directory of their own; what is elsewhere needs no token.
    let thumbnails = media.thumbnails.and_then(|link| {
        let inside = link.as_str().strip_prefix(&directory).and_then(|file| file.split_once('/'));
        let Some((pictures, _)) = inside else { return Some(link) };
        let scope = Scope::Media { directories: vec![pictures.to_owned()] };
        place(scope, terms.media_seconds, link.as_str().strip_prefix(&directory)?)
    });
    let manifests = |file| place(Scope::Manifests(terms.clone()), MANIFEST_LIFETIME, file);
    Places { hls: manifests("master.m3u8"), dash: manifests("manifest.mpd"), thumbnails }
}

/// How a playback goes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Heartbeat {
    /// How far it was watched.
    #[serde(deserialize_with = "whole::required")]
    #[schema(minimum = 0, maximum = 1_000_000)]
    position_seconds: u32,
    /// How the edges did that it fetched from since the last one.
    #[serde(default)]
    #[schema(max_items = 16)]
    edges: Vec<Report>,
}

/// Go on playing, and remember where
#[utoipa::path(
    post, path = "/v1/playbacks/{playback}/heartbeat", tag = "playback", security(("bearer" = [])),
    params(("playback" = PlaybackId, Path, description = "The playback")),
    request_body = Heartbeat,
    responses(
        (status = 204, description = "Go on"),
        (status = 404, description = "It has ended: begin again", body = Document, content_type = "application/problem+json"),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
async fn heartbeat(
    State(playback): State<Playback>,
    Viewer { claims, profile }: Viewer,
    Path(id): Path<PlaybackId>,
    Json(Heartbeat { position_seconds, edges }): Json<Heartbeat>,
) -> Result<StatusCode, Problem> {
    if position_seconds > LONGEST {
        return Err(Problem::value("/position_seconds", "nothing is that long"));
    }
    if edges.len() > 16 || edges.iter().any(|report| report.edge.len() > 64) {
        return Err(Problem::value("/edges", "at most 16, with names of at most 64 characters"));
    }
    let (parts, now) = (&playback.0.parts, playback.0.parts.clock.now());
    let (streams, account, device) = (&playback.0.streams, &claims.sub, &claims.sid);
    let lease = streams.find(account, device, &id, now).await?.ok_or_else(ended)?;
    let view = View { maturity_limit: profile.maturity_limit, region: claims.region.clone(), now };
    // What may not be seen any more does not go on, nor keep its place: the title was taken away, or the profile changed.
    let title = parts.catalogue.title_of(&lease.item, &view).await?.ok_or_else(ended)?;
    streams.renew(account, device, &id, now).await?.ok_or_else(ended)?;
    if let Some(position) = Position::of(&title, &lease.item, position_seconds, now) {
        parts.history.set_position(&profile.id, &position).await?;
    }
    // Said by who plays, and of what there is: else it would be worth nothing.
    parts.edges.report(&edges).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn ended() -> Problem {
    Problem::new(Code::PlaybackEnded, "this playback has ended; begin again")
}

/// End a playback
///
/// Of this device, or of another of the account.
#[utoipa::path(
    delete, path = "/v1/playbacks/{playback}", tag = "playback", security(("bearer" = [])),
    params(("playback" = PlaybackId, Path, description = "The playback")),
    responses(
        (status = 204, description = "It has ended"),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
async fn end(
    State(playback): State<Playback>,
    Viewer { claims, .. }: Viewer,
    Path(id): Path<PlaybackId>,
) -> Result<StatusCode, Problem> {
    let now = playback.0.parts.clock.now();
    match playback.0.streams.end(&claims.sub, &id, now).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::not_found("playback")),
    }
}

/// A device of the account that plays.
#[derive(Serialize, ToSchema)]
struct Playing {
    playback_id: PlaybackId,
    /// The film or the episode.
    item_id: String,
    /// Whether it is the device that asks.
    this_device: bool,
    /// When it ends without a heartbeat, in seconds since 1970.
    expires_at: UnixTime,
}

/// What the account plays
#[utoipa::path(
    get, path = "/v1/playbacks", tag = "playback", security(("bearer" = [])),
    responses(
        (status = 200, description = "Each device that plays", body = [Playing]),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
async fn list(
    State(playback): State<Playback>,
    Adult(claims): Adult,
) -> Result<axum::Json<Vec<Playing>>, Problem> {
    let leases = playback.0.streams.all(&claims.sub, playback.0.parts.clock.now()).await?;
    let playing = leases.into_iter().map(|lease| Playing {
        playback_id: lease.id,
        item_id: lease.item,
        this_device: lease.session == claims.sid,
        expires_at: lease.expires,
    });
    Ok(axum::Json(playing.collect()))
}
