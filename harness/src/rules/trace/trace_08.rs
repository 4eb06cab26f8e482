//! TRACE-08: kinds and required attributes follow the conventions that the service declares.

use std::collections::{HashMap, HashSet};
use std::ops::RangeInclusive;

use crate::model::attributes::{Attributes, Key};
use crate::model::{Case, Judgement, Kind, Severity, Span, Status, Stimulus, TraceId, UnixNanos};
use crate::rules::Rule;
use crate::rules::conventions::{Area, Class, Requirement, Version, area_of};
use crate::rules::tally::{Fault, Tally};
use crate::rules::text::{quoted, span_subject};
use crate::rules::traffic::stimuli_by_trace;

pub(crate) static RULE: Rule = Rule {
    id: "TRACE-08",
    severity: Severity::Error,
    requirement: "span kinds and required attributes follow the semantic conventions of the schema that the service declares",
    needs: &["spans", "stimuli"],
    page: include_str!("../pages/TRACE-08.md"),
    judge,
};

fn judge(case: &Case) -> Judgement {
    let mut judgement = Judgement::default();
    let mut tally = Tally::warning_without_declaration(&RULE, case);
    let stimuli = stimuli_by_trace(case);
    let abandoned = abandoned_traces(case, &stimuli);
    for span in case.spans.iter().filter(|span| !abandoned.contains(&span.trace())) {
        let attributes = Attributes::of(span);
        let Some((area, version)) = area_of(case, span, &attributes) else {
            let declared = case.declaration.and_then(|declaration| declaration.service(case.service(span)));
            if declared.is_some() && !matches!(span.kind(), Kind::Internal | Kind::Unspecified) {
                judgement.judged();
                says_nothing(case, span, &mut tally);
            }
            continue;
        };
        judgement.judged();
        let subject = Subject { case, span, attributes: &attributes, area, version };
        subject.judge(&stimuli, &mut tally);
    }
    tally.put_into(&mut judgement);
    judgement
}

/// A span that crosses a boundary, and no attribute says which.
fn says_nothing(case: &Case, span: Span<'_>, tally: &mut Tally) {
    tally.add(span_subject(case, span), "no area", Some(span), || Fault {
        required: format!(
            "attributes that say what a {} span stands for: of HTTP, RPC, a database or messaging",
            span.kind().word()
        ),
        seen: "none of them".into(),
        fix: "set the attributes of the conventions where the span is made (http.request.method, rpc.method, \
              db.system.name, messaging.system); probity explain TRACE-08"
            .into(),
        ..Fault::default()
    });
}

/// Traces of requests that were given up before an answer: a span that is cut short has no outcome to tell of. Without an
/// answer nothing names the trace; it is one that begins at the service while such a request was under way.
fn abandoned_traces(case: &Case, stimuli: &HashMap<TraceId, &Stimulus>) -> HashSet<TraceId> {
    let given_up: Vec<(&str, RangeInclusive<UnixNanos>)> = case.evidence.stimuli.iter().filter_map(|stimulus| {
        Some((stimulus.service.as_str(), stimulus.sent..=stimulus.gave_up.filter(|_| stimulus.trace.is_none())?))
    }).collect();
    if given_up.is_empty() {
        return HashSet::new();
    }
    let roots = case.spans.roots().filter(|root| root.kind() == Kind::Server && !stimuli.contains_key(&root.trace()));
    let cut_short = |root: &Span| {
        let service = case.service(*root);
        given_up.iter().any(|(asked, while_open)| *asked == service && while_open.contains(&root.start()))
    };
    roots.filter(cut_short).map(|root| root.trace()).collect()
}

/// One span of an area of the conventions.
struct Subject<'c, 's> {
    case: &'c Case<'c>,
    span: Span<'s>,
    attributes: &'c Attributes<'s>,
    area: &'static Area,
    version: Version,
}

