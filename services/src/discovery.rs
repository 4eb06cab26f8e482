//! Services find each other through etcd: a key with a lease for each instance, its value `host:port`.
//!
//! Losing etcd changes nothing for what is known already; whoever waits for etcd waits in the background.

mod registration;
mod watch;

use std::time::Duration;

use etcd_client::{Client, ConnectOptions};

pub(crate) use registration::Registration;
pub(crate) use watch::Endpoints;

use crate::config::EtcdSettings;

/// No single request to etcd may take longer.
const REQUEST_LIMIT: Duration = Duration::from_secs(3);
const RETRY_DELAY: Duration = Duration::from_millis(200);

/// The directory in which instances of a service register.
fn directory(settings: &EtcdSettings, service: &str) -> String {
    format!("{}{service}/", settings.prefix)
}

/// Why etcd did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EtcdError {
    #[error("etcd: {0}")]
    Client(#[from] etcd_client::Error),
    #[error("etcd gave no answer within {REQUEST_LIMIT:?}")]
    Timeout,
    #[error("etcd closed the stream")]
    Closed,
}

/// A client. It connects when it is used, and again whenever it has to.
async fn connect(settings: &EtcdSettings) -> Result<Client, EtcdError> {
    // Pings find a connection that is open and leads nowhere. etcd hangs up on who pings more often than every 5 seconds.
    let options = ConnectOptions::new()
        .with_connect_timeout(REQUEST_LIMIT)
        .with_keep_alive(Duration::from_secs(6), Duration::from_secs(3))
        .with_keep_alive_while_idle(true);
    request(Client::connect(&settings.endpoints, Some(options))).await
}

async fn request<T>(work: impl Future<Output = Result<T, etcd_client::Error>>) -> Result<T, EtcdError> {
    match tokio::time::timeout(REQUEST_LIMIT, work).await {
        Ok(outcome) => Ok(outcome?),
        Err(_) => Err(EtcdError::Timeout),
    }
}

/// Whether etcd answers now.
pub(crate) async fn ping(settings: &EtcdSettings) -> Result<(), EtcdError> {
    let mut client = connect(settings).await?;
    request(client.get("health", None)).await?;
    Ok(())
}
