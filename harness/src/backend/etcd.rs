//! etcd: the real server, from inside Probity (embedded), from PATH (local), in a container, or one that
//! runs elsewhere (external).
//!
//! Its address is a proxy's and never changes. What the harness itself asks goes past the proxy, so that a fault between
//! etcd and the services does not blind the evidence.

mod client;
mod container;
mod program;
mod watch;

use std::{
    collections::HashMap,
    sync::OnceLock,
    time::{Duration, Instant},
};

pub use client::{EtcdClientError, KeyValue, Range};
pub use watch::{CallAddress, KeyWatch};

use client::EtcdClient;
use container::EtcdContainer;
use program::EtcdProgram;

use super::{
    cache::Cache,
    container::{Hosted, Own, image},
    error::StartError,
    selection::{Kind, Provider},
    server::{Action, ActionError, Server},
};
use crate::{
    process::Program,
    proxy::{Proxy, Target},
    workdir::Workdir,
};

/// One etcd, running or not.
pub struct Etcd {
    provider: Provider,
    host: Host,
    version: OnceLock<String>,
}

enum Host {
    Own(Box<Server<Own<EtcdProgram, EtcdContainer>>>),
    External { proxies: Vec<Proxy>, endpoints: Vec<String> },
}

impl Etcd {
    /// An etcd that has an address but is not started yet, in a directory of its own within `workdir`.
    pub async fn reserve(provider: &Provider, workdir: &Workdir) -> Result<Etcd, StartError> {
        let failed = |error: &dyn std::error::Error| StartError::ours(Kind::Etcd, provider, error);
        if let Provider::External(endpoints) = provider {
            return Etcd::external(endpoints, provider).await;
        }
        let workdir = workdir.child("etcd").map_err(|error| failed(&error))?;
        let proxy = Proxy::bind().await.map_err(|error| failed(&error))?;
        if let Provider::Containers(chosen) = provider {
            let recipe = EtcdContainer { advertised: proxy.address() };
            let image = image::of(Kind::Etcd, chosen.as_deref());
            let hosted = Hosted::reserve(recipe, image, &workdir).await;
            let hosted = hosted.map_err(|error| StartError::container(Kind::Etcd, provider, error))?;
            return Ok(Etcd::of(provider, Own::Container(Box::new(hosted)), workdir, proxy));
        }
        let executable = match provider {
            Provider::Embedded => {
                program::embedded(Cache::open().ok().as_ref(), &workdir).map_err(|error| failed(&error))?
            }
            _ => "etcd".into(),
        };
        Ok(Etcd::of_program(provider, Program::new(executable), workdir, proxy))
    }

    fn of_program(provider: &Provider, program: Program, workdir: Workdir, proxy: Proxy) -> Etcd {
        let launch = EtcdProgram::new(program, proxy.address());
        Etcd::of(provider, Own::Program(launch), workdir, proxy)
    }

    fn of(
        provider: &Provider,
        launch: Own<EtcdProgram, EtcdContainer>,
        workdir: Workdir,
        proxy: Proxy,
    ) -> Etcd {
        let host = Host::Own(Box::new(Server::new(Kind::Etcd, launch, workdir, proxy)));
        Etcd { provider: provider.clone(), host, version: OnceLock::new() }
    }

    async fn external(endpoints: &str, provider: &Provider) -> Result<Etcd, StartError> {
        let endpoints: Vec<String> = endpoints.split(',').map(str::to_owned).collect();
        let mut proxies = Vec::with_capacity(endpoints.len());
        for endpoint in &endpoints {
            let address = endpoint.trim_start_matches("http://").trim_end_matches('/');
            let proxy = super::external::proxy_to(address).await;
            proxies.push(proxy.map_err(|error| StartError::ours(Kind::Etcd, provider, &error))?);
        }
        let host = Host::External { proxies, endpoints };
        Ok(Etcd { provider: provider.clone(), host, version: OnceLock::new() })
    }