impl Subject<'_, '_> {
    fn judge(&self, stimuli: &HashMap<TraceId, &Stimulus>, tally: &mut Tally) {
        let candidates: Vec<&'static Class> = self.area.candidates(self.attributes).collect();
        let mut of_kind = candidates.iter().filter(|class| class.kinds.contains(&self.span.kind()));
        let Some(class) = of_kind.next() else {
            self.wrong_kind(&candidates, tally);
            // What all classes require is missing whatever the kind should have been.
            if let [class] = candidates[..] {
                self.require(&class.required, tally);
            }
            return;
        };
        self.require(&class.required, tally);
        if self.was_answered(stimuli) {
            self.require(&class.answered, tally);
        }
        if !class.batch.is_empty() && self.span.link_ids().nth(1).is_some() {
            self.require(&class.batch, tally);
        }
    }

    fn wrong_kind(&self, candidates: &[&'static Class], tally: &mut Tally) {
        tally.add(span_subject(self.case, self.span), "kind", Some(self.span), || {
            let mut kinds: Vec<&str> = candidates.iter().flat_map(|class| &class.kinds).map(|kind| kind.word()).collect();
            kinds.sort_unstable();
            kinds.dedup();
            let names: Vec<&str> = candidates.iter().map(|class| class.name.as_str()).collect();
            Fault {
                required: format!("kind {} for a {} ({})", kinds.join(" or "), names.join(" or "), self.by()),
                seen: format!("kind {}", self.span.kind().word()),
                fix: "set the span's kind where it is started; probity explain TRACE-08".into(),
                ..Fault::default()
            }
        });
    }

    fn require(&self, requirements: &'static [Requirement], tally: &mut Tally) {
        for requirement in requirements {
            let Some(value) = self.attributes.get(requirement.key) else {
                self.missing(requirement, tally);
                continue;
            };
            if !requirement.kind.fits(value) {
                self.fault(requirement, tally, || format!("it is not {}: {}", requirement.kind.word(), quoted(&value.to_string())));
            } else if let Some(text) = value.as_str()
                && !requirement.values.is_empty()
                && !requirement.values.iter().any(|known| known == text)
            {
                self.fault(requirement, tally, || format!("the value {}", quoted(text)));
            }
        }
    }

    fn missing(&self, requirement: &'static Requirement, tally: &mut Tally) {
        self.fault(requirement, tally, || match self.area.former(requirement.key, self.attributes) {
            Some(old) => format!("only {}, its name in older conventions", quoted(old.text())),
            None => "no such attribute".into(),
        });
    }

    fn fault(&self, requirement: &'static Requirement, tally: &mut Tally, seen: impl FnOnce() -> String) {
        tally.add(span_subject(self.case, self.span), requirement.key.text(), Some(self.span), || {
            let values = match requirement.values.is_empty() {
                true => requirement.kind.word().to_string(),
                false => format!("one of {}", requirement.values.join(", ")),
            };
            Fault {
                required: format!("the attribute {} ({values}; {})", quoted(requirement.key.text()), self.by()),
                seen: seen(),
                fix: "set it where the span is made, or declare the schema URL of the conventions that the code follows; \
                      probity explain TRACE-08"
                    .into(),
                ..Fault::default()
            }
        });
    }

    /// Which conventions say so.
    fn by(&self) -> String {
        format!("{} conventions {}", self.area.name, self.version)
    }

    /// Whether an answer was sent or received: as the stimulus knows, else as the span says. A span that failed may have
    /// ended before any.
    fn was_answered(&self, stimuli: &HashMap<TraceId, &Stimulus>) -> bool {
        let asked = match stimuli.get(&self.span.trace()) {
            Some(stimulus) if self.span.kind() == Kind::Server && self.span.parent().is_none() => Some(stimulus),
            _ => None,
        };
        match asked.filter(|stimulus| stimulus.service == self.case.service(self.span)) {
            Some(stimulus) => stimulus.answer.is_some(),
            None => self.span.status() != Status::Error && !self.attributes.has(Key::ErrorType),
        }
    }
}

#[cfg(test)]
mod tests;
