//! Runs scenarios on backends that are started once: start, drive, barrier, judge, save.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use futures_util::FutureExt;

use super::capture::Captures;
use super::running::{Running, Stop};
use super::share::Share;
use super::wall_clock::WallClock;
use super::{Alteration, Own, Scenario, Task};
use crate::backend::{Backends, Kind, RabbitMq, Selection};
use crate::bundle::{self, Writer};
use crate::collector::{Collector, Options};
use crate::judge::judge;
use crate::model::{BarrierKind, Evidence, Expectation, ExpectationKind, ExportRequest, Fence, KeyWatch};
use crate::proxy::Proxy;
use crate::report::progress::Progress;
use crate::report::{BackendReport, Plan, RunReport, ScenarioReport};
use crate::workdir::{RunDirectory, RunId, Workdir};

/// How long a scenario may drive its stack.
const DRIVE_LIMIT: Duration = Duration::from_secs(120);

/// How long the barrier may take; each of its steps has a limit of its own.
const BARRIER_LIMIT: Duration = Duration::from_secs(90);

/// What the whole run is told.
pub struct EngineOptions {
    pub selection: Selection,
    /// Where evidence is saved; `None`: in the run directory.
    pub evidence: Option<PathBuf>,
    pub progress: Progress,
    /// What the run set out to do, kept with its evidence; `None`: nothing that could be put together or run again.
    pub plan: Option<Plan>,
    /// How a scenario, and a defect, is run again alone.
    pub rerun: fn(scenario: &str, defect: Option<&str>) -> String,
}

/// Backends that stand, and where the run keeps its files.
pub struct Engine {
    backends: Backends,
    options: EngineOptions,
    workdir: Workdir,
    writer: Writer,
    started: Instant,
    count: AtomicU32,
}

/// What came of one scenario.
pub struct Outcome {
    pub report: ScenarioReport,
    /// Its evidence, saved.
    pub evidence: Option<PathBuf>,
    /// What a judgement without the barrier would have been, for scenarios that ask for it.
    pub early: Option<ScenarioReport>,
    /// Its trees in outline notation, as a snapshot keeps them; `None`: not run.
    pub outline: Option<String>,
}

