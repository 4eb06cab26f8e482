//! How etcd's program is come by, and how it is run: one member, no durability, elections in a tenth of a second.

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use super::super::{
    cache::Cache,
    ports,
    server::{Launch, READY_LIMIT, Running},
};
use crate::{
    process::{Process, Program, StartError},
    proxy::Target,
    until::{Probe, until},
    workdir::Workdir,
};

/// etcd logs this once it has elected itself and listens to clients.
const SERVING: &str = "serving client traffic insecurely";

#[cfg(etcd_embedded)]
static EMBEDDED: &[u8] = include_bytes!(env!("ETCD_BIN"));

/// The program that Probity carries, unpacked once per machine; into `workdir` where there is no cache.
#[cfg(etcd_embedded)]
pub(super) fn embedded(cache: Option<&Cache>, workdir: &Workdir) -> io::Result<PathBuf> {
    let kept = cache.ok_or_else(|| io::Error::other("no cache")).and_then(unpacked_in);
    kept.or_else(|_| unpack(workdir.path()).map(|()| workdir.path().join("etcd")))
}

#[cfg(not(etcd_embedded))]
pub(super) fn embedded(_cache: Option<&Cache>, _workdir: &Workdir) -> io::Result<PathBuf> {
    Err(io::Error::other("no etcd is embedded on this platform: use etcd=local"))
}

#[cfg(etcd_embedded)]
fn unpacked_in(cache: &Cache) -> io::Result<PathBuf> {
    let name = format!("etcd-{}", &env!("ETCD_DIGEST")[..16]);
    let path = cache.path(&name).join("etcd");
    // A cache that was cut short (a full disk) is made again.
    if fs::metadata(&path).is_ok_and(|metadata| metadata.len() != EMBEDDED.len() as u64) {
        fs::remove_dir_all(cache.path(&name))?;
    }
    cache.entry(&name, unpack)?;
    Ok(path)
}

#[cfg(etcd_embedded)]
fn unpack(directory: &Path) -> io::Result<()> {
    let path = directory.join("etcd");
    fs::write(&path, EMBEDDED)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
}

/// etcd, with its data in `data` of its work directory.
#[derive(Debug)]
pub(super) struct EtcdProgram {
    program: Program,
    advertised: SocketAddr,
}

impl EtcdProgram {
    /// `advertised` is what it tells its clients: the proxy's address.
    pub(super) fn new(program: Program, advertised: SocketAddr) -> EtcdProgram {
        EtcdProgram { program, advertised }
    }

    fn command(&self, port: u16, workdir: &Workdir) -> Program {
        let data = workdir.path().join("data");
        let own = [
            format!("--data-dir={}", data.display()),
            // Not port 0: its JSON gateway dials the address as it is written here.
            format!("--listen-client-urls=http://127.0.0.1:{port}"),
            "--listen-peer-urls=http://127.0.0.1:0".to_owned(),
        ];
        self.program.clone().name("etcd").args(own).args(settings(self.advertised))
    }
}

/// What holds wherever it runs; `advertised` is what it tells its clients.
pub(super) fn settings(advertised: SocketAddr) -> [String; 8] {
    [
        "--name=probity".to_owned(),
        format!("--advertise-client-urls=http://{advertised}"),
        "--initial-cluster=probity=http://localhost:2380".to_owned(),
        "--unsafe-no-fsync".to_owned(),
        "--heartbeat-interval=10".to_owned(),
        "--election-timeout=100".to_owned(),
        // etcd 3.4 has another format unless it is told.
        "--logger=zap".to_owned(),
        "--log-level=info".to_owned(),
    ]
}

impl Launch for EtcdProgram {
    const GRACE: Duration = Duration::from_secs(10);

    async fn launch(&self, workdir: &Workdir) -> Result<(Running, Target), StartError> {
        ports::retry(async || {
            let [port] = ports::choose().map_err(|error| StartError::Spawn {
                name: "etcd".to_owned(),
                reason: error.to_string(),
                hint: None,
            })?;
            let process = spawn(&self.command(port, workdir), workdir).await?;
            process.line_with(SERVING, READY_LIMIT).await?;
            Ok((Running::Process(process), Target::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))))
        })
        .await
    }

    async fn empty(&self, workdir: &Workdir) -> io::Result<()> {
        fs::remove_dir_all(workdir.path().join("data"))
    }
}

/// A program that was unpacked a moment ago is "busy" while any child that another thread forked at that time still
/// holds the file open for writing, which it does until it has become its own program.
async fn spawn(program: &Program, workdir: &Workdir) -> Result<Process, StartError> {
    let mut busy = None;
    let spawned = until("etcd's file is no longer busy", Duration::from_secs(5), async || {
        match program.spawn(workdir) {
            Ok(process) => Ok(Probe::Ready(process)),
            Err(error) if error.to_string().contains("os error 26") => {
                let status = error.to_string();
                busy = Some(error);
                Ok(Probe::NotYet(status))
            }
            Err(error) => Err(error),
        }
    });
    match spawned.await {
        Ok(process) => Ok(process),
        Err(crate::until::UntilError::Failed { error, .. }) => Err(error),
        Err(crate::until::UntilError::TimedOut(_)) => match busy {
            Some(error) => Err(error),
            None => program.spawn(workdir),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(etcd_embedded)]
    #[test]
    fn a_cut_off_program_in_the_cache_is_unpacked_again() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::at(directory.path()).unwrap();
        let path = unpacked_in(&cache).unwrap();
        fs::write(&path, "short").unwrap();
        assert_eq!(unpacked_in(&cache).unwrap(), path);
        let metadata = fs::metadata(&path).unwrap();
        assert_eq!(metadata.len(), EMBEDDED.len() as u64);
        assert_eq!(metadata.permissions().mode() & 0o777, 0o755);
    }
}
