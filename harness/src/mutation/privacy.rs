//! Breaks of what travels with a request: a planted value gets out, declared baggage is lost.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};

use super::payloads::{edit_span, edit_traces, spans_of};
use super::{Mutant, Mutation};
use crate::model::{Canary, Case, Kind, LogLine, ProcessId, Span};

pub(super) static BREAKS: &[Mutation] = &[
    Mutation {
        name: "leak-in-span",
        about: "one span carries a planted value, percent-encoded within an attribute",
        mutants: leak_in_span,
    },
    Mutation {
        name: "leak-in-log",
        about: "one line that is no JSON carries a planted value in base64",
        mutants: leak_in_log,
    },
    Mutation {
        name: "leak-in-record",
        about: "one record carries a planted value in a header",
        mutants: leak_in_record,
    },
    Mutation {
        name: "drop-baggage",
        about: "the spans of one process lack the declared members of baggage",
        mutants: drop_baggage,
    },
];

/// One planted value of each kind that the scenario has.
fn canaries<'c>(case: &'c Case<'_>) -> impl Iterator<Item = &'c Canary> + Clone {
    let canaries = &case.evidence.canaries;
    let first = |(number, canary): &(usize, &Canary)| {
        canaries.iter().position(|other| other.kind == canary.kind) == Some(*number)
    };
    canaries.iter().enumerate().filter(first).map(|(_, canary)| canary)
}

fn leak_in_span(case: &Case) -> Vec<Mutant> {
    let mutants = canaries(case).filter_map(|canary| {
        let span = case.spans.iter().find(|span| span.kind() == Kind::Server)?;
        let subject = format!("{}, {}", case.service(span), canary.kind.word());
        let at = (span.trace(), span.id());
        let escaped: String = canary.value.bytes().map(|byte| format!("%{byte:02x}")).collect();
        Some(Mutant::new(subject, move |evidence| {
            edit_span(evidence, at, |span| span.attributes.push(text("url.query", format!("q={escaped}"))));
        }))
    });
    mutants.collect()
}

fn leak_in_log(case: &Case) -> Vec<Mutant> {
    let mutants = canaries(case).filter_map(|canary| {
        let line = case.evidence.logs.iter().find(|line| !line.stderr)?.clone();
        let subject = format!("{}, {}", line.service, canary.kind.word());
        let text = format!("> Authorization: Basic {}", STANDARD.encode(format!("me:{}", canary.value)));
        Some(Mutant::new(subject, move |evidence| {
            evidence.logs.push(LogLine { stderr: true, line: 1_000_000, text: text.clone(), ..line.clone() });
        }))
    });
    mutants.collect()
}

fn leak_in_record(case: &Case) -> Vec<Mutant> {
    let mutants = canaries(case).filter_map(|canary| {
        let record = case.evidence.records.first()?;
        let subject = format!("{}, {}", record.topic, canary.kind.word());
        let header = ("user".to_owned(), canary.value.clone());
        Some(Mutant::new(subject, move |evidence| {
            evidence.records.iter_mut().take(1).for_each(|record| record.headers.push(header.clone()));
        }))
    });
    mutants.collect()
}

/// Of each service the processes that carry a declared member on a span.
fn drop_baggage(case: &Case) -> Vec<Mutant> {
    let declared = case.declaration.map(|declaration| declaration.baggage.clone()).unwrap_or_default();
    let carries = |span: &Span<'_>| declared.iter().any(|key| span.attribute(key).is_some());
    let is_hop = |span: &Span<'_>| matches!(span.kind(), Kind::Server | Kind::Producer | Kind::Consumer);
    let hops = case.spans.iter().filter(is_hop).filter(carries);
    let carriers: BTreeSet<(String, ProcessId)> =
        hops.filter_map(|span| Some((case.service(span).to_owned(), span.process()?.clone()))).collect();
    let mutant = |(service, process): (String, ProcessId)| {
        let declared = declared.clone();
        Mutant::new(service, move |evidence| {
            edit_traces(
                evidence,
                |request| request.process.as_ref() == Some(&process),
                |request| {
                    for span in spans_of(request) {
                        span.attributes.retain(|attribute| !declared.contains(&attribute.key));
                    }
                },
            );
        })
    };
    carriers.into_iter().map(mutant).collect()
}

fn text(key: &str, value: String) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(value)) });
    KeyValue { key: key.into(), value, ..KeyValue::default() }
}
