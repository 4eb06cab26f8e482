//! A backend's program behind an address that never changes: started, stopped, killed, paused, emptied, cut off.
//!
//! What differs between backends is a [`Launch`]; what happens to them is an [`Action`].

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use thiserror::Error;
use tokio::sync::{Mutex, watch};

use super::{
    container::Container,
    selection::{Kind, Provider},
};
use crate::{
    process::{self, Process, Signal},
    proxy::{Fault, Proxy, Target},
    until::{Probe, until},
    workdir::Workdir,
};

/// How long a backend may take until it serves.
pub(crate) const READY_LIMIT: Duration = Duration::from_secs(30);

/// What a scenario does to a backend. Addresses stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Starts it, when it does not run (yet).
    Start,
    /// SIGTERM, and its data stays.
    Stop,
    /// SIGKILL, and its data stays.
    Kill,
    /// SIGSTOP: connections stay open, nothing answers.
    Pause,
    /// SIGCONT, after [`Action::Pause`].
    Resume,
    /// [`Action::Stop`], then [`Action::Start`].
    Restart,
    /// Killed, its data removed, started.
    RestartEmpty,
    /// What happens to the connections to it; [`Fault::None`] heals.
    Network(Fault),
}

/// Why an action could not be carried out.
#[derive(Debug, Error)]
pub enum ActionError {
    /// Whoever provides the backend cannot do this: the scenario is skipped, with this reason.
    #[error("{kind} ({provider}) cannot {action}: {reason}")]
    Unsupported { kind: Kind, provider: &'static str, action: &'static str, reason: &'static str },
    /// It was tried and failed.
    #[error("{kind} could not be made to {action}: {reason}")]
    Failed { kind: Kind, action: &'static str, reason: String },
}

impl Action {
    /// A verb: `stop`, `restart empty`, `be cut off`.
    pub const fn name(&self) -> &'static str {
        match self {
            Action::Start => "start",
            Action::Stop => "stop",
            Action::Kill => "be killed",
            Action::Pause => "pause",
            Action::Resume => "resume",
            Action::Restart => "restart",
            Action::RestartEmpty => "restart empty",
            Action::Network(Fault::None) => "be healed",
            Action::Network(Fault::Refuse) => "refuse connections",
            Action::Network(Fault::Cut) => "be cut off",
            Action::Network(Fault::BlackHole) => "be a black hole",
            Action::Network(Fault::Slow(_)) => "be slow",
        }
    }

    /// Whether whoever provides a backend can do this, known before anything is started.
    ///
    /// # Errors
    /// [`ActionError::Unsupported`], with the reason.
    pub fn supported(&self, kind: Kind, provider: &Provider) -> Result<(), ActionError> {
        let reason = match (kind, provider, self) {
            (_, _, Action::Network(Fault::None)) => return Ok(()),
            (Kind::Kafka, Provider::External(_), Action::Network(_)) => {
                "its brokers advertise their own addresses"
            }
            (_, _, Action::Network(_)) if kind != Kind::Kafka => return Ok(()),
            (_, Provider::External(_), _) => "it is not ours to end",
            (Kind::Kafka, Provider::Embedded, Action::RestartEmpty) => "the mock cannot forget its records",
            (Kind::Kafka, Provider::Embedded, Action::Network(Fault::Refuse | Fault::Cut)) => {
                "the mock broker advertises its own port, so there is no proxy to cut at"
            }
            _ => return Ok(()),
        };
        Err(ActionError::Unsupported { kind, provider: provider.name(), action: self.name(), reason })
    }
}

/// How one backend's program is started.
pub(crate) trait Launch {
    /// Between SIGTERM and SIGKILL.
    const GRACE: Duration;
    /// What comes before SIGTERM, for a program that means something else by that.
    const GOODBYE: Option<Signal> = None;

    /// Starts the program and waits until it serves; says where.
    async fn launch(&self, workdir: &Workdir) -> Result<(Running, Target), process::StartError>;

    /// Removes what the program has stored. It does not run at that time.
    async fn empty(&self, workdir: &Workdir) -> std::io::Result<()>;