    /// Starts it unless it runs, and says how long it took. One that runs elsewhere must answer.
    pub async fn start(&self) -> Result<Duration, StartError> {
        let began = Instant::now();
        if let Host::Own(server) = &self.host {
            server.start().await.map_err(|error| StartError::process(Kind::Etcd, &self.provider, error))?;
        }
        let version = self.client().version().await;
        let version = version.map_err(|error| StartError::ours(Kind::Etcd, &self.provider, &error))?;
        _ = self.version.set(version);
        Ok(began.elapsed())
    }

    /// What the server says of itself; empty before it was started.
    pub fn version(&self) -> &str {
        self.version.get().map_or("", String::as_str)
    }

    pub fn provider(&self) -> &Provider {
        &self.provider
    }

    /// What services are given, comma-separated: `http://127.0.0.1:41873`. Never changes.
    pub fn endpoints(&self) -> String {
        let addresses: Vec<String> = match &self.host {
            Host::Own(server) => vec![format!("http://{}", server.proxy.address())],
            Host::External { proxies, .. } => {
                proxies.iter().map(|proxy| format!("http://{}", proxy.address())).collect()
            }
        };
        addresses.join(",")
    }

    /// Stops, kills, pauses, empties it, or cuts it off.
    pub async fn apply(&self, action: Action) -> Result<(), ActionError> {
        action.supported(Kind::Etcd, &self.provider)?;
        match &self.host {
            Host::Own(server) => server.apply(action, async || server.start().await.map(drop)).await,
            Host::External { proxies, .. } => {
                if let Action::Network(fault) = action {
                    for proxy in proxies {
                        proxy.set_fault(fault).await;
                    }
                }
                Ok(())
            }
        }
    }

    /// How it ended, if it did and nobody asked it to; nothing is known of one that runs elsewhere.
    pub(crate) async fn lost(&self) -> Option<String> {
        match &self.host {
            Host::Own(server) => server.lost().await,
            Host::External { .. } => None,
        }
    }

    /// Ends it at once: for the end of a run or scenario.
    pub async fn finish(&self) {
        if let Host::Own(server) = &self.host {
            server.finish(None).await;
        }
    }

    /// All keys under a prefix.
    pub async fn range(&self, prefix: &str) -> Result<Range, EtcdClientError> {
        self.client().range(prefix).await
    }

    /// Puts a value, by a lease unless `lease` is 0.
    pub async fn put(&self, key: &str, value: &str, lease: i64) -> Result<i64, EtcdClientError> {
        self.client().put(key, value, lease).await
    }

    /// Deletes all keys under a prefix. Answers with how many there were.
    pub async fn delete(&self, prefix: &str) -> Result<i64, EtcdClientError> {
        self.client().delete(prefix).await
    }

    /// Grants a lease of that many seconds. Answers with its id.
    pub async fn grant(&self, ttl_seconds: i64) -> Result<i64, EtcdClientError> {
        self.client().grant(ttl_seconds).await
    }

    /// Records the changes of all keys under a prefix from now on, over restarts of etcd, until it is dropped.
    ///
    /// `call` is made to the value of each key that is put, at that moment: whether what is registered serves.
    pub fn watch(&self, prefix: &str, call: Option<CallAddress>) -> KeyWatch {
        match &self.host {
            Host::Own(server) => KeyWatch::start(server.target(), prefix, call),
            Host::External { endpoints, .. } => KeyWatch::start_at(&endpoints[0], prefix, call),
        }
    }

    fn client(&self) -> EtcdClient {
        match &self.host {
            Host::Own(server) => client_of(server.target().borrow().as_ref()),
            Host::External { endpoints, .. } => EtcdClient::new(&endpoints[0]),
        }
    }
}

/// While etcd does not run there is nobody to ask: port 0 answers so at once.
fn client_of(target: Option<&Target>) -> EtcdClient {
    match target {
        Some(Target::Tcp(address)) => EtcdClient::new(&format!("http://{address}")),
        _ => EtcdClient::new("http://127.0.0.1:0"),
    }
}

/// TTLs of leases that were asked for already, by lease.
type GrantedTtls = HashMap<i64, Option<i64>>;

#[cfg(test)]
mod tests;