/// The run could not begin.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error(transparent)]
    Workdir(#[from] crate::workdir::WorkdirError),
    #[error(transparent)]
    Save(#[from] bundle::SaveError),
    #[error(transparent)]
    Backend(#[from] crate::backend::StartError),
}

impl Engine {
    /// Starts the backends side by side.
    pub async fn start(options: EngineOptions) -> Result<Engine, EngineError> {
        let run = RunId::new();
        let writer = match &options.evidence {
            Some(path) => Writer::create(path, options.plan.clone())?,
            None => Writer::within(RunDirectory::create(&run)?.path(), options.plan.clone())?,
        };
        let workdir = Workdir::create(run)?;
        let progress = Arc::new(options.progress.begin("backends"));
        progress.phase("starting etcd, Postgres and Kafka");
        let downloading = progress.clone();
        let told = move |received: u64, total: Option<u64>| {
            let total = total.map_or_else(String::new, |total| format!(" of {}", total / 1_000_000));
            downloading.phase(&format!("downloading Postgres: {}{total} MB", received / 1_000_000));
        };
        let backends = Backends::start_with(&options.selection, &workdir, Arc::new(told)).await;
        let backends = match backends {
            Ok(backends) => backends,
            Err(error) => {
                workdir.keep();
                return Err(error.into());
            }
        };
        let (started, count) = (Instant::now(), AtomicU32::new(0));
        Ok(Engine { backends, options, workdir, writer, started, count })
    }

    /// Where evidence and reports of this run are.
    pub fn directory(&self) -> &Path {
        self.writer.directory()
    }

    pub fn backends(&self) -> Vec<BackendReport> {
        let reports = self.backends.reports().into_iter();
        let report = |report: crate::backend::BackendReport| BackendReport {
            name: report.name.into(),
            provider: report.provider.into(),
            version: report.version,
            ready_ms: report.ready_ms,
            limits: report.limits.into_iter().map(String::from).collect(),
        };
        reports.map(report).collect()
    }

    /// Puts the reports of scenarios together to that of the run.
    pub fn report(&self, subject: impl Into<String>, scenarios: Vec<ScenarioReport>) -> RunReport {
        let mut report = RunReport::new(subject, scenarios).with_backends(self.backends());
        report.seconds = self.started.elapsed().as_secs_f64();
        match &self.options.plan {
            Some(plan) => report.with_plan(plan),
            None => report,
        }
    }

    /// Writes what is the run's own beside its scenarios.
    pub fn finish(&self, report: &RunReport) -> Result<(), bundle::SaveError> {
        self.writer.finish(report)
    }

    /// Ends the backends. Removes the work directory after success, else says where it is.
    pub async fn end(&self, success: bool) -> Option<PathBuf> {
        self.backends.finish().await;
        if success && self.workdir.remove().is_ok() {
            return None;
        }
        Some(self.workdir.keep().to_path_buf())
    }

    /// Runs one scenario, with a defect or without.
    pub async fn run(&self, task: Task<'_>) -> Outcome {
        let Task { scenario, defect, .. } = task;
        if let Some(reason) = self.cannot(scenario) {
            let report = ScenarioReport::skipped(scenario.name, scenario.family, reason);
            return self.never_ran(task, report);
        }
        let mut seconds = BTreeMap::new();
        let rerun = Some((self.options.rerun)(scenario.name, defect.map(|defect| defect.name)));
        let outcome = match self.capture(task, &mut seconds).await {
            Ok(captured) => self.conclude(captured, task, rerun, seconds),
            Err(stop) => {
                let report = ScenarioReport::could_not_run(scenario.name, scenario.family, stop.to_string());
                self.never_ran(task, ScenarioReport { seconds, rerun, ..report })
            }
        };
        self.options.progress.advance();
        outcome
    }

    /// Why these providers cannot do what the scenario asks for.
    fn cannot(&self, scenario: &Scenario) -> Option<String> {
        cannot(self.backends.selection(), scenario)
    }

    async fn capture(&self, task: Task<'_>, seconds: &mut BTreeMap<String, f64>) -> Result<Captured, Stop> {
        let Task { system, scenario, defect } = task;
        if let Some(name) = system.named_twice() {
            return Err(Stop(format!("two services of {} are called {name}: rename one", system.name)));
        }
        let began = WallClock::read();
        let progress = self.options.progress.begin(scenario.name);
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let unique = format!("s{number}-{}", self.workdir.run().as_str());
        // Short: Unix sockets lie in it, and their paths end at 103 bytes.
        let short: String = directory_name(scenario, defect).chars().take(20).collect();
        let workdir = self
            .workdir
            .child(&format!("{number}-{short}"))
            .map_err(|error| Stop::because("no work directory", error))?;
        let mut clock = Clock { seconds, began: Instant::now() };
        let stack = (scenario.stack)();
        let share = Share::take(system, &stack, &self.backends, &unique, workdir, progress).await?;
        let mut running = self.prepare(task, stack, share).await?;
        let error = running.live(scenario, &mut clock).await;
        let early = running.early.take();
        let lost_backend = running.share.lost().await;
        let mut evidence = running.into_evidence().await;
        evidence.clock_jump_ms = began.jump_ms(WallClock::read());
        evidence.lost_backend = lost_backend;
        clock.lap("barrier");
        Ok(Captured { evidence, early, error })
    }

    async fn prepare(&self, task: Task<'_>, stack: super::Stack, share: Share) -> Result<Running, Stop> {
        let Task { system, defect, .. } = task;
        let collector = Collector::start(Options::default())
            .await
            .map_err(|error| Stop::because("no collector", error))?;
        let collector_proxy = match stack.collector_late || stack.collector_can_leave {
            true => {
                let proxy =
                    Proxy::bind().await.map_err(|error| Stop::because("cannot bind a proxy", error))?;
                proxy.set_target(Some(collector.address()));
                Some(proxy)
            }
            false => None,
        };
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .tcp_nodelay(true)
            .build()
            .map_err(|error| Stop::because("no HTTP client", error))?;
        let mut extra_environment = Vec::new();
        let mut altered_files = Vec::new();
        match defect.map(|defect| (&defect.alteration, defect.name)) {
            Some((Alteration::Environment, name)) => {
                extra_environment.push((system.defect_variable.to_string(), name.to_string()));
            }
            Some((Alteration::File { name, change }, _)) => altered_files.push((*name, *change)),
            None => {}
        }
        let names = share.names();
        let mut evidence = Evidence { names, ..nothing_of(task) };
        evidence.expectations.extend(snapshot_of(task, stack.snapshot)?);
        let mut running = Running {
            system: system.clone(),
            stack,
            share,
            collector,
            collector_proxy,
            instances: Vec::new(),
            asked: Vec::new(),
            client,
            evidence,
            early: None,
            captures: Captures::default(),
            phase: String::new(),
            extra_environment,
            altered_files,
            held: Vec::new(),
        };
        running.read_log_schema();
        running.evidence.canaries.extend(running.share.credentials());
        running.begin_captures().await?;
        Ok(running)
    }

    /// A scenario without evidence: saved all the same, so that the run can be judged again as a whole.
    fn never_ran(&self, task: Task<'_>, report: ScenarioReport) -> Outcome {
        let saved = self.writer.scenario(&report, &nothing_of(task), None);
        let report = match saved {
            Ok(_) => report,
            Err(error) => report.with_error(format!("cannot save the report: {error}")),
        };
        Outcome { report, evidence: None, early: None, outline: None }
    }

    fn conclude(
        &self,
        captured: Captured,
        Task { system, scenario, .. }: Task<'_>,
        rerun: Option<String>,
        mut seconds: BTreeMap<String, f64>,
    ) -> Outcome {
        let mut clock = Clock { seconds: &mut seconds, began: Instant::now() };
        let Captured { evidence, early, error } = captured;
        let stack = (scenario.stack)();
        let mut declaration = system.declaration.clone();
        if let Some(change) = stack.declares {
            change(&mut declaration);
        }
        let declaration = &declaration;
        let report = judge(&evidence, Some(declaration));
        let early = early.map(|early| judge(&early, Some(declaration)));
        let outline = stack.snapshot.then(|| {
            crate::outline::Outline::of_all(&crate::model::Case::new(&evidence, Some(declaration)))
                .to_string()
        });
        clock.lap("judge");
        let mut report = ScenarioReport { family: scenario.family.into(), seconds, rerun, ..report };
        if let Some(error) =
            report.error.take().into_iter().chain(error).reduce(|own, error| format!("{own}; {error}"))
        {
            report = report.with_error(error);
        }
        let saved = self.writer.scenario(&report, &evidence, Some(declaration));
        if let Err(error) = &saved {
            report = report.with_error(format!("cannot save the evidence: {error}"));
        }
        Outcome { report, evidence: saved.ok(), outline, early }
    }
}

/// Why providers cannot do what a scenario asks for; known before anything is started.
pub(super) fn cannot(selection: &Selection, scenario: &Scenario) -> Option<String> {
    let stack = (scenario.stack)();
    if stack.needs_prometheus
        && let Err(missing) = crate::prometheus::Programs::find()
    {
        return Some(missing.to_string());
    }
    if stack.needs_rabbitmq
        && let Err(missing) = RabbitMq::can_serve(&selection.rabbitmq)
    {
        return Some(missing.to_string());
    }
    stack.own.iter().find_map(|own| {
        let kind = match own {
            Own::Etcd => Kind::Etcd,
            Own::Postgres => Kind::Postgres,
            Own::Kafka => Kind::Kafka,
        };
        Backends::can_own(selection, kind).err().map(|error| error.to_string())
    })
}

/// The evidence of a scenario before anything was captured.
fn nothing_of(Task { system, scenario, .. }: Task<'_>) -> Evidence {
    let written_at = scenario.drive.place(&system.root);
    Evidence { scenario: scenario.name.into(), written_at, ..Evidence::default() }
}

/// The committed snapshot of a scenario, as an expectation. One that cannot be read is an error of ours, not a pass.
fn snapshot_of(Task { system, scenario, .. }: Task<'_>, wanted: bool) -> Result<Option<Expectation>, Stop> {
    if !wanted {
        return Ok(None);
    }
    let snapshots = crate::snapshot::Snapshots::at(&system.snapshots);
    let outline = snapshots.expected(scenario.name).map_err(|error| Stop(error.to_string()))?;
    let at = snapshots.path(scenario.name);
    let at = at.strip_prefix(&system.root).unwrap_or(&at).display().to_string();
    Ok(outline.map(|outline| Expectation { kind: ExpectationKind::Snapshot, stimulus: None, outline, at }))
}

/// What a scenario left, and why it could not be driven to its end.
struct Captured {
    evidence: Evidence,
    early: Option<Evidence>,
    error: Option<String>,
}

/// Adds up the phases of one scenario.
pub(super) struct Clock<'c> {
    seconds: &'c mut BTreeMap<String, f64>,
    began: Instant,
}

impl Clock<'_> {
    pub(super) fn lap(&mut self, phase: &str) {
        *self.seconds.entry(phase.into()).or_default() += self.began.elapsed().as_secs_f64();
        self.began = Instant::now();
    }
}

