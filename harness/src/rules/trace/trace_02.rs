//! TRACE-02: over HTTP and gRPC the callee's server span hangs under the caller's client span.

use std::collections::HashMap;

use crate::model::{Case, Edge, EdgeKind, Judgement, Kind, Severity, Span, Stimulus, TraceId};
use crate::rules::Rule;
use crate::rules::picture::{Picture, line_of, top_of};
use crate::rules::tally::{Fault, Tally};
use crate::rules::text::{quoted, shown, span_subject};
use crate::rules::traffic::stimuli_by_trace;

pub(crate) static RULE: Rule = Rule {
    id: "TRACE-02",
    severity: Severity::Error,
    requirement: "across HTTP and gRPC the callee's server span is the child of the caller's client span",
    needs: &["spans", "stimuli", "edges"],
    page: include_str!("../pages/TRACE-02.md"),
    judge,
};

fn judge(case: &Case) -> Judgement {
    let mut rule = Judge {
        case,
        edges: edges_into(case),
        stimuli: stimuli_by_trace(case),
        judgement: Judgement::default(),
        tally: Tally::new(&RULE),
    };
    for span in case.spans.iter().filter(|span| span.kind() == Kind::Server) {
        rule.judge_server(span);
    }
    let Judge { mut judgement, tally, .. } = rule;
    tally.put_into(&mut judgement);
    judgement
}

/// The declared calls into each service.
fn edges_into<'a>(case: &Case<'a>) -> HashMap<&'a str, Vec<&'a Edge>> {
    let mut into: HashMap<&str, Vec<&Edge>> = HashMap::new();
    let declared = case.declaration.into_iter().flat_map(|declaration| &declaration.edges);
    for edge in declared.filter(|edge| edge.over.is_call()) {
        into.entry(&edge.to).or_default().push(edge);
    }
    into
}

struct Judge<'c, 'a> {
    case: &'c Case<'a>,
    edges: HashMap<&'a str, Vec<&'a Edge>>,
    stimuli: HashMap<TraceId, &'a Stimulus>,
    judgement: Judgement,
    tally: Tally,
}

impl<'a> Judge<'_, 'a> {
    fn judge_server(&mut self, span: Span<'_>) {
        let case = self.case;
        let service = case.service(span);
        match span.parent() {
            Some(parent) => self.judge_pair(span, service, parent),
            None if span.parent_id().is_some() => {
                if let Some(edge) = self.edge_of(span, service) {
                    let why = format!("the span of {} that it names as parent was not captured: TRACE-03", edge.from);
                    self.gap(span, why);
                }
            }
            None => self.judge_root(span, service),
        }
    }

    /// A server span with a captured parent: subject when another service called it.
    fn judge_pair(&mut self, span: Span<'_>, service: &str, parent: Span<'_>) {
        let caller = self.case.service(parent);
        if caller == service && span.process() == parent.process() {
            return;
        }
        if parent.kind() == Kind::Client {
            self.judgement.judged();
            return;
        }
        let called = self.edges.get(service).is_some_and(|edges| edges.iter().any(|edge| edge.from == caller));
        if called {
            self.judgement.judged();
            self.tally.add(span_subject(self.case, span), "not under a client span", Some(span), || Fault {
                required: format!("a client span of {} as its parent", shown(caller)),
                seen: format!("its parent is {}, which is no client span", quoted(&line_of(self.case, parent))),
                fix: "start a client span around the call and inject its context; probity explain TRACE-02".into(),
                ..Fault::default()
            });
        }
    }

    /// A server span without a parent: broken when it came over a declared edge, not when a stimulus asked for it.
    fn judge_root(&mut self, span: Span<'_>, service: &str) {
        let asked = self.stimuli.get(&span.trace()).is_some_and(|stimulus| stimulus.service == service);
        let Some(edge) = self.edge_of(span, service).filter(|_| !asked) else { return };
        self.judgement.judged();
        let case = self.case;
        self.tally.add(span_subject(case, span), "root", Some(span), || {
            let lonely = lonely_calls(case, edge);
            Fault {
                required: format!("the child of the client span of {} that called it", shown(&edge.from)),
                seen: format!(
                    "a root span: the call of {} carried no trace context, or the server did not read it",
                    shown(&edge.from)
                ),
                candidates: candidates(case, &lonely),
                tree: picture(case, span, lonely.first().copied()),
                fix: "inject the client span's context into the request's headers or metadata, and extract it in the \
                      server before its span starts; probity explain TRACE-02"
                    .into(),
            }
        });
    }

    /// The declared edge that the span came in by: by gRPC's method, else, for a service that only other services call,
    /// the only edge that there is.
    fn edge_of(&self, span: Span<'_>, service: &str) -> Option<&'a Edge> {
        let edges = self.edges.get(service)?;
        let by_method = edges.iter().find(|edge| is_call(span, &edge.over));
        let driven = |service: &str| {
            let operations = self.case.declaration.iter().flat_map(|declaration| &declaration.operations);
            operations.into_iter().any(|operation| operation.service == service)
        };
        by_method.or_else(|| edges.iter().find(|edge| edge.over == EdgeKind::Http && !driven(service))).copied()
    }

    fn gap(&mut self, span: Span<'_>, why: String) {
        let subject = span_subject(self.case, span);
        // One gap says it for all spans of that name.
        if self.judgement.gaps.len() < 100 && self.judgement.gaps.iter().all(|gap| gap.subject != subject) {
            self.judgement.gap(subject, why);
        }
    }
}

/// Whether the span, of either side, is a call over that edge: by `rpc.method`, by its older two halves, or by name.
fn is_call(span: Span<'_>, over: &EdgeKind) -> bool {
    let EdgeKind::Grpc { method } = over else { return false };
    let halves = || {
        let (service, name) = method.rsplit_once('/')?;
        Some(span.str("rpc.service")? == service && span.str("rpc.method")? == name)
    };
    span.name() == method || span.str("rpc.method") == Some(method) || halves().unwrap_or(false)
}

/// The caller's client spans over that edge that no server span hangs under: what the root should have hung under.
fn lonely_calls<'s>(case: &'s Case, edge: &Edge) -> Vec<Span<'s>> {
    let clients = case.spans.iter().filter(|span| span.kind() == Kind::Client && case.service(*span) == edge.from);
    let calls = clients.filter(|span| edge.over == EdgeKind::Http || is_call(*span, &edge.over));
    calls.filter(|span| span.children().all(|child| child.kind() != Kind::Server)).take(3).collect()
}

fn candidates(case: &Case, lonely: &[Span<'_>]) -> Vec<String> {
    lonely.first().map(|span| format!("{}: a client span that no server span hangs under", line_of(case, *span))).into_iter().collect()
}

fn picture(case: &Case, root: Span<'_>, caller: Option<Span<'_>>) -> String {
    let mut picture = Picture::default();
    if let Some(caller) = caller {
        let mark = |span: Span<'_>| if span == caller { ('-', "expected under this") } else { (' ', "") };
        picture.tree(case, top_of(caller), 0, &mark);
    }
    picture.tree(case, root, 0, &|span| if span == root { ('+', "arrived as its own trace") } else { (' ', "") });
    picture.text()
}

#[cfg(test)]
mod tests;
