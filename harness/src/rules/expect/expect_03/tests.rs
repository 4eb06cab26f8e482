use crate::model::build::{Build, at};
use crate::model::{Case, Effect, Judgement, Outcome};

fn judge(effects: &[(&str, &str, Option<&str>, bool)]) -> Judgement {
    let mut build = Build::new();
    build.evidence_mut().effects = effects
        .iter()
        .map(|&(name, required, seen, holds)| Effect {
            name: name.into(),
            required: required.into(),
            seen: seen.map(Into::into),
            at: at(1),
            holds,
        })
        .collect();
    let evidence = build.evidence();
    crate::rules::testing::judged(&super::RULE, &Case::new(&evidence, None))
}

#[test]
fn effects_answers_and_exits_as_stated_pass() {
    let judgement = judge(&[
        ("the click's row", "one row", Some("one row"), true),
        ("answer of url-api", "302", Some("302"), true),
        ("exit of python", "exit code 0", Some("exit code 0"), true),
    ]);
    assert_eq!((judgement.outcome(), judgement.subjects), (Outcome::Pass, 3));
}

#[test]
fn nothing_stated_is_not_judged() {
    assert_eq!(judge(&[]).outcome(), Outcome::NotJudged);
}

#[test]
fn what_holds_is_not_compared_again() {
    let judgement = judge(&[("rows", "at least 1", Some("3"), true)]);
    assert_eq!(judgement.outcome(), Outcome::Pass, "whoever waited decides, not the words");
}

#[test]
fn an_absent_effect_fails_and_says_so() {
    let judgement = judge(&[("the click's row", "one row", None, false)]);
    let finding = &judgement.findings[0];
    assert_eq!(judgement.outcome(), Outcome::Fail);
    assert_eq!((finding.subject.as_str(), finding.required.as_str()), ("the click's row", "one row"));
    assert_eq!(finding.seen, "absent within its limit");
}

#[test]
fn another_answer_or_exit_fails_with_what_was_seen() {
    let judgement = judge(&[
        ("answer of url-api", "302", Some("500"), false),
        ("exit of python", "exit code 0", Some("SIGKILL"), false),
        ("the click's row", "one row", Some("one row"), true),
    ]);
    assert_eq!((judgement.subjects, judgement.findings.len()), (3, 2));
    assert_eq!(judgement.findings[0].seen, "500");
    assert_eq!(judgement.findings[1].seen, "SIGKILL");
}

#[test]
fn one_of_many_that_is_not_as_stated_fails() {
    let mut effects = vec![("rows", "1", Some("1"), true); 99];
    assert_eq!(judge(&effects).outcome(), Outcome::Pass);
    effects.push(("rows", "1", Some("0"), false));
    assert_eq!(judge(&effects).outcome(), Outcome::Fail);
}

#[test]
fn what_a_program_printed_cannot_act_in_the_report() {
    let judgement = judge(&[("\u{1b}[2Jname", "x", Some("\u{202e}\nfake: pass"), false)]);
    let finding = &judgement.findings[0];
    assert!(!finding.subject.contains('\u{1b}') && !finding.seen.contains(['\n', '\u{202e}']));
}
