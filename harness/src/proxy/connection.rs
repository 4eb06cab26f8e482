//! One connection through the proxy: passed on, swallowed, or reset, as its generation is told.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::watch;

use super::{Order, Target};

/// What is read at once, and all that is buffered each way.
const CHUNK_BYTES: usize = 16 * 1024;

/// Serves one accepted connection to its end.
pub(super) async fn serve(
    client: TcpStream,
    target: Target,
    mut orders: watch::Receiver<Order>,
    received: Arc<AtomicU64>,
) {
    _ = client.set_nodelay(true);
    let mut client = ResetOnDrop { stream: client, armed: true };
    let connected = tokio::select! {
        biased;
        () = doom(&mut orders) => None,
        connected = connect(&target) => Some(connected),
    };
    let in_peace = match connected {
        None => {
            let (mut reader, _) = client.stream.split();
            swallow(&mut reader, &mut tokio::io::empty(), &mut orders, &received).await;
            false
        }
        Some(Ok(Server::Tcp(mut server))) => {
            let (reader, writer) = server.stream.split();
            let in_peace = carry(&mut client.stream, reader, writer, orders, &received).await;
            server.armed = !in_peace;
            in_peace
        }
        Some(Ok(Server::Unix(mut server))) => {
            let (reader, writer) = server.split();
            carry(&mut client.stream, reader, writer, orders, &received).await
        }
        Some(Err(_)) => false,
    };
    client.armed = !in_peace;
}

enum Server {
    Tcp(ResetOnDrop),
    Unix(UnixStream),
}

async fn connect(target: &Target) -> io::Result<Server> {
    match target {
        Target::Tcp(address) => {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Ok(Server::Tcp(ResetOnDrop { stream, armed: true }))
        }
        Target::Unix(path) => Ok(Server::Unix(UnixStream::connect(path).await?)),
    }
}

/// Passes bytes both ways, as long as that is the order; says whether both sides came to their end in peace.
async fn carry(
    client: &mut TcpStream,
    mut server_reader: impl AsyncRead + Unpin,
    mut server_writer: impl AsyncWrite + Unpin,
    mut orders: watch::Receiver<Order>,
    received: &AtomicU64,
) -> bool {
    let (mut client_reader, mut client_writer) = client.split();
    let ended = {
        let sent_down = AtomicU64::new(0);
        let up = pump(&mut client_reader, &mut server_writer, orders.clone(), received);
        let down = pump(&mut server_reader, &mut client_writer, orders.clone(), &sent_down);
        tokio::select! {
            biased;
            () = doom(&mut orders) => None,
            // Either side may end its half first.
            ended = async { tokio::try_join!(up, down) } => Some(ended),
        }
    };
    match ended {
        Some(ended) => ended.is_ok(),
        None => {
            swallow(&mut client_reader, &mut server_reader, &mut orders, received).await;
            false
        }
    }
}

/// Waits until the connection may not pass bytes any more. It never may again.
async fn doom(orders: &mut watch::Receiver<Order>) {
    // A generation whose sender is gone was told to reset before.
    _ = orders.wait_for(|order| !matches!(order, Order::Pass { .. })).await;
}

/// Drops what both sides send until told to reset. A side that ends learns nothing of the other.
async fn swallow(
    client: &mut (impl AsyncRead + Unpin),
    server: &mut (impl AsyncRead + Unpin),
    orders: &mut watch::Receiver<Order>,
    received: &AtomicU64,
) {
    let sent_down = AtomicU64::new(0);
    let drained = async {
        tokio::join!(drain(client, received), drain(server, &sent_down));
        std::future::pending::<()>().await;
    };
    tokio::select! {
        _ = orders.wait_for(|order| *order != Order::Swallow) => {}
        () = drained => {}
    }
}

async fn drain(from: &mut (impl AsyncRead + Unpin), count: &AtomicU64) {
    let mut buffer = vec![0; CHUNK_BYTES];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        count.fetch_add(read as u64, Ordering::Relaxed);
    }
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    orders: watch::Receiver<Order>,
    count: &AtomicU64,
) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        let read = from.read(&mut buffer).await?;
        count.fetch_add(read as u64, Ordering::Relaxed);
        // Asked between reading and writing: a fault that is in effect lets no byte through that comes after it.
        let order = *orders.borrow();
        match order {
            Order::Pass { delay } => hold_back(delay).await,
            Order::Swallow | Order::Reset => std::future::pending().await,
        }
        if read == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..read]).await?;
    }
}

#[expect(clippy::disallowed_methods, reason = "slowness is the fault itself, not a wait for something")]
async fn hold_back(delay: Duration) {
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
}

/// A connection that did not end in peace is reset, so that its peer sees an error and not the end of the stream.
struct ResetOnDrop {
    stream: TcpStream,
    armed: bool,
}

impl Drop for ResetOnDrop {
    fn drop(&mut self) {
        if self.armed {
            _ = self.stream.set_zero_linger();
        }
    }
}
