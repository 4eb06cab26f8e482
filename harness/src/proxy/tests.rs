use std::io::ErrorKind;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixListener};

use super::*;
use crate::until::{Never, Probe, until};

const LONG: Duration = Duration::from_secs(30);
/// Long enough for a byte that passes to be seen, if one wrongly did.
const MOMENT: Duration = Duration::from_millis(100);

/// A server that sends back what it gets, for as long as the test runs.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut reader, mut writer) = stream.split();
                tokio::io::copy(&mut reader, &mut writer).await
            });
        }
    });
    address
}

async fn echoing() -> Proxy {
    let proxy = Proxy::bind().await.unwrap();
    proxy.set_target(Some(echo().await));
    proxy
}

async fn say(stream: &mut TcpStream, word: &[u8]) -> std::io::Result<()> {
    stream.write_all(word).await?;
    let mut answer = vec![0; word.len()];
    tokio::time::timeout(LONG, stream.read_exact(&mut answer)).await.expect("an answer in time")?;
    assert_eq!(answer, word);
    Ok(())
}

async fn connected(proxy: &Proxy) -> TcpStream {
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    say(&mut stream, b"hello").await.unwrap();
    stream
}

async fn refusal(proxy: &Proxy) -> ErrorKind {
    TcpStream::connect(proxy.address()).await.map(|_| "connected").unwrap_err().kind()
}

/// What reading a connection that should be reset says.
async fn ending(stream: &mut TcpStream) -> ErrorKind {
    let read = tokio::time::timeout(LONG, stream.read(&mut [0])).await.expect("an end in time");
    read.map(|bytes| format!("{bytes} bytes")).unwrap_err().kind()
}

async fn is_silent(stream: &mut TcpStream) -> bool {
    tokio::time::timeout(MOMENT, stream.read(&mut [0])).await.is_err()
}

#[tokio::test]
async fn without_a_fault_bytes_pass_both_ways_and_ends_are_passed_on() {
    let proxy = echoing().await;
    let mut stream = connected(&proxy).await;
    let much = vec![7; 1 << 20];
    let (mut reader, mut writer) = stream.split();
    let write = async {
        writer.write_all(&much).await.unwrap();
        writer.shutdown().await.unwrap();
    };
    let mut answer = Vec::new();
    let (_, read) = tokio::join!(write, reader.read_to_end(&mut answer));
    assert_eq!(read.unwrap(), much.len());
    assert!(answer == much);
}

#[tokio::test]
async fn without_a_target_connections_are_refused_until_there_is_one() {
    let proxy = Proxy::bind().await.unwrap();
    assert_eq!(refusal(&proxy).await, ErrorKind::ConnectionRefused);
    for _ in 0..20 {
        proxy.set_target(Some(echo().await));
        let mut stream = connected(&proxy).await;
        proxy.set_target(None);
        assert_eq!(refusal(&proxy).await, ErrorKind::ConnectionRefused);
        assert_eq!(ending(&mut stream).await, ErrorKind::ConnectionReset);
    }
}

#[tokio::test]
async fn refused_is_real_and_resets_the_connections_there_are() {
    let proxy = echoing().await;
    let mut stream = connected(&proxy).await;
    proxy.set_fault(Fault::Refuse).await;
    assert_eq!(refusal(&proxy).await, ErrorKind::ConnectionRefused);
    assert_eq!(ending(&mut stream).await, ErrorKind::ConnectionReset);
    proxy.set_fault(Fault::None).await;
    connected(&proxy).await;
}

