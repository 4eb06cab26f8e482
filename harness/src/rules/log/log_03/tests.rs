use serde_json::json;

use crate::model::build::{Build, declaration};
use crate::model::*;
use crate::rules::log::schema::Schema;
use crate::rules::testing::{judge, subjects};

const RULE: &str = "LOG-03";
const FILE: &str = "schemas/a.logs.json";

fn declared() -> Declaration {
    let mut declaration = declaration();
    declaration.logs.schema = Some(FILE.into());
    declaration
}

/// url-api with one event, whose own fields are these.
fn lines(own: serde_json::Value) -> Build {
    let mut build = Build::new();
    let api = build.process("url-api");
    build.log_line(&api, "INFO", "listening", None);
    build.log_fields(&api, "INFO", "no row 7 matched: links", None, own);
    build
}

fn committed(text: impl Into<String>) -> ConfigFile {
    ConfigFile { name: FILE.into(), text: text.into(), error: None, prometheus: None }
}

/// Those lines against the schema of `table: text, rows: number`.
fn judged(own: serde_json::Value) -> Judgement {
    let good = lines(json!({ "table": "links", "rows": 0 })).evidence();
    let mut builder = Schema::builder();
    builder.add(&Case::new(&good, Some(&declared())));
    let mut build = lines(own);
    build.evidence_mut().files.push(committed(builder.schema().text()));
    judge(RULE, &build.evidence(), Some(&declared()))
}

#[test]
fn the_same_fields_and_other_values_pass() {
    assert_eq!(judged(json!({ "table": "clicks", "rows": 12.5 })).outcome(), Outcome::Pass);
    assert_eq!(judged(json!({ "rows": -1, "table": "" })).subjects, 2);
    let mut build = lines(json!({ "table": "links", "rows": 0 }));
    let api = ProcessId::new("url-api#1");
    let text = "{\"format\":\"probity-log-schema\",\"version\":1,\"services\":{\"url-api\":{\"lines\":{\"timestamp\":\"text\",\
        \"trace_id\":\"text?\"},\"events\":{\"no row # matched\":{\"rows\":\"number|text\"}}}}}";
    build.log_fields(&api, "INFO", "no row 8 matched", None, json!({ "rows": "none" }));
    build.evidence_mut().files.push(committed(text));
    let judgement = judge(RULE, &build.evidence(), Some(&declared()));
    assert_eq!((judgement.outcome(), subjects(&judgement).len()), (Outcome::Pass, 0), "{judgement:?}");
}

#[test]
fn a_field_that_was_renamed_fails_and_its_new_name_is_told() {
    let judgement = judged(json!({ "relation": "links", "rows": 0 }));
    assert_eq!(subjects(&judgement), ["url-api, line `no row # matched`, field `table`"]);
    let finding = judgement.findings.iter().find(|finding| finding.is_error()).unwrap();
    assert_eq!(finding.seen, "a line goes without it; `relation` is new");
    assert_eq!(finding.candidates, ["`relation`"]);
    assert_eq!(finding.at.as_ref().map(|place| place.file.as_str()), Some(FILE));
}

#[test]
fn a_field_that_was_removed_or_retyped_fails() {
    let removed = judged(json!({ "table": "links" }));
    assert_eq!(subjects(&removed), ["url-api, line `no row # matched`, field `rows`"]);
    let retyped = judged(json!({ "table": ["links"], "rows": "0" }));
    assert_eq!(retyped.findings.iter().map(|finding| finding.seen.as_str()).collect::<Vec<_>>(), ["it is text", "it is array"]);
    let mut build = lines(json!({}));
    let api = ProcessId::new("url-api#1");
    build.evidence_mut().logs[0].text = r#"{"message":"listening"}"#.into();
    build.log(&api, "no object");
    let good = judged(json!({})).findings.len();
    assert_eq!(good, 2, "both of the event's own fields");
}

#[test]
fn what_is_new_is_a_note() {
    let judgement = judged(json!({ "table": "links", "rows": 0, "shard": 3 }));
    assert_eq!((judgement.outcome(), judgement.findings.len()), (Outcome::Pass, 1));
    assert_eq!(judgement.findings[0].subject, "url-api, line `no row # matched`, field `shard`");
    let empty = r#"{"format":"probity-log-schema","version":1,"services":{"url-api":{"lines":{},"events":{}}}}"#;
    let mut build = lines(json!({}));
    let rpc = build.process("analytics-rpc");
    build.log_line(&rpc, "INFO", "listening", None);
    build.evidence_mut().files.push(committed(empty));
    let judgement = judge(RULE, &build.evidence(), Some(&declared()));
    let notes: Vec<_> = judgement.findings.iter().map(|finding| finding.seen.as_str()).collect();
    assert_eq!(notes.iter().filter(|seen| **seen == "a new service").count(), 1);
    assert_eq!(notes.iter().filter(|seen| **seen == "a new event").count(), 2);
    assert!(judgement.findings.iter().all(|finding| finding.severity == Severity::Note));
}

#[test]
fn a_field_that_only_some_lines_had_is_the_edge() {
    let mut build = lines(json!({ "table": "links" }));
    let api = ProcessId::new("url-api#1");
    build.log_fields(&api, "INFO", "no row 9 matched", None, json!({}));
    let mut builder = Schema::builder();
    builder.add(&Case::new(&build.evidence(), Some(&declared())));
    let mut build = lines(json!({}));
    build.evidence_mut().files.push(committed(builder.schema().text()));
    assert_eq!(judge(RULE, &build.evidence(), Some(&declared())).outcome(), Outcome::Pass);
}

#[test]
fn a_schema_that_is_not_there_leaves_it_open() {
    let mut build = lines(json!({}));
    let open = |build: &Build| judge(RULE, &build.evidence(), Some(&declared())).gaps[0].why.clone();
    assert_eq!(open(&build), "it was not captured");
    build.evidence_mut().files.push(ConfigFile { error: Some("no such file".into()), ..committed("") });
    assert!(open(&build).starts_with("no such file; `probity log-schema"));
    build.evidence_mut().files[0] = committed("[".repeat(100_000));
    assert!(open(&build).starts_with("it is no log schema"));
    assert_eq!(judge(RULE, &build.evidence(), Some(&declaration())).outcome(), Outcome::NotJudged);
    assert_eq!(judge(RULE, &build.evidence(), None).outcome(), Outcome::NotJudged);
}
