//! LOG-08: logging costs a service at most its share of the throughput.

use crate::model::{Case, Judgement, Severity};
use crate::rules::Rule;
use crate::rules::tally::{Fault, Tally};
use crate::rules::text::service_shown;

use super::cost::{Share, Stand};

pub(crate) static RULE: Rule = Rule {
    id: "LOG-08",
    severity: Severity::Error,
    requirement: "logging costs at most the budgeted share of throughput, measured on and off in one run",
    needs: &["log costs", "thresholds"],
    page: include_str!("../pages/LOG-08.md"),
    judge,
};

fn judge(case: &Case) -> Judgement {
    let mut judgement = Judgement::default();
    let mut tally = Tally::warning_without_declaration(&RULE, case);
    let budget = case.thresholds().log_cost_percent;
    for cost in &case.evidence.log_costs {
        let subject = format!("{}, throughput", service_shown(&cost.service));
        let Some(share) = Share::of(&cost.rounds) else {
            judgement.gap(subject, format!("too few rounds: {}", cost.rounds.len()));
            continue;
        };
        match share.stand(budget) {
            Stand::Within => judgement.judged(),
            // No subject and no gap: it is the machine that cannot tell, and nothing is held against the service for it.
            Stand::Unclear => tally.add_as(Severity::Note, subject, "unclear", None, || Fault {
                required: required(budget),
                seen: format!("too noisy a machine to say: {}", share.in_words()),
                fix: "measure again where less runs beside it; probity explain LOG-08".into(),
                ..Fault::default()
            }),
            Stand::Beyond => {
                judgement.judged();
                tally.add(subject, "cost", None, || Fault {
                    required: required(budget),
                    seen: share.in_words(),
                    fix: "write through a buffer that a thread of its own empties, with a bound and a count of what it drops; \
                          probity explain LOG-08"
                        .into(),
                    ..Fault::default()
                });
            }
        }
    }
    tally.put_into(&mut judgement);
    judgement
}

fn required(budget: u64) -> String {
    format!("at least {} % with logging (log_cost_percent {budget})", 100 - budget.min(100))
}

#[cfg(test)]
mod tests;
