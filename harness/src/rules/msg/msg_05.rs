//! MSG-05: an outbox carries the context in the row. What is published from it belongs to the trace of whoever wrote it.

use std::collections::{BTreeMap, HashSet};

use crate::model::attributes::{Attributes, Key};
use crate::model::{
    Case, Fault as Injected, FaultTarget, Judgement, Kind, Outbox, Record, Severity, Span, Status, TraceId,
};
use crate::rules::Rule;
use crate::rules::absence::{Proof, proof_of_absence_in, silence_of};
use crate::rules::picture::{Picture, line_of, top_of};
use crate::rules::tally::{Fault, Tally};
use crate::rules::text::{count, quoted, shown, span_subject};

use super::subscription::creation_context;

pub(crate) static RULE: Rule = Rule {
    id: "MSG-05",
    severity: Severity::Error,
    requirement: "an outbox carries the context in the row: request, row, relay and record are one trace, or linked, however \
                  late the relay runs",
    needs: &["spans", "records", "faults", "outboxes"],
    page: include_str!("../pages/MSG-05.md"),
    judge,
};

const FIX: &str = "write traceparent, tracestate and baggage into the row with it, and start the relay's send span as a child of \
                   (or with a link to) that context, a span for each row; probity explain MSG-05";
/// Spans above one, that are looked at.
const DEPTH_MAX: usize = 64;
const LINKS_MAX: usize = 128;

fn judge(case: &Case) -> Judgement {
    let mut judgement = Judgement::default();
    let mut tally = Tally::new(&RULE);
    for outbox in case.declaration.into_iter().flat_map(|declaration| &declaration.outboxes) {
        let judge = Judge { case, outbox, origins: HashSet::new(), joins: BTreeMap::new(), lost: false };
        judge.judge(&mut judgement, &mut tally);
    }
    tally.put_into(&mut judgement);
    judgement
}

/// How what was published leads back to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Joined {
    Parent,
    Link,
}

enum Origin {
    /// The trace of the request.
    Found(TraceId, Joined),
    /// It begins with the relay.
    Nowhere,
    /// A span on the way was not captured: who says so.
    Broken(String),
}

struct Judge<'c> {
    case: &'c Case<'c>,
    outbox: &'c Outbox,
    /// Traces of requests that records lead back to.
    origins: HashSet<TraceId>,
    joins: BTreeMap<Joined, u64>,
    /// Whether some record leads back to nothing, or cannot be told to lead anywhere.
    lost: bool,
}

impl<'c> Judge<'c> {
    fn judge(mut self, judgement: &mut Judgement, tally: &mut Tally) {
        let outbox = self.outbox;
        for record in self.case.evidence.records.iter().filter(|record| record.topic == outbox.topic) {
            self.judge_record(record, judgement, tally);
        }
        let rows = self.rows();
        if let (true, Some(silent)) = (rows.is_empty(), silence_of(self.case, &outbox.service)) {
            return judgement.gap(self.subject(), silent.gap(&outbox.service));
        }
        // Records that lead nowhere are those of rows that nothing leads to: they have been said.
        if !self.lost {
            self.judge_rows(&rows, judgement, tally);
        }
        self.say_how(tally);
    }

    /// A record whose creator is missing, or is another service's, is MSG-01's.
    fn judge_record(&mut self, record: &Record, judgement: &mut Judgement, tally: &mut Tally) {
        let context = creation_context(record);
        let creator = context.and_then(|(trace, span)| self.case.spans.get(trace, span));
        let Some(creator) = creator.filter(|span| self.case.service(*span) == self.outbox.service) else {
            self.lost = true;
            return;
        };
        match origin(creator) {
            Origin::Found(trace, how) => {
                judgement.judged();
                self.origins.insert(trace);
                *self.joins.entry(how).or_default() += 1;
            }
            Origin::Broken(why) => {
                self.lost = true;
                let subject = self.subject();
                if judgement.gaps.iter().all(|gap| gap.subject != subject) {
                    judgement.gap(subject, why);
                }
            }
            Origin::Nowhere => {
                self.lost = true;
                judgement.judged();
                tally.add(span_subject(self.case, creator), "begins with the relay", Some(creator), || {
                    self.describe_cut(record, creator)
                });
            }
        }
    }

