//! The service that a viewer signs in to: its HTTP API, as far as the terminal needs it.

use std::time::Duration;

use kinora_native::core::config::DrmConfig;
use kinora_native::drm;
use reqwest::{Client, Method, StatusCode};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

/// An answer that takes longer is none.
const TIME: Duration = Duration::from_secs(15);

/// Why the service did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServiceError {
    /// It said why.
    #[error("{detail}")]
    Refused { status: StatusCode, detail: String },
    /// It cannot be reached, or speaks another language.
    #[error("the service does not answer: {0}")]
    Silent(#[from] reqwest::Error),
}

/// A viewer's connection to the service.
pub(crate) struct Service {
    client: Client,
    base: String,
    tokens: Option<Tokens>,
}

#[derive(Deserialize)]
struct Tokens {
    access_token: String,
    refresh_token: String,
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
    /// Where licences are, if it is encrypted.
    pub(crate) license_url: Option<String>,
}

impl Service {
    /// A service at a URL.
    pub(crate) fn new(base: &str) -> Result<Self, ServiceError> {
        let client = Client::builder().timeout(TIME).build()?;
        Ok(Self { client, base: base.trim_end_matches('/').to_owned(), tokens: None })
    }

    pub(crate) async fn sign_in(
        &mut self,
        email: &str,
        password: &str,
    ) -> Result<(), ServiceError> {
        let body = json!({"email": email, "password": password});
        self.tokens = Some(self.send(Method::POST, "/v1/sessions", Some(&body)).await?);
        Ok(())
    }

    pub(crate) async fn profiles(&mut self) -> Result<Vec<Profile>, ServiceError> {
        self.ask(Method::GET, "/v1/profiles", None).await
    }

    /// Acts as a profile from now on.
    pub(crate) async fn choose(&mut self, profile: &str) -> Result<(), ServiceError> {
        let path = format!("/v1/profiles/{profile}/select");
        self.tokens = Some(self.ask(Method::POST, &path, None).await?);
        Ok(())
    }

    /// What is recommended; the catalogue's own rows where nothing recommends.
    pub(crate) async fn rows(&mut self) -> Result<Vec<Row>, ServiceError> {
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

    pub(crate) async fn title(&mut self, id: &str) -> Result<TitlePage, ServiceError> {
        self.ask(Method::GET, &format!("/v1/catalog/titles/{id}"), None).await
    }

    pub(crate) async fn play(&mut self, item: &str) -> Result<Playback, ServiceError> {
        self.ask(Method::POST, &format!("/v1/playback/{item}"), None).await
    }

    pub(crate) async fn heartbeat(&mut self, id: &str, seconds: u32) -> Result<(), ServiceError> {
        let path = format!("/v1/playbacks/{id}/heartbeat");
        let body = json!({"position_seconds": seconds});
        self.ask::<Value>(Method::POST, &path, Some(&body)).await.map(drop)
    }

    pub(crate) async fn end(&mut self, id: &str) -> Result<(), ServiceError> {
        self.ask::<Value>(Method::DELETE, &format!("/v1/playbacks/{id}"), None).await.map(drop)
    }

    /// Who gives the keys of what is played.
    pub(crate) fn drm(&self, playback: &Playback) -> DrmConfig {
        let url = playback.license_url.as_ref().map(|link| self.url(link));
        let token = self.tokens.as_ref().filter(|_| url.is_some());
        let header = |tokens: &Tokens| {
            ("Authorization".to_owned(), format!("Bearer {}", tokens.access_token))
        };
        drm::clear_key(url, token.map(header).into_iter().collect())
    }

    /// The URL of something that the service names.
    pub(crate) fn url(&self, link: &str) -> String {
        if link.starts_with('/') { format!("{}{link}", self.base) } else { link.to_owned() }
    }

    /// Asks, with a new access token if the old one has run out.
    async fn ask<T: DeserializeOwned>(
        &mut self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<T, ServiceError> {
        match self.send(method.clone(), path, body).await {
            Err(ServiceError::Refused { status: StatusCode::UNAUTHORIZED, .. })
                if self.tokens.is_some() =>
            {
                let refresh = self.tokens.take().map(|tokens| tokens.refresh_token);
                let refresh = json!({"refresh_token": refresh});
                let path_of_refresh = "/v1/sessions/refresh";
                let tokens = self.send(Method::POST, path_of_refresh, Some(&refresh)).await?;
                self.tokens = Some(tokens);
                self.send(method, path, body).await
            }
            answer => answer,
        }
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<T, ServiceError> {
        let mut request = self.client.request(method, self.url(path));
        if let Some(tokens) = &self.tokens {
            request = request.bearer_auth(&tokens.access_token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await?;
        let status = answer.status();
        if status == StatusCode::NO_CONTENT {
            return serde_json::from_value(Value::Null)
                .map_err(|_| refused(status, "an answer without content".to_owned()));
        }
        if status.is_success() {
            return Ok(answer.json().await?);
        }
        let problem: Value = answer.json().await.unwrap_or_default();
        let detail = problem.get("detail").and_then(Value::as_str);
        Err(refused(status, detail.map_or_else(|| status.to_string(), ToOwned::to_owned)))
    }
}

fn refused(status: StatusCode, detail: String) -> ServiceError {
    ServiceError::Refused { status, detail }
}