    /// Gives back what is not in the work directory. It does not run at that time, and will not again.
    async fn discard(&self) {}
}

/// A program that runs, as a process of this machine or in a container.
#[derive(Debug)]
pub(crate) enum Running {
    Process(Process),
    Container(Arc<Container>),
}

impl Running {
    async fn is_there(&self) -> bool {
        match self {
            Running::Process(process) => process.exit().is_none(),
            Running::Container(container) => container.is_running().await,
        }
    }

    /// `goodbye` is for a program; an image has its own.
    async fn stop(&self, goodbye: Option<Signal>, grace: Duration) -> Result<(), String> {
        match self {
            Running::Process(process) => {
                goodbye.map(|goodbye| process.signal(goodbye));
                process.stop(grace).await;
                Ok(())
            }
            Running::Container(container) => container.stop(grace).await.map_err(|error| error.to_string()),
        }
    }

    async fn kill(&self) -> Result<(), String> {
        match self {
            Running::Process(process) => {
                process.kill().await;
                Ok(())
            }
            Running::Container(container) => container.kill().await.map_err(|error| error.to_string()),
        }
    }

    async fn pause(&self) -> Result<(), String> {
        match self {
            Running::Process(process) => process.pause().then_some(()).ok_or_else(away),
            Running::Container(container) => container.pause().await.map_err(|error| error.to_string()),
        }
    }

    async fn resume(&self) -> Result<(), String> {
        match self {
            Running::Process(process) => process.resume().then_some(()).ok_or_else(away),
            Running::Container(container) => container.resume().await.map_err(|error| error.to_string()),
        }
    }
}

fn away() -> String {
    "it does not run".to_owned()
}

/// A program and its proxy. Made without being started: its address is known from the beginning.
#[derive(Debug)]
pub(crate) struct Server<L> {
    kind: Kind,
    pub(crate) launch: L,
    pub(crate) workdir: Workdir,
    pub(crate) proxy: Proxy,
    running: Mutex<Option<Running>>,
    /// Where the program itself listens; `None` while it does not run.
    target: watch::Sender<Option<Target>>,
}

impl<L: Launch> Server<L> {
    pub(crate) fn new(kind: Kind, launch: L, workdir: Workdir, proxy: Proxy) -> Server<L> {
        Server { kind, launch, workdir, proxy, running: Mutex::new(None), target: watch::Sender::new(None) }
    }

    /// Starts the program, opens the proxy, and says how long it took. Does nothing to one that runs.
    pub(crate) async fn start(&self) -> Result<Duration, process::StartError> {
        self.start_with(async |_| Ok(())).await
    }

    /// As [`Server::start`]; `prepare` comes between the program being ready and its address being reachable.
    pub(crate) async fn start_with(
        &self,
        prepare: impl AsyncFnOnce(&Target) -> Result<(), process::StartError>,
    ) -> Result<Duration, process::StartError> {
        let mut running = self.running.lock().await;
        if let Some(running) = &*running
            && running.is_there().await
        {
            return Ok(Duration::ZERO);
        }
        let began = Instant::now();
        let (started, target) = self.launch.launch(&self.workdir).await?;
        prepare(&target).await?;
        *running = Some(started);
        match &target {
            Target::Tcp(address) => self.proxy.set_target(Some(*address)),
            Target::Unix(path) => self.proxy.set_unix_target(path),
        }
        self.target.send_replace(Some(target));
        Ok(began.elapsed())
    }

    /// How the program ended, if it did and nobody asked it to.
    pub(crate) async fn lost(&self) -> Option<String> {
        match &*self.running.lock().await {
            Some(Running::Process(process)) => {
                Some(format!("{} ended by itself: {}", self.kind.name(), process.exit()?))
            }
            Some(container) => {
                (!container.is_there().await).then(|| format!("{} ended by itself", self.kind.name()))
            }
            None => None,
        }
    }

    /// Where the program itself listens, past the proxy: for what the harness asks, whatever faults lie on the proxy.
    pub(crate) fn target(&self) -> watch::Receiver<Option<Target>> {
        self.target.subscribe()
    }

