//! What goes wrong on the way, and what becomes of it.

use super::server::{Reply, Server, TOKEN};
use super::*;
use crate::graph::{ErrorKind, Next, Retry};
use std::io::Write;
use std::sync::{Arc, Mutex};
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

/// The page comes after one such answer; returns how long that took.
async fn overcomes(fault: Reply) -> Duration {
    let (server, graph) = world([fault, last_page()]).await;
    let begun = Instant::now();
    let page = graph.page(&start()).await.unwrap();
    assert_eq!(page.items.len(), 1);
    assert!(matches!(page.next, Next::Done { .. }));
    assert_eq!(server.asked().len(), 2);
    assert_eq!(graph.requests().retries, 1);
    begun.elapsed()
}

fn too_many() -> Reply {
    graph_error(429, "TooManyRequests")
}

#[tokio::test(start_paused = true)]
async fn a_retry_after_is_waited_for() {
    assert!(overcomes(too_many().header("Retry-After", "7")).await >= 7 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_fractional_retry_after_is_waited_for() {
    let (_server, graph) = world([too_many().header("Retry-After", "2.128"), last_page()]).await;
    let begun = Instant::now();
    graph.page(&start()).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(2128));
    let counters = graph.requests();
    assert_eq!(counters.throttle_waits, 1);
    // The budget counts what is left to wait, which is a moment less than what was told.
    let told = Duration::from_millis(2128);
    assert!(counters.throttle_time <= told && counters.throttle_time > told - SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_date_as_retry_after_is_seen_from_the_servers_own_clock() {
    let fault = too_many()
        .header("Date", "Mon, 02 Mar 2026 08:00:00 GMT")
        .header("Retry-After", "Mon, 02 Mar 2026 08:00:40 GMT");
    assert!(overcomes(fault).await >= 40 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_missing_retry_after_backs_off() {
    assert!(overcomes(too_many()).await >= SECOND / 2);
    assert!(overcomes(graph_error(503, "serviceNotAvailable")).await >= SECOND / 2);
}

#[tokio::test(start_paused = true)]
async fn a_retry_after_beyond_the_longest_wait_gives_up_until_then() {
    let (server, graph) = world([too_many().header("Retry-After", "301"), last_page()]).await;
    let error = graph.page(&start()).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (ErrorKind::Throttled, Retry::After(301 * SECOND)));
    // Nobody else asks before then either.
    let error = graph.domains().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Throttled);
    assert!(matches!(error.retry, Retry::After(wait) if wait > 290 * SECOND), "{error:?}");
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_throttled_request_makes_all_others_wait() {
    let (server, graph) = world([]).await;
    graph.token().await.unwrap();
    let before = graph.requests().bytes;
    server.script([too_many().header("Retry-After", "60"), last_page(), last_page()]);
    let at = start();
    let other = async {
        while graph.requests().bytes == before {
            tokio::task::yield_now().await;
        }
        let begun = Instant::now();
        graph.page(&start()).await.unwrap();
        begun.elapsed()
    };
    let (page, waited) = tokio::join!(graph.page(&at), other);
    page.unwrap();
    assert!(waited > 50 * SECOND, "{waited:?}");
    assert_eq!(graph.requests().throttle_waits, 2);
}

#[tokio::test(start_paused = true)]
async fn trouble_of_the_server_is_tried_again() {
    for status in [408, 500, 502, 503, 504, 509] {
        overcomes(graph_error(status, "x")).await;
        overcomes(Reply::html("<html>bad gateway</html>").status(status)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_cut_body_is_retried_and_never_a_short_page() {
    let page = r#"{"@odata.deltaLink":"http://127.0.0.1:1/x?$deltatoken=a","value":[]}"#;
    overcomes(Reply::json(page).cut()).await;
    overcomes(Reply::json(page).cut_chunks()).await;
    // Closed early with the right length: the JSON text itself is cut.
    overcomes(Reply::json(&page[..40])).await;
    overcomes(Reply::closed()).await;
}

#[tokio::test(start_paused = true)]
async fn a_garbled_answer_is_retried() {
    for garbled in [
        Reply::json(""),
        Reply::html("<html>sign in to the hotel's network</html>"),
        Reply::json("{}"),
        Reply::json(r#"{"value":[]}"#),
        Reply::json(r#"{"@odata.deltaLink":"http://127.0.0.1:1/x?$deltatoken=a"}"#),
        Reply::json(r#"{"value":[],"@odata.deltaLink":""}"#),
        Reply::json(
            r#"{"value":[],"@odata.nextLink":"http://127.0.0.1/a","@odata.deltaLink":"http://127.0.0.1/b"}"#,
        ),
        Reply::json(r#"{"value":["x"],"@odata.deltaLink":"http://127.0.0.1:1/x?$deltatoken=a"}"#),
        Reply::json(r#"{"value":[],"@odata.deltaLink":"http://127.0.0.1:1/x?$deltatoken=a"}}"#),
        Reply::json(r#"{"error":{"code":"x"}}"#),
        last_page().header("Content-Encoding", "gzip"),
    ] {
        overcomes(garbled).await;
    }
}

#[tokio::test(start_paused = true)]
async fn patience_ends_and_the_error_says_when_to_ask_again() {
    let (server, graph) = world(vec![graph_error(502, "x"); 9]).await;
    let error = graph.page(&delta(&server)).await.unwrap_err();
    assert_eq!(server.asked().len(), 4);
    assert_eq!((error.kind, error.status), (ErrorKind::Unavailable, Some(502)));
    assert_eq!(error.retry, Retry::After(60 * SECOND));

    let busy = too_many().header("Retry-After", "7");
    let (server, graph) = world(vec![busy; 9]).await;
    let error = graph.page(&delta(&server)).await.unwrap_err();
    assert_eq!((error.retry, server.asked().len()), (Retry::After(7 * SECOND), 4));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_come_times_out_and_is_tried_again() {
    let server = Server::start([Reply::silence(), last_page()]).await;
    let mut settings = settings(server.port);
    settings.graph.request_timeout = 30 * SECOND;
    let graph = Graph::new(&settings).unwrap();
    assert_eq!(graph.page(&start()).await.unwrap().items.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn nobody_listening_is_an_error_of_the_network() {
    let server = Server::start([]).await;
    let settings = settings(server.port);
    drop(server);
    tokio::task::yield_now().await;
    let error = Graph::new(&settings).unwrap().token().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Network, "{error}");
    assert!(error.message.to_lowercase().contains("connect"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_missing_delta_link_is_kept_and_asked_for_later() {
    let (server, graph) = world([graph_error(404, "Request_ResourceNotFound")]).await;
    let error = graph.page(&delta(&server)).await.unwrap_err();
    assert_eq!((error.kind, error.retry), (ErrorKind::NotFound, Retry::After(300 * SECOND)));
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_404_of_a_plain_read_is_tried_three_times() {
    let domains = Reply::json(r#"{"value":[{"id":"contoso.example"}]}"#);
    let missing = graph_error(404, "Request_ResourceNotFound");
    let (_server, graph) = world([missing.clone(), missing.clone(), domains]).await;
    assert_eq!(graph.domains().await.unwrap().len(), 1);
    let (server, graph) = world(vec![missing; 9]).await;
    let error = graph.domains().await.unwrap_err();
    assert_eq!((error.kind, server.asked().len()), (ErrorKind::NotFound, 3));
}

#[tokio::test(start_paused = true)]
async fn a_dead_delta_link_asks_for_a_full_resync_after_one_request() {
    let gone = graph_error(410, "syncStateNotFound")
        .header("Location", "https://graph.microsoft.com/v1.0/users/delta?$deltatoken=");
    let old = Reply::json(
        r#"{"error":{"code":"Request_UnsupportedQuery","message":"DeltaLink older than 30 days is not supported."}}"#,
    );
    for dead in [gone, graph_error(400, "SyncStateNotFound"), old.status(400)] {
        let (server, graph) = world([dead]).await;
        let error = graph.page(&delta(&server)).await.unwrap_err();
        assert_eq!((error.kind, error.retry), (ErrorKind::Expired, Retry::Restart));
        assert_eq!(server.asked().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_page_link_starts_the_round_again() {
    let (server, graph) = world([graph_error(400, "Directory_ExpiredPageToken")]).await;
    let error = graph.page(&next(&server)).await.unwrap_err();
    assert_eq!(error.retry, Retry::RestartRound);
}

#[tokio::test(start_paused = true)]
async fn a_refused_query_is_not_repeated() {
    for (status, code) in [(400, "Request_UnsupportedQuery"), (501, "NotImplemented")] {
        let (server, graph) = world([graph_error(status, code)]).await;
        let error = graph.page(&start()).await.unwrap_err();
        assert_eq!((error.retry, server.asked().len()), (Retry::Never, 1), "{status}");
        assert!(error.advice().is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn a_missing_permission_is_named() {
    for (kind, name) in [
        (Kind::User, "User.Read.All"),
        (Kind::Group, "GroupMember.Read.All"),
        (Kind::Contact, "OrgContact.Read.All"),
    ] {
        let (_server, graph) = world([graph_error(403, "Authorization_RequestDenied")]).await;
        let error = graph.page(&Position::start(kind)).await.unwrap_err();
        assert!(error.is_permission());
        assert_eq!(error.retry, Retry::Never);
        let text = error.to_string();
        assert!(text.contains(name) && text.contains("admin consent"), "{text}");
    }
    let (_server, graph) = world([graph_error(403, "Authorization_RequestDenied")]).await;
    assert!(graph.domains().await.unwrap_err().to_string().contains("Domain.Read.All"));
}

#[tokio::test(start_paused = true)]
async fn errors_carry_both_request_ids() {
    let (server, graph) = world([graph_error(403, "x").header("request-id", "outer")]).await;
    let error = graph.page(&start()).await.unwrap_err();
    let asked = server.asked();
    assert_eq!(error.client_request_id.as_deref(), asked[0].header("client-request-id"));
    assert_eq!(error.request_id.as_deref(), Some("rid-1"));
    assert!(error.to_string().contains("rid-1"));
}

#[tokio::test(start_paused = true)]
async fn the_token_is_not_sent_to_a_foreign_host() {
    let (server, graph) = world([]).await;
    for link in
        ["https://evil.example/v1.0/users/delta?$deltatoken=HUSH", "http://192.0.2.1/x?HUSH"]
    {
        let position: Position = format!("users delta {link}").parse().unwrap();
        let error = graph.page(&position).await.unwrap_err();
        assert_eq!((error.kind, error.retry), (ErrorKind::ForeignLink, Retry::Never));
        let host = Url::parse(link).unwrap().host_str().unwrap().to_owned();
        assert!(
            error.to_string().contains(&host) && !error.to_string().contains("HUSH"),
            "{error}"
        );
    }
    assert!(server.asked().is_empty() && server.asked_tokens().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_page_with_a_foreign_link_is_refused_before_it_is_kept() {
    let page =
        Reply::json(r#"{"@odata.nextLink":"https://evil.example/x?$skiptoken=HUSH","value":[]}"#);
    let (_server, graph) = world([page]).await;
    let error = graph.page_raw(&start()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::ForeignLink);
}

#[tokio::test(start_paused = true)]
async fn a_redirect_is_not_followed() {
    let other = Server::start([last_page()]).await;
    let away = Reply::html("").status(307).header("Location", &format!("{}x?HUSH", other.root()));
    let (_server, graph) = world([away]).await;
    let error = graph.page(&start()).await.unwrap_err();
    assert_eq!(
        (error.kind, error.status, error.retry),
        (ErrorKind::Refused, Some(307), Retry::Never)
    );
    assert!(other.asked().is_empty());
    assert!(!error.to_string().contains("HUSH"));
}

/// Collects what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn no_secret_or_token_stands_in_an_error_or_a_log_line() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    // With one subscriber alone, `tracing` asks the thread that first meets a span whether anybody listens, and
    // that may be the thread of another test, where nobody does.
    let _second =
        tracing::Dispatch::new(tracing_subscriber::fmt().with_writer(std::io::sink).finish());
    let _guard = tracing::subscriber::set_default(subscriber);

    // The client secret never reaches Graph, so Graph cannot echo it; the token endpoint below can.
    let echo = format!("{TOKEN} users/delta?$deltatoken=HUSH-delta-1 HUSH-delta-1");
    let body = format!(r#"{{"error":{{"code":"{TOKEN}","message":"{echo}"}}}}"#);
    let refused = Reply::json(&body).status(400).header("request-id", TOKEN);
    let (server, graph) = world([]).await;
    let mut texts = Vec::new();
    for reply in [
        refused.clone(),
        refused.clone().status(403),
        refused.clone().status(410),
        refused.clone().status(404),
        Reply::html(&echo).status(400).header("Content-Type", TOKEN),
        Reply::json(&format!(r#"{{"value":"{TOKEN}"}}"#)),
        Reply::closed(),
    ] {
        server.script(vec![reply; 4]);
        let error = graph.page(&delta(&server)).await.unwrap_err();
        texts.push(format!("{error} {error:?}"));
        while server.asked().len() % 4 != 0 {
            let _ = graph.page(&start()).await;
        }
    }
    server.script([last_page()]);
    texts.push(format!("{:?} {:?}", graph.page_raw(&start()).await, graph.token().await.unwrap()));
    let token = format!(
        r#"{{"error":"invalid_client","error_description":"AADSTS7000215: {SECRET} is wrong"}}"#
    );
    server.tokens([Reply::json(&token).status(401)]);
    let error = Graph::new(&settings(server.port)).unwrap().token().await.unwrap_err();
    texts.push(format!("{error} {error:?} {graph:?} {:?}", delta(&server)));

    texts.push(String::from_utf8(log.0.lock().unwrap().clone()).unwrap());
    assert!(texts.last().unwrap().contains("graph_request"));
    for text in &texts {
        for hidden in ["HUSH", SECRET] {
            let line = text.lines().find(|line| line.contains(hidden));
            assert_eq!(line, None, "{hidden}");
        }
    }
}
