//! LOG-02: a line within a request says which span it belongs to, and that span exists; a line outside says nothing.

use std::collections::{HashMap, HashSet};

use crate::model::{Case, Judgement, ProcessId, Severity, SpanId, TraceId};
use crate::rules::Rule;
use crate::rules::absence::{Proof, no_barrier, proof_of_absence, proof_of_absence_in, silence};
use crate::rules::tally::{Fault, Tally};
use crate::rules::text::{count, service_shown};

use super::busy::Busy;
use super::entries::{Entry, Ids, Source, entries};

pub(crate) static RULE: Rule = Rule {
    id: "LOG-02",
    severity: Severity::Error,
    requirement: "within a request every log record carries trace_id and span_id of a captured span of its service; outside, none",
    needs: &["logs", "spans", "processes", "ledger", "barrier", "log profile", "background lines"],
    page: include_str!("../pages/LOG-02.md"),
    judge,
};

/// Gaps that are listed.
const GAPS_MAX: usize = 100;

fn judge(case: &Case) -> Judgement {
    let mut judging = Judging {
        case,
        busy: Busy::of(case),
        seen: seen_traces(case),
        writers: HashMap::new(),
        lacking: Vec::new(),
        judgement: Judgement::default(),
        tally: Tally::warning_without_declaration(&RULE, case),
    };
    for entry in entries(case) {
        judging.judge(&entry);
    }
    judging.conclude()
}

/// Which traces each process sent a span of.
fn seen_traces<'c>(case: &'c Case) -> HashSet<(&'c ProcessId, TraceId)> {
    case.spans.iter().filter_map(|span| Some((span.process()?, span.trace()))).collect()
}

/// Who logs, and how.
type WriterName = (Option<ProcessId>, String, Source);

/// What is known of one of them.
#[derive(Default)]
struct Writer {
    /// Lines with ids of traces that it sent spans of, and with ids of others.
    known: u64,
    unknown: u64,
}

struct Judging<'c, 'a> {
    case: &'c Case<'a>,
    busy: Busy<'c>,
    seen: HashSet<(&'c ProcessId, TraceId)>,
    writers: HashMap<WriterName, Writer>,
    /// Lines within requests without ids: by writer, and their subjects.
    lacking: Vec<(WriterName, String)>,
    judgement: Judgement,
    tally: Tally,
}

impl Judging<'_, '_> {
    fn judge(&mut self, entry: &Entry<'_>) {
        match &entry.ids {
            Ids::Unsampled => {}
            Ids::None if self.busy.serves(entry) => {
                if !entry.is_background(self.case) {
                    self.lacking.push((writer(entry), entry.subject()));
                }
            }
            // Outside of requests none is right; who sent no spans may have served some.
            Ids::None if self.busy.is_known(entry) => self.judgement.judged(),
            Ids::None => {}
            Ids::Wrong(what) => {
                self.judgement.judged();
                self.tally.add(entry.subject(), "wrong ids", None, || Fault {
                    required: "the ids of a span, or none".into(),
                    seen: what.clone(),
                    fix: "write the ids only where a span is active and its context is valid; probity explain LOG-02".into(),
                    ..Fault::default()
                });
            }
            Ids::Of(trace, span) => self.judge_ids(entry, *trace, *span),
        }
    }

    fn judge_ids(&mut self, entry: &Entry<'_>, trace: TraceId, id: SpanId) {
        let of_writer = match entry.process {
            Some(process) => self.seen.contains(&(process, trace)),
            None => self.case.spans.trace(trace).any(|span| self.case.service(span) == entry.service),
        };
        let known = self.writers.entry(writer(entry)).or_default();
        match self.case.spans.get(trace, id) {
            Some(span) => {
                known.known += 1;
                self.judgement.judged();
                let own = entry.process.is_some_and(|process| span.process() == Some(process));
                if !own && self.case.service(span) != entry.service {
                    let other = service_shown(self.case.service(span));
                    self.tally.add(entry.subject(), "another's span", Some(span), || Fault {
                        required: "the ids of a span of the service that logs".into(),
                        seen: format!("they are of a span of {other}"),
                        fix: "start a span of your own for what was received, and log within it; probity explain LOG-02"
                            .into(),
                        ..Fault::default()
                    });
                }
            }
            None if of_writer => {
                known.known += 1;
                self.judge_missing(entry);
            }
            // A trace of which nothing came was lost as a whole, unless its writer never names another.
            None => known.unknown += 1,
        }
    }