    /// Everything but [`Action::Start`], which each backend prepares in its own way; `start` is that way.
    pub(crate) async fn apply(
        &self,
        action: Action,
        start: impl AsyncFnOnce() -> Result<(), process::StartError>,
    ) -> Result<(), ActionError> {
        let failed = |reason: String| ActionError::Failed { kind: self.kind, action: action.name(), reason };
        let done = match action {
            Action::Start => Ok(()),
            Action::Stop | Action::Restart => self.end(Some(L::GRACE)).await,
            // What it holds is thrown away: nothing is gained by waiting for its clients.
            Action::Kill | Action::RestartEmpty => self.end(None).await,
            Action::Pause => match &*self.running.lock().await {
                Some(running) => running.pause().await,
                None => Err(away()),
            },
            Action::Resume => match &*self.running.lock().await {
                Some(running) => running.resume().await,
                None => Err(away()),
            },
            Action::Network(fault) => {
                self.proxy.set_fault(fault).await;
                Ok(())
            }
        };
        done.map_err(failed)?;
        if action == Action::RestartEmpty {
            self.launch.empty(&self.workdir).await.map_err(|error| failed(error.to_string()))?;
        }
        match action {
            Action::Start | Action::Restart | Action::RestartEmpty => {
                start().await.map_err(|error| failed(error.to_string()))
            }
            _ => Ok(()),
        }
    }

    /// Ends the program and closes the proxy; without a grace by SIGKILL.
    ///
    /// # Errors
    /// When it does not run, and when its engine did not obey.
    pub(crate) async fn end(&self, grace: Option<Duration>) -> Result<(), String> {
        let running = self.running.lock().await.take().ok_or_else(away)?;
        // First the program's own goodbye to its clients, then the refusal of new ones.
        let ended = match grace {
            Some(grace) => running.stop(L::GOODBYE, grace).await,
            None => running.kill().await,
        };
        self.proxy.set_target(None);
        self.target.send_replace(None);
        ended
    }

    /// Ends it for good; says whether it ran.
    pub(crate) async fn finish(&self, grace: Option<Duration>) -> bool {
        let ended = self.end(grace).await;
        self.launch.discard().await;
        ended.is_ok()
    }
}

/// Looks until a program that was just started is ready; its end is noticed at once.
pub(crate) async fn ready<T>(
    process: &Process,
    what: &str,
    mut look: impl AsyncFnMut() -> Probe<T>,
) -> Result<T, process::StartError> {
    let looking = until(what, READY_LIMIT, async || Ok::<_, std::convert::Infallible>(look().await));
    tokio::select! {
        biased;
        exit = process.exited() => Err(process.exited_early(exit)),
        found = looking => found.map_err(|_| process.silent(what, READY_LIMIT)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_provider_cannot_do_is_known_before_it_starts() {
        let external = Provider::External("127.0.0.1:1".to_owned());
        let table = [
            (Kind::Etcd, &Provider::Embedded, Action::RestartEmpty, None),
            (Kind::Postgres, &Provider::Local, Action::Network(Fault::Cut), None),
            (Kind::Kafka, &Provider::Local, Action::Network(Fault::Cut), None),
            (Kind::Kafka, &Provider::Embedded, Action::Network(Fault::BlackHole), None),
            (Kind::Kafka, &Provider::Embedded, Action::Stop, None),
            (Kind::Etcd, &external, Action::Network(Fault::BlackHole), None),
            (Kind::Kafka, &external, Action::Network(Fault::None), None),
            (Kind::Etcd, &external, Action::Stop, Some("etcd (external) cannot stop: it is not ours to end")),
            (
                Kind::Kafka,
                &external,
                Action::Network(Fault::Cut),
                Some("kafka (external) cannot be cut off: its brokers advertise their own addresses"),
            ),
            (
                Kind::Kafka,
                &Provider::Embedded,
                Action::RestartEmpty,
                Some("kafka (embedded) cannot restart empty: the mock cannot forget its records"),
            ),
            (
                Kind::Kafka,
                &Provider::Embedded,
                Action::Network(Fault::Cut),
                Some(
                    "kafka (embedded) cannot be cut off: the mock broker advertises its own port, so there is no proxy \
                     to cut at",
                ),
            ),
        ];
        for (kind, provider, action, expected) in table {
            let seen = action.supported(kind, provider).map_err(|error| error.to_string()).err();
            assert_eq!(seen.as_deref(), expected, "{kind} {provider} {action:?}");
        }
    }
}
