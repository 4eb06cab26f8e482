use super::*;
use crate::report::testing::{Example, example, golden, hostile};

fn rendered(example: &Example) -> String {
    render(&example.run, &example.cases())
}

#[test]
fn a_run_is_suites_of_cases_and_red_is_red() {
    golden("run.junit.xml", &rendered(&example()));
}

#[test]
fn the_same_run_is_the_same_document() {
    assert_eq!(rendered(&example()), rendered(&example()));
}

#[test]
fn denied_warnings_are_failures() {
    let mut denied = example();
    denied.run = denied.run.regraded(ScenarioReport::deny_warnings);
    let document = rendered(&denied);
    let case = document.split("<testcase").find(|case| case.contains("name=\"TRACE-07")).unwrap();
    assert!(case.contains("<failure type=\"warning\""), "{case}");
    assert!(!rendered(&example()).contains("<failure type=\"warning\""));
}

#[test]
fn an_interrupted_or_damaged_run_is_red_whatever_its_scenarios_say() {
    let green = RunReport::new("shortener", Vec::new());
    let document = render(&green.clone().interrupted(), &[]);
    assert!(document.contains("errors=\"1\"") && document.contains("type=\"interrupted\""), "{document}");
    let document = render(&green.with_problems(vec!["logs.pb is cut off".into()]), &[]);
    assert!(document.contains("message=\"logs.pb is cut off\""), "{document}");
}

#[test]
fn hostile_text_stays_text() {
    let document = rendered(&hostile());
    golden("hostile.junit.xml", &document);
    // Nothing but our own elements, and nothing that XML 1.0 cannot hold.
    let own = [
        "testsuites",
        "testsuite",
        "properties",
        "property",
        "testcase",
        "failure",
        "error",
        "skipped",
        "system-out",
    ];
    for tag in document.split('<').skip(1) {
        let name: &str = tag.trim_start_matches(['/', '?']).split([' ', '>', '/']).next().unwrap();
        assert!(own.contains(&name) || name == "xml", "<{name}");
    }
    let holds =
        |letter: char| matches!(letter, '\n' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    assert_eq!(document.chars().find(|letter| !holds(*letter)), None);
    assert!(!document.contains("]]>") && !document.contains('\u{202e}'));
    assert!(!document.contains("\" file="), "a path that leads elsewhere is no place");
}

#[test]
fn a_huge_finding_is_cut_and_a_huge_document_is_bounded() {
    let mut huge = example();
    huge.first().seen = "x".repeat(4 << 20);
    huge.first().tree = "y\n".repeat(2 << 20);
    assert!(rendered(&huge).len() < 500_000);
    let small = example();
    let mut suites: Vec<Suite> = (0..40).map(|_| suite(&small.run, &small.cases()[0])).collect();
    suites.iter_mut().for_each(|suite| suite.trees = "z".repeat(1 << 20));
    bound(&mut suites);
    assert!(suites.iter().map(|suite| suite.trees.len()).sum::<usize>() <= TEXT_MAX + 40 * 100);
    assert!(suites[39].trees.starts_with("left out"));
}
