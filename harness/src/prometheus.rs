//! A real Prometheus under our supervisor, on a port that it chose itself: what it makes of a configuration, a scrape or an
//! expression is the answer that ours is compared with.
//!
//! It is found on PATH or by `PROBITY_PROMETHEUS`, never downloaded. It only ever connects to loopback: configurations of
//! others come through [`Rewriting`], which leaves out whatever would reach further.

mod api;
mod configuration;
mod programs;
mod replay;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

pub use api::{ActiveTarget, ApiError, Health, RuleState, Series};
pub use configuration::{Rewriting, RewritingError};
pub use programs::{MissingPrometheus, Programs, PromtoolError, VARIABLE};
pub use replay::{Replay, Replayed};

use crate::process::{Process, Program, StartError};
use crate::until::{Probe, UntilError, until};
use crate::workdir::Workdir;
use api::Client;

/// How long it may take until it serves.
const READY_LIMIT: Duration = Duration::from_secs(30);

/// Between SIGTERM and SIGKILL: nothing that it stored is wanted afterwards.
const GRACE: Duration = Duration::from_secs(5);

/// What it logs once it has bound its port; the line also names the address.
const LISTENING: &str = "Listening on";

/// A running Prometheus. Dropping it ends it.
#[derive(Debug)]
pub struct Prometheus {
    process: Process,
    address: SocketAddr,
    client: Client,
}

impl Prometheus {
    /// Starts it with this configuration in a directory of its own under `workdir`, and waits until it serves.
    ///
    /// # Errors
    /// A configuration that it refuses is [`StartError::Exited`], with the reason in its last lines.
    pub async fn start(
        programs: &Programs,
        configuration: &str,
        workdir: &Workdir,
    ) -> Result<Prometheus, StartError> {
        let directory = workdir.path().join("prometheus");
        let file = directory.join("prometheus.yml");
        write(&directory, &file, configuration)?;
        let process = command(programs, &file, &directory.join("data")).spawn(workdir)?;
        let line = process.line_with(LISTENING, READY_LIMIT).await?;
        let Some(address) = address_of(&line) else { return Err(process.silent("address=", READY_LIMIT)) };
        let client = Client::new(address);
        let looking =
            until("/-/ready", READY_LIMIT, async || Ok::<_, std::convert::Infallible>(client.ready().await));
        let ready = tokio::select! {
            biased;
            exit = process.exited() => return Err(process.exited_early(exit)),
            ready = looking => ready,
        };
        match ready {
            Ok(()) => Ok(Prometheus { process, address, client }),
            Err(_) => Err(process.silent("/-/ready", READY_LIMIT)),
        }
    }

    /// Where it serves its API and its own metrics.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its active targets, as it sees them now.
    pub async fn targets(&self) -> Result<Vec<ActiveTarget>, ApiError> {
        self.client.targets().await
    }

    /// Waits until it has scraped each of `count` targets and `settled` holds for each, and says what came of it.
    ///
    /// # Errors
    /// The limit passed; the status says how far it came.
    pub async fn scraped(
        &self,
        count: usize,
        limit: Duration,
        settled: impl Fn(&ActiveTarget) -> bool,
    ) -> Result<Vec<ActiveTarget>, UntilError<ApiError>> {
        until("a first scrape of each target", limit, async || {
            let mut targets = self.targets().await?;
            let counts = self.query("scrape_samples_scraped").await?;
            let counts: BTreeMap<_, _> =
                counts.iter().map(|series| (names(&series.labels), series.value)).collect();
            for target in targets.iter_mut().filter(|target| target.health == Health::Up) {
                // Health is told a moment before the samples are stored.
                target.samples = counts.get(&names(&target.labels)).map(|count| *count as u64);
            }
            let done = |target: &&ActiveTarget| match target.health {
                Health::Unknown => false,
                Health::Up => target.samples.is_some() && settled(target),
                Health::Down => settled(target),
            };
            let waiting = targets.iter().filter(|target| !done(target)).count();
            Ok(match targets.len() >= count && waiting == 0 {
                true => Probe::Ready(targets),
                false => Probe::NotYet(format!("{} of {count} known, {waiting} not scraped", targets.len())),
            })
        })
        .await
    }

    /// What an expression comes to now: a vector's series, or one without labels for a scalar.
    pub async fn query(&self, expression: &str) -> Result<Vec<Series>, ApiError> {
        self.client.query(expression).await
    }

    /// The trace ids of the exemplars that the series of an expression carry.
    pub async fn exemplars(&self, expression: &str) -> Result<Vec<String>, ApiError> {
        self.client.exemplars(expression).await
    }

    /// Its recording and alerting rules, with what came of their last evaluation.
    pub async fn rules(&self) -> Result<Vec<RuleState>, ApiError> {
        self.client.rules().await
    }

    /// Ends it, and waits for its end.
    pub async fn stop(self) {
        self.process.stop(GRACE).await;
    }
}

/// What tells the targets of a configuration apart.
fn names(labels: &BTreeMap<String, String>) -> (&str, &str) {
    let label = |name: &str| labels.get(name).map_or("", String::as_str);
    (label("job"), label("instance"))
}

fn command(programs: &Programs, file: &Path, data: &Path) -> Program {
    Program::new(&programs.prometheus).name("prometheus").args([
        format!("--config.file={}", file.display()),
        format!("--storage.tsdb.path={}", data.display()),
        "--web.listen-address=127.0.0.1:0".to_owned(),
        "--enable-feature=exemplar-storage".to_owned(),
        "--log.level=info".to_owned(),
    ])
}

fn write(directory: &Path, file: &Path, configuration: &str) -> Result<(), StartError> {
    let written = std::fs::create_dir_all(directory).and_then(|()| std::fs::write(file, configuration));
    written.map_err(|error| StartError::Spawn {
        name: "prometheus".to_owned(),
        reason: format!("{}: {error}", file.display()),
        hint: None,
    })
}

/// Both of its log formats end in `address=127.0.0.1:41873`, as one of several fields.
fn address_of(line: &str) -> Option<SocketAddr> {
    line.split_whitespace().find_map(|field| field.strip_prefix("address=")?.parse().ok())
}
