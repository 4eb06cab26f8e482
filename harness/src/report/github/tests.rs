use proptest::prelude::*;

use super::*;
use crate::report::ScenarioReport;
use crate::report::testing::{Example, example, golden, hostile};

fn rendered(example: &Example) -> String {
    render(&example.run, &example.cases())
}

/// Reads a line as the runner does: level, properties, message.
fn read(line: &str) -> (&str, Vec<(&str, String)>, String) {
    let decode = |text: &str| {
        let text = text.replace("%0D", "\r").replace("%0A", "\n").replace("%3A", ":").replace("%2C", ",");
        text.replace("%25", "%")
    };
    let (info, message) = line.strip_prefix("::").and_then(|rest| rest.split_once("::")).expect("a command");
    let (level, properties) = info.split_once(' ').expect("properties");
    let pair = |part| str::split_once(part, '=').map(|(key, value)| (key, decode(value))).expect("key=value");
    (level, properties.split(',').map(pair).collect(), decode(message))
}

/// A command as GitHub documents it: `::level key=value,key=value::message`. A percent sign only begins an escape; a value
/// has no colon and no comma, and nothing has a line break.
fn is_grammatical(line: &str) -> bool {
    let escaped = |text: &str, escapes: &[&str], banned: &[char]| {
        let mut behind_percent = text.split('%').skip(1);
        behind_percent.all(|part| escapes.iter().any(|escape| part.starts_with(escape)))
            && !text.contains(['\r', '\n'])
            && !text.contains(banned)
    };
    let Some((info, message)) = line.strip_prefix("::").and_then(|rest| rest.split_once("::")) else {
        return false;
    };
    let Some((level, properties)) = info.split_once(' ') else { return false };
    let is_property = |property: &str| {
        property.split_once('=').is_some_and(|(key, value)| {
            ["file", "line", "title"].contains(&key)
                && escaped(value, &["25", "0D", "0A", "3A", "2C"], &[':', ','])
        })
    };
    ["error", "warning"].contains(&level)
        && properties.split(',').all(is_property)
        && escaped(message, &["25", "0D", "0A"], &[])
}

proptest! {
    #[test]
    fn any_text_is_one_command_and_is_read_back(
        title in "\\PC{0,12}|[%:,=\r\n0-9A-F]{0,12}",
        message in "(\\PC|[%:,\r\n]){0,40}",
        file in "[a-z%:,= ]{1,12}",
    ) {
        let place = SourcePlace { file: file.clone(), line: 7 };
        let annotation = Annotation { level: "error", rank: Rank::Other, place: Some(&place), title, message };
        let command = annotation.command();
        let line = command.strip_suffix('\n').unwrap();
        prop_assert!(is_grammatical(line), "{line:?}");
        let (level, properties, message) = read(line);
        prop_assert_eq!(level, "error");
        let expected = [
            ("file", file),
            ("line", "7".to_string()),
            ("title", view::line(&annotation.title, 200)),
        ];
        prop_assert_eq!(properties, expected);
        prop_assert_eq!(message, harmless(&annotation.message, true));
    }
}

#[test]
fn a_run_is_annotations_at_their_lines() {
    let text = rendered(&example());
    golden("run.github", &text);
    let (level, properties, message) = read(text.lines().next().unwrap());
    assert_eq!(level, "error");
    let expected = [
        ("file", "scenarios/src/shortener/linkage.rs".to_string()),
        ("line", "26".to_string()),
        ("title", "MSG-02 a_click_is_one_trace".to_string()),
    ];
    assert_eq!(properties, expected);
    assert!(
        message.starts_with("analytics-consumer, span `process click-events`\nrequired: parent or link"),
        "{message}"
    );
    assert!(message.ends_with("again: cargo probity run --only a_click_is_one_trace"), "{message}");
    assert!(!text.contains("analytics-rpc"), "what is known is not annotated");
    assert!(text.lines().all(is_grammatical), "{text}");
}

#[test]
fn one_of_each_rule_comes_before_a_second_and_the_rest_is_counted() {
    let mut many = example();
    let finding = many.first().clone();
    many.run.scenarios[0].findings.splice(0..1, vec![finding; 30]);
    let text = rendered(&many);
    let errors: Vec<_> = text.lines().map(read).filter(|(level, ..)| *level == "error").collect();
    assert_eq!(errors.len(), SHOWN_MAX);
    let titles: Vec<&str> =
        errors.iter().map(|(_, properties, _)| properties.last().unwrap().1.as_str()).collect();
    assert_eq!(
        titles[..4],
        [
            "MSG-02 a_click_is_one_trace",
            "SCRAPE-01 a_click_is_one_trace",
            "a_cut_database",
            "a_killed_consumer"
        ]
    );
    assert_eq!(errors.last().unwrap().2, "and 24 more: the job summary has them");
    assert_eq!(text.lines().filter(|line| line.starts_with("::warning ")).count(), 1);
}

#[test]
fn denied_warnings_are_errors() {
    let mut denied = example();
    denied.run = denied.run.regraded(ScenarioReport::deny_warnings);
    assert!(!rendered(&denied).contains("::warning"));
}

#[test]
fn hostile_text_is_one_command_and_no_other() {
    let text = rendered(&hostile());
    golden("hostile.github", &text);
    for line in text.lines() {
        assert!(is_grammatical(line), "{line}");
        let (_, properties, message) = read(line);
        let keys: Vec<&str> = properties.iter().map(|(key, _)| *key).collect();
        assert_eq!(keys, ["title"], "a path that leads elsewhere is no place: {line}");
        assert!(message.chars().count() < 4_096);
        assert!(!line.contains(['\r', '\u{1b}', '\u{202e}', '\0']));
    }
}

#[test]
fn a_green_run_says_nothing() {
    assert_eq!(render(&RunReport::new("shortener", Vec::new()), &[]), "");
}
