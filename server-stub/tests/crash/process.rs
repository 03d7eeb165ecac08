//! A process of the service that may die.

use reqwest::Method;
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader},
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

pub(crate) struct Process {
    child: Child,
    base: String,
    client: reqwest::Client,
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Process {
    /// Starts it over a directory, to die at a place if one is named; none if it died before it listened. It keeps
    /// a megabyte of events, in small files.
    pub(crate) fn start(data: &Path, crash: Option<&str>) -> Option<Self> {
        Self::with_room(data, crash, 1)
    }

    /// The same with so many megabytes of events.
    pub(crate) fn with_room(data: &Path, crash: Option<&str>, megabytes: u32) -> Option<Self> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kinora-server"));
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--rate-limit-factor", "1000"])
            .args(["--events-space", &megabytes.to_string(), "--data"])
            .arg(data);
        if let Some(place) = crash {
            command.env("KINORA_CRASH", place);
        }
        let mut child = command
            .env("RUST_LOG", "error")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().timeout(Duration::from_secs(30)).build().unwrap();
        let Some(base) = line.trim().strip_prefix("listening on ").map(str::to_owned) else {
            child.wait().unwrap();
            return None;
        };
        Some(Self { child, base, client })
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Whether it has died by itself.
    pub(crate) fn is_dead(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits until it has died by itself, as it does at a place it was to die at.
    pub(crate) fn dies(&mut self) {
        let id = self.child.id().to_string();
        let (gone, is_gone) = mpsc::channel::<()>();
        std::thread::spawn(move || {
            if is_gone.recv_timeout(Duration::from_secs(60)) == Err(mpsc::RecvTimeoutError::Timeout)
            {
                let _ = Command::new("kill").args(["-KILL", &id]).status();
            }
        });
        let status = self.child.wait().unwrap();
        drop(gone);
        assert_eq!(status.signal(), Some(6), "it lived on, or ended otherwise: {status}");
    }

    /// Posts JSON; none if the process died meanwhile.
    pub(crate) async fn post(&self, path: &str, token: &str, body: Value) -> Option<(u16, Value)> {
        self.send(Method::POST, path, token, body).await
    }

    /// Sends JSON; none if the process died meanwhile.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        token: &str,
        body: Value,
    ) -> Option<(u16, Value)> {
        let mut request = self.client.request(method, format!("{}{path}", self.base)).json(&body);
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.ok()?;
        let status = response.status().as_u16();
        let text = response.text().await.ok()?;
        Some((status, serde_json::from_str(&text).unwrap_or(Value::Null)))
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Value {
        let request = self.client.get(format!("{}{path}", self.base)).bearer_auth(token);
        request.send().await.unwrap().json().await.unwrap()
    }

    /// A token of a new household's first profile.
    pub(crate) async fn household(&self, name: &str) -> String {
        let email = format!("{name}@example.org");
        let account = json!({
            "email": email, "password": "correct horse", "region": "DE", "profile_name": "A", "language": "de",
        });
        self.post("/v1/accounts", "", account).await.unwrap();
        let credentials = json!({"email": email, "password": "correct horse"});
        let (_, tokens) = self.post("/v1/sessions", "", credentials).await.unwrap();
        let token = tokens["access_token"].as_str().unwrap();
        let profiles = self.get("/v1/profiles", token).await;
        let select = format!("/v1/profiles/{}/select", profiles[0]["id"].as_str().unwrap());
        let (_, tokens) = self.post(&select, token, json!({})).await.unwrap();
        tokens["access_token"].as_str().unwrap().to_owned()
    }
}
