//! The service, started for one test, and clients of it.

use kinora_server::{
    auth,
    clock::{Clock, UnixTime},
    delivery::{self, memory::Memory},
    http,
    roles::{Data, Role},
    web::{Limits, Service, metrics::Metrics},
};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, header};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Read},
    net::IpAddr,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};
use tempfile::TempDir;
use tokio::net::TcpListener;

pub(crate) const PASSWORD: &str = "correct horse battery";

/// A running service with its data.
pub(crate) struct World {
    pub(crate) data: TempDir,
    /// Where each role answers.
    bases: Vec<(Role, String)>,
    /// Where the gateway is, or the only process.
    entry: String,
    processes: Vec<Process>,
    /// Edges, by name, and the process that they have media from.
    edges: Vec<(String, String, Mutex<Process>)>,
    origin: Option<(Process, String)>,
    log_level: &'static str,
    /// What each process is told besides: arguments, and variables of its environment.
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    /// Moves the clock of a service inside the test.
    pub(crate) clock: Clock,
    client: Client,
}

/// A process of the service; it ends when this is dropped.
struct Process {
    child: Child,
    /// Where it answers.
    base: String,
    log: Arc<Mutex<String>>,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl World {
    pub(crate) async fn in_one_process() -> Self {
        Self::in_one_process_with(&[], &[])
    }

    /// A process for each role, and a gateway in front of them.
    pub(crate) async fn each_role_in_its_own() -> Self {
        Self::each_role_in_its_own_with(&[], &[])
    }

    /// The same with more arguments, and variables of the environment.
    pub(crate) fn in_one_process_with(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let roles = [&Role::WITH_DATA[..], &[Role::Delivery, Role::Gateway]].concat();
        Self::told(arguments, environment).start(&[roles])
    }

    /// The same with more arguments, and variables of the environment.
    pub(crate) fn each_role_in_its_own_with(
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let roles = [&Role::WITH_DATA[..], &[Role::Delivery, Role::Gateway]].concat();
        let each: Vec<_> = roles.into_iter().map(|role| vec![role]).collect();
        Self::told(arguments, environment).start(&each)
    }

    fn told(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let text = |text: &&str| (*text).to_owned();
        let pair = |(name, value): &(&str, &str)| (text(name), text(value));
        Self {
            arguments: arguments.iter().map(text).collect(),
            environment: environment.iter().map(pair).collect(),
            ..Self::empty()
        }
    }

    /// All roles in one process that logs nothing but faults.
    pub(crate) fn in_one_quiet_process() -> Self {
        let mut world = Self::empty();
        world.log_level = "error";
        world.start(&[[&Role::WITH_DATA[..], &[Role::Delivery, Role::Gateway]].concat()])
    }

    /// All roles in one process, and media from edges, which have them from another.
    pub(crate) fn behind_edges(names: &[&str]) -> Self {
        let mut world = Self::empty();
        let data = world.data.path().to_owned();
        let more = ["--control".to_owned()];
        let origin = Process::start(&data, &[Role::Delivery], &more, &[], world.log_level);
        for name in names {
            let more = ["--origin".to_owned(), origin.1.clone()];
            let (process, base) = Process::start(&data, &[Role::Edge], &more, &[], world.log_level);
            world.edges.push(((*name).to_owned(), base, Mutex::new(process)));
        }
        world.origin = Some(origin);
        world.start(&[[&Role::WITH_DATA[..], &[Role::Delivery, Role::Gateway]].concat()])
    }

    /// Where an edge is, or was.
    pub(crate) fn edge(&self, name: &str) -> &str {
        &self.edges.iter().find(|(known, ..)| known == name).unwrap().1
    }

    /// Kills an edge as a power cut would.
    pub(crate) fn kill_edge(&self, name: &str) {
        let (.., process) = self.edges.iter().find(|(known, ..)| known == name).unwrap();
        let child = &mut process.lock().unwrap().child;
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// How often edges have asked for what has this in its path.
    pub(crate) async fn asked_of_origin(&self, part: &str) -> usize {
        let url = format!("{}/_control/log", self.origin.as_ref().unwrap().1);
        let log: Value = self.client.get(url).send().await.unwrap().json().await.unwrap();
        let requests = log["requests"].as_array().unwrap().iter();
        requests.filter(|request| request["path"].as_str().unwrap().contains(part)).count()
    }

    fn empty() -> Self {
        Self {
            data: tempfile::tempdir().unwrap(),
            bases: Vec::new(),
            entry: String::new(),
            processes: Vec::new(),
            edges: Vec::new(),
            origin: None,
            log_level: "trace",
            arguments: Vec::new(),
            environment: Vec::new(),
            clock: Clock::default(),
            client: client(),
        }
    }

    /// Starts a process for each of the groups, in turn; a gateway by itself comes last and knows the others.
    fn start(mut self, groups: &[Vec<Role>]) -> Self {
        for roles in groups {
            let mut more = self.arguments.clone();
            for (name, base, _) in &self.edges {
                more.extend(["--edge".to_owned(), format!("{name}={base}")]);
            }
            if **roles == [Role::Gateway] {
                for (role, base) in &self.bases {
                    more.extend(["--upstream".to_owned(), format!("{}={base}", role.name())]);
                }
            } else if groups.len() > 1 {
                more.extend(["--behind", "127.0.0.1"].map(str::to_owned));
            }
            let (data, environment) = (self.data.path(), &self.environment);
            let (process, base) = Process::start(data, roles, &more, environment, self.log_level);
            self.bases.extend(roles.iter().map(|role| (*role, base.clone())));
            self.processes.push(process);
            self.entry = base;
        }
        self
    }

    /// A service inside the test, whose clock stands and whose passwords are cheap.
    pub(crate) async fn inside(config: auth::Config) -> Self {
        Self::inside_with(config, Limits::default()).await
    }

    pub(crate) async fn inside_with(config: auth::Config, limits: Limits) -> Self {
        Self::inside_changed(config, limits, |_| {}).await
    }

    /// The same over data that are changed before.
    pub(crate) async fn inside_changed(
        config: auth::Config,
        limits: Limits,
        change: impl FnOnce(&mut Data),
    ) -> Self {
        let config = auth::Config { hash: auth::config::HashCost::cheap(), ..config };
        let directory = tempfile::tempdir().unwrap();
        let clock = Clock::standing(UnixTime(2_000_000_000));
        let mut data = Data { clock: clock.clone(), ..Data::new(directory.path()) };
        change(&mut data);
        let metrics = Metrics::default();
        // Who asks may be said in `X-Forwarded-For`.
        let service =
            Service::new(metrics.clone(), limits).behind(vec![IpAddr::from([127, 0, 0, 1])]);
        let service = data.add(service, &Role::WITH_DATA, config, &metrics).await.unwrap();
        let library = data.library(Memory::new(1 << 24, &metrics)).await.unwrap();
        let service =
            service.files(delivery::router(&[], Some(library.router()), None).unwrap(), false);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let never = std::future::pending();
        tokio::spawn(http::serve(listener, service.router(), never, Duration::ZERO));
        let bases = Role::WITH_DATA.map(|role| (role, base.clone())).to_vec();
        Self { data: directory, bases, entry: base, clock, ..Self::empty() }
    }

    /// Where a path is asked for: at the one entry.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.entry)
    }

    /// Where each role is.
    pub(crate) fn roles(&self) -> &[(Role, String)] {
        &self.bases
    }

    /// Where each process is.
    pub(crate) fn bases(&self) -> Vec<String> {
        let mut bases: Vec<String> = self.bases.iter().map(|(_, base)| base.clone()).collect();
        bases.dedup();
        bases
    }

    /// The memory that the processes have in use, in bytes.
    #[cfg(target_os = "linux")]
    pub(crate) fn resident(&self) -> u64 {
        let resident = |process: &Process| {
            let path = format!("/proc/{}/statm", process.child.id());
            let pages = std::fs::read_to_string(path).unwrap();
            pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
        };
        self.processes.iter().map(resident).sum()
    }

    /// What the processes have logged so far.
    pub(crate) fn log(&self) -> String {
        self.processes.iter().map(|process| process.log.lock().unwrap().clone()).collect()
    }

    /// What the process at a place has logged so far.
    pub(crate) fn log_of(&self, base: &str) -> String {
        let edges = self.edges.iter().map(|(_, base, process)| (base.as_str(), process));
        for (edge, process) in edges {
            if edge == base {
                return process.lock().unwrap().log.lock().unwrap().clone();
            }
        }
        let origin = self.origin.iter().map(|(process, _)| process);
        let mut processes = self.processes.iter().chain(origin);
        let process = processes.find(|process| process.base == base).unwrap();
        process.log.lock().unwrap().clone()
    }

    /// Where edges have media from.
    pub(crate) fn origin(&self) -> &str {
        &self.origin.as_ref().unwrap().1
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, self.url(path))
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        Answer::of(self.request(Method::POST, path).json(&body).send().await.unwrap()).await
    }

