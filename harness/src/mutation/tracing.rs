//! Breaks of traces: services, spans, parents and links that go missing, names, kinds, states and clocks that lie.

use std::collections::{BTreeMap, HashSet};

use opentelemetry_proto::tonic::common::v1::{AnyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;

use super::ids::Renaming;
use super::payloads::{Address, edit_resources, edit_span, edit_traces, remove_span, spans_of};
use super::{Mutant, Mutation, SUBJECTS_MAX};
use crate::model::{Case, Counts, Evidence, Kind, ProcessId, Source, Span, SpanId, Status, TraceId};

pub(super) static BREAKS: &[Mutation] = &[
    Mutation { name: "drop-service", about: "nothing of the service arrives", mutants: drop_service },
    Mutation { name: "drop-span", about: "one span never arrives", mutants: drop_span },
    Mutation { name: "cut-parent", about: "the parent that a span names never arrives", mutants: cut_parent },
    Mutation {
        name: "re-root",
        about: "a span begins a trace of its own, and takes along what it causes",
        mutants: re_root,
    },
    Mutation { name: "drop-link", about: "a span that only a link joins loses it", mutants: drop_link },
    Mutation { name: "swap-names", about: "two services say each other's name", mutants: swap_names },
    Mutation { name: "bare-resource", about: "a resource keeps service.name alone", mutants: bare_resource },
    Mutation { name: "shift-clock", about: "a service's clock is ten seconds off", mutants: shift_clock },
    Mutation { name: "one-id-twice", about: "two different spans have one id", mutants: one_id_twice },
    Mutation { name: "raw-name", about: "a name holds the value of one request", mutants: raw_name },
    Mutation { name: "wrong-kind", about: "a span says INTERNAL", mutants: wrong_kind },
    Mutation { name: "no-attributes", about: "a span has no attribute", mutants: no_attributes },
    Mutation { name: "hide-error", about: "a failure leaves the status unset", mutants: hide_error },
    Mutation { name: "invent-error", about: "a success sets status Error", mutants: invent_error },
];

const SHIFT_NANOS: u64 = 10_000_000_000;

// === Subjects ===

/// One span for each service, kind and name that there is. In a scenario a span of no process is ours, for a context that we
/// sent: what becomes of it says nothing of the system.
fn shapes(case: &Case, wanted: impl Fn(Span) -> bool) -> Vec<(String, Address)> {
    let mut shapes: BTreeMap<String, Address> = BTreeMap::new();
    let ours = |span: Span| case.evidence.source == Source::Scenario && span.process().is_none();
    for span in case.spans.iter().filter(|span| wanted(*span) && !ours(*span)) {
        let shape = format!("{} {} {}", case.service(span), span.kind().word(), span.name());
        shapes.entry(shape).or_insert((span.trace(), span.id()));
    }
    shapes.into_iter().take(SUBJECTS_MAX).collect()
}

/// The processes that sent spans, by the name of their service.
fn senders(case: &Case) -> BTreeMap<String, Vec<ProcessId>> {
    let sent: HashSet<&ProcessId> = case.spans.iter().filter_map(|span| span.process()).collect();
    let mut senders: BTreeMap<String, Vec<ProcessId>> = BTreeMap::new();
    for process in case.evidence.processes.iter().filter(|process| sent.contains(&process.id)) {
        senders.entry(process.service.clone()).or_default().push(process.id.clone());
    }
    senders
}

fn on_span(
    case: &Case,
    wanted: impl Fn(Span) -> bool,
    change: impl Fn(&mut Evidence, Address) + Clone + Send + Sync + 'static,
) -> Vec<Mutant> {
    let mutant = |(subject, at): (String, Address)| {
        let change = change.clone();
        Mutant::new(subject, move |evidence: &mut Evidence| change(evidence, at))
    };
    shapes(case, wanted).into_iter().map(mutant).collect()
}

// === What goes missing ===

fn drop_service(case: &Case) -> Vec<Mutant> {
    let mutant = |(service, processes): (String, Vec<ProcessId>)| {
        Mutant::new(service, move |evidence| {
            let gone =
                |process: &Option<ProcessId>| process.as_ref().is_some_and(|id| processes.contains(id));
            evidence.requests.retain(|request| !gone(&request.process));
            for entry in evidence.ledger.senders.iter_mut().filter(|entry| gone(&entry.process)) {
                (entry.counts, entry.last_received) = (Counts::default(), None);
            }
        })
    };
    senders(case).into_iter().map(mutant).collect()
}

fn drop_span(case: &Case) -> Vec<Mutant> {
    on_span(case, |_| true, remove_span)
}

fn cut_parent(case: &Case) -> Vec<Mutant> {
    on_span(
        case,
        |span| span.parent().is_some(),
        |evidence, at| {
            edit_span(evidence, at, |span| span.parent_span_id = other_span(at.1).0.to_vec());
        },
    )
}

fn re_root(case: &Case) -> Vec<Mutant> {
    let subtree = |at: Address| -> HashSet<SpanId> {
        let mut open: Vec<Span> = case.spans.get(at.0, at.1).into_iter().collect();
        let mut ids = HashSet::new();
        while let Some(span) = open.pop() {
            if ids.insert(span.id()) {
                open.extend(span.children());
            }
        }
        ids
    };
    let mutant = |(subject, at): (String, Address)| {
        let moved = subtree(at);
        Mutant::new(subject, move |evidence| {
            edit_span(evidence, at, |span| span.parent_span_id.clear());
            let rename = |trace: TraceId, span: Option<SpanId>| match span {
                Some(id) if trace == at.0 && moved.contains(&id) => (other_trace(trace), span),
                _ => (trace, span),
            };
            Renaming::new(evidence, rename).apply(evidence);
        })
    };
    shapes(case, |span| span.parent().is_some()).into_iter().map(mutant).collect()
}

/// Where a parent joins the span too, the trace is whole without the link.
fn drop_link(case: &Case) -> Vec<Mutant> {
    let only_linked = |span: Span| span.parent_id().is_none() && span.link_ids().next().is_some();
    on_span(case, only_linked, |evidence, at| edit_span(evidence, at, |span| span.links.clear()))
}

fn other_trace(trace: TraceId) -> TraceId {
    TraceId(trace.0.map(|byte| byte ^ 0x5a))
}

fn other_span(span: SpanId) -> SpanId {
    SpanId(span.0.map(|byte| byte ^ 0x5a))
}

// === Resources ===

fn swap_names(case: &Case) -> Vec<Mutant> {
    let senders: Vec<(String, Vec<ProcessId>)> = senders(case).into_iter().collect();
    let mutant = |pair: &[(String, Vec<ProcessId>)]| {
        let [one, other] = [pair[0].clone(), pair[1].clone()];
        Mutant::new(format!("{} and {}", one.0, other.0), move |evidence| {
            one.1.iter().for_each(|process| rename_service(evidence, process, &other.0));
            other.1.iter().for_each(|process| rename_service(evidence, process, &one.0));
        })
    };
    senders.windows(2).map(mutant).collect()
}

fn rename_service(evidence: &mut Evidence, process: &ProcessId, name: &str) {
    edit_resources(evidence, process, |resource| {
        for attribute in resource.attributes.iter_mut().filter(|attribute| attribute.key == "service.name") {
            attribute.value = Some(AnyValue { value: Some(any_value::Value::StringValue(name.into())) });
        }
    });
}

fn bare_resource(case: &Case) -> Vec<Mutant> {
    let bare =
        |resource: &mut Resource| resource.attributes.retain(|attribute| attribute.key == "service.name");
    let mutant = |(service, processes): (String, Vec<ProcessId>)| {
        Mutant::new(service, move |evidence| {
            processes.iter().for_each(|process| edit_resources(evidence, process, bare));
        })
    };
    senders(case).into_iter().map(mutant).collect()
}

// === Clocks and ids ===

/// Ahead for who is called by nobody that was captured: its callees then start before it. Behind for all others.
fn shift_clock(case: &Case) -> Vec<Mutant> {
    let called: HashSet<&str> = case
        .spans
        .iter()
        .filter(|span| span.parent().is_some_and(|parent| case.service(parent) != case.service(*span)))
        .map(|span| case.service(span))
        .collect();
    let mutant = |(service, processes): (String, Vec<ProcessId>)| {
        let behind = called.contains(service.as_str());
        let subject = format!("{service}, {}", if behind { "behind" } else { "ahead" });
        Mutant::new(subject, move |evidence| {
            let shift = |nanos: &mut u64| {
                *nanos = if behind {
                    nanos.saturating_sub(SHIFT_NANOS)
                } else {
                    nanos.saturating_add(SHIFT_NANOS)
                };
            };
            let of = |process: &Option<ProcessId>| process.as_ref().is_some_and(|id| processes.contains(id));
            edit_traces(
                evidence,
                |request| of(&request.process),
                |request| {
                    for span in spans_of(request) {
                        shift(&mut span.start_time_unix_nano);
                        shift(&mut span.end_time_unix_nano);
                    }
                },
            );
        })
    };
    senders(case).into_iter().map(mutant).collect()
}

/// A span takes the id of another of its service and trace; what hangs under it is left behind.
fn one_id_twice(case: &Case) -> Vec<Mutant> {
    let mut pairs: BTreeMap<String, (Address, SpanId)> = BTreeMap::new();
    for span in case.spans.iter() {
        let Some(parent) = span.parent().filter(|parent| case.service(*parent) == case.service(span)) else {
            continue;
        };
        pairs.entry(case.service(span).to_string()).or_insert(((span.trace(), span.id()), parent.id()));
    }
    let mutant = |(service, (at, id)): (String, (Address, SpanId))| {
        Mutant::new(service, move |evidence| edit_span(evidence, at, |span| span.span_id = id.0.to_vec()))
    };
    pairs.into_iter().take(SUBJECTS_MAX).map(mutant).collect()
}

// === Names, kinds, states ===

fn raw_name(case: &Case) -> Vec<Mutant> {
    on_span(
        case,
        |span| span.kind() == Kind::Server,
        |evidence, at| {
            edit_span(evidence, at, |span| span.name.push_str("/73920184"));
        },
    )
}

fn wrong_kind(case: &Case) -> Vec<Mutant> {
    on_span(
        case,
        |span| !matches!(span.kind(), Kind::Internal | Kind::Unspecified),
        |evidence, at| {
            edit_span(evidence, at, |span| span.kind = 1);
        },
    )
}

fn no_attributes(case: &Case) -> Vec<Mutant> {
    let telling = |span: Span| span.kind() != Kind::Internal && !span.attributes().is_empty();
    on_span(case, telling, |evidence, at| edit_span(evidence, at, |span| span.attributes.clear()))
}

fn hide_error(case: &Case) -> Vec<Mutant> {
    on_span(
        case,
        |span| span.status() == Status::Error,
        |evidence, at| {
            edit_span(evidence, at, |span| {
                span.status = None;
                span.attributes.retain(|attribute| attribute.key != "error.type");
            });
        },
    )
}

fn invent_error(case: &Case) -> Vec<Mutant> {
    on_span(
        case,
        |span| span.status() != Status::Error && span.kind() != Kind::Internal,
        |evidence, at| {
            edit_span(evidence, at, |span| span.status.get_or_insert_default().code = 2);
        },
    )
}