#[tokio::test]
async fn nobody_can_take_the_port_while_it_is_refused() {
    let proxy = Proxy::bind().await.unwrap();
    let taken = std::net::TcpListener::bind(proxy.address());
    assert_eq!(taken.unwrap_err().kind(), ErrorKind::AddrInUse);
    // Neither does the system give it to those who let it choose, even if they would share.
    for _ in 0..200 {
        let socket = socket_on(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        assert_ne!(socket.local_addr().unwrap(), proxy.address());
    }
}

#[tokio::test]
async fn cut_resets_once_and_new_connections_pass() {
    let proxy = echoing().await;
    let mut stream = connected(&proxy).await;
    proxy.set_fault(Fault::Cut).await;
    assert_eq!(ending(&mut stream).await, ErrorKind::ConnectionReset);
    let mut stream = connected(&proxy).await;
    proxy.set_fault(Fault::Cut).await;
    assert_eq!(ending(&mut stream).await, ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_black_hole_keeps_connections_drops_bytes_and_resets_when_healed() {
    let proxy = echoing().await;
    let mut old = connected(&proxy).await;
    proxy.set_fault(Fault::BlackHole).await;
    let mut new = TcpStream::connect(proxy.address()).await.unwrap();
    for stream in [&mut old, &mut new] {
        stream.write_all(b"lost").await.unwrap();
        assert!(is_silent(stream).await);
    }
    proxy.set_fault(Fault::None).await;
    for stream in [&mut old, &mut new] {
        assert_eq!(ending(stream).await, ErrorKind::ConnectionReset);
    }
    connected(&proxy).await;
}

#[tokio::test]
async fn a_black_hole_takes_more_than_buffers_hold() {
    let proxy = echoing().await;
    proxy.set_fault(Fault::BlackHole).await;
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    let much = vec![0; 32 << 20];
    tokio::time::timeout(LONG, stream.write_all(&much)).await.unwrap().unwrap();
}

#[tokio::test]
async fn the_server_behind_a_black_hole_keeps_its_connection_until_it_is_healed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = Proxy::bind().await.unwrap();
    proxy.set_target(Some(listener.local_addr().unwrap()));
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    client.write_all(b"x").await.unwrap();
    server.read_exact(&mut [0]).await.unwrap();
    proxy.set_fault(Fault::BlackHole).await;
    assert!(is_silent(&mut server).await);
    proxy.set_fault(Fault::Refuse).await;
    assert_eq!(ending(&mut server).await, ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn slowness_holds_back_each_chunk_of_connections_there_are_and_ends_with_the_fault() {
    let proxy = echoing().await;
    let mut stream = connected(&proxy).await;
    let delay = Duration::from_millis(50);
    proxy.set_fault(Fault::Slow(delay)).await;
    let began = std::time::Instant::now();
    say(&mut stream, b"slow").await.unwrap();
    assert!(began.elapsed() >= 2 * delay, "both ways");
    proxy.set_fault(Fault::Slow(LONG)).await;
    stream.write_all(b"held").await.unwrap();
    assert!(is_silent(&mut stream).await);
    proxy.set_fault(Fault::None).await;
    connected(&proxy).await;
}

#[tokio::test]
async fn a_target_that_refuses_resets_the_client() {
    let proxy = echoing().await;
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    proxy.set_target(Some(gone));
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(ending(&mut stream).await, ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_new_target_takes_new_connections_and_the_old_keeps_its_own() {
    let proxy = echoing().await;
    let mut stream = connected(&proxy).await;
    proxy.set_target(Some(echo().await));
    connected(&proxy).await;
    say(&mut stream, b"still here").await.unwrap();
}

#[tokio::test]
async fn a_unix_socket_gets_a_tcp_address() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let proxy = Proxy::bind().await.unwrap();
    proxy.set_unix_target(&path);
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    client.write_all(b"ping").await.unwrap();
    let mut word = [0; 4];
    server.read_exact(&mut word).await.unwrap();
    server.write_all(&word).await.unwrap();
    client.read_exact(&mut word).await.unwrap();
    assert_eq!(&word, b"ping");
    proxy.set_fault(Fault::Cut).await;
    assert_eq!(ending(&mut client).await, ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_dropped_proxy_resets_its_connections_and_frees_the_port() {
    let proxy = echoing().await;
    let mut stream = connected(&proxy).await;
    let address = proxy.address();
    drop(proxy);
    assert_eq!(ending(&mut stream).await, ErrorKind::ConnectionReset);
    let free = until("the port is free", LONG, async || {
        Ok::<_, Never>(match std::net::TcpListener::bind(address) {
            Ok(_) => Probe::Ready(()),
            Err(error) => Probe::NotYet(error.to_string()),
        })
    });
    free.await.unwrap();
}

#[tokio::test]
async fn many_connections_at_once_all_pass() {
    let proxy = echoing().await;
    let mut streams = Vec::new();
    for _ in 0..200 {
        streams.push(TcpStream::connect(proxy.address()).await.unwrap());
    }
    for stream in &mut streams {
        say(stream, b"one of many").await.unwrap();
    }
}

#[tokio::test]
async fn what_clients_send_is_counted_also_while_it_is_held_back_or_swallowed() {
    for fault in [Fault::Slow(LONG), Fault::BlackHole] {
        let proxy = echoing().await;
        let mut stream = connected(&proxy).await;
        assert_eq!(proxy.received(), 5);
        proxy.set_fault(fault).await;
        stream.write_all(b"abc").await.unwrap();
        let counted = until("the bytes are counted", LONG, async || -> Result<_, Never> {
            let seen = proxy.received();
            Ok(if seen == 8 { Probe::Ready(()) } else { Probe::NotYet(seen.to_string()) })
        });
        counted.await.unwrap();
    }
}
