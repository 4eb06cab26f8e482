//! METRIC-06: names say what a number is: base unit, `_total` on counters only, no type, and a HELP text.

use crate::model::{Case, Judgement, Severity};
use crate::rules::Rule;
use crate::rules::exposed::last_scrapes;
use crate::rules::tally::{Fault, Tally};
use crate::rules::text::shown;

use super::{names, otlp};

pub(crate) static RULE: Rule = Rule {
    id: "METRIC-06",
    severity: Severity::Error,
    requirement: "metric names follow the conventions: base units, `_total` on counters only, no type in the name, HELP present",
    needs: &["scrapes", "metrics"],
    page: include_str!("../pages/METRIC-06.md"),
    judge,
};

fn judge(case: &Case) -> Judgement {
    let mut judgement = Judgement::default();
    let mut tally = Tally::warning_without_declaration(&RULE, case);
    for exposed in last_scrapes(case) {
        let Ok(exposition) = exposed.exposition() else { continue };
        for family in &exposition.families {
            judgement.judged();
            for (kind, seen, fix) in names::faults(exposition, family) {
                let subject = format!("{}, family `{}`", exposed.service(), shown(&family.name));
                tally.add(subject, kind, None, || Fault {
                    seen,
                    fix: format!("{fix}; probity explain METRIC-06"),
                    ..Fault::default()
                });
            }
        }
    }
    if case.declaration.is_none() {
        judge_pushed(case, &mut judgement, &mut tally);
    }
    tally.put_into(&mut judgement);
    judgement
}

/// Names as OpenTelemetry writes them: whoever turns them into Prometheus's adds the suffixes.
fn judge_pushed(case: &Case, judgement: &mut Judgement, tally: &mut Tally) {
    for pushed in otlp::metrics(case) {
        judgement.judged();
        let name = &pushed.metric.name;
        let total = name.ends_with("_total") || name.ends_with(".total");
        if total && pushed.is_counter() {
            tally.add(pushed.subject(), "total", None, || Fault {
                required: "a counter's name without `total`: the exporter to Prometheus adds it".into(),
                seen: "a name that ends with it".into(),
                fix: "drop the suffix; probity explain METRIC-06".into(),
                ..Fault::default()
            });
        }
        if name.chars().any(char::is_uppercase) {
            tally.add(pushed.subject(), "case", None, || Fault {
                required: "a lowercase name, words joined by `.` and `_`".into(),
                seen: "capital letters".into(),
                fix: "write it in lowercase; probity explain METRIC-06".into(),
                ..Fault::default()
            });
        }
    }
}

#[cfg(test)]
mod tests;
