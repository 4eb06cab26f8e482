//! TRACE-15: declared baggage reaches every hop, and baggage stays small and impersonal.

use crate::model::{Case, Judgement, Kind, Record, Severity, Span, Stimulus};
use crate::rules::Rule;
use crate::rules::absence::silence;
use crate::rules::private::search::Needles;
use crate::rules::tally::{Fault, Tally};
use crate::rules::text::{count, quoted, service_shown, shown, span_subject};

pub(crate) static RULE: Rule = Rule {
    id: "TRACE-15",
    severity: Severity::Error,
    requirement: "declared baggage reaches every hop, Kafka included, as an attribute; baggage is small and holds no personal data",
    needs: &["stimuli", "spans", "records", "canaries", "baggage", "thresholds"],
    page: include_str!("../pages/TRACE-15.md"),
    judge,
};

fn judge(case: &Case) -> Judgement {
    let mut judgement = Judgement::default();
    let mut tally = Tally::new(&RULE);
    let declared = case.declaration.map(|declaration| declaration.baggage.as_slice()).unwrap_or_default();
    if declared.is_empty() {
        return judgement;
    }
    let mut travels = false;
    for stimulus in &case.evidence.stimuli {
        for (key, value) in sent(stimulus).filter(|(key, _)| declared.contains(key)) {
            travels = true;
            judge_hops(case, stimulus, &key, &value, &mut judgement, &mut tally);
        }
    }
    if travels {
        what_was_not_seen(case, &mut judgement);
    }
    let needles = Needles::of(case.evidence.canaries.iter());
    for record in &case.evidence.records {
        for header in record.header("baggage") {
            judgement.judged();
            judge_header(case, record, header, needles.as_ref(), &mut tally);
        }
    }
    tally.put_into(&mut judgement);
    judgement
}

/// Who sends no spans shows no baggage either.
fn what_was_not_seen(case: &Case, judgement: &mut Judgement) {
    for process in &case.evidence.processes {
        if let Some(silent) = silence(case, process) {
            judgement.gap(format!("{}, spans", service_shown(&process.service)), silent.gap(&process.service));
        }
    }
}

/// The members of baggage that went with a stimulus.
fn sent(stimulus: &Stimulus) -> impl Iterator<Item = (String, String)> {
    stimulus.sent_header("baggage").flat_map(members)
}

/// Names and values of a header, percent escapes taken off the values.
fn members(header: &str) -> impl Iterator<Item = (String, String)> {
    header.split(',').filter_map(|member| {
        let (key, value) = member.split(';').next()?.split_once('=')?;
        Some((key.trim().to_owned(), percent_decoded(value.trim())))
    })
}

fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let code = bytes.get(at + 1..at + 3).and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        match (bytes[at], code) {
            (b'%', Some(code)) => {
                plain.push(code);
                at += 3;
            }
            (byte, _) => {
                plain.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

/// Each server, producer and consumer span of the trace, and consumer spans that link to it alone.
fn judge_hops(case: &Case, stimulus: &Stimulus, key: &str, value: &str, judgement: &mut Judgement, tally: &mut Tally) {
    let Some(trace) = stimulus.trace else { return };
    let is_hop = |span: &Span<'_>| match span.kind() {
        Kind::Server | Kind::Producer => true,
        // A span of a batch stands for records of many requests: it has no tenant of its own.
        Kind::Consumer => span.link_ids().count() <= 1,
        _ => false,
    };
    let within = case.spans.trace(trace);
    let linked = within.clone().flat_map(|span| span.linked_from());
    let behind = linked.filter(|span| span.kind() == Kind::Consumer && span.trace() != trace);
    for span in within.chain(behind).filter(is_hop) {
        judgement.judged();
        let seen = match span.text(key) {
            Some(seen) if seen == value => continue,
            Some(_) => "another value".to_owned(),
            None => "no such attribute".to_owned(),
        };
        tally.add(span_subject(case, span), "lost on the way", Some(span), || Fault {
            required: format!("attribute {} with the value that came with the request", quoted(key)),
            seen,
            candidates: records_without(case, key),
            fix: "propagate baggage beside the trace (propagators `tracecontext,baggage`), into record headers too, and set the \
                  declared members as attributes where a span starts; probity explain TRACE-15"
                .into(),
            ..Fault::default()
        });
    }
}

/// Topics whose records go without the member: where it was lost.
fn records_without(case: &Case, key: &str) -> Vec<String> {
    let lacks = |record: &&Record| !record.header("baggage").flat_map(members).any(|(known, _)| known == key);
    let mut topics: Vec<_> = case.evidence.records.iter().filter(lacks).map(|record| record.topic.as_str()).collect();
    topics.sort_unstable();
    topics.dedup();
    topics.into_iter().map(|topic| format!("records of {} go without it", shown(topic))).collect()
}

/// Words in a member's name that say that it is about a person.
const PERSONAL: [&str; 12] =
    ["email", "mail", "phone", "mobile", "password", "token", "secret", "card", "iban", "address", "birthday", "username"];

fn judge_header(case: &Case, record: &Record, header: &str, needles: Option<&Needles<'_>>, tally: &mut Tally) {
    let subject = || format!("records of {}, header `baggage`", shown(&record.topic));
    let (bytes_max, members_max) = (case.thresholds().baggage_bytes, case.thresholds().baggage_members);
    let (bytes, count_of) = (header.len() as u64, header.split(',').count() as u64);
    if bytes > bytes_max || count_of > members_max {
        tally.add(subject(), "size", None, || Fault {
            required: format!("at most {bytes_max} bytes and {}", count(members_max, "member")),
            seen: format!("{bytes} bytes, {}", count(count_of, "member")),
            fix: "put in names of few bytes, and nothing that one service alone wants to know: it goes to everybody who is called; \
                  probity explain TRACE-15"
                .into(),
            ..Fault::default()
        });
    }
    let planted = needles.map(|needles| needles.search(header.as_bytes())).unwrap_or_default();
    let named = members(header).find(|(key, _)| {
        let key = key.to_ascii_lowercase();
        key.split(['.', '_', '-']).any(|word| PERSONAL.contains(&word))
    });
    let seen = match (planted.first(), named) {
        (Some(hit), _) => format!("the {} of a request", hit.kind.word()),
        (None, Some((key, _))) => format!("member {}", quoted(&key)),
        (None, None) => return,
    };
    tally.add(subject(), "personal", None, || Fault {
        required: "nothing about a person".into(),
        seen,
        fix: "drop what the caller sends and the system does not declare, and pass a name that means nothing outside; probity \
              explain TRACE-15"
            .into(),
        ..Fault::default()
    });
}

#[cfg(test)]
mod tests;
