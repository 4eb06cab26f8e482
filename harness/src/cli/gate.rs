//! What decides beside the rules whether a run is red: the file of known findings, and denied warnings.

use std::path::Path;
use std::time::SystemTime;

use super::arguments::{Deny, ReportArguments};
use super::output::Failure;
use super::session::unix_nanos;
use crate::known::{self, KnownFindings, Scope};
use crate::model::Date;
use crate::report::text::thousands;
use crate::report::{RunReport, ScenarioReport};

/// Read before anything is started, so that a broken file costs nothing.
pub(super) struct Gate {
    known: Option<KnownFindings>,
    deny_warnings: bool,
    today: Date,
}

impl Gate {
    pub(super) fn read(arguments: &ReportArguments) -> Result<Gate, Failure> {
        Gate::of(arguments.known.as_deref(), arguments.deny == Some(Deny::Warnings))
    }

    pub(super) fn of(known: Option<&Path>, deny_warnings: bool) -> Result<Gate, Failure> {
        Ok(Gate { known: known.map(read_known).transpose()?, deny_warnings, today: today() })
    }

    /// A scenario as it counts. Doing it twice does no more.
    pub(super) fn scenario(&self, report: ScenarioReport) -> ScenarioReport {
        let report = match &self.known {
            Some(known) => known.apply(self.today, report),
            None => report,
        };
        if self.deny_warnings { report.deny_warnings() } else { report }
    }

    /// A run as it counts.
    pub(super) fn run(&self, report: RunReport, scope: &Scope) -> RunReport {
        let partial = scope.partial || report.interrupted || !report.problems.is_empty();
        let report = report.regraded(|scenario| self.scenario(scenario));
        let Some(known) = &self.known else { return report };
        let unmatched = known.unmatched(&Scope { partial, ..scope.clone() }, &report.scenarios);
        report.with_unmatched_known(unmatched)
    }

    /// Writes the file that accepts what fails, and counts by it from now on. Says what it did.
    pub(super) fn write_known(&mut self, path: &Path, reports: &[ScenarioReport]) -> Result<String, Failure> {
        let text = known::write(reports, self.today, self.deny_warnings);
        let failed = |error: std::io::Error| {
            let failure = Failure::new(format!("could not write {}: {error}", path.display()));
            match error.kind() {
                std::io::ErrorKind::AlreadyExists => failure.hint(
                    "nothing is overwritten: name another file and compare, or remove it first; --known reads it",
                ),
                _ => failure.hint("name a file in a directory that is there and that you may write to"),
            }
        };
        let mut file = std::fs::File::create_new(path).map_err(failed)?;
        std::io::Write::write_all(&mut file, text.as_bytes()).map_err(failed)?;
        let written = parse(path, &text)?;
        let entries = match written.len() {
            1 => "1 entry".to_string(),
            entries => format!("{} entries", thousands(entries as u64)),
        };
        let said = format!(
            "wrote {}: {entries}; read it, say the reasons, and give it to --known. What is incomplete stays incomplete",
            path.display()
        );
        self.known = Some(written);
        Ok(said)
    }
}

/// The day, in UTC, on which it is decided what has expired.
fn today() -> Date {
    Date::of(unix_nanos(SystemTime::now()))
}

fn read_known(path: &Path) -> Result<KnownFindings, Failure> {
    let text = std::fs::read(path).map_err(|error| {
        Failure::new(format!("could not read {}: {error}", path.display()))
            .hint("`probity check EVIDENCE --write-known FILE` writes the first one")
    })?;
    let text = String::from_utf8(text)
        .map_err(|_| Failure::new(format!("{} is no text in UTF-8", path.display())))?;
    parse(path, &text)
}

fn parse(path: &Path, text: &str) -> Result<KnownFindings, Failure> {
    known::parse(&path.display().to_string(), text)
        .map_err(|error| Failure::new(error.to_string()).hint(error.hint()))
}
