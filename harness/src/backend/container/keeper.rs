//! The keeper: a process beside the run that removes the run's containers, however the run ends.
//!
//! The engine knows nothing of our end. The keeper's supervisor does: it holds our pipe, and sends SIGTERM when we are
//! gone, even by SIGKILL. The keeper then removes everything with the run's label until nothing appears any more. When it
//! starts, it removes what earlier runs left that lost their keeper too.

use std::{
    collections::HashMap,
    ffi::OsString,
    sync::{Arc, LazyLock, Weak},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use futures_util::future::join_all;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::Mutex,
};

use super::{
    Engine, EngineError,
    labels::{self, Labelled},
};
use crate::{
    process::{Process, Program, Signal, StartError},
    until::{Probe, UntilError, until},
    workdir::Workdir,
};

/// The hidden subcommand that it is.
pub(crate) const SUBCOMMAND: &str = "__keep-containers";
const KEEPING: &str = "keeping the containers of run";
const START_LIMIT: Duration = Duration::from_secs(15);
/// For removing a run's containers, when the engine is slow.
const GRACE: Duration = Duration::from_secs(60);
/// A request that we made before our end may still become a container.
const QUIET: Duration = Duration::from_secs(1);

/// Those of this process, by run. Usually there is one.
static KEEPERS: LazyLock<Mutex<HashMap<String, Weak<Keeper>>>> = LazyLock::new(Mutex::default);

/// A run's keeper. When the last handle is dropped, it removes what is left and ends.
#[derive(Debug)]
pub(crate) struct Keeper {
    process: Process,
}

impl Keeper {
    /// The keeper of the run, started for its first container.
    pub(crate) async fn of(workdir: &Workdir) -> Result<Arc<Keeper>, StartError> {
        let mut keepers = KEEPERS.lock().await;
        let run = workdir.run().as_str();
        if let Some(keeper) =
            keepers.get(run).and_then(Weak::upgrade).filter(|it| it.process.exit().is_none())
        {
            return Ok(keeper);
        }
        let program = Program::hidden(SUBCOMMAND).arg(run).inherit_environment().grace(GRACE);
        let process = program.spawn(workdir)?;
        // From here on it hears signals.
        process.line_with(KEEPING, START_LIMIT).await?;
        let keeper = Arc::new(Keeper { process });
        keepers.retain(|_, keeper| keeper.strong_count() > 0);
        keepers.insert(run.to_owned(), Arc::downgrade(&keeper));
        Ok(keeper)
    }

    /// Lets go of it. With the last handle it ends, after one look; then it is gone when this returns.
    pub(crate) async fn dismiss(self: Arc<Keeper>) {
        if let Some(keeper) = Arc::into_inner(self) {
            keeper.process.signal(Signal::INT);
            if tokio::time::timeout(START_LIMIT, keeper.process.wait()).await.is_err() {
                keeper.process.kill().await;
            }
        }
    }
}

/// Serves the subcommand; its argument is the run's id.
pub(crate) fn serve(arguments: Vec<OsString>) -> i32 {
    let run = arguments.into_iter().next().and_then(|run| run.into_string().ok()).unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let kept = runtime
        .map_err(|error| error.to_string())
        .and_then(|runtime| runtime.block_on(async { keep(&run).await.map_err(|error| error.to_string()) }));
    match kept {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("the containers of run {run} may still be there: {error}");
            1
        }
    }
}

async fn keep(run: &str) -> Result<(), EngineError> {
    let failed = |error: std::io::Error| EngineError::failed("get a keeper", &error);
    let mut gone = signal(SignalKind::terminate()).map_err(failed)?;
    let mut done = signal(SignalKind::interrupt()).map_err(failed)?;
    println!("{KEEPING} {run}");
    // Meanwhile, and no longer than that. What it cannot do now, the next one does.
    let sweeping = async {
        _ = sweep().await;
        std::future::pending::<Duration>().await
    };
    let quiet = tokio::select! {
        _ = gone.recv() => QUIET,
        _ = done.recv() => Duration::ZERO,
        never = sweeping => never,
    };
    remove(&format!("{}={run}", labels::RUN), quiet, &|container| container.is_of(run)).await
}

/// Removes what runs left that were killed together with their keepers.
async fn sweep() -> Result<(), EngineError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    remove(labels::RUN, Duration::ZERO, &|container| container.is_abandoned(now)).await
}

/// Removes until for this long there was none.
async fn remove(
    label: &str,
    quiet: Duration,
    chosen: &impl Fn(&Labelled) -> bool,
) -> Result<(), EngineError> {
    let engine = Engine::connect().await?;
    let mut last = Instant::now();
    let removed = until("the end of all containers", GRACE, async || {
        let mut found = engine.labelled(label).await?;
        found.retain(chosen);
        if found.is_empty() && last.elapsed() >= quiet {
            return Ok(Probe::Ready(()));
        }
        if !found.is_empty() {
            last = Instant::now();
            let removals = join_all(found.iter().map(|container| engine.remove(&container.id))).await;
            removals.into_iter().collect::<Result<Vec<()>, EngineError>>()?;
        }
        Ok(Probe::NotYet(format!("{} containers", found.len())))
    });
    removed.await.map_err(|error: UntilError<EngineError>| {
        EngineError::failed("remove the containers of a run", &error)
    })
}
