//! One container: created stopped or running, it keeps its data until it is removed.

use std::{
    mem::ManuallyDrop,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use testcontainers::{
    ContainerAsync, GenericImage, ImageExt as _,
    bollard::models::PortBinding,
    core::{IntoContainerPort as _, client::ClientError, error::TestcontainersError},
    runners::AsyncRunner as _,
};
use tokio::{runtime::Handle, task::JoinHandle};

use super::{Engine, EngineError, Plan, engine, image, labels};
use crate::{process::Logs, workdir::RunId};

/// A container of ours. Dropping it removes it without waiting; the keeper sees to what even that does not reach.
#[derive(Debug)]
pub(crate) struct Container {
    engine: Engine,
    /// Its own drop would block, and panics outside of a runtime.
    handle: ManuallyDrop<ContainerAsync<GenericImage>>,
    paused: AtomicBool,
    removed: AtomicBool,
    /// Of its output, since its last start.
    copying: Mutex<Option<JoinHandle<()>>>,
}

impl Container {
    /// Creates and starts one, labelled with the run.
    pub(super) async fn start(
        engine: &Engine,
        image: &str,
        run: &RunId,
        plan: &Plan,
    ) -> Result<Container, EngineError> {
        let (repository, tag) = image::split(image);
        let mut bare = GenericImage::new(repository, tag);
        for port in plan.ports {
            bare = bare.with_exposed_port(port.tcp());
        }
        let request = bare
            .with_cmd(plan.command.iter().cloned())
            .with_labels(labels::of(run))
            .with_startup_timeout(Duration::from_secs(60));
        let request = plan
            .environment
            .iter()
            .fold(request, |request, (name, value)| request.with_env_var(name.clone(), value.clone()));
        let ports = plan.ports;
        // On loopback only, unless the engine's loopback is not ours.
        let host_ip = engine::is_local().then(|| Ipv4Addr::LOCALHOST.to_string());
        let request = request.with_host_config_modifier(move |host| {
            let binding = || Some(vec![PortBinding { host_ip: host_ip.clone(), host_port: None }]);
            host.publish_all_ports = Some(false);
            host.port_bindings = Some(ports.iter().map(|port| (format!("{port}/tcp"), binding())).collect());
        });
        let handle = request
            .start()
            .await
            .map_err(|error| EngineError::failed("start a container", beneath(&error)))?;
        Ok(Container {
            engine: engine.clone(),
            handle: ManuallyDrop::new(handle),
            paused: AtomicBool::new(false),
            removed: AtomicBool::new(false),
            copying: Mutex::default(),
        })
    }

    /// Starts it again, with its data, on other ports.
    pub(super) async fn start_again(&self) -> Result<(), EngineError> {
        self.engine.start(self.handle.id()).await
    }

    /// Where its ports are on this machine, in the order given. They change with each start.
    pub(super) async fn addresses(&self, ports: &[u16]) -> Result<Vec<SocketAddr>, EngineError> {
        let failed = |error: TestcontainersError| EngineError::failed("publish a port", &error);
        let host = match engine::is_local() {
            true => Ipv4Addr::LOCALHOST.to_string(),
            false => self.handle.get_host().await.map_err(failed)?.to_string(),
        };
        let published = self.handle.ports().await.map_err(failed)?;
        let mut addresses = Vec::with_capacity(ports.len());
        for port in ports {
            let unpublished = || std::io::Error::other(format!("port {port} has none on this machine"));
            let found = published.map_to_host_port_ipv4(port.tcp()).ok_or_else(unpublished);
            let found = found.map_err(|error| EngineError::failed("publish a port", &error))?;
            let resolved = tokio::net::lookup_host((host.as_str(), found)).await;
            let resolved = resolved.map_err(|error| EngineError::failed("publish a port", &error))?.next();
            addresses.extend(resolved);
        }
        Ok(addresses)
    }

    /// Copies its output since then to the files, until it ends. The time is one before its start, or what it says
    /// first is lost.
    pub(super) fn copy_output(&self, since: SystemTime, logs: &Logs) {
        let (engine, id, logs) = (self.engine.clone(), self.handle.id().to_owned(), logs.clone());
        let copying = tokio::spawn(async move {
            // A disk that is full costs us the log, not the container.
            _ = engine.copy_output(&id, since, &logs).await;
        });
        *self.copying.lock().unwrap_or_else(PoisonError::into_inner) = Some(copying);
    }

    /// Waits, once it has ended, until its last words are in the files; for so long.
    pub(super) async fn output_copied(&self, limit: Duration) {
        let copying = self.copying.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(copying) = copying {
            _ = tokio::time::timeout(limit, copying).await;
        }
    }

    /// Its exit code, when it does not run (any more).
    pub(super) async fn ended(&self) -> Result<Option<i64>, EngineError> {
        self.engine.ended(self.handle.id()).await
    }

    /// Whether it runs, paused or not. In doubt not.
    pub(crate) async fn is_running(&self) -> bool {
        matches!(self.ended().await, Ok(None))
    }

    /// The image's signal for it, then SIGKILL after the grace. Its data stays.
    pub(crate) async fn stop(&self, grace: Duration) -> Result<(), EngineError> {
        // A paused one does not hear the signal.
        if self.paused.load(Ordering::Relaxed) {
            self.resume().await?;
        }
        self.engine.stop(self.handle.id(), grace).await
    }

    /// SIGKILL. Its data stays.
    pub(crate) async fn kill(&self) -> Result<(), EngineError> {
        self.engine.kill(self.handle.id()).await?;
        self.paused.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Freezes all its processes.
    pub(crate) async fn pause(&self) -> Result<(), EngineError> {
        self.engine.pause(self.handle.id()).await?;
        self.paused.store(true, Ordering::Relaxed);
        Ok(())
    }

    pub(crate) async fn resume(&self) -> Result<(), EngineError> {
        self.engine.resume(self.handle.id()).await?;
        self.paused.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Removes it with its data.
    pub(super) async fn remove(&self) -> Result<(), EngineError> {
        self.engine.remove(self.handle.id()).await?;
        self.removed.store(true, Ordering::Relaxed);
        Ok(())
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if let (false, Ok(runtime)) = (self.removed.load(Ordering::Relaxed), Handle::try_current()) {
            let (engine, id) = (self.engine.clone(), self.handle.id().to_owned());
            runtime.spawn(async move { engine.remove(&id).await });
        }
    }
}

/// The crate's error says only what it was about; the engine's own is beneath it.
fn beneath(error: &TestcontainersError) -> &dyn std::error::Error {
    use ClientError::{CreateContainer, InspectContainer, StartContainer};
    match error {
        TestcontainersError::Client(
            CreateContainer(error) | StartContainer(error) | InspectContainer(error),
        ) => error,
        error => error,
    }
}
