//! One `GET` of an address for metrics or a probe, as a scraper would ask it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::exposition::{ACCEPT, BODY_LIMIT};
use crate::model::HttpAnswer;

/// Asks `http://<address><path>` once. Never fails: an absent answer is evidence too. The second value is the trace
/// that the answer names, with its flags.
pub(super) async fn ask(
    client: &reqwest::Client,
    address: SocketAddr,
    path: &str,
    accept: Option<&str>,
) -> (HttpAnswer, Option<crate::model::TraceParent>) {
    let request = client
        .get(format!("http://{address}{path}"))
        .header("accept", accept.unwrap_or(ACCEPT))
        .timeout(Duration::from_secs(3));
    let began = Instant::now();
    let mut response = match request.send().await {
        Ok(response) => response,
        Err(error) => return (HttpAnswer { error: Some(innermost(&error)), ..HttpAnswer::default() }, None),
    };
    let status = Some(response.status().as_u16());
    let text = |name| {
        response.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let content_type = text("content-type");
    let named = text("traceresponse").or_else(|| text("traceparent"));
    let trace = named.and_then(|header| crate::model::TraceParent::parse(&header));
    let (body, error) = read_body(&mut response).await;
    let took_ms = error.is_none().then(|| began.elapsed().as_millis() as u64);
    (HttpAnswer { status, content_type, body, error, took_ms }, trace)
}

/// The body, as far as it is kept, and what is wrong with it.
async fn read_body(response: &mut reqwest::Response) -> (String, Option<String>) {
    let mut bytes = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if bytes.len() + chunk.len() > BODY_LIMIT => {
                bytes.extend_from_slice(&chunk[..BODY_LIMIT - bytes.len()]);
                let error = format!("its body is larger than {} MiB", BODY_LIMIT >> 20);
                return (String::from_utf8_lossy(&bytes).into_owned(), Some(error));
            }
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(error) => return (String::new(), Some(innermost(&error))),
        }
    }
    match String::from_utf8(bytes) {
        Ok(body) => (body, None),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let body = String::from_utf8_lossy(error.as_bytes()).into_owned();
            (body, Some(format!("its body is not UTF-8 at byte {at}")))
        }
    }
}

fn innermost(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return HttpAnswer::NOT_IN_TIME.to_string();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// What one `ask` makes of an answer, and the header that it sent.
    async fn asked(answer: Vec<u8>) -> (HttpAnswer, String) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let read = stream.read(&mut request).await.unwrap();
            // Whoever has had enough hangs up.
            _ = stream.write_all(&answer).await;
            String::from_utf8_lossy(&request[..read]).into_owned()
        });
        let (answer, _) = ask(&reqwest::Client::new(), address, "/metrics", None).await;
        (answer, serving.await.unwrap())
    }

    fn ok(body: &[u8]) -> Vec<u8> {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        [head.as_bytes(), body].concat()
    }

    #[tokio::test]
    async fn it_asks_as_prometheus_does() {
        let (answer, request) = asked(ok(b"a 1\n")).await;
        assert_eq!((answer.status, answer.body.as_str(), answer.error), (Some(200), "a 1\n", None));
        assert!(request.contains(ACCEPT), "{request}");
    }

    #[tokio::test]
    async fn a_body_that_is_not_utf_8_is_kept_and_said() {
        let (answer, _) = asked(ok(b"a{b=\"\xff\"} 1\n")).await;
        assert_eq!(answer.error.as_deref(), Some("its body is not UTF-8 at byte 5"));
        assert_eq!((answer.status, answer.body.as_str()), (Some(200), "a{b=\"\u{fffd}\"} 1\n"));
    }

    #[tokio::test]
    async fn a_body_without_end_is_cut_and_said() {
        let (answer, _) = asked(ok(&vec![b'#'; BODY_LIMIT + 1])).await;
        assert_eq!(answer.error.as_deref(), Some("its body is larger than 16 MiB"));
        assert_eq!(answer.body.len(), BODY_LIMIT);
        let (answer, _) = asked(ok(&vec![b'#'; BODY_LIMIT])).await;
        assert_eq!((answer.body.len(), answer.error), (BODY_LIMIT, None));
    }

    #[tokio::test]
    async fn an_answer_that_ends_early_is_an_error() {
        let (answer, _) = asked(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\na 1".to_vec()).await;
        assert_eq!((answer.status, answer.body.as_str()), (Some(200), ""));
        assert!(answer.error.is_some());
    }
}