    /// The spans that wrote rows.
    fn rows(&self) -> Vec<Span<'c>> {
        let writes = |span: &Span<'c>| {
            if span.kind() != Kind::Client || self.case.service(*span) != self.outbox.service {
                return false;
            }
            let attributes = Attributes::of(*span);
            let is = |key, value: &str| {
                attributes.str(key).is_some_and(|seen| seen.eq_ignore_ascii_case(value))
            };
            is(Key::DbCollection, &self.outbox.table)
                && is(Key::DbOperation, "INSERT")
                && span.status() != Status::Error
        };
        self.case.spans.iter().filter(writes).collect()
    }

    /// Each request that wrote a row is led back to by a record: else the row was lost, or went out under another's context.
    fn judge_rows(&self, rows: &[Span<'c>], judgement: &mut Judgement, tally: &mut Tally) {
        let unpublished: Vec<_> = rows.iter().filter(|row| !self.origins.contains(&row.trace())).collect();
        judgement.subjects += (rows.len() - unpublished.len()) as u64;
        let Some(first) = unpublished.first() else { return };
        if self.case.evidence.faults.iter().any(|fault| self.holds_back(fault)) {
            return;
        }
        match proof_of_absence_in(self.case, &self.outbox.service, None) {
            Proof::Explained(_) => {}
            Proof::Unknown(why) => judgement.gap(self.subject(), why),
            Proof::Absent => {
                judgement.subjects += unpublished.len() as u64;
                tally.add(self.subject(), "no record", Some(**first), || self.describe_unpublished(**first, &unpublished));
            }
        }
    }

    /// A fault that never ended, on who publishes or on where to.
    fn holds_back(&self, fault: &Injected) -> bool {
        let on = match &fault.on {
            FaultTarget::Backend(name) => name == "kafka" || name == "postgres",
            FaultTarget::Service(name) => *name == self.outbox.service,
            FaultTarget::Collector => false,
        };
        on && fault.ended.is_none()
    }

    fn describe_cut(&self, record: &Record, creator: Span<'c>) -> Fault {
        let mut picture = Picture::default();
        let writer = self.rows().first().copied();
        if let Some(writer) = writer {
            let above = writer.parent().unwrap_or(writer);
            picture.tree(self.case, top_of(above), 0, &|seen| {
                if seen == above { ('-', "expected under this") } else { (' ', "") }
            });
        }
        let top = top_of(creator);
        picture.tree(self.case, top, 0, &|seen| if seen == creator { ('+', "arrived here") } else { (' ', "") });
        let shape = match top == creator {
            true => "a root span without a link".to_string(),
            false => format!("under {}, which no request caused", quoted(&line_of(self.case, top))),
        };
        Fault {
            required: format!("in the trace of the request that wrote the row to {}, or linked to it", shown(&self.outbox.table)),
            seen: format!("{}: {shape}", record.place()),
            tree: picture.text(),
            fix: FIX.into(),
            ..Fault::default()
        }
    }

    fn describe_unpublished(&self, first: Span<'c>, all: &[&Span<'c>]) -> Fault {
        let records = self.joins.values().sum();
        let mut picture = Picture::default();
        picture.tree(self.case, top_of(first), 0, &|seen| if seen == first { ('+', "wrote a row") } else { (' ', "") });
        Fault {
            required: format!("a record of {} in the trace of each request that wrote a row", shown(&self.outbox.topic)),
            seen: format!(
                "{} wrote a row and no record leads back to it, though {} to {}",
                count(all.len() as u64, "request"),
                count(records, "record"),
                match self.origins.len() {
                    1 => "one other".to_string(),
                    others => format!("{others} others"),
                }
            ),
            candidates: vec!["a relay that publishes several rows under the context of one of them, or a row that was never published".into()],
            tree: picture.text(),
            fix: FIX.into(),
        }
    }

    /// The report says which join it was.
    fn say_how(&self, tally: &mut Tally) {
        if self.joins.is_empty() {
            return;
        }
        let words = |(how, records): (&Joined, &u64)| match how {
            Joined::Parent => format!("{} in the trace of its request", count(*records, "record")),
            Joined::Link => format!("{} by link", count(*records, "record")),
        };
        tally.add_as(Severity::Note, self.subject(), "join", None, || Fault {
            required: "in its trace, or by link".into(),
            seen: format!("joined: {}", self.joins.iter().map(words).collect::<Vec<_>>().join("; ")),
            fix: "nothing to do: this says which join it was".into(),
            ..Fault::default()
        });
    }

    fn subject(&self) -> String {
        format!("{}, outbox {}", shown(&self.outbox.service), quoted(&self.outbox.table))
    }
}

/// Where the work that a span is part of came in: the server or consumer span above it, else one that it, or a span above it,
/// links to.
fn origin(creator: Span<'_>) -> Origin {
    match entry_above(creator) {
        Ok(Some(entry)) => return Origin::Found(entry.trace(), Joined::Parent),
        Ok(None) => {}
        Err(why) => return Origin::Broken(why),
    }
    let mut missing = false;
    for span in std::iter::once(creator).chain(creator.ancestors().take(DEPTH_MAX)) {
        missing |= span.link_ids().count() > span.linked().len();
        for linked in span.linked().into_iter().take(LINKS_MAX) {
            match entry_above(linked) {
                Ok(Some(entry)) => return Origin::Found(entry.trace(), Joined::Link),
                Ok(None) => {}
                Err(why) => return Origin::Broken(why),
            }
        }
    }
    match missing {
        true => Origin::Broken("a span that the relay links to was not captured".into()),
        false => Origin::Nowhere,
    }
}

/// The server or consumer span at or above a span. `Err`: a parent on the way was not captured.
fn entry_above(span: Span<'_>) -> Result<Option<Span<'_>>, String> {
    let is_entry = |span: &Span<'_>| matches!(span.kind(), Kind::Server | Kind::Consumer);
    let mut last = span;
    for above in std::iter::once(span).chain(span.ancestors().take(DEPTH_MAX)) {
        if is_entry(&above) {
            return Ok(Some(above));
        }
        last = above;
    }
    match last.parent_id().is_some() && last.parent().is_none() {
        true => Err("a span above the relay's was not captured: TRACE-03".into()),
        false => Ok(None),
    }
}

#[cfg(test)]
mod tests;
