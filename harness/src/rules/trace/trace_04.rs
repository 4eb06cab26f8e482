//! TRACE-04: one stimulus, one root.

use std::collections::HashMap;

use crate::model::{Case, Judgement, Kind, Severity, Span, Stimulus, StimulusKind, TraceId};
use crate::rules::Rule;
use crate::rules::absence::{Proof, proof_of_absence_in, silence_of};
use crate::rules::picture::{Picture, line_of};
use crate::rules::sampling::is_unsampled;
use crate::rules::tally::{Fault, Tally};
use crate::rules::text::{count, quoted, shown, span_subject};
use crate::rules::traffic::{operation_of, stimuli_by_trace, stimulus_subject};

use super::roots::begins;
use super::trace_06::is_tick;

pub(crate) static RULE: Rule = Rule {
    id: "TRACE-04",
    severity: Severity::Error,
    requirement: "each answered stimulus yields exactly one root, the one declared, and nothing else begins a trace",
    needs: &["spans", "stimuli", "processes", "barrier", "operations"],
    page: include_str!("../pages/TRACE-04.md"),
    judge,
};

const FIX: &str = "hand the request's context to all that works for it (no empty or background context), and keep probes \
                   and ticks untraced; probity explain TRACE-04";

fn judge(case: &Case) -> Judgement {
    let mut judgement = Judgement::default();
    if case.declaration.is_none() {
        return judgement;
    }
    let mut tally = Tally::new(&RULE);
    let roots = Roots::of(case);
    // What is asked on an admin port begins no trace: its roots are as unexpected as those of nobody.
    let mut known = stimuli_by_trace(case);
    known.retain(|_, stimulus| stimulus.port == "main" || operation_of(case, stimulus).is_some());
    for stimulus in &case.evidence.stimuli {
        if let Some(trace) = stimulus.trace.filter(|trace| stimulus.answer.is_some() && known.contains_key(trace)) {
            judge_stimulus(case, stimulus, roots.in_trace(trace), &mut judgement, &mut tally);
        }
    }
    let mut claims = Claims::of(case);
    for (trace, roots) in &roots.0 {
        if !known.contains_key(trace) {
            for root in roots {
                judge_unaddressed(case, *root, &mut claims, &mut judgement, &mut tally);
            }
        }
    }
    judgement.gaps.sort();
    judgement.gaps.dedup();
    tally.put_into(&mut judgement);
    judgement
}

/// The spans that begin each trace, in the order of trace and span ids.
struct Roots<'s>(Vec<(TraceId, Vec<Span<'s>>)>);

impl<'s> Roots<'s> {
    fn of(case: &'s Case) -> Self {
        let mut roots: Vec<(TraceId, Vec<Span<'s>>)> = Vec::new();
        for span in case.spans.iter().filter(|span| begins(case, *span)) {
            match roots.last_mut() {
                Some((trace, spans)) if *trace == span.trace() => spans.push(span),
                _ => roots.push((span.trace(), vec![span])),
            }
        }
        Roots(roots)
    }

    fn in_trace(&self, trace: TraceId) -> &[Span<'s>] {
        match self.0.binary_search_by_key(&trace, |(known, _)| *known) {
            Ok(found) => &self.0[found].1,
            Err(_) => &[],
        }
    }
}

/// What the root of a stimulus is: service and kind. A request that no operation knows is answered by the service's server.
fn declared_root<'a>(case: &Case<'a>, stimulus: &'a Stimulus) -> (&'a str, Kind) {
    match operation_of(case, stimulus) {
        Some(operation) => (&operation.service, operation.root),
        None => (&stimulus.service, Kind::Server),
    }
}

fn judge_stimulus<'a>(
    case: &Case<'a>,
    stimulus: &'a Stimulus,
    roots: &[Span<'_>],
    judgement: &mut Judgement,
    tally: &mut Tally,
) {
    let (service, kind) = declared_root(case, stimulus);
    let is_declared = |root: &&Span<'_>| case.service(**root) == service && root.kind() == kind;
    let declared = roots.iter().find(is_declared).copied();
    let owed = || !is_unsampled(stimulus) && silence_of(case, service).is_none();
    if declared.is_none() && !owed() {
        return judge_extra(case, stimulus, None, roots, judgement, tally);
    }
    let Some(root) = declared else {
        return judge_missing(case, stimulus, service, kind, roots, judgement, tally);
    };
    judgement.judged();
    judge_extra(case, stimulus, Some(root), roots, judgement, tally);
}

