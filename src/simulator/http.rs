//! The HTTP skin: axum requests in, axum responses out, and nothing else.

use std::io::Write;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::call::{Answer, Call, Trouble};
use super::desk::{Desk, lock};
use super::routes;
use super::wire::{Line, Ragged};

const LARGEST_REQUEST: usize = 4 << 20;
/// Smaller bodies are not worth compressing.
const SMALLEST_GZIP: usize = 512;

/// The service for a desk.
pub(super) fn skin(desk: Arc<Desk>) -> Router {
    Router::new().fallback(serve).with_state(desk)
}

async fn serve(
    State(desk): State<Arc<Desk>>,
    ConnectInfo(line): ConnectInfo<Line>,
    request: Request,
) -> Response<Body> {
    let (head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, LARGEST_REQUEST).await else {
        return status(StatusCode::PAYLOAD_TOO_LARGE);
    };
    let headers: Vec<(String, String)> = head
        .headers
        .iter()
        .map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect();
    let host = headers
        .iter()
        .find(|(name, _)| name == "host")
        .map_or("localhost", |(_, host)| host.as_str());
    let call = Call {
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        root: format!("{}://{host}", if desk.options.tls.is_some() { "https" } else { "http" }),
        headers,
        body: body.to_vec(),
    };
    let answer = routes::answer(&desk, &call);
    let gzip = accepts_gzip(&call) && lock(&desk.knobs).gzip;
    match answer.trouble {
        Trouble::Delay(time) => tokio::time::sleep(time).await,
        Trouble::Hangup => line.cut(),
        _ => {}
    }
    respond(answer, gzip)
}

fn accepts_gzip(call: &Call) -> bool {
    call.header("accept-encoding")
        .is_some_and(|codings| codings.split(',').any(|coding| coding.trim().starts_with("gzip")))
}

fn respond(answer: Answer, gzip: bool) -> Response<Body> {
    let mut response =
        status(StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
    let headers = response.headers_mut();
    for (name, value) in &answer.headers {
        if let (Ok(name), Ok(value)) =
            (HeaderName::try_from(name.as_str()), HeaderValue::try_from(value.as_str()))
        {
            headers.append(name, value);
        }
    }
    let mut body = answer.body;
    if gzip
        && body.len() >= SMALLEST_GZIP
        && let Some(packed) = packed(&body)
    {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        body = packed;
    }
    let length = body.len();
    *response.body_mut() = match answer.trouble {
        Trouble::CutBody => {
            announce(response.headers_mut(), length);
            Body::new(Ragged::half(body))
        }
        Trouble::CutChunked => Body::new(Ragged::half(body)),
        Trouble::Drip { piece, pause } => {
            announce(response.headers_mut(), length);
            Body::new(Ragged::drip(&body, piece, pause))
        }
        Trouble::None | Trouble::Delay(_) | Trouble::Hangup => Body::from(body),
    };
    response
}

fn announce(headers: &mut HeaderMap, length: usize) {
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
}

fn packed(body: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).ok()?;
    encoder.finish().ok()
}

fn status(code: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = code;
    response
}
