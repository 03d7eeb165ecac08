//! The service that a viewer signs in to: its HTTP API, as far as the terminal needs it.

use std::sync::Arc;
use std::time::Duration;

use kinora_native::core::config::AbrConfig;
use kinora_native::telemetry::{TokenFuture, TokenSource};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::Instant;

/// An answer that takes longer is none.
const TIME: Duration = Duration::from_secs(15);
/// What the service calls this program where it asks its owner whether to let it in.
const CLIENT: &str = "Kinora in a terminal";
const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// Why the service did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServiceError {
    /// It said why.
    #[error("{detail}")]
    Refused { status: StatusCode, code: String, detail: String },
    /// It cannot be reached, or speaks another language.
    #[error("the service does not answer: {0}")]
    Silent(#[from] reqwest::Error),
}

/// A viewer's connection to the service. Clones are of the same viewer.
#[derive(Clone)]
pub(crate) struct Service {
    client: Client,
    base: String,
    tokens: Arc<Mutex<Option<Tokens>>>,
}

struct Tokens {
    access: String,
    refresh: String,
    /// Until when the access token is taken to be good.
    fresh: Instant,
}

/// What signing in, refreshing and choosing a profile answer; the last without a refresh token.
#[derive(Deserialize)]
struct Issued {
    access_token: String,
    expires_in: u32,
    #[serde(default)]
    refresh_token: Option<String>,
}

/// What lets somebody sign this terminal in from elsewhere (RFC 8628, 3.2).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Codes {
    pub(crate) device_code: String,
    /// What is typed in elsewhere.
    pub(crate) user_code: String,
    /// Where.
    pub(crate) verification_uri: String,
    /// Seconds between two questions.
    pub(crate) interval: u64,
}

/// One of the household.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Profile {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) kids: bool,
}

/// Titles that go together.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(crate) struct Row {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) reason: Option<Value>,
    pub(crate) titles: Vec<Summary>,
    #[serde(default)]
    pub(crate) started: Vec<Started>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(crate) struct Summary {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) year: Option<u16>,
}

/// Where the profile stopped.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(crate) struct Started {
    pub(crate) item_id: String,
    pub(crate) position_seconds: u32,
    pub(crate) duration_seconds: u32,
}

/// All there is to say of a title.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(crate) struct TitlePage {
    pub(crate) name: String,
    pub(crate) synopsis: String,
    pub(crate) year: Option<u16>,
    pub(crate) genres: Vec<String>,
    pub(crate) items: Vec<Item>,
}

/// Something that plays.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(crate) struct Item {
    pub(crate) id: String,
    pub(crate) playable: bool,
    pub(crate) season: Option<u16>,
    pub(crate) episode: Option<u16>,
    pub(crate) name: Option<String>,
    pub(crate) position_seconds: Option<u32>,
    pub(crate) finished: bool,
}

/// What a player needs to begin.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(crate) struct Playback {
    pub(crate) playback_id: String,
    pub(crate) hls: Option<String>,
    pub(crate) dash: Option<String>,
    pub(crate) resume_seconds: u32,
    pub(crate) heartbeat_interval: u32,
    /// Where licences are, if it is protected.
    pub(crate) license_url: Option<String>,
    /// How the viewer's experiments have qualities chosen, in the words of the player's own configuration.
    pub(crate) abr: AbrConfig,
}

impl Service {
    /// A service at a URL.
    pub(crate) fn new(base: &str) -> Result<Self, ServiceError> {
        // Fails only if it was done before. Whoever has TLS in the same program needs it for the first client.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().timeout(TIME).build()?;
        let base = base.trim_end_matches('/').to_owned();
        Ok(Self { client, base, tokens: Arc::default() })
    }

    pub(crate) async fn sign_in(&self, email: &str, password: &str) -> Result<(), ServiceError> {
        let body = json!({"email": email, "password": password, "device_name": CLIENT});
        let issued = read(self.request(Method::POST, "/v1/sessions").json(&body)).await?;
        self.take(issued).await;
        Ok(())
    }

    /// Codes with which somebody signs this terminal in from elsewhere.
    pub(crate) async fn codes(&self) -> Result<Codes, ServiceError> {
        let form = [("client_id", CLIENT)];
        let codes: Codes = read(self.request(Method::POST, "/v1/device/code").form(&form)).await?;
        Ok(Codes { verification_uri: self.url(&codes.verification_uri), ..codes })
    }

    /// Signs in, if somebody has agreed to it; refused with `authorization_pending` as long as nobody has decided.
    pub(crate) async fn claim(&self, device_code: &str) -> Result<(), ServiceError> {
        let form = [("grant_type", DEVICE_GRANT), ("device_code", device_code)];
        let issued = read(self.request(Method::POST, "/v1/device/token").form(&form)).await?;
        self.take(issued).await;
        Ok(())
    }

    pub(crate) async fn profiles(&self) -> Result<Vec<Profile>, ServiceError> {
        self.ask(Method::GET, "/v1/profiles", None).await
    }

    /// Acts as a profile from now on.
    pub(crate) async fn choose(&self, profile: &str) -> Result<(), ServiceError> {
        let path = format!("/v1/profiles/{profile}/select");
        let issued = self.ask(Method::POST, &path, None).await?;
        self.take(issued).await;
        Ok(())
    }

