//! The Docker engine: found as every client of this machine finds it, and asked with a limit.

use std::{
    collections::HashMap,
    env,
    error::Error as StdError,
    io::{self, Write as _},
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures_util::StreamExt as _;
use testcontainers::{
    GenericImage,
    bollard::{
        Docker,
        container::LogOutput,
        errors::Error as DockerError,
        query_parameters::{
            InspectContainerOptions, KillContainerOptionsBuilder, ListContainersOptionsBuilder,
            LogsOptionsBuilder, RemoveContainerOptionsBuilder, StartContainerOptions,
            StopContainerOptionsBuilder,
        },
    },
    core::client::{ClientError, docker_client_instance},
    core::error::TestcontainersError,
    runners::AsyncRunner as _,
};

use super::{
    error::{ANSWER_LIMIT, API_MIN, EngineError, whole},
    image,
    labels::Labelled,
};
use crate::process::Logs;

/// An image may be large and the line slow; an engine that cannot reach its registry says so long before.
const PULL_LIMIT: Duration = Duration::from_secs(600);
const DEFAULT_HOST: &str = "unix:///var/run/docker.sock";

/// An engine that answered. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    docker: Docker,
    version: String,
}

impl Engine {
    /// The engine that `DOCKER_HOST` names, else the one where clients look for it.
    ///
    /// # Errors
    /// At once, or within five seconds when it does not answer.
    pub(crate) async fn connect() -> Result<Engine, EngineError> {
        let host = host();
        let docker = docker_client_instance().await.map_err(|error| unreachable(&host, &error))?;
        let asked = tokio::time::timeout(ANSWER_LIMIT, docker.version()).await;
        let answer = asked.map_err(|_| EngineError::Silent { host: host.clone() })?;
        let answer = answer.map_err(|error| unreachable(&host, &error))?;
        let api = answer.api_version.unwrap_or_default();
        // Requests name no version, which an older engine would take for its own.
        match numbers(&api) {
            Some(found) if found >= API_MIN => {
                Ok(Engine { docker, version: answer.version.unwrap_or_else(|| "of no version".to_owned()) })
            }
            _ => Err(EngineError::Old { host, version: api }),
        }
    }

    /// As it says itself: `20.10.24`.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// Whether the image is on the engine's machine.
    pub(crate) async fn has(&self, image: &str) -> Result<bool, EngineError> {
        match self.docker.inspect_image(image).await {
            Ok(_) => Ok(true),
            Err(DockerError::DockerResponseServerError { status_code: 404, .. }) => Ok(false),
            Err(error) => Err(EngineError::failed("say whether an image is there", &error)),
        }
    }