    /// The ids of a span that never came, while others of its trace did.
    fn judge_missing(&mut self, entry: &Entry<'_>) {
        let subject = entry.subject();
        match self.proof(entry.process, &entry.service) {
            Proof::Absent => {
                self.judgement.judged();
                self.tally.add(subject, "missing span", None, || Fault {
                    required: "ids of a span that is exported".into(),
                    seen: "that span never came, and others of its trace did".into(),
                    fix: "end every span that is logged in, and log no ids of spans that are dropped; probity explain LOG-02"
                        .into(),
                    ..Fault::default()
                });
            }
            Proof::Unknown(why) => self.gap(subject, why),
            Proof::Explained(_) => {}
        }
    }

    /// Whether a span of whoever logged that is not there is proven not to exist.
    fn proof(&self, process: Option<&ProcessId>, service: &str) -> Proof {
        if no_barrier(self.case) {
            return Proof::Explained("no barrier".into());
        }
        match process.and_then(|id| self.case.process(id)) {
            Some(process) => match silence(self.case, process) {
                Some(silent) => Proof::Unknown(silent.gap(&process.service)),
                None => proof_of_absence(self.case, process, None),
            },
            None => proof_of_absence_in(self.case, service, None),
        }
    }

    fn gap(&mut self, subject: String, why: String) {
        let gaps = &self.judgement.gaps;
        if gaps.len() < GAPS_MAX && !gaps.iter().any(|gap| gap.subject == subject) {
            self.judgement.gap(subject, why);
        }
    }

    fn conclude(mut self) -> Judgement {
        self.judge_lacking();
        self.judge_invented();
        let Judging { mut judgement, tally, .. } = self;
        tally.put_into(&mut judgement);
        judgement
    }

    /// Without a declaration nobody says which lines belong to no request: only who never writes ids lacks them.
    fn judge_lacking(&mut self) {
        let declared = self.case.declaration.is_some();
        for (writer, subject) in std::mem::take(&mut self.lacking) {
            if !declared && self.writers.contains_key(&writer) {
                continue;
            }
            self.judgement.judged();
            self.tally.add(subject, "no ids", None, || Fault {
                required: "trace_id and span_id of the request that it was written in".into(),
                seen: "it has none, though its process was serving a request then".into(),
                fix: "make the logger read the active span, and keep the span active across tasks and threads; lines that \
                      belong to no request are declared as background; probity explain LOG-02"
                    .into(),
                ..Fault::default()
            });
        }
    }

    /// Ids of which none was ever captured are no ids.
    fn judge_invented(&mut self) {
        let mut strangers: Vec<_> = std::mem::take(&mut self.writers).into_iter().collect();
        strangers.retain(|(_, writer)| writer.known == 0 && writer.unknown > 0);
        strangers.sort_by(|a, b| a.0.cmp(&b.0));
        for ((process, service, _), writer) in strangers {
            let subject = format!("{}, trace ids of its logs", service_shown(&service));
            match self.proof(process.as_ref(), &service) {
                Proof::Absent => {
                    self.judgement.judged();
                    self.tally.add(subject, "invented", None, || Fault {
                        required: "ids of traces that are exported".into(),
                        seen: format!("none of the traces that {} name was captured", count(writer.unknown, "line")),
                        fix: "log the ids of the tracer's span context, not of another tracer or a request id; probity \
                              explain LOG-02"
                            .into(),
                        ..Fault::default()
                    });
                }
                Proof::Unknown(why) => self.gap(subject, why),
                Proof::Explained(_) => {}
            }
        }
    }
}

fn writer(entry: &Entry<'_>) -> WriterName {
    (entry.process.cloned(), entry.service.clone().into_owned(), entry.source)
}

#[cfg(test)]
mod tests;
