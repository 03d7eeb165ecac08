//! One playback: begun where the viewer stopped, kept alive while they watch, and ended when they leave.

use std::sync::Arc;
use std::time::Duration;

use kinora_native::core::io::Request;
use kinora_native::telemetry::{ReportedPlayback, Reporter};
use kinora_native::transport::{FilterFuture, RequestFilter};
use kinora_native::{Config, drm};
use tokio::sync::watch;
use tokio::time::interval;

use crate::app::{AppError, Showing};
use crate::service::{Playback, Service, ServiceError};

/// Where playbacks are shown.
pub(crate) trait Theatre {
    /// Shows one until the viewer has enough.
    async fn show(&mut self, showing: Showing) -> Result<(), AppError>;
}

/// Shows a playback until the viewer has enough, and remembers where that was. Says what went wrong, unless that was
/// the terminal.
pub(super) async fn watch(
    service: &Service,
    playback: &Playback,
    reported: Option<(Arc<Reporter>, ReportedPlayback)>,
    theatre: &mut impl Theatre,
) -> Result<Option<String>, AppError> {
    let (position, mut positions) = watch::channel(playback.resume_seconds);
    let Some(showing) = showing(service, playback, position) else {
        let told = service.end(&playback.playback_id).await;
        let nothing = "there is nothing to play".to_owned();
        return Ok(Some(told.err().map_or(nothing, |error| error.to_string())));
    };
    let mut beats = interval(Duration::from_secs(u64::from(playback.heartbeat_interval).max(1)));
    beats.tick().await;
    let mut played = std::pin::pin!(theatre.show(Showing { reported, ..showing }));
    // What has failed may stay on the screen; the household's other devices get its place at once.
    let mut over = None;
    let outcome = loop {
        tokio::select! {
            outcome = &mut played => break outcome,
            _ = beats.tick(), if over.is_none() => {
                let seconds = *positions.borrow();
                // A heartbeat that got lost is followed by another in time.
                let _ = service.heartbeat(&playback.playback_id, seconds).await;
            }
            changed = positions.changed(), if over.is_none() => {
                if changed.is_err() {
                    over = Some(leave(service, playback, *positions.borrow()).await);
                }
            }
        }
    };
    let told = match over {
        Some(told) => told,
        None => leave(service, playback, *positions.borrow()).await,
    };
    match outcome {
        Err(AppError::Playback(error)) => Ok(Some(error.to_string())),
        Err(error) => Err(error),
        Ok(()) => Ok(told.err().map(|error| error.to_string())),
    }
}

async fn leave(service: &Service, playback: &Playback, seconds: u32) -> Result<(), ServiceError> {
    let told = service.heartbeat(&playback.playback_id, seconds).await;
    service.end(&playback.playback_id).await.and(told)
}

/// What to show of a playback, if there is something.
fn showing(
    service: &Service,
    playback: &Playback,
    position: watch::Sender<u32>,
) -> Option<Showing> {
    let url = service.url(playback.hls.as_ref().or(playback.dash.as_ref())?);
    let mut config = Config { abr: playback.abr.clone(), ..Config::default() };
    let mut filter = None;
    if let Some(licence) = &playback.license_url {
        let url = service.url(licence);
        filter = Some(Arc::new(Licences::beside(&url, service.clone())) as Arc<dyn RequestFilter>);
        config.drm = drm::clear_key(Some(url), Vec::new());
    }
    let start = f64::from(playback.resume_seconds);
    Some(Showing { url, start, config, filter, position: Some(position), reported: None })
}

/// Says to the role `license` who asks, and to nobody else.
struct Licences {
    service: Service,
    /// What the URLs of licences and of keys begin with.
    role: String,
}

impl Licences {
    /// The role that has a licence: `…/v1/license/`, of `…/v1/license/PLAYBACK/clearkey`.
    fn beside(licence: &str, service: Service) -> Self {
        let mut parts = licence.rsplitn(3, '/').skip(2);
        Self { service, role: format!("{}/", parts.next().unwrap_or(licence)) }
    }
}

impl RequestFilter for Licences {
    fn request(&self, mut request: Request) -> FilterFuture<'_, Request> {
        Box::pin(async move {
            if request.url.starts_with(&self.role)
                && let Ok(Some(token)) = self.service.token().await
            {
                request.headers.push(("authorization".to_owned(), format!("Bearer {token}")));
            }
            Ok(request)
        })
    }
}
