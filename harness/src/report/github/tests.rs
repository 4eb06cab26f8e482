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
        let (level, properties, message) = read(line);
        assert!(["error", "warning"].contains(&level));
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