    /// Pulls the image unless it is there, with the credentials of the machine's Docker client.
    pub(crate) async fn obtain(&self, image: &str) -> Result<(), EngineError> {
        if self.has(image).await? {
            return Ok(());
        }
        let failed = |reason: String| EngineError::Image { image: image.to_owned(), reason };
        let (repository, tag) = image::split(image);
        let pulling = GenericImage::new(repository, tag).pull_image();
        match tokio::time::timeout(PULL_LIMIT, pulling).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(TestcontainersError::Client(ClientError::PullImage { err, .. }))) => {
                Err(failed(whole(&err)))
            }
            Ok(Err(error)) => Err(failed(whole(&error))),
            Err(_) => Err(failed(format!("not within {} minutes", PULL_LIMIT.as_secs() / 60))),
        }
    }

    /// The containers, running or not, that have this label.
    pub(super) async fn labelled(&self, label: &str) -> Result<Vec<Labelled>, EngineError> {
        let filters = HashMap::from([("label", vec![label])]);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let found = self.docker.list_containers(Some(options)).await;
        let found = found.map_err(|error| EngineError::failed("list containers", &error))?;
        let labelled = found.into_iter().filter_map(|summary| {
            let (id, labels) = (summary.id?, summary.labels.unwrap_or_default());
            Some(Labelled { id, labels, created: summary.created.unwrap_or_default() })
        });
        Ok(labelled.collect())
    }

    pub(super) async fn start(&self, id: &str) -> Result<(), EngineError> {
        let started = self.docker.start_container(id, None::<StartContainerOptions>).await;
        started.map_err(|error| EngineError::failed("start a container", &error))
    }

    pub(super) async fn stop(&self, id: &str, grace: Duration) -> Result<(), EngineError> {
        let seconds = i32::try_from(grace.as_secs().max(1)).unwrap_or(i32::MAX);
        let options = StopContainerOptionsBuilder::new().t(seconds).build();
        let stopped = self.docker.stop_container(id, Some(options)).await;
        stopped.map_err(|error| EngineError::failed("stop a container", &error))
    }

    /// By SIGKILL. One that has ended already is no failure.
    pub(super) async fn kill(&self, id: &str) -> Result<(), EngineError> {
        let options = KillContainerOptionsBuilder::new().signal("SIGKILL").build();
        match self.docker.kill_container(id, Some(options)).await {
            Err(DockerError::DockerResponseServerError { status_code: 409 | 404, .. }) | Ok(()) => {}
            Err(error) => return Err(EngineError::failed("kill a container", &error)),
        }
        Ok(())
    }

    pub(super) async fn pause(&self, id: &str) -> Result<(), EngineError> {
        self.docker
            .pause_container(id)
            .await
            .map_err(|error| EngineError::failed("pause a container", &error))
    }

    pub(super) async fn resume(&self, id: &str) -> Result<(), EngineError> {
        self.docker
            .unpause_container(id)
            .await
            .map_err(|error| EngineError::failed("resume a container", &error))
    }

    /// With its volumes, whether it runs or not. One that is gone, or going, is no failure.
    pub(super) async fn remove(&self, id: &str) -> Result<(), EngineError> {
        let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        match self.docker.remove_container(id, Some(options)).await {
            Err(DockerError::DockerResponseServerError { status_code: 404 | 409, .. }) | Ok(()) => Ok(()),
            Err(error) => Err(EngineError::failed("remove a container", &error)),
        }
    }

    /// Its exit code, when it does not run (any more).
    pub(super) async fn ended(&self, id: &str) -> Result<Option<i64>, EngineError> {
        let found = self.docker.inspect_container(id, None::<InspectContainerOptions>).await;
        let found = found.map_err(|error| EngineError::failed("say how a container is", &error))?;
        let state = found.state.unwrap_or_default();
        let runs = state.running.unwrap_or_default() || state.restarting.unwrap_or_default();
        Ok((!runs).then(|| state.exit_code.unwrap_or_default()))
    }

    /// Copies what the container wrote since the second of `since`, and writes, to the files, until it ends.
    pub(super) async fn copy_output(&self, id: &str, since: SystemTime, logs: &Logs) -> io::Result<()> {
        let second = since.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let options = LogsOptionsBuilder::new().follow(true).stdout(true).stderr(true);
        let options = options.since(i32::try_from(second).unwrap_or(i32::MAX)).build();
        let append = |path: &Path| std::fs::OpenOptions::new().append(true).open(path);
        let (mut stdout, mut stderr) = (append(&logs.stdout)?, append(&logs.stderr)?);
        let mut output = self.docker.logs(id, Some(options));
        while let Some(Ok(piece)) = output.next().await {
            match piece {
                LogOutput::StdErr { message } => stderr.write_all(&message)?,
                LogOutput::StdOut { message } | LogOutput::Console { message } => {
                    stdout.write_all(&message)?
                }
                LogOutput::StdIn { .. } => {}
            }
        }
        Ok(())
    }
}

/// Whether a port that the engine publishes on its loopback is on ours: not when it runs elsewhere, nor when we are
/// ourselves in a container.
pub(super) fn is_local() -> bool {
    host().starts_with("unix://") && !Path::new("/.dockerenv").exists()
}

fn host() -> String {
    env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty()).unwrap_or_else(|| DEFAULT_HOST.to_owned())
}

fn unreachable(host: &str, error: &(dyn StdError + 'static)) -> EngineError {
    let host = host.to_owned();
    let mut source = Some(error);
    while let Some(error) = source {
        if let Some(DockerError::SocketNotFoundError(_)) = error.downcast_ref() {
            return EngineError::Absent { host };
        }
        match error.downcast_ref::<io::Error>().map(io::Error::kind) {
            Some(io::ErrorKind::NotFound) => return EngineError::Absent { host },
            Some(io::ErrorKind::ConnectionRefused) => return EngineError::Refused { host },
            Some(io::ErrorKind::PermissionDenied) => return EngineError::Denied { host },
            _ => source = error.source(),
        }
    }
    let text = whole(error);
    // Of the client's own error only the words come through.
    match text.contains("ocket not found") {
        true => EngineError::Absent { host },
        false => EngineError::Failed { what: "say what it is", reason: format!("{host}: {text}") },
    }
}

fn numbers(version: &str) -> Option<(u32, u32)> {
    let (major, minor) = version.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(numbers("1.41").unwrap() >= API_MIN);
        assert!(numbers("1.100").unwrap() >= API_MIN);
        assert!(numbers("1.9").unwrap() < API_MIN);
        for nonsense in ["", "1", "x.1", "1.x"] {
            assert_eq!(numbers(nonsense), None, "{nonsense}");
        }
    }
}
