//! Sending a request on to the process of the role that answers it.

use super::{Gateway, Try, table::role_of};
use crate::{
    roles::Role,
    web::{
        self, Onward, client,
        problem::{Code, Problem},
    },
};
use axum::{
    body::{Body, Bytes},
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header, request::Parts},
    response::{IntoResponse, Response},
};
use tokio::time::{Instant, timeout_at};

/// Headers that are between two neighbours (RFC 9110, 7.6.1).
const HOP_BY_HOP: [HeaderName; 8] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

static FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
static FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Why there is no answer.
enum Failure {
    Connection(client::Error),
    Time,
}

impl Gateway {
    /// Sends a request to its role; the answer is that role's own.
    pub(crate) async fn forward(&self, request: Request) -> Response {
        let Some(role) = role_of(request.uri().path()) else {
            return Problem::not_found("path").into_response();
        };
        let Some(upstream) = self.0.upstreams.get(&role) else {
            return Problem::not_found("path").into_response();
        };
        let (mut parts, body) = request.into_parts();
        let upload = match self.0.uploads.take(body).await {
            Ok(upload) => upload,
            Err(problem) => return problem.into_response(),
        };
        upstream.came();
        prepare(&mut parts);
        // What can be asked again: it changes nothing.
        let repeatable = matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS)
            && upload.bytes.is_empty();
        let deadline = Instant::now() + self.0.config.time;
        let mut failed: Option<String> = None;
        loop {
            let Some(asked) = upstream.pick(failed.as_deref(), Instant::now().into_std()) else {
                self.count(role, "open_circuit");
                return unavailable(role);
            };
            let base = asked.peer.base.clone();
            let answer = self.ask(&base, &parts, upload.bytes.clone(), deadline).await;
            let well = matches!(&answer, Ok(answer) if !is_trouble(answer));
            asked.ended(well, Instant::now().into_std());
            self.count(role, if well { "answered" } else { "failed" });
            // There is one time for both tries: when the first took it all, nobody waits for a second.
            let time_is_up = matches!(answer, Err(Failure::Time));
            if !well && !time_is_up && failed.is_none() && repeatable && upstream.may_retry() {
                failed = Some(base);
                continue;
            }
            return match answer {
                Ok(answer) => received(answer),
                Err(failure) => failure.answer(role),
            };
        }
    }

    async fn ask(
        &self,
        base: &str,
        parts: &Parts,
        body: Bytes,
        deadline: Instant,
    ) -> Result<client::Response, Failure> {
        let rest = parts.uri.path_and_query().map_or("/", |rest| rest.as_str());
        let mut request = Request::new(Body::from(body));
        *request.method_mut() = parts.method.clone();
        *request.headers_mut() = parts.headers.clone();
        // A base that was checked, and a path that came in a request, make a URL.
        if let Ok(uri) = format!("{base}{rest}").parse::<Uri>() {
            *request.uri_mut() = uri;
        }
        match timeout_at(deadline, client::send(request)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(Failure::Connection(error)),
            Err(_) => Err(Failure::Time),
        }
    }

    fn count(&self, role: Role, result: &'static str) {
        self.0.counts.tries.get_or_create(&Try { role: role.name(), result }).inc();
    }
}

/// Whether an answer says that the process could not do it, rather than would not. One that says when to come again has
/// more to do than it can, or lacks something else: it is there, and nothing is better for asking it less than it wants.
fn is_trouble(answer: &client::Response) -> bool {
    match answer.status() {
        StatusCode::SERVICE_UNAVAILABLE => !answer.headers().contains_key(header::RETRY_AFTER),
        status => matches!(status, StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT),
    }
}

fn unavailable(role: Role) -> Response {
    let detail = format!("the role `{}` does not answer at present", role.name());
    Problem::new(Code::Unavailable, detail).retry_after(5).into_response()
}

impl Failure {
    fn answer(self, role: Role) -> Response {
        match self {
            Self::Connection(error) => {
                tracing::warn!(role = role.name(), %error, "a role cannot be reached");
                unavailable(role)
            }
            Self::Time => {
                let detail = format!("the role `{}` did not answer in time", role.name());
                Problem::new(Code::GatewayTimeout, detail).into_response()
            }
        }
    }
}

/// Makes a request one of this hop: what was meant for this hop alone goes, and what only a gateway can say is said.
/// A client's own word on that is dropped: it could name any address.
fn prepare(parts: &mut Parts) {
    strip_hop_by_hop(&mut parts.headers);
    for name in [&FORWARDED_FOR, &FORWARDED_PROTO, &FORWARDED_HOST, &header::FORWARDED] {
        parts.headers.remove(name);
    }
    let host = parts.headers.remove(header::HOST);
    if let Some(host) = host {
        parts.headers.insert(&FORWARDED_HOST, host);
    }
    if let Some(web::Peer(address)) = parts.extensions.get::<web::Peer>()
        && let Ok(address) = HeaderValue::from_str(&address.ip().to_string())
    {
        parts.headers.insert(&FORWARDED_FOR, address);
    }
    Onward::of(&parts.extensions).tell(&mut parts.headers);
}

fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in HOP_BY_HOP.iter().chain(&named) {
        headers.remove(name);
    }
}

fn received(answer: client::Response) -> Response {
    let mut answer = answer.map(Body::new);
    strip_hop_by_hop(answer.headers_mut());
    // The version is this hop's too.
    *answer.version_mut() = axum::http::Version::default();
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::{RequestId, TraceParent};

    #[test]
    fn a_client_cannot_speak_for_a_gateway_nor_to_the_role_alone() {
        let request = Request::builder()
            .uri("/v1/account")
            .header("host", "kinora.example")
            .header("connection", "close, X-Secret")
            .header("x-secret", "1")
            .header("te", "trailers")
            .header("x-forwarded-for", "10.0.0.1")
            .header("forwarded", "for=10.0.0.1")
            .header("x-request-id", "theirs")
            .header("authorization", "Bearer x")
            .extension(web::Peer("192.0.2.7:1234".parse().unwrap()))
            .extension(RequestId("ours".to_owned()))
            .extension(TraceParent("00-a-b-01".to_owned()))
            .body(Body::empty())
            .unwrap();
        let (mut parts, _) = request.into_parts();
        prepare(&mut parts);
        let mut headers: Vec<_> = parts
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
            .collect();
        headers.sort_unstable();
        assert_eq!(
            headers,
            [
                ("authorization", "Bearer x"),
                ("traceparent", "00-a-b-01"),
                ("x-forwarded-for", "192.0.2.7"),
                ("x-forwarded-host", "kinora.example"),
                ("x-request-id", "ours"),
            ]
        );
    }
}
