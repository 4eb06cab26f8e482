//! TRACE-03: no orphan. Every parent that a span names is captured.

use std::collections::{BTreeSet, HashMap};

use crate::model::{Case, Gap, Judgement, Kind, Process, Severity, Span};
use crate::rules::Rule;
use crate::rules::absence::{Proof, Silence, no_barrier, open_barrier, proof_of_absence, silence};
use crate::rules::picture::{Picture, top_of};
use crate::rules::tally::{Fault, Tally};
use crate::rules::text::{shown, span_subject};

pub(crate) static RULE: Rule = Rule {
    id: "TRACE-03",
    severity: Severity::Error,
    requirement: "no orphan: every span that another names as its parent is captured, or declared remote",
    needs: &["spans", "processes", "ledger", "barrier", "edges", "topics"],
    page: include_str!("../pages/TRACE-03.md"),
    judge,
};

/// Gaps that are listed.
const GAPS_MAX: usize = 100;

fn judge(case: &Case) -> Judgement {
    let mut judgement = Judgement::default();
    if no_barrier(case) {
        judgement.not_judged = Some("no barrier".into());
        return judgement;
    }
    let mut tally = Tally::new(&RULE);
    let mut proofs = Proofs { case, known: HashMap::new() };
    for span in case.spans.iter().filter(|span| span.parent_id().is_some()) {
        if span.parent().is_some() {
            judgement.judged();
        } else if !may_be_elsewhere(case, span) {
            judge_orphan(span, &mut proofs, &mut judgement, &mut tally);
        }
    }
    judgement.gaps.sort();
    tally.put_into(&mut judgement);
    judgement
}

/// Without a declaration the caller of a server or consumer span may be a system that does not report here.
fn may_be_elsewhere(case: &Case, span: Span<'_>) -> bool {
    if case.declaration.is_some() {
        return false;
    }
    match span.parent_is_remote() {
        Some(remote) => remote,
        None => matches!(span.kind(), Kind::Server | Kind::Consumer),
    }
}

fn judge_orphan(span: Span<'_>, proofs: &mut Proofs<'_, '_>, judgement: &mut Judgement, tally: &mut Tally) {
    let case = proofs.case;
    match proofs.of(span) {
        Proof::Explained(_) => {}
        Proof::Unknown(why) => {
            let gap = Gap { subject: span_subject(case, span), why };
            if judgement.gaps.len() < GAPS_MAX && !judgement.gaps.contains(&gap) {
                judgement.gaps.push(gap);
            }
        }
        Proof::Absent => {
            judgement.judged();
            tally.add(span_subject(case, span), "orphan", Some(span), || describe(case, span));
        }
    }
}

fn describe(case: &Case, span: Span<'_>) -> Fault {
    let (services, how) = suspects(case, span);
    let mut picture = Picture::default();
    picture.expected(0, format!("{} (the parent that it names)", services.join(" or ")));
    picture.tree(case, top_of(span), 1, &|seen| if seen == span { ('+', "arrived without it") } else { (' ', "") });
    let silent = |service: &&String| {
        case.processes_of(service).any(|process| silence(case, process) == Some(Silence::Proven))
    };
    let candidates = services.iter().filter(silent).map(|service| format!("{service} sent no span at all: TRACE-01"));
    Fault {
        required: format!("its parent span, which {} {how}", services.join(" or ")),
        seen: "that span was never captured: it was not exported, not ended, or filtered on its way".into(),
        candidates: candidates.collect(),
        tree: picture.text(),
        fix: "end and export every span whose context is handed on (look for a filter, a sampler or a processor \
              between them); probity explain TRACE-03"
            .into(),
    }
}

/// Who must have exported the missing parent, and how that is known.
fn suspects(case: &Case, span: Span<'_>) -> (Vec<String>, &'static str) {
    let service = case.service(span);
    let declaration = case.declaration;
    let callers: Vec<String> = match span.kind() {
        Kind::Server => {
            let edges = declaration.into_iter().flat_map(|declaration| &declaration.edges);
            let calls = edges.filter(|edge| edge.to == service && edge.over.is_call());
            let callers: BTreeSet<String> = calls.map(|edge| shown(&edge.from)).collect();
            callers.into_iter().collect()
        }
        Kind::Consumer => {
            let topics = declaration.into_iter().flat_map(|declaration| &declaration.topics);
            let read = topics.filter(|topic| topic.groups.iter().any(|group| group.service == service));
            read.map(|topic| shown(&topic.producer)).collect()
        }
        _ => Vec::new(),
    };
    if callers.is_empty() {
        (vec![shown(service)], "must have exported as part of the same trace")
    } else {
        (callers, "must have exported as the caller")
    }
}

/// Whether what a process did not send is proven missing: asked once for each process.
struct Proofs<'c, 'a> {
    case: &'c Case<'a>,
    known: HashMap<String, Proof>,
}

impl Proofs<'_, '_> {
    /// The weakest proof over all who may have dropped the parent of the span.
    fn of(&mut self, span: Span<'_>) -> Proof {
        if let Some(why) = open_barrier(self.case) {
            return Proof::Unknown(why);
        }
        let (services, _) = suspects(self.case, span);
        let mut weakest = Proof::Absent;
        for service in services {
            match self.of_service(&service) {
                Proof::Absent => {}
                unknown @ Proof::Unknown(_) => return unknown,
                explained @ Proof::Explained(_) => weakest = explained,
            }
        }
        weakest
    }

    fn of_service(&mut self, service: &str) -> Proof {
        if let Some(proof) = self.known.get(service) {
            return proof.clone();
        }
        let proof = self.look_at(service);
        self.known.insert(service.to_owned(), proof.clone());
        proof
    }

    fn look_at(&self, service: &str) -> Proof {
        let ready = |process: &&Process| process.ready.is_some();
        let mut processes: Vec<&Process> = self.case.processes_of(service).filter(ready).collect();
        if processes.is_empty() && self.case.declaration.is_none() {
            // `exec` started one program, whatever its parts call themselves.
            processes = self.case.evidence.processes.iter().filter(ready).collect();
        }
        let mut weakest = Proof::Absent;
        for process in processes {
            match silence(self.case, process) {
                Some(Silence::Proven) => continue,
                Some(unproven) => return Proof::Unknown(unproven.gap(service)),
                None => {}
            }
            match proof_of_absence(self.case, process, None) {
                Proof::Absent => {}
                unknown @ Proof::Unknown(_) => return unknown,
                explained @ Proof::Explained(_) => weakest = explained,
            }
        }
        weakest
    }
}

#[cfg(test)]
mod tests;
