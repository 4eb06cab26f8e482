//! The instances of another service, as etcd tells them.

use std::collections::BTreeMap;
use std::sync::Arc;

use etcd_client::{Client, EventType, GetOptions, WatchOptions, WatchStream};
use tokio::sync::watch;

use super::{EtcdError, RETRY_DELAY, connect, directory, request};
use crate::config::EtcdSettings;
use crate::defect::Defect;

/// Addresses by their keys. A set is replaced or changed, never emptied because etcd is away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct EndpointSet(BTreeMap<Vec<u8>, String>);

/// What is known of the instances of a service, kept up to date in the background.
#[derive(Debug, Clone)]
pub(crate) struct Endpoints(watch::Receiver<Arc<Vec<String>>>);

impl EndpointSet {
    /// A key has appeared or changed. A value that is no address is left out.
    pub(super) fn put(&mut self, key: &[u8], value: &[u8]) {
        match std::str::from_utf8(value).ok().filter(|value| is_address(value)) {
            Some(address) => _ = self.0.insert(key.to_vec(), address.to_owned()),
            None => {
                tracing::warn!("an endpoint in etcd is not host:port and is left out");
                self.0.remove(key);
            }
        }
    }

    /// A key has gone.
    pub(super) fn delete(&mut self, key: &[u8]) {
        self.0.remove(key);
    }

    /// The addresses, each once, in a stable order.
    pub(super) fn addresses(&self) -> Vec<String> {
        let mut addresses: Vec<String> = self.0.values().cloned().collect();
        addresses.sort_unstable();
        addresses.dedup();
        addresses
    }
}

fn is_address(value: &str) -> bool {
    value.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && port.parse::<u16>().is_ok() && !value.contains(['/', ' '])
    })
}

impl Endpoints {
    /// Follows the instances of a service for as long as the process lives.
    pub(crate) fn follow(service: &'static str, settings: EtcdSettings, defect: Option<Defect>) -> Self {
        let (sender, receiver) = watch::channel(Arc::default());
        tokio::spawn(async move {
            match defect {
                // Whoever registers later is never seen.
                Some(Defect::ResolveOnce) => _ = snapshot(service, &settings, &sender).await,
                _ => follow(service, &settings, &sender, defect).await,
            }
            sender.closed().await;
        });
        Self(receiver)
    }

    pub(crate) fn addresses(&self) -> Arc<Vec<String>> {
        Arc::clone(&self.0.borrow())
    }
}

type Sender = watch::Sender<Arc<Vec<String>>>;

async fn follow(service: &str, settings: &EtcdSettings, sender: &Sender, defect: Option<Defect>) {
    let mut reported = false;
    loop {
        let Err(error) = follow_once(service, settings, sender, &mut reported).await;
        if defect == Some(Defect::DropEndpointsOnEtcdLoss) {
            // "I could not ask" is taken for "nobody is there".
            publish(service, sender, &EndpointSet::default());
        }
        if !reported {
            tracing::warn!(error = %error, "etcd is away, keeping the endpoints that are known");
            reported = true;
        }
        tokio::time::sleep(RETRY_DELAY).await;
    }
}

/// Reads all, then follows every change from there, until etcd goes away.
async fn follow_once(
    service: &str,
    settings: &EtcdSettings,
    sender: &Sender,
    reported: &mut bool,
) -> Result<std::convert::Infallible, EtcdError> {
    let (mut client, mut endpoints, revision) = snapshot(service, settings, sender).await?;
    *reported = false;
    let options = WatchOptions::new().with_prefix().with_start_revision(revision + 1);
    let mut changes: WatchStream = request(client.watch(directory(settings, service), Some(options))).await?;
    while let Some(response) = changes.message().await? {
        if response.canceled() {
            break;
        }
        for event in response.events() {
            let Some(pair) = event.kv() else { continue };
            match event.event_type() {
                EventType::Put => endpoints.put(pair.key(), pair.value()),
                EventType::Delete => endpoints.delete(pair.key()),
            }
        }
        publish(service, sender, &endpoints);
    }
    Err(EtcdError::Closed)
}

async fn snapshot(
    service: &str,
    settings: &EtcdSettings,
    sender: &Sender,
) -> Result<(Client, EndpointSet, i64), EtcdError> {
    let mut client = connect(settings).await?;
    let options = GetOptions::new().with_prefix();
    let answer = request(client.get(directory(settings, service), Some(options))).await?;
    let mut endpoints = EndpointSet::default();
    for pair in answer.kvs() {
        endpoints.put(pair.key(), pair.value());
    }
    publish(service, sender, &endpoints);
    let revision = answer.header().map_or(0, |header| header.revision());
    Ok((client, endpoints, revision))
}

fn publish(service: &str, sender: &Sender, endpoints: &EndpointSet) {
    let addresses = endpoints.addresses();
    sender.send_if_modified(|known| {
        let changed = **known != addresses;
        if changed {
            tracing::info!(count = addresses.len(), "endpoints of {service} changed");
            *known = Arc::new(addresses);
        }
        changed
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_and_go() {
        let mut endpoints = EndpointSet::default();
        endpoints.put(b"analytics-rpc/7", b"10.0.0.7:50051");
        endpoints.put(b"analytics-rpc/5", b"10.0.0.5:50051");
        assert_eq!(endpoints.addresses(), ["10.0.0.5:50051", "10.0.0.7:50051"]);
        endpoints.delete(b"analytics-rpc/7");
        endpoints.delete(b"analytics-rpc/9");
        assert_eq!(endpoints.addresses(), ["10.0.0.5:50051"]);
    }

    #[test]
    fn two_leases_of_one_address_are_one_endpoint() {
        let mut endpoints = EndpointSet::default();
        endpoints.put(b"analytics-rpc/1", b"rpc:50051");
        endpoints.put(b"analytics-rpc/2", b"rpc:50051");
        assert_eq!(endpoints.addresses(), ["rpc:50051"]);
    }

    #[test]
    fn a_value_that_is_no_address_is_left_out() {
        let mut endpoints = EndpointSet::default();
        for value in ["", "rpc", "rpc:", ":50051", "rpc:99999", "http://rpc:50051", "a b:1"] {
            endpoints.put(b"analytics-rpc/1", value.as_bytes());
        }
        endpoints.put(b"analytics-rpc/2", &[0xff, 0xfe]);
        assert_eq!(endpoints.addresses(), Vec::<String>::new());
    }

    #[test]
    fn a_value_that_becomes_unusable_takes_the_endpoint_away() {
        let mut endpoints = EndpointSet::default();
        endpoints.put(b"analytics-rpc/1", b"rpc:50051");
        endpoints.put(b"analytics-rpc/1", b"gone");
        assert_eq!(endpoints.addresses(), Vec::<String>::new());
    }
}