    /// What is recommended; the catalogue's own rows where nothing recommends.
    pub(crate) async fn rows(&self) -> Result<Vec<Row>, ServiceError> {
        #[derive(Deserialize)]
        struct Page {
            rows: Vec<Row>,
        }
        match self.ask::<Page>(Method::GET, "/v1/rows", None).await {
            Ok(page) => Ok(page.rows),
            Err(ServiceError::Refused {
                status: StatusCode::NOT_FOUND | StatusCode::SERVICE_UNAVAILABLE,
                ..
            }) => self.ask(Method::GET, "/v1/catalog/rows", None).await,
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn title(&self, id: &str) -> Result<TitlePage, ServiceError> {
        self.ask(Method::GET, &format!("/v1/catalog/titles/{id}"), None).await
    }

    pub(crate) async fn play(&self, item: &str) -> Result<Playback, ServiceError> {
        let body = json!({"device": {"platform": "terminal"}});
        self.ask(Method::POST, &format!("/v1/playback/{item}"), Some(&body)).await
    }

    pub(crate) async fn heartbeat(&self, id: &str, seconds: u32) -> Result<(), ServiceError> {
        let path = format!("/v1/playbacks/{id}/heartbeat");
        let body = json!({"position_seconds": seconds});
        self.ask::<Value>(Method::POST, &path, Some(&body)).await.map(drop)
    }

    pub(crate) async fn end(&self, id: &str) -> Result<(), ServiceError> {
        self.ask::<Value>(Method::DELETE, &format!("/v1/playbacks/{id}"), None).await.map(drop)
    }

    /// The URL of something that the service names.
    pub(crate) fn url(&self, link: &str) -> String {
        if link.starts_with('/') { format!("{}{link}", self.base) } else { link.to_owned() }
    }

    /// An access token that is good for a while yet; none if nobody is signed in.
    pub(crate) async fn token(&self) -> Result<Option<String>, ServiceError> {
        let mut tokens = self.tokens.lock().await;
        match tokens.as_ref() {
            Some(held) if held.fresh <= Instant::now() => self.renew(&mut tokens).await.map(Some),
            held => Ok(held.map(|held| held.access.clone())),
        }
    }

    /// Asks, with a new access token if the old one has run out.
    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<T, ServiceError> {
        let send = async |token: Option<&str>| {
            let mut request = self.request(method.clone(), path);
            if let Some(token) = token {
                request = request.bearer_auth(token);
            }
            read(if let Some(body) = body { request.json(body) } else { request }).await
        };
        let token = self.token().await?;
        match (send(token.as_deref()).await, token) {
            (
                Err(ServiceError::Refused { status: StatusCode::UNAUTHORIZED, .. }),
                Some(refused),
            ) => {
                let mut tokens = self.tokens.lock().await;
                let token = match tokens.as_ref() {
                    Some(held) if held.access != refused => held.access.clone(),
                    _ => self.renew(&mut tokens).await?,
                };
                drop(tokens);
                send(Some(&token)).await
            }
            (answer, _) => answer,
        }
    }

    /// New tokens for the refresh token, which is taken once: whoever else needs them waits at the lock.
    async fn renew(&self, tokens: &mut Option<Tokens>) -> Result<String, ServiceError> {
        let refresh = tokens.as_ref().map(|tokens| tokens.refresh.clone());
        let body = json!({"refresh_token": refresh});
        let answer = read(self.request(Method::POST, "/v1/sessions/refresh").json(&body)).await;
        if let Err(ServiceError::Refused { .. }) = &answer {
            *tokens = None;
        }
        let issued: Issued = answer?;
        let access = issued.access_token.clone();
        put(tokens, issued);
        Ok(access)
    }

    async fn take(&self, issued: Issued) {
        put(&mut *self.tokens.lock().await, issued);
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, self.url(path))
    }
}

impl TokenSource for Service {
    fn token(&self) -> TokenFuture<'_> {
        Box::pin(async { Service::token(self).await.ok().flatten() })
    }
}

/// Keeps new tokens, and the refresh token that there is where no other is issued.
fn put(tokens: &mut Option<Tokens>, issued: Issued) {
    let kept = tokens.take().map(|tokens| tokens.refresh);
    // Half of its time: whoever is handed it uses it a little later.
    let fresh = Instant::now() + Duration::from_secs(issued.expires_in.into()) / 2;
    let refresh = issued.refresh_token.or(kept).unwrap_or_default();
    *tokens = Some(Tokens { access: issued.access_token, refresh, fresh });
}

async fn read<T: DeserializeOwned>(request: RequestBuilder) -> Result<T, ServiceError> {
    let answer = request.send().await?;
    let status = answer.status();
    let refused = |code: &str, detail: String| ServiceError::Refused {
        status,
        code: code.to_owned(),
        detail,
    };
    if status == StatusCode::NO_CONTENT {
        return serde_json::from_value(Value::Null)
            .map_err(|_| refused("", "an answer without content".to_owned()));
    }
    if status.is_success() {
        return Ok(answer.json().await?);
    }
    let problem: Value = answer.json().await.unwrap_or_default();
    let text = |name: &str| problem.get(name).and_then(Value::as_str);
    let detail = text("detail").map_or_else(|| status.to_string(), ToOwned::to_owned);
    Err(refused(text("code").unwrap_or_default(), detail))
}