    /// The same from another address, of a service inside the test.
    pub(crate) async fn post_from(&self, address: &str, path: &str, body: Value) -> Answer {
        let request = self.request(Method::POST, path).header("x-forwarded-for", address);
        Answer::of(request.json(&body).send().await.unwrap()).await
    }

    pub(crate) async fn form(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let body = form
            .iter()
            .map(|(name, value)| format!("{name}={}", value.replace(':', "%3A")))
            .collect::<Vec<_>>()
            .join("&");
        let request = self
            .request(Method::POST, path)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body);
        Answer::of(request.send().await.unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path).send().await.unwrap()).await
    }

    /// Opens an account and signs in to it.
    pub(crate) async fn household(&self, name: &str) -> Device<'_> {
        let email = format!("{name}@example.org");
        let request = json!({
            "email": email, "password": PASSWORD, "region": "DE",
            "profile_name": name, "language": "de",
        });
        self.post("/v1/accounts", request).await.is(StatusCode::ACCEPTED);
        self.sign_in(name).await
    }

    /// Signs another device of an account in.
    pub(crate) async fn sign_in(&self, name: &str) -> Device<'_> {
        let answer = self.try_sign_in(name, PASSWORD).await;
        Device::of(self, answer.is(StatusCode::OK))
    }

    pub(crate) async fn try_sign_in(&self, name: &str, password: &str) -> Answer {
        let email = format!("{name}@example.org");
        self.post("/v1/sessions", json!({"email": email, "password": password})).await
    }

    pub(crate) async fn refresh(&self, token: &str) -> Answer {
        self.post("/v1/sessions/refresh", json!({"refresh_token": token})).await
    }

    /// Kills every process as a power cut would, and starts them again over the same data.
    pub(crate) fn killed_and_restarted(mut self) -> Self {
        self.processes.clear();
        let mut groups: Vec<(String, Vec<Role>)> = Vec::new();
        for (role, base) in &self.bases {
            match groups.iter_mut().find(|(known, _)| known == base) {
                Some((_, roles)) => roles.push(*role),
                None => groups.push((base.clone(), vec![*role])),
            }
        }
        self.bases.clear();
        let groups: Vec<_> = groups.into_iter().map(|(_, roles)| roles).collect();
        self.start(&groups)
    }

    /// Loads a small catalogue.
    pub(crate) fn import(&self) {
        let file = self.data.path().join("catalogue.json");
        std::fs::write(&file, include_str!("catalogue.json")).unwrap();
        let output = self.run(&["import", file.to_str().unwrap()]);
        assert!(output.status.success(), "{output:?}");
    }

    /// Runs the program over the same data, beside what is running.
    pub(crate) fn run(&self, arguments: &[&str]) -> std::process::Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kinora-server"));
        command.args(arguments).env("KINORA_DATA", self.data.path()).output().unwrap()
    }
}