/// Further roots in the trace of a stimulus.
fn judge_extra(
    case: &Case,
    stimulus: &Stimulus,
    root: Option<Span<'_>>,
    roots: &[Span<'_>],
    judgement: &mut Judgement,
    tally: &mut Tally,
) {
    for extra in roots.iter().copied().filter(|extra| root != Some(*extra)) {
        if root.is_none() {
            judgement.judged();
        }
        tally.add(span_subject(case, extra), "second root", Some(extra), || Fault {
            required: "one root, the declared one".into(),
            seen: format!(
                "{} in the trace of {}, and this one is not the declared one",
                count(roots.len() as u64, "root"),
                quoted(&stimulus_subject(case, stimulus))
            ),
            tree: picture(case, roots, root),
            fix: FIX.into(),
            ..Fault::default()
        });
    }
}

fn judge_missing(
    case: &Case,
    stimulus: &Stimulus,
    service: &str,
    kind: Kind,
    roots: &[Span<'_>],
    judgement: &mut Judgement,
    tally: &mut Tally,
) {
    let subject = stimulus_subject(case, stimulus);
    match proof_of_absence_in(case, service, stimulus.answered) {
        Proof::Explained(_) => {}
        Proof::Unknown(why) => judgement.gap(subject, why),
        Proof::Absent => {
            judgement.judged();
            let trace_is_empty = stimulus.trace.is_none_or(|trace| case.spans.trace(trace).next().is_none());
            tally.add(subject, "no root", roots.first().copied(), || Fault {
                required: format!("one root, of {} and kind {}", shown(service), kind.word()),
                seen: match roots {
                    [] if trace_is_empty => "no span of the trace that its answer names was captured".into(),
                    [] => "spans of the trace that its answer names, and no root among them".into(),
                    [other, ..] => format!("another root: {}", quoted(&line_of(case, *other))),
                },
                tree: picture(case, roots, None),
                fix: "start a server span for each request before anything else, and end it; probity explain TRACE-04"
                    .into(),
                ..Fault::default()
            });
        }
    }
}

/// A root of a trace that no stimulus names: one of an unaddressed stimulus, or unexpected.
fn judge_unaddressed(
    case: &Case,
    root: Span<'_>,
    claims: &mut Claims,
    judgement: &mut Judgement,
    tally: &mut Tally,
) {
    judgement.judged();
    if is_tick(case, root) || claims.claim(case, root) {
        return;
    }
    tally.add(span_subject(case, root), "unexpected root", Some(root), || Fault {
        required: "no root but those of the declared operations that were asked for".into(),
        seen: format!("a root span of kind {}: its trace belongs to no stimulus", root.kind().word()),
        tree: picture(case, &[root], None),
        fix: FIX.into(),
        ..Fault::default()
    });
}

/// Roots that stimuli without a known trace may have made: by their path where a root shows it, else by number.
#[derive(Default)]
struct Claims {
    by_path: HashMap<(String, Kind, String), u32>,
    by_service: HashMap<(String, Kind), u32>,
}

impl Claims {
    fn of(case: &Case) -> Self {
        let mut claims = Claims::default();
        let unaddressed = case.evidence.stimuli.iter().filter(|stimulus| stimulus.trace.is_none());
        for stimulus in unaddressed.filter(|stimulus| stimulus.port == "main") {
            let (service, kind) = declared_root(case, stimulus);
            *claims.by_service.entry((service.to_owned(), kind)).or_default() += 1;
            if let StimulusKind::Http { path, .. } = &stimulus.kind {
                let path = path.split(['?', '#']).next().unwrap_or_default();
                *claims.by_path.entry((service.to_owned(), kind, path.to_owned())).or_default() += 1;
            }
        }
        claims
    }

    /// Takes one claim for the root; `false` when there is none left.
    fn claim(&mut self, case: &Case, root: Span<'_>) -> bool {
        let (service, kind) = (case.service(root), root.kind());
        let Some(left) = self.by_service.get_mut(&(service.to_owned(), kind)).filter(|left| **left > 0) else {
            return false;
        };
        if let Some(path) = root.str("url.path") {
            match self.by_path.get_mut(&(service.to_owned(), kind, path.to_owned())) {
                Some(of_path) if *of_path > 0 => *of_path -= 1,
                _ => return false,
            }
        }
        *left -= 1;
        true
    }
}

fn picture(case: &Case, roots: &[Span<'_>], declared: Option<Span<'_>>) -> String {
    let mut picture = Picture::default();
    for root in roots.iter().take(4) {
        let mark = |span: Span<'_>| match span == *root && Some(span) != declared {
            true => ('+', "a root of its own"),
            false => (' ', ""),
        };
        picture.tree(case, *root, 0, &mark);
    }
    picture.text()
}

#[cfg(test)]
mod tests;
