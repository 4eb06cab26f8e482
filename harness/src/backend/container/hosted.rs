//! A backend that is a program of this machine or one in a container, behind the same [`Launch`].

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use super::{Container, Engine, EngineError, keeper::Keeper};
use crate::{
    backend::server::{Launch, READY_LIMIT, Running},
    process::{Exit, Logs, Output, Signal, StartError, Status},
    proxy::Target,
    until::{Probe, UntilError, until},
    workdir::{RunId, Workdir},
};

/// How many lines of its log an error shows.
const TAIL_LINES: usize = 10;
/// How long the engine may take to hand over what a container wrote before it ended.
const LAST_WORDS_LIMIT: Duration = Duration::from_secs(5);

/// What differs between backends in containers.
pub(crate) trait Recipe {
    /// In messages, and of its log files.
    const NAME: &'static str;
    /// What one waits for, when it is not ready.
    const SIGN: &'static str;

    fn plan(&self) -> Plan;

    /// Whether it serves, asked at the ports of the plan.
    async fn look(&self, addresses: &[SocketAddr]) -> Probe<()>;
}

/// How a container is started: the ports that it listens on, the first for services; environment; command line.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "containers"), expect(dead_code, reason = "nobody carries it out"))]
pub(crate) struct Plan {
    pub(crate) ports: &'static [u16],
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) command: Vec<String>,
}

/// A backend in a container, started or not.
#[derive(Debug)]
pub(crate) struct Hosted<R> {
    pub(crate) recipe: R,
    image: String,
    engine: Engine,
    run: RunId,
    keeper: Mutex<Option<Arc<Keeper>>>,
    container: tokio::sync::Mutex<Option<Arc<Container>>>,
    /// Of its last start.
    addresses: Mutex<Vec<SocketAddr>>,
}

/// Why a backend cannot be had in a container.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HostError {
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Keeper(#[from] StartError),
}

impl<R: Recipe> Hosted<R> {
    /// Asks the engine, obtains the image, and sees to it that a keeper is there. Starts no container.
    pub(crate) async fn reserve(recipe: R, image: String, workdir: &Workdir) -> Result<Hosted<R>, HostError> {
        let engine = Engine::connect().await?;
        engine.obtain(&image).await?;
        let keeper = Mutex::new(Some(Keeper::of(workdir).await?));
        let run = workdir.run().clone();
        Ok(Hosted {
            recipe,
            image,
            engine,
            run,
            keeper,
            container: Default::default(),
            addresses: Mutex::default(),
        })
    }

    pub(crate) fn image(&self) -> &str {
        &self.image
    }

    /// Where one of the plan's ports is on this machine; `None` before its first start.
    pub(crate) fn address(&self, place: usize) -> Option<SocketAddr> {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner).get(place).copied()
    }

    async fn launch(&self, workdir: &Workdir) -> Result<(Running, Target), StartError> {
        let failed = |reason: String, hint| StartError::Spawn { name: R::NAME.to_owned(), reason, hint };
        let refused = |error: EngineError| failed(error.to_string(), Some(error.hint()));
        let logs = Logs::create(&workdir.path().join("logs"), R::NAME);
        let logs = logs.map_err(|error| failed(format!("its log files cannot be made: {error}"), None))?;
        let plan = self.recipe.plan();
        let since = SystemTime::now();
        let container = self.started(&plan).await.map_err(refused)?;
        container.copy_output(since, &logs);
        let addresses = match container.addresses(plan.ports).await {
            Ok(addresses) => addresses,
            Err(error) => {
                return Err(early(&container, &logs, R::NAME).await.unwrap_or_else(|| refused(error)));
            }
        };
        *self.addresses.lock().unwrap_or_else(PoisonError::into_inner) = addresses.clone();
        self.ready(&container, &addresses, &logs).await?;
        Ok((Running::Container(container), Target::Tcp(addresses[0])))
    }

    async fn started(&self, plan: &Plan) -> Result<Arc<Container>, EngineError> {
        let mut slot = self.container.lock().await;
        if let Some(container) = &*slot {
            container.start_again().await?;
            return Ok(container.clone());
        }
        let container = Container::start(&self.engine, &self.image, &self.run, plan).await?;
        Ok(slot.insert(Arc::new(container)).clone())
    }

    /// Looks until it serves; its end is noticed at the next look.
    async fn ready(
        &self,
        container: &Container,
        addresses: &[SocketAddr],
        logs: &Logs,
    ) -> Result<(), StartError> {
        let looking = until(R::SIGN, READY_LIMIT, async || match self.recipe.look(addresses).await {
            Probe::Ready(()) => Ok(Probe::Ready(())),
            Probe::NotYet(status) => match early(container, logs, R::NAME).await {
                Some(error) => Err(error),
                None => Ok(Probe::NotYet(status)),
            },
        });
        looking.await.map_err(|error| match error {
            UntilError::Failed { error, .. } => error,
            UntilError::TimedOut(_) => StartError::Silent {
                name: R::NAME.to_owned(),
                marker: R::SIGN.to_owned(),
                limit: READY_LIMIT,
                output: output(logs),
            },
        })
    }

    async fn discard(&self) {
        if let Some(container) = self.container.lock().await.take() {
            // What cannot be removed now, the keeper removes at the end of the run.
            _ = container.remove().await;
        }
        let keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(keeper) = keeper {
            keeper.dismiss().await;
        }
    }
}

/// The error of a container that has ended before it was ready.
async fn early(container: &Container, logs: &Logs, name: &str) -> Option<StartError> {
    let code = container.ended().await.ok()??;
    container.output_copied(LAST_WORDS_LIMIT).await;
    let status = Status::Code(i32::try_from(code).unwrap_or(i32::MAX));
    let exit = Exit { status, forced: false, at: SystemTime::now() };
    Some(StartError::Exited { name: name.to_owned(), exit, output: output(logs) })
}

fn output(logs: &Logs) -> Box<Output> {
    Box::new(Output { tail: logs.tail(TAIL_LINES), logs: logs.clone() })
}

/// Where a backend of ours runs.
#[derive(Debug)]
pub(crate) enum Own<P, R> {
    Program(P),
    Container(Box<Hosted<R>>),
}

impl<P: Launch, R: Recipe> Launch for Own<P, R> {
    const GRACE: Duration = P::GRACE;
    const GOODBYE: Option<Signal> = P::GOODBYE;

    async fn launch(&self, workdir: &Workdir) -> Result<(Running, Target), StartError> {
        match self {
            Own::Program(program) => program.launch(workdir).await,
            Own::Container(hosted) => hosted.launch(workdir).await,
        }
    }

    async fn empty(&self, workdir: &Workdir) -> std::io::Result<()> {
        match self {
            Own::Program(program) => program.empty(workdir).await,
            Own::Container(hosted) => match hosted.container.lock().await.take() {
                Some(container) => container.remove().await.map_err(std::io::Error::other),
                None => Ok(()),
            },
        }
    }

    async fn discard(&self) {
        match self {
            Own::Program(program) => program.discard().await,
            Own::Container(hosted) => hosted.discard().await,
        }
    }
}
