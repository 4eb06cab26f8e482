//! Breaks of logs.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Mutant, Mutation};
use crate::model::{Case, Evidence, LogLine};

pub(super) static BREAKS: &[Mutation] = &[
    Mutation {
        name: "strip-trace-id",
        about: "lines within requests carry no trace id",
        mutants: strip_trace_id,
    },
    Mutation {
        name: "zero-ids",
        about: "lines within requests carry ids that are all zero",
        mutants: zero_ids,
    },
    Mutation { name: "plain-line", about: "one line is no JSON", mutants: plain_line },
];

/// Lines of JSON with a trace id, of each service that has such.
fn on_lines(case: &Case, change: fn(&mut LogLine), once: bool) -> Vec<Mutant> {
    let services: BTreeSet<String> =
        case.evidence.logs.iter().filter(|line| traced(line)).map(|line| line.service.clone()).collect();
    let mutant = |service: String| {
        Mutant::new(service.clone(), move |evidence: &mut Evidence| {
            let lines = evidence.logs.iter_mut().filter(|line| line.service == service && traced(line));
            lines.take(if once { 1 } else { usize::MAX }).for_each(change);
        })
    };
    services.into_iter().map(mutant).collect()
}

fn traced(line: &LogLine) -> bool {
    line.text.contains("trace_id") && line.json().is_some_and(|fields| fields.contains_key("trace_id"))
}

fn edit(line: &mut LogLine, change: impl Fn(&mut serde_json::Map<String, Value>)) {
    if let Some(mut fields) = line.json() {
        change(&mut fields);
        line.text = Value::Object(fields).to_string();
    }
}

fn strip_trace_id(case: &Case) -> Vec<Mutant> {
    let strip = |line: &mut LogLine| {
        edit(line, |fields| {
            fields.remove("trace_id");
            fields.remove("span_id");
        });
    };
    on_lines(case, strip, false)
}

fn zero_ids(case: &Case) -> Vec<Mutant> {
    let zero = |line: &mut LogLine| {
        edit(line, |fields| {
            for (key, digits) in [("trace_id", 32), ("span_id", 16)] {
                if fields.contains_key(key) {
                    fields.insert(key.into(), "0".repeat(digits).into());
                }
            }
        });
    };
    on_lines(case, zero, false)
}

fn plain_line(case: &Case) -> Vec<Mutant> {
    on_lines(case, |line| line.text = "connection pool is exhausted, retrying".into(), true)
}