impl Process {
    fn start(
        data: &Path,
        roles: &[Role],
        more: &[String],
        environment: &[(String, String)],
        log_level: &str,
    ) -> (Self, String) {
        let roles: Vec<String> = roles.iter().map(|role| role.name()).collect();
        let mut child = Command::new(env!("CARGO_BIN_EXE_kinora-server"))
            .args(["serve", "--log-format", "json", "--listen", "127.0.0.1:0"])
            .args(["--roles", &roles.join(","), "--data"])
            .arg(data)
            .args(more)
            .env("RUST_LOG", log_level)
            .envs(environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (mut stderr, written) = (child.stderr.take().unwrap(), log.clone());
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = stderr.read(&mut buffer) {
                written.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..read]));
            }
        });
        let base = line.trim().strip_prefix("listening on ");
        let base = base.unwrap_or_else(|| panic!("no address: {}", log.lock().unwrap()));
        let base = base.to_owned();
        (Self { child, base: base.clone(), log }, base)
    }
}

fn client() -> Client {
    // Refused when another test was first, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().timeout(Duration::from_secs(60)).build().unwrap()
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: header::HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) async fn of(response: Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        Self { status, headers, body: response.text().await.unwrap() }
    }

    #[track_caller]
    pub(crate) fn is(self, status: StatusCode) -> Self {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Checks that this is a whole problem document of a code.
    #[track_caller]
    pub(crate) fn problem(&self, code: &str) -> Value {
        let problem = self.json();
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(self.headers[header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(problem["status"], self.status.as_u16());
        assert_eq!(problem["type"], format!("/problems/{code}"));
        assert!(problem["title"].is_string() && problem["detail"].is_string());
        assert_eq!(problem["request_id"], self.headers["x-request-id"].to_str().unwrap());
        problem
    }
}

/// A device that is signed in.
pub(crate) struct Device<'a> {
    pub(crate) world: &'a World,
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl<'a> Device<'a> {
    pub(crate) fn of(world: &'a World, answer: Answer) -> Self {
        let tokens = answer.json();
        let text = |name: &str| tokens[name].as_str().unwrap().to_owned();
        Self { world, access: text("access_token"), refresh: text("refresh_token") }
    }

    pub(crate) async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request = self.world.request(method, path).bearer_auth(&self.access);
        if let Some(body) = body {
            request = request.json(&body);
        }
        Answer::of(request.send().await.unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask(Method::POST, path, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.ask(Method::DELETE, path, None).await
    }

    /// The ids of the account's profiles.
    pub(crate) async fn profiles(&self) -> Vec<String> {
        let profiles = self.get("/v1/profiles").await.is(StatusCode::OK).json();
        let id = |profile: &Value| profile["id"].as_str().unwrap().to_owned();
        profiles.as_array().unwrap().iter().map(id).collect()
    }

    /// The same device, acting as the household's first profile.
    pub(crate) async fn viewing(&self) -> Device<'a> {
        self.acting_as(&self.profiles().await[0]).await
    }

    /// The same device, acting as a new profile of a child.
    pub(crate) async fn child(&self) -> Device<'a> {
        let child = json!({"name": "Bo", "kids": true, "language": "sv"});
        let child = self.post("/v1/profiles", child).await.is(StatusCode::CREATED).json();
        self.acting_as(child["id"].as_str().unwrap()).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        self.ask(Method::PUT, path, Some(body)).await
    }

    /// The same device, acting as a profile.
    pub(crate) async fn acting_as(&self, profile: &str) -> Device<'a> {
        let path = format!("/v1/profiles/{profile}/select");
        let answer = self.ask(Method::POST, &path, None).await.is(StatusCode::OK);
        let access = answer.json()["access_token"].as_str().unwrap().to_owned();
        Device { world: self.world, access, refresh: self.refresh.clone() }
    }
}
