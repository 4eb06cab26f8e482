//! MSG-02: every consumed record has a process span that is joined to what created the record.

use std::collections::BTreeMap;

use crate::model::{Case, Join, Judgement, Record, Severity, Span};
use crate::rules::Rule;
use crate::rules::absence::{Proof, proof_of_absence_in, silence_of};
use crate::rules::picture::{Picture, line_of, top_of};
use crate::rules::tally::{Fault, Tally};
use crate::rules::text::{count, quoted, shown, span_subject};

use super::subscription::{Found, Joined, Subscription, creation_context, subscriptions};

pub(crate) static RULE: Rule = Rule {
    id: "MSG-02",
    severity: Severity::Error,
    requirement: "every consumed record is joined to the span that created it, by parent or by link",
    needs: &["records", "offsets", "spans", "processes", "topics", "groups"],
    page: include_str!("../pages/MSG-02.md"),
    judge,
};

const WORDS: Words = Words {
    fix: "extract the context from each record's headers before the process span is started, and give it as parent \
          or as link (one link for each record of a batch); probity explain MSG-02",
    headers: "MSG-01",
};

fn judge(case: &Case) -> Judgement {
    let mut judgement = Judgement::default();
    let mut tally = Tally::new(&RULE);
    for subscription in subscriptions(case) {
        judge_subscription(case, &subscription, &WORDS, &mut judgement, &mut tally);
    }
    tally.put_into(&mut judgement);
    judgement
}

/// What differs between the rules that judge joins.
pub(super) struct Words {
    pub(super) fix: &'static str,
    /// The rule that judges the headers.
    pub(super) headers: &'static str,
}

/// Judges how the process spans of a group are joined to what created its records.
pub(super) fn judge_subscription<'c>(
    case: &'c Case<'c>,
    subscription: &'c Subscription<'c>,
    words: &'c Words,
    judgement: &mut Judgement,
    tally: &mut Tally,
) {
    Judge { case, subscription, words, joins: BTreeMap::new() }.judge(judgement, tally);
}

struct Judge<'c> {
    case: &'c Case<'c>,
    subscription: &'c Subscription<'c>,
    words: &'c Words,
    /// How many records are joined how.
    joins: BTreeMap<Joined, u64>,
}

