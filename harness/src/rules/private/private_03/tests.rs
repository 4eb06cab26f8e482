use serde_json::json;

use crate::model::build::{Build, declaration};
use crate::model::*;
use crate::rules::testing::{Shortener, judge, subjects};

const RULE: &str = "PRIVATE-03";

/// Database spans of url-api, each with these attributes.
fn spans(attributes: &[&[(&str, &str)]]) -> Judgement {
    let mut build = Build::new();
    let api = build.process("url-api");
    for attributes in attributes {
        let mut span = build.span(&api, Kind::Client, "SELECT links").attribute("db.system.name", "postgresql");
        for (key, value) in *attributes {
            span = span.attribute(key, *value);
        }
        span.add();
    }
    judge(RULE, &build.evidence(), Some(&declaration()))
}

fn texts(texts: &[&str]) -> Outcome {
    let attributes: Vec<Vec<(&str, &str)>> = texts.iter().map(|text| vec![("db.query.text", *text)]).collect();
    spans(&attributes.iter().map(Vec::as_slice).collect::<Vec<_>>()).outcome()
}

#[test]
fn statements_with_placeholders_pass() {
    assert_eq!(Shortener::good().everything().judge(RULE).outcome(), Outcome::Pass);
    assert_eq!(texts(&["SELECT url FROM links WHERE code = $1", "SELECT url FROM links WHERE code = $2"]), Outcome::Pass);
    assert_eq!(texts(&["SELECT 1 FROM t2 WHERE a = ?"; 3]), Outcome::Pass);
    assert_eq!(texts(&["SELECT * FROM t LIMIT 10", "SELECT * FROM u LIMIT 10"]), Outcome::Pass);
    assert_eq!(texts(&["SELECT * FROM t WHERE state = 'open'"; 5]), Outcome::Pass, "a literal that is always the same");
}

#[test]
fn captured_parameters_fail() {
    for key in ["db.query.parameter.0", "db.query.parameter.code", "db.operation.parameter.id", "db.statement.parameters"] {
        let judgement = spans(&[&[(key, "abc")]]);
        assert_eq!(subjects(&judgement), ["url-api, span `SELECT links`"], "{key}");
        assert_eq!(judgement.findings[0].seen, format!("attribute `{key}`"));
    }
    let mut build = Build::new();
    let api = build.process("url-api");
    build.log_fields(&api, "INFO", "query", None, json!({ "sql.args": ["abc"] }));
    assert_eq!(subjects(&judge(RULE, &build.evidence(), Some(&declaration()))), ["url-api, log field `sql.args`"]);
}

#[test]
fn values_in_the_text_fail_from_the_second_on() {
    let one = "SELECT url FROM links WHERE code = 'abc'";
    assert_eq!(texts(&[one, one]), Outcome::Pass, "the edge");
    assert_eq!(texts(&[one, "SELECT url FROM links WHERE code = 'abd'"]), Outcome::Fail);
    assert_eq!(texts(&["UPDATE t SET n = 1", "UPDATE t SET n = 2"]), Outcome::Fail);
    assert_eq!(texts(&["UPDATE t1 SET n = $1", "UPDATE t2 SET n = $1"]), Outcome::Pass);
}

#[test]
fn without_a_declaration_it_is_a_warning_and_other_spans_are_none() {
    let mut build = Build::new();
    let api = build.process("url-api");
    build.span(&api, Kind::Client, "x").attribute("db.system", "mysql").attribute("db.query.parameter.0", "a").add();
    let judgement = judge(RULE, &build.evidence(), None);
    assert_eq!((judgement.outcome(), judgement.findings.len()), (Outcome::Pass, 1));
    let mut build = Build::new();
    let api = build.process("url-api");
    build.span(&api, Kind::Client, "x").attribute("db.query.parameter.0", "a").add();
    assert_eq!(judge(RULE, &build.evidence(), Some(&declaration())).outcome(), Outcome::NotJudged);
}

#[test]
fn hostile_texts_are_read_to_their_end() {
    let quotes = "'".repeat(100_001);
    let digits = "9".repeat(100_000);
    assert_eq!(texts(&[&quotes, &digits, "'", "''", "\u{1b}1", "é'1é"]), Outcome::Fail, "one quote and an odd many read alike");
}
