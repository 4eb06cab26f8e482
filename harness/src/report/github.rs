//! What a GitHub runner reads: annotations, as workflow commands, at the lines where findings lie.
//!
//! Everything else that is printed on a runner is made inert first (`crate::inert`).

use super::text::{harmless, shortened};
use super::view;
use super::{Judged, RunReport};
use crate::model::{Finding, SourcePlace};

/// Annotations of one level that GitHub keeps of a step.
pub const SHOWN_MAX: usize = 10;
/// Bytes of job summary that GitHub keeps of a step.
pub const SUMMARY_MAX: usize = 1 << 20;
/// Characters of a message; GitHub cuts at 4,096.
const MESSAGE_MAX: usize = 3_000;
/// Characters of one field of it.
const FIELD_MAX: usize = 700;
/// Reasons why one scenario is incomplete that get an annotation.
const REASONS_MAX: usize = 2;

/// One annotation a line: errors, then warnings; of each level the most telling first, at most as many as are shown.
pub fn render(run: &RunReport, cases: &[Judged]) -> String {
    let mut annotations = of_run(run);
    for case in cases {
        of_scenario(run, case, &mut annotations);
    }
    annotations.sort_by_key(|annotation| annotation.rank);
    let mut text = String::new();
    for level in ["error", "warning"] {
        let all: Vec<_> = annotations.iter().filter(|annotation| annotation.level == level).collect();
        let shown = if all.len() > SHOWN_MAX { SHOWN_MAX - 1 } else { all.len() };
        all[..shown].iter().for_each(|annotation| text.push_str(&annotation.command()));
        if all.len() > shown {
            let message = format!("and {} more: the job summary has them", all.len() - shown);
            let more = Annotation { level, rank: Rank::Other, place: None, title: "Probity".into(), message };
            text.push_str(&more.command());
        }
    }
    text
}

struct Annotation<'a> {
    level: &'static str,
    rank: Rank,
    place: Option<&'a SourcePlace>,
    title: String,
    message: String,
}

/// What is shown first: of each rule in each scenario one finding, before any second one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Run,
    First,
    Error,
    Incomplete,
    Other,
}

fn of_run<'a>(run: &'a RunReport) -> Vec<Annotation<'a>> {
    let error = |message: String| Annotation {
        level: "error",
        rank: Rank::Run,
        place: None,
        title: "Probity".into(),
        message,
    };
    let mut annotations = Vec::new();
    if run.interrupted {
        annotations.push(error("interrupted: what is reported was done until then".into()));
    }
    annotations
        .extend(run.problems.iter().map(|problem| error(format!("the evidence is damaged: {problem}"))));
    let unmatched = run.unmatched_known.iter();
    annotations.extend(unmatched.map(|entry| {
        error(format!("{}: the known finding {} is not there: {}", entry.place, entry.rule, entry.reason))
    }));
    annotations
}

fn of_scenario<'a>(run: &'a RunReport, case: &Judged<'a>, annotations: &mut Vec<Annotation<'a>>) {
    let report = case.report;
    let name = view::name(run, case);
    let mut last: Option<&str> = None;
    for finding in &report.findings {
        let red = view::is_red(report, finding);
        if !red && !finding.is_warning() {
            continue;
        }
        let rank = if last == Some(finding.rule.as_str()) { Rank::Other } else { Rank::First };
        last = Some(&finding.rule);
        annotations.push(Annotation {
            level: if red { "error" } else { "warning" },
            rank,
            place: view::place(case, finding),
            title: format!("{} {name}", finding.rule),
            message: message(case, finding),
        });
    }
    let mut other = |rank, message: String| {
        let place = view::scenario_place(case);
        annotations.push(Annotation {
            level: "error",
            rank,
            place,
            title: name.into(),
            message: again(case, message),
        });
    };
    if let Some(error) = &report.error {
        other(Rank::Error, format!("could not be run: {}", view::line(error, FIELD_MAX)));
    }
    for reason in report.incomplete.iter().take(REASONS_MAX) {
        other(Rank::Incomplete, format!("incomplete: {}", view::line(reason, FIELD_MAX)));
    }
}

/// What a reviewer needs who sees nothing but this.
fn message(case: &Judged, finding: &Finding) -> String {
    let field = |text: &str| view::line(text, FIELD_MAX);
    let mut text = format!(
        "{}\nrequired: {}\nseen: {}",
        field(&finding.subject),
        field(&finding.required),
        field(&finding.seen)
    );
    if !finding.fix.is_empty() {
        text.push_str(&format!("\nfix: {}", field(&finding.fix)));
    }
    again(case, text)
}

fn again(case: &Judged, text: String) -> String {
    match &case.report.rerun {
        Some(rerun) => format!("{text}\nagain: {}", view::line(rerun, FIELD_MAX)),
        None => text,
    }
}

impl Annotation<'_> {
    fn command(&self) -> String {
        let mut properties = Vec::new();
        if let Some(place) = self.place {
            properties.push(format!("file={}", property(&place.file)));
            properties.push(format!("line={}", place.line.max(1)));
        }
        properties.push(format!("title={}", property(&view::line(&self.title, 200))));
        let message = shortened(&harmless(&self.message, true), MESSAGE_MAX);
        format!("::{} {}::{}\n", self.level, properties.join(","), data(&message))
    }
}

/// What stands behind the second `::` of a command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of a property of a command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests;
