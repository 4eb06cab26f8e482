//! Judges one scenario's evidence by every rule. Pure: the same evidence and declaration give the same report, byte for
//! byte, whatever the number of threads.

mod account;
mod loss;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::model::{
    BarrierKind, Case, Declaration, Evidence, Finding, Gap, Judgement, Outcome, Source, Verdict,
};
use crate::report::{RuleReport, ScenarioReport};
use crate::rules::{self, Rule};

/// Findings and gaps that a report lists for one rule in one scenario; the rest is counted. Hostile evidence can make one
/// for every span.
pub const LISTED_PER_RULE_MAX: usize = 1_000;

/// From this many spans on, rules are spread over threads.
const PARALLEL_FROM_SPANS: usize = 2_000;

/// Runs all rules over the evidence and sums up: findings, gaps, verdict, why it is incomplete.
///
/// Family, times, skipping and the command to rerun are the run's to fill in.
pub fn judge(evidence: &Evidence, declaration: Option<&Declaration>) -> ScenarioReport {
    let mut case = Case::new(evidence, declaration);
    rules::exposed::read_all(&mut case);
    let many = thread::available_parallelism().map_or(1, usize::from);
    let threads = if case.spans.len() < PARALLEL_FROM_SPANS { 1 } else { many };
    judge_on(threads, &case)
}

/// As [`judge`], on so many threads.
pub(crate) fn judge_on(threads: usize, case: &Case) -> ScenarioReport {
    if let Some(why) = why_nothing_counts(case.evidence) {
        return unjudged(case, why);
    }
    let rules: Vec<&'static Rule> = rules::all().collect();
    let judged = apply(&rules, case, threads);
    conclude(case, &rules, judged)
}

/// What a rule came back with: its judgement, or the message of its panic.
type Judged = Result<Judgement, String>;

fn apply(rules: &[&'static Rule], case: &Case, threads: usize) -> Vec<Judged> {
    let threads = threads.min(rules.len());
    if threads <= 1 {
        return rules.iter().map(|rule| apply_one(rule, case)).collect();
    }
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(rule) = rules.get(number) else { return done };
            done.push((number, apply_one(rule, case)));
        }
    };
    let mut judged: Vec<(usize, Judged)> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap_or_default()).collect()
    });
    judged.sort_by_key(|(number, _)| *number);
    judged.into_iter().map(|(_, judged)| judged).collect()
}

/// A rule that panics is our own error; it must not take the others' findings with it.
fn apply_one(rule: &Rule, case: &Case) -> Judged {
    catch_unwind(AssertUnwindSafe(|| (rule.judge)(case))).map_err(|panic| {
        let message = panic.downcast_ref::<&str>().map(|text| text.to_string());
        message.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into())
    })
}

