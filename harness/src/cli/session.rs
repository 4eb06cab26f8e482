//! What `exec` and `listen` have in common: a collector that is up for a while, and what becomes of what it received.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::runtime::Runtime;

use super::arguments::CaptureArguments;
use super::gate::Gate;
use super::output::{Failure, print};
use super::reports;
use crate::bundle::{self, SaveError};
use crate::judge::judge;
use crate::known::Scope;
use crate::model::{Evidence, UnixNanos};
use crate::report::terminal::{self, Layout};
use crate::report::{Judged, RunReport, ScenarioReport};

/// The runtime that the collector serves on.
pub(super) fn runtime() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("cannot start the runtime: {error}")))
}

/// Fails before anything is started when the results could not be written later.
pub(super) fn check_places(capture: &CaptureArguments) -> Result<(), Failure> {
    if let Some(directory) = &capture.evidence {
        bundle::check_free(directory).map_err(|error| not_saved(&error))?;
    }
    reports::check_places(&capture.report)
}

fn not_saved(error: &SaveError) -> Failure {
    Failure::new(error.to_string()).hint(error.hint())
}

/// A judged session: what is printed of it is the command's own.
pub(super) struct Session {
    pub(super) report: RunReport,
    pub(super) layout: Layout,
}

/// Judges evidence and saves it where that was asked for.
pub(super) fn conclude(
    capture: &CaptureArguments,
    gate: &Gate,
    subject: &str,
    evidence: &Evidence,
    seconds: f64,
) -> Result<Session, Failure> {
    let mut scenario = judge(evidence, None);
    scenario.seconds = [("run".to_string(), seconds)].into();
    let saved = save(capture.evidence.as_deref(), &scenario, evidence);
    let shown = capture.evidence.as_deref().map(shown);
    let mut report = RunReport::new(subject, vec![scenario]);
    report.seconds = seconds;
    report.evidence = shown.clone();
    let report = gate.run(report, &Scope::default());
    saved.map(|()| Session { report, layout: Layout::detect().with_evidence(shown) })
}

fn save(directory: Option<&Path>, report: &ScenarioReport, evidence: &Evidence) -> Result<(), Failure> {
    let Some(directory) = directory else { return Ok(()) };
    bundle::save(directory, report, evidence, None).map_err(|error| not_saved(&error))
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

impl Session {
    /// Prints findings and summary, writes the reports; returns the exit code.
    pub(super) fn finish(&self, capture: &CaptureArguments, evidence: &Evidence) -> u8 {
        if !capture.report.takes_stdout() {
            let details: String =
                self.report.scenarios.iter().map(|judged| terminal::details(judged, &self.layout)).collect();
            print(&(details + &terminal::summary(&self.report, &self.layout)));
        }
        let case = |report| Judged { report, evidence, declaration: None };
        let cases: Vec<_> = self.report.scenarios.iter().map(case).collect();
        reports::write(&self.report, &cases, capture.evidence.as_deref(), &capture.report)
    }
}

/// Nanoseconds since the Unix epoch, for the evidence.
pub(super) fn unix_nanos(time: SystemTime) -> UnixNanos {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}
