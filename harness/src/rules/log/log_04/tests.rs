use crate::model::build::{Build, declaration};
use crate::model::*;
use crate::rules::testing::{Shortener, judge, subjects};

const RULE: &str = "LOG-04";

fn judged(line: &str) -> Judgement {
    let mut build = Build::new();
    let api = build.process("url-api");
    build.log(&api, line);
    judge(RULE, &build.evidence(), Some(&declaration()))
}

#[test]
fn keys_that_name_their_values_pass() {
    assert_eq!(Shortener::good().everything().judge(RULE).outcome(), Outcome::Pass);
    for line in [
        r#"{"http.status_code":200,"s3":"x","p95":1,"ipv4":"a","utf8":true,"arguments":[1],"param":{"a":1,"b":{"a":1}}}"#,
        r#"{"a":{"k":1},"b":{"k":1},"k":1}"#,
        r#"{"fields":{"user":"x"},"übergröße":1}"#,
        "{}",
    ] {
        assert_eq!(judged(line).outcome(), Outcome::Pass, "{line}");
    }
    assert_eq!(judged("no object").outcome(), Outcome::NotJudged);
}

#[test]
fn malformed_keys_fail_each_by_its_name() {
    for (line, key) in [
        (r#"{"!BADKEY":"x"}"#, "`!BADKEY`"),
        (r#"{"fields":{"EXTRA_VALUE_AT_END":1}}"#, "`EXTRA_VALUE_AT_END`"),
        (r#"{"":1}"#, "(empty)"),
        (r#"{"  ":1}"#, "`  `"),
        (r#"{"0":"h","1":"i"}"#, "`0`"),
        (r#"{"list":[{"arg1":1}]}"#, "`arg1`"),
        (r#"{"args.0":1}"#, "`args.0`"),
        (r#"{"_2":1}"#, "`_2`"),
        (r#"{"level":"a","level":"b"}"#, "`level`"),
        (r#"{"a":{"b":1,"b":2}}"#, "`a.b`"),
        (r#"{"a\nb":1}"#, "`a\\u{a}b`"),
    ] {
        let judgement = judged(line);
        assert_eq!(subjects(&judgement)[0], format!("url-api, key {key}"), "{line}");
    }
}

#[test]
fn a_word_before_the_number_is_the_edge() {
    assert_eq!(judged(r#"{"arg":1}"#).outcome(), Outcome::Pass);
    assert_eq!(judged(r#"{"arg0":1}"#).outcome(), Outcome::Fail);
    assert_eq!(judged(r#"{"arga0":1}"#).outcome(), Outcome::Pass);
}

#[test]
fn a_thousand_lines_with_one_key_are_one_finding_and_many_keys_stay_few() {
    let mut build = Build::new();
    let api = build.process("url-api");
    for number in 0..1_000 {
        build.log(&api, r#"{"!BADKEY":1}"#);
        build.log(&api, &format!("{{\"{number}\":1}}"));
    }
    let judgement = judge(RULE, &build.evidence(), Some(&declaration()));
    assert_eq!((judgement.findings.len(), judgement.subjects), (100, 2_000));
    assert!(judgement.findings[0].seen.ends_with("(and 999 more like it)"));
    let judgement = judge(RULE, &build.evidence(), None);
    assert_eq!(judgement.outcome(), Outcome::Pass, "without a declaration they are warnings");
}