fn directory_name(scenario: &Scenario, defect: Option<&super::Defect>) -> String {
    match defect {
        Some(defect) => format!("{}+{}", scenario.name, defect.name),
        None => scenario.name.to_string(),
    }
}

impl Running {
    /// Start, drive, barrier. Returns why it could not go on, if so; what was captured stays either way.
    async fn live(&mut self, scenario: &Scenario, clock: &mut Clock<'_>) -> Option<String> {
        if let Err(stop) = self.begin_stack().await {
            return Some(stop.to_string());
        }
        clock.lap("start");
        self.share.progress.phase("driving");
        let driven = AssertUnwindSafe((scenario.drive.run)(self)).catch_unwind();
        let error = match tokio::time::timeout(DRIVE_LIMIT, driven).await {
            Ok(Ok(Ok(()))) => None,
            Ok(Ok(Err(stop))) => Some(stop.to_string()),
            Ok(Err(panic)) => Some(format!("the scenario panicked: {}", message(&panic))),
            Err(_) => Some(format!("the scenario did not end within {} s", DRIVE_LIMIT.as_secs())),
        };
        clock.lap("drive");
        if self.stack.judged_early {
            self.early = Some(self.as_if_complete());
        }
        if tokio::time::timeout(BARRIER_LIMIT, self.close()).await.is_err() {
            self.step(
                "barrier",
                false,
                format!("did not close within {} s", BARRIER_LIMIT.as_secs()),
                Instant::now(),
            );
        }
        error
    }

