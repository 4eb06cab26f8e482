//! etcd in a container: the official image, with the settings that it has on this machine.

use std::net::SocketAddr;

use super::{client::EtcdClient, program};
use crate::{
    backend::container::{Plan, Recipe},
    until::Probe,
};

const PORT: u16 = 2379;

#[derive(Debug)]
pub(super) struct EtcdContainer {
    /// What it tells its clients: the proxy's address.
    pub(super) advertised: SocketAddr,
}

impl Recipe for EtcdContainer {
    const NAME: &'static str = "etcd";
    const SIGN: &'static str = "answer from etcd";

    fn plan(&self) -> Plan {
        let mut command = vec!["etcd".to_owned()];
        command.extend([
            "--data-dir=/probity".to_owned(),
            format!("--listen-client-urls=http://0.0.0.0:{PORT}"),
            "--listen-peer-urls=http://127.0.0.1:2380".to_owned(),
        ]);
        command.extend(program::settings(self.advertised));
        Plan { ports: &[PORT], environment: Vec::new(), command }
    }

    /// A read is answered only once it has elected itself.
    async fn look(&self, addresses: &[SocketAddr]) -> Probe<()> {
        match EtcdClient::new(&format!("http://{}", addresses[0])).range("probity/ready/").await {
            Ok(_) => Probe::Ready(()),
            Err(error) => Probe::NotYet(error.to_string()),
        }
    }
}
