//! A service's own key in etcd: there while the service serves, gone when it stops.

use std::time::Duration;

use etcd_client::{Client, LeaseKeepAliveStream, LeaseKeeper, PutOptions};
use tokio::sync::watch;

use super::{EtcdError, RETRY_DELAY, connect, directory, request};
use crate::config::EtcdSettings;
use crate::defect::Defect;
use crate::service::Stop;

/// How long a graceful stop waits for etcd.
const REVOKE_LIMIT: Duration = Duration::from_secs(1);

/// Registers an address and keeps it registered.
#[derive(Debug)]
pub(crate) struct Registration {
    pub settings: EtcdSettings,
    /// The name that others look it up by.
    pub service: &'static str,
    /// `host:port` under which others reach this instance.
    pub address: String,
    /// How long the key outlives a process that was killed.
    pub lease_seconds: i64,
    pub defect: Option<Defect>,
}

/// How a lease ended.
enum Lost {
    /// etcd does not know it any more: it expired, or etcd came back empty.
    Forgotten,
    Stopped,
}

impl Registration {
    /// Returns once the process stops and the key is gone. `registered` tells whether the key is there.
    pub(crate) async fn run(self, stop: Stop, registered: watch::Sender<bool>) {
        loop {
            let (mut client, lease) = tokio::select! {
                registration = self.register_until_done() => registration,
                () = stop.requested() => return,
            };
            registered.send_replace(true);
            tracing::info!(address = %self.address, "registered");
            let lost = self.hold(&mut client, lease, &stop).await;
            registered.send_replace(false);
            match lost {
                Lost::Stopped => return self.deregister(&mut client, lease).await,
                Lost::Forgotten if self.defect == Some(Defect::RegisterOnce) => return,
                Lost::Forgotten => tracing::info!("etcd forgot the lease, registering again"),
            }
        }
    }

    async fn register_until_done(&self) -> (Client, i64) {
        let mut reported = false;
        loop {
            match self.register().await {
                Ok(registration) => return registration,
                Err(error) if !reported => {
                    tracing::warn!(error = %error, "waiting for etcd to register");
                    reported = true;
                }
                Err(_) => {}
            }
            tokio::time::sleep(RETRY_DELAY).await;
        }
    }

    async fn register(&self) -> Result<(Client, i64), EtcdError> {
        let mut client = connect(&self.settings).await?;
        let lease = request(client.lease_grant(self.lease_seconds, None)).await?.id();
        let key = format!("{}{lease}", directory(&self.settings, self.service));
        let options = PutOptions::new().with_lease(lease);
        request(client.put(key, self.address.as_str(), Some(options))).await?;
        Ok((client, lease))
    }

    /// Keeps the lease alive, through losses of etcd, until etcd has forgotten it or the process stops.
    async fn hold(&self, client: &mut Client, lease: i64, stop: &Stop) -> Lost {
        loop {
            tokio::select! {
                outcome = self.keep_alive(client, lease) => {
                    if outcome.is_ok() {
                        return Lost::Forgotten;
                    }
                }
                () = stop.requested() => return Lost::Stopped,
            }
            tokio::select! {
                () = tokio::time::sleep(RETRY_DELAY) => {}
                () = stop.requested() => return Lost::Stopped,
            }
        }
    }

    /// Returns when etcd does not know the lease; an error means that etcd could not be asked.
    async fn keep_alive(&self, client: &mut Client, lease: i64) -> Result<(), EtcdError> {
        // Opening the stream asks for the lease a first time.
        let opened: Result<(LeaseKeeper, LeaseKeepAliveStream), _> =
            request(client.lease_keep_alive(lease)).await;
        let (mut keeper, mut answers) = match opened {
            Ok(opened) => opened,
            Err(EtcdError::Client(etcd_client::Error::LeaseKeepAliveError(_))) => return Ok(()),
            Err(error) => return Err(error),
        };
        let interval = Duration::from_secs(self.lease_seconds.unsigned_abs()) / 3;
        loop {
            // A stream that breaks is noticed at once, not at the next turn.
            tokio::select! {
                () = tokio::time::sleep(interval) => {}
                broken = answers.message() => {
                    if broken?.is_none() {
                        return Err(EtcdError::Closed);
                    }
                }
            }
            request(keeper.keep_alive()).await?;
            match request(answers.message()).await?.map(|answer| answer.ttl()) {
                Some(ttl) if ttl > 0 => {}
                Some(_) => return Ok(()),
                None => return Err(EtcdError::Closed),
            }
        }
    }

    async fn deregister(&self, client: &mut Client, lease: i64) {
        if self.defect == Some(Defect::NoDeregister) {
            return;
        }
        let revoked = tokio::time::timeout(REVOKE_LIMIT, client.lease_revoke(lease)).await;
        if !matches!(revoked, Ok(Ok(_))) {
            tracing::warn!("could not deregister, the key goes when its lease ends");
        }
    }
}
