//! What the forms of a report share: findings as a terminal shows them but without colour, which of them are red, and the
//! places in files that they point to.

use std::path::{Component, Path};

use super::terminal::{self, Layout};
use super::text::{harmless, shortened};
use super::{Judged, RunReport, ScenarioReport};
use crate::model::{Finding, SourcePlace};

/// Commands name the evidence.
fn layout(run: &RunReport, width: Option<usize>) -> Layout {
    Layout { width, evidence: run.evidence.clone(), several: run.scenarios.len() > 1 }
}

fn plain(styled: &str) -> String {
    anstream::adapter::strip_str(styled).to_string()
}

/// Findings of one scenario as blocks of text that a reader who has never seen the rule can act on, in so many columns.
pub(super) fn findings(
    run: &RunReport,
    case: &Judged,
    findings: &[&Finding],
    width: Option<usize>,
) -> String {
    plain(&terminal::findings(case.report, findings, &layout(run, width)))
}

/// Why the scenario is incomplete; empty when nothing is missing.
pub(super) fn missing(run: &RunReport, case: &Judged, width: Option<usize>) -> String {
    plain(&terminal::missing(case.report, &layout(run, width)))
}

/// Entries of the file of known findings that match nothing; empty when each matches.
pub(super) fn unmatched(run: &RunReport) -> String {
    plain(&terminal::unmatched(&run.unmatched_known, &layout(run, None)))
}

/// Whether it turns its scenario red.
pub(super) fn is_red(report: &ScenarioReport, finding: &Finding) -> bool {
    finding.is_error() || report.denies_warnings && finding.is_warning()
}

/// Where a finding can be mended, else where its scenario is written. Evidence is untrusted: a path that leads out of the
/// project is no place.
pub(super) fn place<'a>(case: &Judged<'a>, finding: &'a Finding) -> Option<&'a SourcePlace> {
    finding.at.as_ref().filter(|place| is_within(&place.file)).or_else(|| scenario_place(case))
}

/// Where the scenario is written.
pub(super) fn scenario_place<'a>(case: &Judged<'a>) -> Option<&'a SourcePlace> {
    case.evidence.written_at.as_ref().filter(|place| is_within(&place.file))
}

fn is_within(file: &str) -> bool {
    let plain = |component| matches!(component, Component::Normal(_));
    !file.is_empty() && Path::new(file).components().all(plain) && !file.contains(['\\', '\0', '\n', '\r'])
}

/// What the scenario is called where it has no name of its own: `exec`, `listen` and files have the run's.
pub(super) fn name<'a>(run: &'a RunReport, case: &Judged<'a>) -> &'a str {
    if case.report.name.is_empty() { &run.subject } else { &case.report.name }
}

/// Text from outside on one line, cut after so many characters.
pub(super) fn line(text: &str, characters_max: usize) -> String {
    shortened(&harmless(text, false), characters_max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_leads_out_of_the_project_is_no_place() {
        for file in ["compose/prometheus.yml", "a b/ü.rs", "a:b"] {
            assert!(is_within(file), "{file}");
        }
        for file in ["", "/etc/passwd", "../x", "a/../../x", "a\\b", "a\nb", "."] {
            assert!(!is_within(file), "{file:?}");
        }
    }
}