fn conclude(case: &Case, rules: &[&'static Rule], judged: Vec<Judged>) -> ScenarioReport {
    let evidence = case.evidence;
    let mut report = ScenarioReport {
        name: evidence.scenario.clone(),
        counts: account::counts(case),
        headline: account::headline(case),
        processes: account::processes(evidence),
        topics: account::topics(evidence),
        barrier: evidence.barrier.clone(),
        ledger: evidence.ledger.senders.clone(),
        thresholds: case.thresholds().overrides(),
        ..ScenarioReport::default()
    };
    let mut panics = Vec::new();
    for (rule, judged) in rules.iter().zip(judged) {
        match judged {
            Ok(judgement) => take(&mut report, rule, judgement),
            Err(message) => panics.push(format!("rule {} panicked: {message}", rule.id)),
        }
    }
    report.incomplete = why_incomplete(evidence, &report.rules);
    report.verdict = Some(verdict(&report));
    if panics.is_empty() { report } else { report.with_error(panics.join("; ")) }
}

/// Somebody set the clock, or a backend of ours ended: whatever the rules would find is no fault of the system.
fn why_nothing_counts(evidence: &Evidence) -> Option<String> {
    let of_clock = |by_ms: i64| {
        let direction = if by_ms < 0 { "back" } else { "ahead" };
        format!(
            "the machine's clock was set {direction} by {:.1} s while this ran, so that no two times can be compared: run it again",
            by_ms.unsigned_abs() as f64 / 1_000.0
        )
    };
    let clock = evidence.clock_jump_ms.map(of_clock);
    evidence.lost_backend.iter().cloned().chain(clock).reduce(|lost, clock| format!("{lost}; {clock}"))
}

/// Shown, and judged by no rule.
fn unjudged(case: &Case, why: String) -> ScenarioReport {
    let report = ScenarioReport { incomplete: Vec::new(), verdict: None, ..conclude(case, &[], Vec::new()) };
    report.with_error(why)
}

fn take(report: &mut ScenarioReport, rule: &Rule, mut judgement: Judgement) {
    let outcome = judgement.outcome();
    judgement.findings.sort_by(by_content);
    judgement.findings.dedup();
    judgement.gaps.sort();
    judgement.gaps.dedup();
    let omitted = beyond(&judgement.findings) + beyond(&judgement.gaps) + judgement.unlisted;
    judgement.findings.truncate(LISTED_PER_RULE_MAX);
    judgement.gaps.truncate(LISTED_PER_RULE_MAX);
    report.findings.append(&mut judgement.findings);
    report.rules.push(RuleReport {
        rule: rule.id.into(),
        requirement: rule.requirement,
        outcome,
        subjects: judgement.subjects,
        gaps: judgement.gaps,
        not_judged: judgement.not_judged,
        omitted,
    });
}

fn beyond<T>(listed: &[T]) -> u64 {
    listed.len().saturating_sub(LISTED_PER_RULE_MAX) as u64
}

/// Errors first, then by what a reader sees; ids last, so that two runs list alike.
fn by_content(a: &Finding, b: &Finding) -> std::cmp::Ordering {
    let key = |finding: &Finding| std::cmp::Reverse(finding.severity);
    let text = |finding: &Finding| (finding.subject.clone(), finding.required.clone(), finding.seen.clone());
    key(a).cmp(&key(b)).then_with(|| text(a).cmp(&text(b))).then_with(|| a.spans.cmp(&b.spans))
}

/// Lets outcomes, reasons and verdict follow from the findings again, some of which are accepted by now. A rule that failed
/// and has no error left passes, or is incomplete where something is missing; `is_whole` says whether all its violations
/// are accounted for. A verdict that nothing of this concerns stays.
pub(crate) fn regrade(report: &mut ScenarioReport, is_whole: &dyn Fn(&RuleReport) -> bool) {
    let failed = |rule: &RuleReport| rule.outcome == Outcome::Fail;
    let (before, had_failed) = (gaps_by_reason(&report.rules), report.rules.iter().any(failed));
    for rule in report.rules.iter_mut().filter(|rule| failed(rule)) {
        let mut errors =
            report.findings.iter().filter(|finding| finding.rule == rule.rule && finding.is_error());
        if errors.next().is_none() && is_whole(rule) {
            rule.outcome = if rule.gaps.is_empty() { Outcome::Pass } else { Outcome::Incomplete };
        }
    }
    if !had_failed || report.rules.iter().any(failed) {
        return;
    }
    report.incomplete.retain(|reason| !before.contains(reason));
    report.incomplete.extend(gaps_by_reason(&report.rules));
    report.verdict = report.verdict.map(|_| match &report.error {
        Some(_) => Verdict::Error,
        None => verdict(report),
    });
}

fn verdict(report: &ScenarioReport) -> Verdict {
    if report.rules.iter().any(|rule| rule.outcome == Outcome::Fail) {
        Verdict::Fail
    } else if !report.incomplete.is_empty() {
        Verdict::Incomplete
    } else {
        Verdict::Pass
    }
}

/// The reasons, most telling first: the barrier, the losses, the rules that miss something, nothing at all.
fn why_incomplete(evidence: &Evidence, rules: &[RuleReport]) -> Vec<String> {
    let mut reasons = Vec::new();
    if evidence.barrier.kind == BarrierKind::Stepped {
        let open = evidence.barrier.steps.iter().filter(|step| !step.closed);
        reasons.extend(open.map(|step| format!("barrier did not close: {}: {}", step.name, step.status)));
    }
    reasons.extend(loss::unexplained(evidence));
    reasons.extend(gaps_by_reason(rules));
    let judged = rules.iter().any(|rule| rule.subjects > 0);
    let silent = evidence.requests.is_empty() && evidence.source != Source::Scenario;
    if silent || !judged && reasons.is_empty() {
        reasons.insert(0, nothing_judged(evidence));
    }
    reasons
}

/// One line a reason, with the rules that it keeps from judging.
fn gaps_by_reason(rules: &[RuleReport]) -> Vec<String> {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    let incomplete = rules.iter().filter(|rule| rule.outcome == Outcome::Incomplete);
    for (rule, Gap { why, .. }) in incomplete.flat_map(|rule| rule.gaps.iter().map(move |gap| (rule, gap))) {
        match reasons.iter_mut().find(|(reason, _)| reason == why) {
            Some((_, ids)) if ids.last() == Some(&rule.rule.as_str()) => {}
            Some((_, ids)) => ids.push(&rule.rule),
            None => reasons.push((why, vec![&rule.rule])),
        }
    }
    reasons.into_iter().map(|(why, ids)| format!("{} cannot be judged: {why}", ids.join(" "))).collect()
}

fn nothing_judged(evidence: &Evidence) -> String {
    match evidence.source {
        _ if evidence.requests.is_empty() => "no telemetry was captured".into(),
        Source::Scenario => "no rule found a subject in this scenario".into(),
        _ => "no rule found a subject in what was captured".into(),
    }
}

#[cfg(test)]
mod tests;
