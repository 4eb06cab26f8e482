//! Keys in etcd over time, under the prefixes that services declare to register under. At each put the registered address is
//! called at once: did the service serve when it said so?

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::answers::ask;
use super::capture::Probed;
use super::running::{Running, Stop, now};
use crate::until::between_looks;

/// How long a connection to a registered address may take.
const CONNECT_LIMIT: Duration = Duration::from_millis(150);

/// How long after the put it may take until it serves.
const SERVES_LIMIT: Duration = Duration::from_millis(1_000);

impl Running {
    /// Begins what is captured all the time.
    pub(super) async fn begin_captures(&mut self) -> Result<(), Stop> {
        if self.stack.watches_probes {
            self.captures.watch_probes(self.client.clone());
        }
        let services = self.system.declaration.services.iter().filter(|service| service.registers.is_some());
        let registering: Vec<String> = services.map(|service| service.name.clone()).collect();
        if !registering.is_empty() {
            let (client, probed) = (self.client.clone(), self.captures.probed.clone());
            let registering = Arc::new(registering);
            let call = move |value: String| {
                let (client, probed, registering) = (client.clone(), probed.clone(), registering.clone());
                Box::pin(async move { call(&client, &probed, &registering, &value).await }) as _
            };
            self.captures.watched_from = now();
            self.captures.keys = Some(self.share.etcd.watch(&self.share.key_prefix(), Some(Arc::new(call))));
        }
        Ok(())
    }
}

/// Whether whoever registered this address serves now: it accepts a connection, and says that it is ready.
async fn call(
    client: &reqwest::Client,
    probed: &Mutex<Vec<Probed>>,
    registering: &[String],
    value: &str,
) -> Result<(), String> {
    let Ok(address) = value.parse::<SocketAddr>() else { return Err(format!("`{value}` is no host:port")) };
    // Our proxy learns of the port, and the service that it is registered (which may be part of being ready), a moment
    // after the put: what counts is what is true within that moment.
    let began = Instant::now();
    loop {
        let seen = match try_call(client, probed, registering, address).await {
            Ok(()) => return Ok(()),
            Err(seen) => seen,
        };
        if began.elapsed() > SERVES_LIMIT {
            return Err(seen);
        }
        between_looks().await;
    }
}

async fn try_call(
    client: &reqwest::Client,
    probed: &Mutex<Vec<Probed>>,
    registering: &[String],
    address: SocketAddr,
) -> Result<(), String> {
    match tokio::time::timeout(CONNECT_LIMIT, tokio::net::TcpStream::connect(address)).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => return Err(format!("it does not accept connections: {error}")),
        Err(_) => {
            return Err(format!("it did not accept a connection within {} ms", CONNECT_LIMIT.as_millis()));
        }
    }
    let newest = || {
        let probed = probed.lock().expect("no holder panics");
        probed.iter().rev().find(|known| registering.contains(&known.service)).map(|known| known.admin)
    };
    let Some(admin) = newest() else { return Err("its admin port is not open yet".into()) };
    match ask(client, admin, "/readyz", Some("*/*")).await.0 {
        answer if answer.status.is_some_and(|status| (200..300).contains(&status)) => Ok(()),
        answer => Err(format!("it accepts connections and is not ready: {}", answer.body.trim())),
    }
}
