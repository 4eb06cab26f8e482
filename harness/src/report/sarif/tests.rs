use std::collections::BTreeSet;

use serde_json::Value;

use super::*;
use crate::report::ScenarioReport;
use crate::report::testing::{Example, example, golden, hostile};

fn rendered(example: &Example) -> Value {
    serde_json::from_str(&render(&example.run, &example.cases())).unwrap()
}

/// The document without its rules, whose pages change with them.
fn own(example: &Example) -> Value {
    let mut document = rendered(example);
    document["runs"][0]["tool"]["driver"]["rules"] = json!([]);
    for result in document["runs"][0]["results"].as_array_mut().unwrap() {
        result.as_object_mut().unwrap().remove("ruleIndex");
    }
    document
}

fn results(document: &Value) -> &Vec<Value> {
    document["runs"][0]["results"].as_array().unwrap()
}

#[test]
fn a_run_is_results_at_their_lines() {
    golden("run.sarif", &crate::report::json::pretty(&own(&example())));
}

#[test]
fn every_result_names_a_rule_that_has_help() {
    let document = rendered(&example());
    let rules = document["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap();
    for result in results(&document) {
        let rule = &rules[result["ruleIndex"].as_u64().unwrap() as usize];
        assert_eq!(rule["id"], result["ruleId"]);
        let page = rule["help"]["markdown"].as_str().unwrap();
        assert!(page.starts_with(&format!("# {}: ", rule["id"].as_str().unwrap())), "{page}");
        assert!(!rule["fullDescription"]["text"].as_str().unwrap().contains('#'), "{rule}");
    }
}

#[test]
fn a_finding_lies_where_it_can_be_mended_and_names_its_scenario_beside() {
    let document = rendered(&example());
    let target = results(&document).iter().find(|result| result["ruleId"] == "SCRAPE-01").unwrap();
    let place = &target["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "compose/prometheus.yml");
    assert_eq!(place["region"]["startLine"], 8);
    let beside = &target["relatedLocations"][0]["physicalLocation"];
    assert_eq!(beside["artifactLocation"]["uri"], "scenarios/src/shortener/linkage.rs");
    let span = results(&document).iter().find(|result| result["ruleId"] == "MSG-02").unwrap();
    assert_eq!(span["locations"][0]["physicalLocation"]["region"]["startLine"], 26);
    assert_eq!(span["locations"][0]["logicalLocations"][0]["fullyQualifiedName"], "url-api / SELECT links");
}

#[test]
fn known_findings_are_suppressed_and_the_others_say_that_they_are_not() {
    let document = rendered(&example());
    let suppressed = |result: &&Value| {
        result["suppressions"][0]["justification"] == "it goes next month (until 2027-01-31)"
    };
    assert_eq!(results(&document).iter().filter(suppressed).count(), 1);
    assert!(results(&document).iter().all(|result| result["suppressions"].is_array()));
}

#[test]
fn what_could_not_be_judged_is_open_and_what_could_not_be_run_a_notification() {
    let document = rendered(&example());
    let open: Vec<_> = results(&document).iter().filter(|result| result["kind"] == "open").collect();
    assert_eq!((open.len(), &open[0]["level"]), (1, &json!("none")));
    let invocation = &document["runs"][0]["invocations"][0];
    assert_eq!((&invocation["executionSuccessful"], &invocation["exitCode"]), (&json!(false), &json!(1)));
    let said = invocation["toolExecutionNotifications"].to_string();
    for text in [
        "a_cut_database could not be run: postgres ended with 1",
        "a_killed_consumer is incomplete",
        "was skipped",
    ] {
        assert!(said.contains(text), "{text} in {said}");
    }
}

#[test]
fn denied_warnings_are_errors() {
    let mut denied = example();
    let level = |example: &Example| {
        let document = rendered(example);
        results(&document).iter().find(|result| result["ruleId"] == "TRACE-07").unwrap()["level"].clone()
    };
    assert_eq!(level(&denied), "warning");
    denied.run = denied.run.regraded(ScenarioReport::deny_warnings);
    assert_eq!(level(&denied), "error");
}

#[test]
fn fingerprints_are_those_of_the_next_run_and_no_two_are_alike() {
    let mut again = example();
    again.first().seen = "a root span in another trace, at another time".into();
    again.first().spans.clear();
    let prints = |example: &Example| -> Vec<String> {
        let document = rendered(example);
        results(&document).iter().map(|result| result["partialFingerprints"].to_string()).collect()
    };
    assert_eq!(prints(&example()), prints(&again));
    assert_eq!(prints(&again).iter().collect::<BTreeSet<_>>().len(), prints(&again).len());
}

#[test]
fn hostile_text_is_no_link_no_place_and_no_control() {
    let document = own(&hostile());
    golden("hostile.sarif", &crate::report::json::pretty(&document));
    let text = document.to_string();
    assert!(!text.contains("\\u0000") && !text.contains("\\u001b") && !text.contains('\u{202e}'));
    let notifications =
        document["runs"][0]["invocations"][0]["toolExecutionNotifications"].as_array().unwrap();
    for said in results(&document).iter().chain(notifications) {
        assert!(!said["message"]["text"].as_str().unwrap().contains("]("), "{said}");
    }
    assert!(!text.contains("physicalLocation"), "a path that leads elsewhere is no place");
}

#[test]
fn a_huge_run_is_bounded_and_says_so() {
    let mut huge = example();
    let finding = huge.first().clone();
    huge.run.scenarios[0].findings = vec![finding; RESULTS_MAX + 10];
    let document = rendered(&huge);
    assert_eq!(results(&document).len(), RESULTS_MAX);
    assert!(document.to_string().contains("12 further results are left out"));
    let mut long = example();
    long.first().seen = "x".repeat(4 << 20);
    assert!(own(&long).to_string().len() < 100_000);
}
