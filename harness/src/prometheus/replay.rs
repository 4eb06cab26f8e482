//! Serves answers again that were captured before, each as it was: so a Prometheus judges exactly what our rules judge, and
//! no service is asked a second time.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// The longest head of a request that is read.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// What a path answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replayed {
    Answer {
        status: u16,
        content_type: Option<String>,
        body: Bytes,
    },
    /// The request is taken and never answered.
    Hang,
    /// The connection is closed without a word.
    HangUp,
}

/// A server of captured answers on a loopback port of its own. Dropping it ends it.
#[derive(Debug)]
pub struct Replay {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Replay {
    /// Answers by path, `/metrics`; any other path is 404.
    pub async fn serve(answers: BTreeMap<String, Replayed>) -> io::Result<Replay> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let answers = Arc::new(answers);
        let accepting = tokio::spawn(async move {
            // Connections end with the task that accepts them.
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let answers = answers.clone();
                connections.spawn(async move { _ = answer(stream, &answers).await });
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Replay { address, accepting })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn answer(mut stream: TcpStream, answers: &BTreeMap<String, Replayed>) -> io::Result<()> {
    let head = head(&mut stream).await?;
    let Some(path) = head.strip_prefix("GET ").and_then(|rest| rest.split([' ', '?']).next()) else {
        // What speaks TLS here learns that this is plain HTTP.
        return stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
            .await;
    };
    match answers.get(path) {
        Some(Replayed::HangUp) => Ok(()),
        Some(Replayed::Hang) => stream.read_to_end(&mut Vec::new()).await.map(drop),
        Some(Replayed::Answer { status, content_type, body }) => {
            write(&mut stream, *status, content_type.as_deref(), body).await
        }
        None => write(&mut stream, 404, None, b"").await,
    }
}

async fn write(stream: &mut TcpStream, status: u16, kind: Option<&str>, body: &[u8]) -> io::Result<()> {
    let reason = http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    let kind = kind.map(|kind| format!("content-type: {}\r\n", kind.replace(['\r', '\n'], " ")));
    let head = format!(
        "HTTP/1.1 {status} {}\r\n{}connection: close\r\ncontent-length: {}\r\n\r\n",
        reason.unwrap_or("Unknown"),
        kind.unwrap_or_default(),
        body.len(),
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await?;
    stream.shutdown().await
}

/// The head of a request, or as much as there is of something else.
async fn head(stream: &mut TcpStream) -> io::Result<String> {
    let mut read = Vec::new();
    while !read.windows(4).any(|end| end == b"\r\n\r\n") && read.len() < HEAD_BYTES_MAX {
        if stream.read_buf(&mut read).await? == 0 || !read.starts_with(&b"GET "[..read.len().min(4)]) {
            break;
        }
    }
    Ok(String::from_utf8_lossy(&read).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn served(
        path: &str,
        answers: &[(&str, Replayed)],
    ) -> Result<(u16, Option<String>, String), String> {
        let answers = answers.iter().map(|(path, answer)| (path.to_string(), answer.clone())).collect();
        let replay = Replay::serve(answers).await.unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let sent = client.get(format!("http://{}{path}", replay.address())).send().await;
        let answer = sent.map_err(|error| error.to_string())?;
        let kind = answer.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_string());
        Ok((answer.status().as_u16(), kind, answer.text().await.unwrap()))
    }

    fn replayed(status: u16, kind: Option<&str>, body: &'static str) -> Replayed {
        Replayed::Answer {
            status,
            content_type: kind.map(String::from),
            body: Bytes::from_static(body.as_bytes()),
        }
    }

    #[tokio::test]
    async fn an_answer_comes_back_as_it_was() {
        let answers =
            [("/metrics", replayed(200, Some("text/plain"), "a 1\n")), ("/x", replayed(503, None, "no"))];
        let seen = served("/metrics?a=b", &answers).await.unwrap();
        assert_eq!(seen, (200, Some("text/plain".into()), "a 1\n".into()));
        assert_eq!(served("/x", &answers).await.unwrap(), (503, None, "no".into()));
        assert_eq!(served("/other", &answers).await.unwrap(), (404, None, String::new()));
    }

    #[tokio::test]
    async fn who_hung_up_hangs_up_again() {
        assert!(served("/metrics", &[("/metrics", Replayed::HangUp)]).await.is_err());
    }

    #[tokio::test]
    async fn what_is_not_http_learns_that_this_is() {
        let replay = Replay::serve(BTreeMap::new()).await.unwrap();
        let mut stream = TcpStream::connect(replay.address()).await.unwrap();
        stream.write_all(b"\x16\x03\x01\x02\x00").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
}
