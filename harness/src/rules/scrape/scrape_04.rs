//! SCRAPE-04: a scrape stays within its limits.

use crate::model::{Case, HttpAnswer, Judgement, Severity};
use crate::rules::Rule;
use crate::rules::exposed::read;
use crate::rules::tally::{Fault, Tally};

use super::targets::{place, subject};

pub(crate) static RULE: Rule = Rule {
    id: "SCRAPE-04",
    severity: Severity::Error,
    requirement: "an answer to a scrape stays within its limits: duration, size, samples",
    needs: &["targets", "scrapes", "thresholds"],
    page: include_str!("../pages/SCRAPE-04.md"),
    judge,
};

fn judge(case: &Case) -> Judgement {
    let mut judgement = Judgement::default();
    let mut tally = Tally::new(&RULE);
    for target in &case.evidence.targets {
        if let Some(answer) = target.answer.as_ref().filter(|answer| answer.status == Some(200)) {
            judgement.judged();
            for excess in excesses(case, answer) {
                tally.add_at(place(target), subject(target), excess.what, || excess.fault());
            }
        }
    }
    for scrape in &case.evidence.scrapes {
        if scrape.answer.status == Some(200) {
            judgement.judged();
            for excess in excesses(case, &scrape.answer) {
                tally.add(scrape.service.clone(), excess.what, None, || excess.fault());
            }
        }
    }
    tally.put_into(&mut judgement);
    judgement
}

/// A limit that an answer is beyond.
struct Excess {
    what: &'static str,
    limit: u64,
    seen: u64,
    unit: &'static str,
}

impl Excess {
    fn fault(&self) -> Fault {
        let Excess { what, limit, seen, unit } = self;
        Fault {
            required: format!("a {what} of at most {limit} {unit}"),
            seen: format!("{seen} {unit}"),
            fix: "collect before the scrape, not during it; expose what somebody looks at, and drop labels that grow; a \
                  limit that is wrong for this system is overridden in its thresholds, with a reason; probity explain \
                  SCRAPE-04"
                .into(),
            ..Fault::default()
        }
    }
}

fn excesses(case: &Case, answer: &HttpAnswer) -> Vec<Excess> {
    let thresholds = case.thresholds();
    let samples = read(answer, None).map_or(0, |exposition| exposition.sample_count() as u64);
    let all = [
        Excess { what: "duration", limit: thresholds.scrape_ms, seen: answer.took_ms.unwrap_or(0), unit: "ms" },
        Excess { what: "size", limit: thresholds.scrape_bytes, seen: answer.body.len() as u64, unit: "bytes" },
        Excess { what: "number of samples", limit: thresholds.scrape_samples, seen: samples, unit: "samples" },
    ];
    all.into_iter().filter(|excess| excess.seen > excess.limit).collect()
}

#[cfg(test)]
mod tests;
