//! A TCP proxy for faults: one address for life, whatever happens to what is behind it.
//!
//! Without a target, or with [`Fault::Refuse`], nobody listens on the address: connections are refused by the kernel,
//! as by a process that is not there. A second socket, bound but never listening, keeps the port from everybody else.

mod connection;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::until;

/// Connections that the kernel holds until we accept them.
const BACKLOG: u32 = 1024;

/// What the proxy does to connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Passes everything on.
    #[default]
    None,
    /// Resets the connections there are and refuses new ones.
    Refuse,
    /// Resets the connections there are, once; new ones pass.
    Cut,
    /// Accepts and keeps connections, and drops every byte, both ways. When this fault ends, the connections that it
    /// held are reset: their bytes are lost.
    BlackHole,
    /// Holds back each chunk of up to 16 KiB for this long, each way.
    Slow(Duration),
}

/// Where connections go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A TCP address.
    Tcp(SocketAddr),
    /// The path of a Unix socket.
    Unix(PathBuf),
}

impl From<SocketAddr> for Target {
    fn from(address: SocketAddr) -> Target {
        Target::Tcp(address)
    }
}

impl From<PathBuf> for Target {
    fn from(path: PathBuf) -> Target {
        Target::Unix(path)
    }
}

/// A proxy on a loopback port of its own. Dropping it ends its connections and frees the port.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    /// Keeps the port while nobody listens.
    _guard: TcpSocket,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    address: SocketAddr,
    target: Option<Target>,
    fault: Fault,
    /// Tells the connections what to do. Each time that all of them are to end, new ones get a new generation.
    generation: watch::Sender<Order>,
    listener: Option<Listening>,
    received: Arc<AtomicU64>,
}

/// What a connection of one generation is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Pass { delay: Duration },
    Swallow,
    Reset,
}

#[derive(Debug)]
struct Listening {
    socket: Arc<TcpListener>,
    task: AbortHandle,
}

impl Proxy {
    /// Takes a port that the system chooses. Without a target, connections are refused.
    pub async fn bind() -> io::Result<Proxy> {
        let guard = socket_on(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let address = guard.local_addr()?;
        let generation = watch::Sender::new(order_for(Fault::None));
        let inner = Inner {
            address,
            target: None,
            fault: Fault::None,
            generation,
            listener: None,
            received: Arc::default(),
        };
        Ok(Proxy { address, _guard: guard, inner: Arc::new(Mutex::new(inner)) })
    }

    /// The address, which never changes.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where connections go from now on; `None` is as if nothing listened. Connections to a former target go on, but
    /// are reset when there is no target any more.
    ///
    /// Must be called within a tokio runtime. From its return on, connections are accepted or refused accordingly.
    pub fn set_target(&self, target: Option<SocketAddr>) {
        self.set(|inner| inner.target = target.map(Target::from));
    }

    /// As [`Proxy::set_target`], with a Unix socket.
    pub fn set_unix_target(&self, path: impl Into<PathBuf>) {
        let path = path.into();
        self.set(|inner| inner.target = Some(Target::Unix(path)));
    }

    /// Changes the fault, for the connections there are as well. On return it is in effect: connections that it resets
    /// are closed, and none of their bytes pass any more.
    pub async fn set_fault(&self, fault: Fault) {
        if let Some(ended) = self.set(|inner| inner.fault = fault) {
            ended.closed().await;
        }
    }

    /// The fault in effect.
    pub fn fault(&self) -> Fault {
        lock(&self.inner).fault
    }

    /// Bytes that clients have sent through it so far, those that [`Fault::Slow`] holds back and [`Fault::BlackHole`]
    /// swallows included.
    pub fn received(&self) -> u64 {
        lock(&self.inner).received.load(Ordering::Relaxed)
    }

    /// Applies a change; returns the generation that it has ended.
    fn set(&self, change: impl FnOnce(&mut Inner)) -> Option<watch::Sender<Order>> {
        let mut inner = lock(&self.inner);
        let before = inner.fault;
        change(&mut inner);
        let refuses = inner.target.is_none() || inner.fault == Fault::Refuse;
        let heals = before == Fault::BlackHole && inner.fault != Fault::BlackHole;
        if refuses {
            inner.listener = None;
        } else if inner.listener.is_none() {
            inner.listen(&self.inner);
        }
        if refuses || heals || inner.fault == Fault::Cut {
            let fresh = watch::Sender::new(if refuses { Order::Reset } else { order_for(inner.fault) });
            let ended = std::mem::replace(&mut inner.generation, fresh);
            ended.send_replace(Order::Reset);
            return Some(ended);
        }
        let order = order_for(inner.fault);
        inner.generation.send_replace(order);
        None
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.set(|inner| inner.target = None);
    }
}

impl Inner {
    fn listen(&mut self, shared: &Arc<Mutex<Inner>>) {
        let socket = socket_on(self.address).and_then(|socket| socket.listen(BACKLOG));
        // The port is ours, and both sockets share it: only a lack of memory or of file descriptors ends here.
        let socket = Arc::new(socket.expect("listening on a port that is held"));
        let task = tokio::spawn(accept(Arc::clone(&socket), Arc::downgrade(shared))).abort_handle();
        self.listener = Some(Listening { socket, task });
    }
}

impl Drop for Listening {
    /// The task lets go of the socket a moment later; refusing begins now.
    fn drop(&mut self) {
        _ = rustix::net::shutdown(&self.socket, rustix::net::Shutdown::Both);
        self.task.abort();
    }
}

async fn accept(listener: Arc<TcpListener>, shared: std::sync::Weak<Mutex<Inner>>) {
    loop {
        let accepted = listener.accept().await;
        let Some(shared) = shared.upgrade() else { return };
        match accepted {
            Ok((client, _)) => {
                let inner = lock(&shared);
                if let Some(target) = inner.target.clone() {
                    tokio::spawn(connection::serve(
                        client,
                        target,
                        inner.generation.subscribe(),
                        inner.received.clone(),
                    ));
                }
            }
            // A connection that was gone before we came to it. Out of file descriptors: others must end first.
            Err(_) => until::back_off().await,
        }
    }
}

fn order_for(fault: Fault) -> Order {
    match fault {
        Fault::None | Fault::Cut => Order::Pass { delay: Duration::ZERO },
        Fault::Slow(delay) => Order::Pass { delay },
        Fault::BlackHole => Order::Swallow,
        Fault::Refuse => Order::Reset,
    }
}

/// Bound so that the guard and the listener may have the same port: only sockets of the same user that ask for it too
/// may share it, and the system never gives it out by itself. SO_REUSEADDR would be wrong here: it lets anybody take a
/// port on which nobody listens.
fn socket_on(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    Ok(socket)
}

fn lock(inner: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