    /// How long each declared prefix was watched.
    fn key_watches(&self) -> Vec<KeyWatch> {
        if self.captures.keys.is_none() {
            return Vec::new();
        }
        let (from, until) = (self.captures.watched_from, super::running::now());
        let services = self.system.declaration.services.iter();
        let prefixes = services.filter_map(|service| Some(service.registers.as_ref()?.prefix.clone()));
        prefixes.map(|prefix| KeyWatch { prefix, from, until }).collect()
    }

    /// What has arrived so far, posing as complete.
    fn as_if_complete(&self) -> Evidence {
        let mut evidence = self.evidence.clone();
        evidence.requests = self.requests();
        evidence.ledger = self.collector.ledger();
        evidence.barrier.kind = BarrierKind::Stated;
        for process in &mut evidence.processes {
            process.fence = Fence::Marker { at: super::running::now() };
        }
        evidence
    }

    /// What the collector received, and the spans of the contexts that we sent.
    fn requests(&self) -> Vec<ExportRequest> {
        let mut requests = self.collector.requests();
        requests.extend(self.evidence.stimuli.iter().filter_map(super::own_spans::span_of));
        requests
    }

    async fn begin_stack(&mut self) -> Result<(), Stop> {
        self.hide_collector().await?;
        if self.stack.started_by_drive {
            return Ok(());
        }
        self.share.create_topics().await?;
        self.start_all().await?;
        self.scrape(crate::model::ScrapeStage::Before).await;
        Ok(())
    }

    /// Ends what still runs and hands over what was captured.
    async fn into_evidence(mut self) -> Evidence {
        for instance in &self.instances {
            if instance.process.exit().is_none() {
                instance.process.kill().await;
            }
        }
        for number in 0..self.instances.len() {
            self.note_exit(number);
        }
        for instance in &self.instances {
            let logs = instance.process.logs();
            let lines = super::capture::log_lines(&instance.id, instance.service, &logs.stdout, &logs.stderr);
            self.evidence.logs.extend(lines);
        }
        let (probes, keys) = self.captures.take();
        self.evidence.key_watches = self.key_watches();
        self.evidence.probes.extend(probes);
        self.evidence.keys.extend(keys);
        self.evidence.requests = self.requests();
        self.evidence.ledger = self.collector.ledger();
        super::scrapes::let_exporters_say(&mut self.evidence);
        self.share.give_back().await;
        self.collector.shutdown().await;
        self.evidence
    }
}

fn message(panic: &Box<dyn std::any::Any + Send>) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| text.to_string());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into())
}
