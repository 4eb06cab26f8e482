//! Breaks of what a queue carries.

use std::collections::BTreeSet;

use super::{Mutant, Mutation};
use crate::model::{Case, Evidence, Record, TraceParent};

pub(super) static BREAKS: &[Mutation] = &[
    Mutation { name: "drop-headers", about: "one record carries no header", mutants: drop_headers },
    Mutation {
        name: "foreign-headers",
        about: "one record carries the context of a span that nobody sent",
        mutants: foreign_headers,
    },
];

/// One record of each topic that carries a context.
fn on_record(case: &Case, change: fn(&mut Record)) -> Vec<Mutant> {
    let carries = |record: &&Record| context(record).is_some();
    let topics: BTreeSet<String> =
        case.evidence.records.iter().filter(carries).map(|record| record.topic.clone()).collect();
    let mutant = |topic: String| {
        Mutant::new(topic.clone(), move |evidence: &mut Evidence| {
            let mut records = evidence.records.iter_mut();
            if let Some(record) = records.find(|record| record.topic == topic && context(record).is_some()) {
                change(record);
            }
        })
    };
    topics.into_iter().map(mutant).collect()
}

fn context(record: &Record) -> Option<TraceParent> {
    record.header("traceparent").find_map(TraceParent::parse)
}

fn drop_headers(case: &Case) -> Vec<Mutant> {
    on_record(case, |record| record.headers.clear())
}

fn foreign_headers(case: &Case) -> Vec<Mutant> {
    on_record(case, |record| {
        for (_, value) in record.headers.iter_mut().filter(|(key, _)| key == "traceparent") {
            *value = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into();
        }
    })
}
