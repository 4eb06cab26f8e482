//! METRIC-02: counts are true. What was driven between two scrapes is what the counters rose by, split by outcome.

mod calls;
mod records;
mod requests;

use std::collections::HashMap;

use crate::exposition::{Labels, Sample};
use crate::model::{Case, Counted, Family, Judgement, Severity};
use crate::rules::Rule;
use crate::rules::exposed::{Exposed, LabelSet, answers_for_itself, counts, last_scrapes};
use crate::rules::tally::{Fault, Tally};

use super::counted::Window;

pub(crate) static RULE: Rule = Rule {
    id: "METRIC-02",
    severity: Severity::Error,
    requirement: "counts are true: each request, call and record raises its counter by one, under its outcome",
    needs: &["scrapes", "stimuli", "records", "offsets", "families", "operations"],
    page: include_str!("../pages/METRIC-02.md"),
    judge,
};

fn judge(case: &Case) -> Judgement {
    let mut judgement = Judgement::default();
    let mut tally = Tally::new(&RULE);
    for last in last_scrapes(case) {
        let declared = case.declaration.and_then(|declaration| declaration.service(last.service()));
        let (Some(service), Some(_)) = (declared, answers_for_itself(case, last.scrape)) else { continue };
        let window = Window::up_to(case, last.scrape);
        for (family, counted) in service.families.iter().filter_map(|family| Some((family, family.counts.as_ref()?))) {
            let compared = Compared { case, window: &window, last: &last, family };
            match compared.mistakes(counted) {
                Verdict::NoSubject => {}
                Verdict::Unknown(why) => judgement.gap(compared.subject(), why),
                Verdict::Judged(mistakes) => {
                    judgement.judged();
                    if !mistakes.is_empty() {
                        tally.add(compared.subject(), "count", None, || describe(counted, &mistakes));
                    }
                }
            }
        }
    }
    tally.put_into(&mut judgement);
    judgement
}

/// What comparing one family came to.
enum Verdict {
    /// Nothing was driven that it counts, and it counted nothing.
    NoSubject,
    Unknown(String),
    /// Each mistake in words: `GET /{code} 404: 3 driven, 0 counted`.
    Judged(Vec<String>),
}

/// One declared family of one process.
struct Compared<'c, 'a> {
    case: &'c Case<'a>,
    window: &'c Window<'a>,
    last: &'c Exposed<'a>,
    family: &'c Family,
}

impl<'a> Compared<'_, 'a> {
    fn subject(&self) -> String {
        format!("{}, family `{}`", self.last.service(), self.family.name)
    }

    fn mistakes(&self, counted: &Counted) -> Verdict {
        match counted {
            Counted::HttpRequests { route_label, status_label, method_label } => {
                requests::compare(self, [method_label, route_label, status_label])
            }
            Counted::Calls { to, status_label } => calls::compare(self, to, status_label.as_deref()),
            Counted::RecordsSent { topic } => records::compare_sent(self, topic),
            Counted::RecordsConsumed { topic } => records::compare_consumed(self, topic),
            // METRIC-11 judges those, and DEGRADE-07.
            Counted::DegradedAnswers | Counted::SpansLost => Verdict::NoSubject,
        }
    }

    /// By how much each of the family's series rose in the window; `Err`: it is not there, or counts nothing. Missing
    /// families are METRIC-01's.
    fn rises(&self) -> Result<Vec<(LabelSet<'_>, f64)>, String> {
        let first = self.window.first.as_ref().and_then(|first| first.family(&self.family.name)).and_then(counts);
        let before: HashMap<&Labels, f64> =
            first.unwrap_or_default().into_iter().map(|sample| (&sample.labels, sample.value)).collect();
        let rise = |sample: &Sample| sample.value - before.get(&sample.labels).unwrap_or(&0.0);
        let now = self.samples()?;
        Ok(now.into_iter().map(|sample| (sample.labels.iter().collect(), rise(sample))).collect())
    }

    /// The sum of the family's series since the process began.
    fn total(&self) -> Result<f64, String> {
        Ok(self.samples()?.iter().map(|sample| sample.value).sum())
    }

    fn samples(&self) -> Result<Vec<&Sample<'a>>, String> {
        let silent = || format!("silent: {}", self.last.service());
        let family = self.last.family(&self.family.name).ok_or_else(silent)?;
        counts(family).ok_or_else(|| format!("it is a {}, which counts nothing: METRIC-01", family.kind))
    }
}

fn describe(counted: &Counted, mistakes: &[String]) -> Fault {
    let (required, fix) = match counted {
        Counted::HttpRequests { .. } => (
            "as many as were answered, for each method, route and status",
            "count in one place that every answer passes, errors and unknown routes included, once for each request",
        ),
        Counted::Calls { .. } => (
            "one for each logical call, retries not counted, under its final outcome",
            "count around the retries, not within them; attempts are another family",
        ),
        _ => ("as many as there are records", "count where a record is acknowledged, each record once"),
    };
    let more = mistakes.len().saturating_sub(5);
    let mut seen = mistakes.iter().take(5).map(String::as_str).collect::<Vec<_>>().join("; ");
    if more > 0 {
        seen += &format!("; and {more} more");
    }
    Fault { required: required.into(), seen, fix: format!("{fix}; probity explain METRIC-02"), ..Fault::default() }
}

/// The value of a label in a label set.
fn value<'s>(labels: &LabelSet<'s>, name: &str) -> Option<&'s str> {
    labels.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}

/// A count as people write it: whole numbers without a point.
fn shown_count(count: f64) -> String {
    if count.fract() == 0.0 && count.abs() < 1e15 { format!("{}", count as i64) } else { format!("{count}") }
}

#[cfg(test)]
mod tests;
