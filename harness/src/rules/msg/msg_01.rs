//! MSG-01: every record says what created it.

use crate::model::{Case, Declaration, Judgement, Record, Severity, Topic, TraceParent};
use crate::rules::Rule;
use crate::rules::absence::{Proof, proof_of_absence_in, silence_of};
use crate::rules::tally::{Fault, Tally};
use crate::rules::text::{count, quoted, shown};

pub(crate) static RULE: Rule = Rule {
    id: "MSG-01",
    severity: Severity::Error,
    requirement: "every produced record carries a valid lowercase traceparent header of a span of the producing service",
    needs: &["records", "spans", "topics"],
    page: include_str!("../pages/MSG-01.md"),
    judge,
};

const FIXES: Fixes = Fixes {
    inject: "inject the send span's context into the record's headers (lower case, as bytes) where the record is made; \
             probity explain MSG-01",
    export: "end and export the span whose context is injected; probity explain MSG-01",
};

fn judge(case: &Case) -> Judgement {
    let mut judgement = Judgement::default();
    let mut tally = Tally::new(&RULE);
    for topic in case.declaration.into_iter().flat_map(Declaration::kafka_topics) {
        judge_topic(case, topic, &FIXES, &mut judgement, &mut tally);
    }
    tally.put_into(&mut judgement);
    judgement
}

/// What a rule about headers advises.
pub(super) struct Fixes {
    /// Where the header is missing or wrong.
    pub(super) inject: &'static str,
    /// Where its span is missing.
    pub(super) export: &'static str,
}

/// Judges the context in the headers of each record of a topic.
pub(super) fn judge_topic<'c>(
    case: &'c Case<'c>,
    topic: &'c Topic,
    fixes: &'c Fixes,
    judgement: &mut Judgement,
    tally: &mut Tally,
) {
    let judge = Judge { case, topic, fixes, missing: Missing::of(case, &topic.producer) };
    for record in case.evidence.records.iter().filter(|record| record.topic == topic.name) {
        judge.judge_record(record, judgement, tally);
    }
}

/// What it means that a span of the producer was not captured.
enum Missing {
    Absent,
    Explained,
    Open(String),
}

impl Missing {
    fn of(case: &Case, producer: &str) -> Self {
        if let Some(silent) = silence_of(case, producer) {
            return Missing::Open(silent.gap(producer));
        }
        match proof_of_absence_in(case, producer, None) {
            Proof::Absent => Missing::Absent,
            Proof::Explained(_) => Missing::Explained,
            Proof::Unknown(why) => Missing::Open(why),
        }
    }
}

struct Judge<'c> {
    case: &'c Case<'c>,
    topic: &'c Topic,
    fixes: &'c Fixes,
    missing: Missing,
}

impl Judge<'_> {
    fn judge_record(&self, record: &Record, judgement: &mut Judgement, tally: &mut Tally) {
        let values: Vec<&str> = record.header("traceparent").take(8).collect();
        let context = match values[..] {
            [value] => TraceParent::parse(value),
            _ => None,
        };
        let Some(context) = context else {
            judgement.judged();
            return tally.add(self.subject(), header_fault(&values), None, || Fault {
                required: self.required(),
                fix: self.fixes.inject.into(),
                ..describe_header(record, &values)
            });
        };
        match self.case.spans.get(context.trace, context.span) {
            Some(span) => {
                judgement.judged();
                let service = self.case.service(span);
                if service != self.topic.producer {
                    tally.add(self.subject(), "another service's", Some(span), || Fault {
                        required: self.required(),
                        seen: format!("at {}, a span of {}", record.place(), quoted(service)),
                        fix: self.fixes.inject.into(),
                        ..Fault::default()
                    });
                }
            }
            // Not sampled: no span will ever come, and the header is right.
            None if context.flags & 1 == 0 => judgement.judged(),
            None => self.judge_missing(record, judgement, tally),
        }
    }

    fn judge_missing(&self, record: &Record, judgement: &mut Judgement, tally: &mut Tally) {
        match &self.missing {
            Missing::Explained => {}
            Missing::Open(why) => {
                let subject = self.subject();
                if judgement.gaps.iter().all(|gap| gap.subject != subject) {
                    judgement.gap(subject, why);
                }
            }
            Missing::Absent => {
                judgement.judged();
                tally.add(self.subject(), "not captured", None, || Fault {
                    required: self.required(),
                    seen: format!(
                        "at {}, a span that {} never exported",
                        record.place(),
                        shown(&self.topic.producer)
                    ),
                    fix: self.fixes.export.into(),
                    ..Fault::default()
                });
            }
        }
    }

    fn required(&self) -> String {
        format!("one valid lowercase `traceparent` header, of a span of {}", shown(&self.topic.producer))
    }

    fn subject(&self) -> String {
        format!("{}, records of {}", shown(&self.topic.producer), shown(&self.topic.name))
    }
}

fn header_fault(values: &[&str]) -> &'static str {
    match values {
        [] => "no header",
        [_] => "invalid header",
        _ => "several headers",
    }
}

fn describe_header(record: &Record, values: &[&str]) -> Fault {
    let place = record.place();
    let seen = match values {
        [] if record.headers.is_empty() => format!("at {place}, no header at all"),
        [] => format!("at {place}, {}, none of them traceparent", count(record.headers.len() as u64, "header")),
        [value] => format!("at {place}, {}, which is no valid traceparent", quoted(value)),
        several => format!("at {place}, {} traceparent headers: a reader must not choose", several.len()),
    };
    Fault { seen, candidates: candidates(record), ..Fault::default() }
}

/// Other places in which the context may stand: a header of another case or format, the value.
fn candidates(record: &Record) -> Vec<String> {
    let formats = ["b3", "x-b3-traceid", "uber-trace-id", "x-datadog-trace-id", "x-amzn-trace-id"];
    let near = |key: &str| {
        let lower = key.to_ascii_lowercase();
        key != "traceparent" && (lower.contains("traceparent") || formats.contains(&lower.as_str()))
    };
    let mut found: Vec<String> = record
        .headers
        .iter()
        .filter(|(key, _)| near(key))
        .take(3)
        .map(|(key, _)| format!("the header {}: headers are case-sensitive", quoted(key)))
        .collect();
    if record.value.contains("traceparent") {
        found.push("the record's value speaks of a traceparent: consumers and tools look into the headers".into());
    }
    found
}

#[cfg(test)]
mod tests;