impl Judge<'_> {
    fn judge(mut self, judgement: &mut Judgement, tally: &mut Tally) {
        let subscription = self.subscription;
        let mut missing = Vec::new();
        for record in &subscription.consumed {
            match subscription.find(record) {
                Found::Joined(span, how) => {
                    judgement.judged();
                    *self.joins.entry(how).or_default() += 1;
                    self.judge_pin(span, how, tally);
                }
                Found::Apart(span) => {
                    judgement.judged();
                    tally.add(span_subject(self.case, span), "apart", Some(span), || self.describe_apart(record, span));
                }
                Found::Nothing => missing.push(*record),
            }
        }
        self.judge_missing(&missing, judgement, tally);
        self.judge_batches(judgement);
        self.say_how(tally);
    }

    /// The system may pin one way.
    fn judge_pin(&self, span: Span<'_>, how: Joined, tally: &mut Tally) {
        let (required, seen) = match (self.subscription.group.join, how) {
            (Some(Join::Parent), Joined::Link) => ("by parent", "by link only"),
            (Some(Join::Link), Joined::Parent) => ("by link", "by parent only"),
            _ => return,
        };
        tally.add(span_subject(self.case, span), "joined another way", Some(span), || Fault {
            required: format!("joined {required}, as the group {} declares", quoted(&self.subscription.group.name)),
            seen: format!("joined {seen}"),
            fix: self.words.fix.into(),
            ..Fault::default()
        });
    }

    fn judge_missing(&self, missing: &[&Record], judgement: &mut Judgement, tally: &mut Tally) {
        let Some(first) = missing.first() else { return };
        let service = &self.subscription.group.service;
        if let Some(silent) = silence_of(self.case, service) {
            return judgement.gap(self.subscription.subject(), silent.gap(service));
        }
        match proof_of_absence_in(self.case, service, None) {
            Proof::Explained(_) => {}
            Proof::Unknown(why) => judgement.gap(self.subscription.subject(), why),
            Proof::Absent => {
                for _ in missing {
                    judgement.judged();
                }
                tally.add(self.subscription.subject(), "no process span", None, || {
                    self.describe_missing(first, missing.len() as u64)
                });
            }
        }
    }

    fn describe_missing(&self, record: &Record, records: u64) -> Fault {
        let subscription = self.subscription;
        let creator = creation_context(record).and_then(|(trace, span)| self.case.spans.get(trace, span));
        let mut picture = Picture::default();
        if let Some(creator) = creator {
            self.draw_creator(&mut picture, creator, format!("{} CONSUMER process {}", shown(&subscription.group.service), shown(&subscription.topic.name)));
        }
        let others = subscription.spans.iter().take(3);
        Fault {
            required: format!("a process span joined to {}", self.creator_in_words(record, creator)),
            seen: format!(
                "{} of {} committed without one, {} the first: no span of {} names what created it, nor its place",
                count(records, "record"),
                subscription.consumed.len(),
                record.place(),
                shown(&subscription.group.service)
            ),
            candidates: others.map(|other| format!("{}: joined to others", line_of(self.case, other.span))).collect(),
            tree: picture.text(),
            fix: self.words.fix.into(),
        }
    }

    fn describe_apart(&self, record: &Record, span: Span<'_>) -> Fault {
        let creator = creation_context(record).and_then(|(trace, span)| self.case.spans.get(trace, span));
        let shape = match (span.parent_id(), span.link_ids().next()) {
            (None, None) => "a root span: no parent, no link",
            (Some(_), None) => "a child of another span",
            (None, Some(_)) => "a root span that links to others",
            (Some(_), Some(_)) => "joined to other spans",
        };
        let why = match creation_context(record) {
            Some(_) => "The record does carry its traceparent, so the consumer dropped it".to_owned(),
            None => format!("The record carries no valid traceparent either: {}", self.words.headers),
        };
        let mut picture = Picture::default();
        if let Some(creator) = creator {
            self.draw_creator(&mut picture, creator, line_of(self.case, span));
        }
        picture.tree(self.case, top_of(span), 0, &|seen| {
            if seen == span { ('+', "arrived here") } else { (' ', "") }
        });
        Fault {
            required: format!("parent or link to {}", self.creator_in_words(record, creator)),
            seen: format!("{shape}. {why}"),
            candidates: Vec::new(),
            tree: picture.text(),
            fix: self.words.fix.into(),
        }
    }

    fn creator_in_words(&self, record: &Record, creator: Option<Span<'_>>) -> String {
        let producer = shown(&self.subscription.topic.producer);
        match creator {
            Some(span) => format!("{} of {producer}, the creator of {}", quoted(span.name()), record.place()),
            None => format!("the span of {producer} that created {}", record.place()),
        }
    }

    /// The creator's trace, with a line where the process span should hang.
    fn draw_creator(&self, picture: &mut Picture, creator: Span<'_>, line: String) {
        let top = top_of(creator);
        let depth = creator.ancestors().take(8).position(|span| span == top).map_or(0, |above| above + 1);
        picture.tree(self.case, top, 0, &|seen| if seen == creator { ('-', "expected under this") } else { (' ', "") });
        picture.expected(depth + 1, format!("⇢ {line}"));
    }

    /// A scenario that drives a burst to prove batches has proven nothing while each record came alone.
    fn judge_batches(&self, judgement: &mut Judgement) {
        let subscription = self.subscription;
        let batched = || subscription.spans.iter().any(|processing| processing.links > 1);
        if subscription.group.must_batch && !subscription.consumed.is_empty() && !batched() {
            judgement.gap(subscription.subject(), "no batch: no process span links to two records");
        }
    }

    /// The report says which join it was.
    fn say_how(&self, tally: &mut Tally) {
        if self.joins.is_empty() {
            return;
        }
        let words = |(how, records): (&Joined, &u64)| {
            let records = count(*records, "record");
            match how {
                Joined::Parent => format!("{records} by parent"),
                Joined::Link => format!("{records} by link"),
                Joined::Both => format!("{records} by parent, with a link kept"),
            }
        };
        tally.add_as(Severity::Note, self.subscription.subject(), "join", None, || Fault {
            required: "by parent or by link".into(),
            seen: format!("joined: {}", self.joins.iter().map(words).collect::<Vec<_>>().join("; ")),
            fix: "nothing to do: this says which join it was".into(),
            ..Fault::default()
        });
    }
}

#[cfg(test)]
mod tests;
