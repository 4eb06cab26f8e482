//! EXPECT-02: the captured trees equal the committed snapshot, to the letter.

use crate::model::{Case, Expectation, ExpectationKind, Judgement, Severity, SourcePlace};
use crate::outline::Outline;
use crate::rules::Rule;
use crate::rules::tally::{Fault, Tally};
use crate::rules::text::shown;

use super::unproven::{in_words, unproven};

pub(crate) static RULE: Rule = Rule {
    id: "EXPECT-02",
    severity: Severity::Error,
    requirement: "the captured trees equal the committed snapshot",
    needs: &["spans", "expectations"],
    page: include_str!("../pages/EXPECT-02.md"),
    judge,
};

fn judge(case: &Case) -> Judgement {
    let mut judgement = Judgement::default();
    let mut tally = Tally::new(&RULE);
    let snapshots = case.evidence.expectations.iter();
    for snapshot in snapshots.filter(|expectation| expectation.kind == ExpectationKind::Snapshot) {
        judge_one(case, snapshot, &mut judgement, &mut tally);
    }
    tally.put_into(&mut judgement);
    judgement
}

fn judge_one(case: &Case, snapshot: &Expectation, judgement: &mut Judgement, tally: &mut Tally) {
    let subject = format!("snapshot {}", shown(&snapshot.at));
    let outline = match snapshot.stimulus {
        None => Outline::of_all(case),
        Some(stimulus) => match Outline::of_stimulus(case, stimulus) {
            Some(outline) => outline,
            None => return judgement.gap(subject, "unaddressed: the trace of its stimulus is not known"),
        },
    };
    if outline.to_string().trim_end() == snapshot.outline.trim_end() {
        return judgement.judged();
    }
    let (kind, fault) = match Outline::parse(&snapshot.outline).map(|pattern| pattern.matches(&outline)) {
        Ok(Err(mismatch)) => {
            if let Some(why) = unproven(case, &mismatch) {
                return judgement.gap(subject, why);
            }
            ("differs", Fault { seen: in_words(&mismatch), tree: mismatch.tree.trim_end().into(), ..Fault::default() })
        }
        Ok(Ok(())) => ("loosened", Fault { seen: loosened(), ..Fault::default() }),
        Err(error) => {
            let seen = format!("it is no outline: line {}, column {}: {}", error.line, error.column, error.message);
            ("unreadable", Fault { seen, ..Fault::default() })
        }
    };
    judgement.judged();
    let place = SourcePlace { file: snapshot.at.clone(), line: 1 };
    tally.add_at(place, subject, kind, || Fault { fix: fix(), ..fault });
}

fn loosened() -> String {
    "the same trees, written differently: a snapshot is exact; what may vary is stated in the scenario".into()
}

fn fix() -> String {
    "if the change is meant, run the tests and accept it with `cargo insta review` (or run them with INSTA_UPDATE=always and \
     look at `git diff`); otherwise mend the service named first; probity explain EXPECT-02"
        .into()
}

#[cfg(test)]
mod tests;
