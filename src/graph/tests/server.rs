//! A server that answers from a script and remembers what it was asked. Token requests are answered apart, so
//! that a script tells the story of one list only, unless the script says otherwise.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// The token that is issued first; later ones count on.
pub(super) const TOKEN: &str = "HUSH-access-token-1";

/// One answer.
#[derive(Clone)]
pub(super) struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    shape: Shape,
}

#[derive(Clone, Copy, PartialEq)]
enum Shape {
    Whole,
    /// Fewer octets than `Content-Length` says.
    Cut,
    /// Chunks without an end.
    CutChunks,
    /// The connection closes without an answer.
    Closed,
    /// No answer ever.
    Silence,
}

impl Reply {
    pub(super) fn json(body: &str) -> Reply {
        Reply {
            status: 200,
            headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
            body: body.as_bytes().to_vec(),
            shape: Shape::Whole,
        }
    }

    pub(super) fn html(body: &str) -> Reply {
        Reply {
            headers: vec![("Content-Type".to_owned(), "text/html".to_owned())],
            ..Reply::json(body)
        }
    }

    pub(super) fn status(self, status: u16) -> Reply {
        Reply { status, ..self }
    }

    pub(super) fn header(mut self, name: &str, value: &str) -> Reply {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn body(self, body: &[u8]) -> Reply {
        Reply { body: body.to_vec(), ..self }
    }

    pub(super) fn cut(self) -> Reply {
        Reply { shape: Shape::Cut, ..self }
    }

    pub(super) fn cut_chunks(self) -> Reply {
        Reply { shape: Shape::CutChunks, ..self }
    }

    pub(super) fn closed() -> Reply {
        Reply { shape: Shape::Closed, ..Reply::json("") }
    }

    pub(super) fn silence() -> Reply {
        Reply { shape: Shape::Silence, ..Reply::json("") }
    }
}

/// One request, as received.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// Method and target.
    pub(super) line: String,
    headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Asked {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

#[derive(Default)]
struct State {
    script: VecDeque<Reply>,
    tokens: VecDeque<Reply>,
    asked: Vec<Asked>,
    issued: usize,
}

/// A server on a loopback port, until dropped.
pub(super) struct Server {
    pub(super) port: u16,
    state: Arc<Mutex<State>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub(super) async fn start(script: impl IntoIterator<Item = Reply>) -> Server {
        Server::start_with(script, None).await
    }

    /// With TLS, where an acceptor is given.
    pub(super) async fn start_with(
        script: impl IntoIterator<Item = Reply>,
        tls: Option<TlsAcceptor>,
    ) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State {
            script: script.into_iter().collect(),
            ..State::default()
        }));
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (shared, tls) = (Arc::clone(&shared), tls.clone());
                tokio::spawn(async move {
                    let Some(tls) = tls else { return serve(stream, &shared).await };
                    if let Ok(stream) = tls.accept(stream).await {
                        serve(stream, &shared).await;
                    }
                });
            }
        });
        Server { port, state, task }
    }

    pub(super) fn root(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// Answers to token requests, before the ordinary ones.
    pub(super) fn tokens(&self, script: impl IntoIterator<Item = Reply>) {
        self.state.lock().unwrap().tokens.extend(script);
    }

    /// Further answers.
    pub(super) fn script(&self, script: impl IntoIterator<Item = Reply>) {
        self.state.lock().unwrap().script.extend(script);
    }

    /// All requests but those for tokens.
    pub(super) fn asked(&self) -> Vec<Asked> {
        let all = self.state.lock().unwrap().asked.clone();
        all.into_iter().filter(|asked| !asked.line.contains("/oauth2/")).collect()
    }

    /// The requests for tokens.
    pub(super) fn asked_tokens(&self) -> Vec<Asked> {
        let all = self.state.lock().unwrap().asked.clone();
        all.into_iter().filter(|asked| asked.line.contains("/oauth2/")).collect()
    }
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, state: &Mutex<State>) {
    while let Some(asked) = receive(&mut stream).await {
        let reply = answer(state, asked);
        match reply.shape {
            Shape::Closed => return,
            Shape::Silence => return std::future::pending().await,
            Shape::Whole | Shape::Cut | Shape::CutChunks => {}
        }
        let mut head = format!("HTTP/1.1 {} X\r\n", reply.status);
        for (name, value) in &reply.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let mut out = Vec::new();
        if reply.shape == Shape::CutChunks {
            head.push_str("Transfer-Encoding: chunked\r\n\r\n");
            out.extend(format!("{:x}\r\n", reply.body.len()).as_bytes());
            out.extend(&reply.body);
            out.extend(b"\r\n");
        } else {
            let missing = if reply.shape == Shape::Cut { 7 } else { 0 };
            head.push_str(&format!("Content-Length: {}\r\n\r\n", reply.body.len() + missing));
            out.extend(&reply.body);
        }
        // In one piece: two small writes would wait for a delayed acknowledgement.
        let all = [head.as_bytes(), &out].concat();
        if stream.write_all(&all).await.is_err() || stream.flush().await.is_err() {
            return;
        }
        if reply.shape != Shape::Whole {
            return;
        }
    }
}

fn answer(state: &Mutex<State>, asked: Asked) -> Reply {
    let mut state = state.lock().unwrap();
    let token = asked.line.contains("/oauth2/");
    state.asked.push(asked);
    if !token {
        return state
            .script
            .pop_front()
            .unwrap_or_else(|| Reply::json("the script is over").status(599));
    }
    state.tokens.pop_front().unwrap_or_else(|| {
        state.issued += 1;
        let token = TOKEN.replace('1', &state.issued.to_string());
        Reply::json(&format!(
            r#"{{"token_type":"Bearer","expires_in":3599,"access_token":"{token}"}}"#
        ))
    })
}

async fn receive(stream: &mut (impl AsyncRead + Unpin)) -> Option<Asked> {
    let mut octets = Vec::new();
    let end = loop {
        if let Some(at) = octets.windows(4).position(|w| w == b"\r\n\r\n") {
            break at + 4;
        }
        let mut chunk = [0; 4096];
        let n = stream.read(&mut chunk).await.ok().filter(|n| *n > 0)?;
        octets.extend(&chunk[..n]);
    };
    let head = String::from_utf8(octets[..end].to_vec()).unwrap();
    let mut lines = head.lines();
    let line = lines.next().unwrap().to_owned();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let mut asked = Asked { line, headers, body: String::new() };
    let length: usize = asked.header("content-length").map_or(0, |n| n.parse().unwrap());
    while octets.len() < end + length {
        let mut chunk = [0; 4096];
        let n = stream.read(&mut chunk).await.ok().filter(|n| *n > 0)?;
        octets.extend(&chunk[..n]);
    }
    asked.body = String::from_utf8(octets[end..].to_vec()).unwrap();
    Some(asked)
}
