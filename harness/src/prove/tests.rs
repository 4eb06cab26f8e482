use super::*;
use crate::model::Kind;
use crate::model::build::{Build, declaration};
use crate::rules::testing::Shortener;

fn proof_of(evidence: &Evidence, declaration: Option<&Declaration>) -> Proof {
    prove(&[Green { evidence, declaration }], 2, &|_, _| ())
}

fn fate<'p>(proof: &'p Proof, mutation: &str, subject: &str) -> &'p Broken {
    let mut found = proof.breaks.iter().filter(|broken| broken.mutation == mutation);
    found.find(|broken| broken.subject == subject).unwrap_or_else(|| panic!("no {mutation} of {subject}"))
}

#[test]
fn a_break_that_a_rule_sees_is_caught_and_says_by_which() {
    let evidence = Shortener::good().everything().build.evidence();
    let declaration = declaration();
    let proof = proof_of(&evidence, Some(&declaration));
    assert_eq!((proof.scenarios.len(), proof.passed_over.len()), (1, 0));
    let silent = fate(&proof, "drop-service", "analytics-consumer");
    assert_eq!(silent.fate, Fate::Caught);
    assert!(silent.rules.contains(&"TRACE-01".to_string()), "{silent:?}");
    let raw = fate(&proof, "raw-name", "url-api SERVER GET /{code}");
    assert_eq!((raw.fate, raw.rules.as_slice()), (Fate::Caught, ["TRACE-07".to_string()].as_slice()));
}

#[test]
fn a_break_that_no_rule_sees_survives() {
    // A leaf that no expectation and no log line names: nothing knows that it should be there.
    let mut build = Build::new();
    let shop = build.process("shop");
    let root = build.span(&shop, Kind::Server, "GET /items").add();
    build.span(&shop, Kind::Client, "SELECT items").child_of(root).add();
    let proof = proof_of(&build.evidence(), None);
    assert_eq!(fate(&proof, "drop-span", "shop CLIENT SELECT items").fate, Fate::Survived);
    assert!(proof.survivors().count() > 0);
}

#[test]
fn without_a_declaration_conventions_only_warn() {
    let mut build = Build::new();
    let shop = build.process("shop");
    build.span(&shop, Kind::Server, "GET /items").attribute("http.request.method", "GET").add();
    let mut evidence = build.evidence();
    evidence.source = crate::model::Source::Exec;
    let proof = proof_of(&evidence, None);
    assert_eq!(fate(&proof, "raw-name", "shop SERVER GET /items").fate, Fate::Warned);
}

#[test]
fn what_is_not_green_is_passed_over() {
    let evidence = Shortener::with("consumer-ignores-headers").everything().build.evidence();
    let declaration = declaration();
    let proof = proof_of(&evidence, Some(&declaration));
    assert_eq!((proof.scenarios.len(), proof.passed_over.len(), proof.breaks.len()), (0, 1, 0));
}

#[test]
fn what_must_not_matter_does_not_and_the_proof_is_the_same_on_any_number_of_threads() {
    let evidence = Shortener::good().everything().build.evidence();
    let declaration = declaration();
    let greens = [Green { evidence: &evidence, declaration: Some(&declaration) }];
    let one = prove(&greens, 1, &|_, _| ());
    assert_eq!(one.disturbed().collect::<Vec<_>>(), Vec::<&Disturbed>::new());
    assert_eq!(one.neutrals.len(), NEUTRALS.len() + 1);
    assert_eq!(one, prove(&greens, 5, &|_, _| ()));
}

#[test]
fn a_difference_is_shown_where_it_begins() {
    let evidence = Shortener::good().everything().build.evidence();
    let declaration = declaration();
    let baseline = Baseline {
        evidence: &evidence,
        declaration: Some(&declaration),
        report: judge(&evidence, Some(&declaration)),
    };
    let dropped = |evidence: &mut Evidence| evidence.requests.truncate(1);
    let difference = baseline.disturbed_by(dropped).expect("something is gone");
    assert!(difference.starts_with("built: `"), "{difference}");
    assert_eq!(baseline.disturbed_by(|_| ()), None);
}
