use crate::model::build::{Build, declaration};
use crate::model::{Case, Expectation, ExpectationKind, Fence, Judgement, Kind, Outcome, Status};
use crate::outline::Outline;

/// Three requests, one of them failed; the snapshot is what `snapshot` makes of their outline.
fn built(snapshot: impl FnOnce(String) -> String) -> Build {
    let mut build = Build::new();
    let api = build.process("url-api");
    for number in 0..3 {
        let root = build.span(&api, Kind::Server, "GET /{code}").add();
        let status = if number == 0 { Status::Error } else { Status::Unset };
        build.span(&api, Kind::Client, "SELECT links").child_of(root).status(status).add();
    }
    let evidence = build.evidence();
    let outline = snapshot(Outline::of_all(&Case::new(&evidence, None)).to_string());
    let at = "scenarios/snapshots/a_click.snap".into();
    build.evidence_mut().expectations =
        vec![Expectation { kind: ExpectationKind::Snapshot, stimulus: None, outline, at }];
    build
}

fn judge(build: &Build) -> Judgement {
    let (evidence, declaration) = (build.evidence(), declaration());
    crate::rules::testing::judged(&super::RULE, &Case::new(&evidence, Some(&declaration)))
}

fn seen(snapshot: impl FnOnce(String) -> String) -> String {
    let judgement = judge(&built(snapshot));
    assert_eq!(judgement.outcome(), Outcome::Fail, "{judgement:?}");
    assert_eq!(judgement.findings[0].subject, "snapshot scenarios/snapshots/a_click.snap");
    assert!(judgement.findings[0].fix.contains("cargo insta review"));
    judgement.findings[0].seen.clone()
}

#[test]
fn trees_equal_to_the_snapshot_pass() {
    assert_eq!(judge(&built(|outline| outline)).outcome(), Outcome::Pass);
}

#[test]
fn a_snapshot_without_its_last_line_end_passes() {
    assert_eq!(judge(&built(|outline| outline.trim_end().into())).outcome(), Outcome::Pass);
}

#[test]
fn the_snapshot_of_one_stimulus_is_judged_on_its_trace() {
    let mut build = built(|_| "url-api SERVER    GET /{code}".into());
    let trace = Case::new(&build.evidence(), None).spans.traces()[0];
    let api = build.evidence_mut().processes[0].id.clone();
    build.stimulus(&api, "click", "GET", "/abc", 302).trace = Some(trace);
    let outline = "url-api               SERVER    GET /{code}\n  url-api             CLIENT    SELECT links !error\n";
    let snapshot = &mut build.evidence_mut().expectations[0];
    (snapshot.stimulus, snapshot.outline) = (Some(1), outline.into());
    assert_eq!(judge(&build).outcome(), Outcome::Pass);
    build.evidence_mut().stimuli[0].trace = None;
    assert_eq!(judge(&build).outcome(), Outcome::Incomplete);
}

#[test]
fn one_trace_more_than_before_fails() {
    assert_eq!(
        seen(|outline| outline.replace(" ×2", "")),
        "count: root server span `GET /{code}` of url-api came twice, once required"
    );
}

#[test]
fn a_new_and_a_renamed_span_fail() {
    assert_eq!(
        seen(|outline| outline.replace("SELECT links !error", "SELECT codes !error")),
        "renamed: client span under `GET /{code}`, from `SELECT codes` to `SELECT links`"
    );
    assert!(seen(|_| String::new()).starts_with("new: root server span"), "an empty snapshot expects nothing");
}

#[test]
fn a_loosened_or_unreadable_snapshot_fails() {
    assert!(seen(|outline| outline.replace(" ×2", " ×1..")).starts_with("the same trees, written differently"));
    assert!(seen(|_| "<<<<<<< ours".into()).starts_with("it is no outline: line 1"));
}

#[test]
fn what_was_lost_without_proof_is_incomplete() {
    let extra = "analytics-consumer    CONSUMER  process click-events\n";
    let mut build = built(|outline| format!("{extra}{outline}"));
    build.process("analytics-consumer");
    build.evidence_mut().processes[1].fence = Fence::Open { why: "killed (SIGKILL)".into() };
    assert_eq!(judge(&build).gaps[0].why, "analytics-consumer: killed (SIGKILL)");
    build.evidence_mut().processes[1].fence = Fence::Exit { at: 0 };
    assert_eq!(judge(&build).outcome(), Outcome::Fail);
}

#[test]
fn a_hostile_snapshot_is_told_in_bounded_words() {
    let hostile = |_| "a SERVER \"\\u{202e}b\"\n".repeat(20_000);
    let seen = seen(hostile);
    assert!(seen.len() < 2_000 && !seen.contains('\u{202e}'), "{seen}");
}
