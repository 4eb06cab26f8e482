//! `probity explain`: the page of a rule, or a topic.

use std::fmt::Write;

use super::Done;
use super::arguments::ExplainArguments;
use super::markdown;
use super::output::{Failure, print};
use crate::backend::kafka_mock;
use crate::report::terminal::Layout;
use crate::rules;

/// A page that is no rule's.
struct Topic {
    name: &'static str,
    about: &'static str,
    page: fn() -> String,
}

macro_rules! topic {
    ($name:literal, $about:literal) => {
        Topic { name: $name, about: $about, page: || include_str!(concat!("pages/", $name, ".md")).into() }
    };
}

static TOPICS: &[Topic] = &[
    topic!("barrier", "how completeness is proven, and what cannot be judged without it"),
    topic!("containers", "backends from images: which, what is left behind, what goes wrong"),
    topic!("evidence", "what is saved, where, and how other tools read it"),
    topic!("exec", "judging any program, and what to do when nothing arrives"),
    topic!("exit-codes", "what 0, 1, 2 and 3 mean"),
    topic!("known", "findings that are accepted for now, and how their file is read"),
    Topic { name: "kafka-mock", about: "what the embedded Kafka cannot do", page: kafka_mock_page },
    topic!("outline", "the notation of trace trees"),
    topic!("prove", "breaking the evidence on purpose: what nobody would notice"),
];

fn kafka_mock_page() -> String {
    let limits: String = kafka_mock::LIMITS.iter().map(|limit| format!("- {limit}\n")).collect();
    include_str!("pages/kafka-mock.md").replace("{limits}\n", &limits)
}

pub(super) fn run(arguments: &ExplainArguments) -> Done {
    let width = Layout::detect().width;
    let text = match &arguments.name {
        Some(name) => markdown::render(&page(name)?, width),
        None => list(),
    };
    print(&text);
    Ok(0)
}

fn page(name: &str) -> Result<String, Failure> {
    if let Some(rule) = rules::find(name) {
        return Ok(rule.page.into());
    }
    if let Some(topic) = TOPICS.iter().find(|topic| topic.name.eq_ignore_ascii_case(name)) {
        return Ok((topic.page)());
    }
    let known = rules::all().map(|rule| rule.id).chain(TOPICS.iter().map(|topic| topic.name));
    Err(Failure::unknown("rule or topic", name, known, "`probity explain` lists them all"))
}

fn list() -> String {
    let mut text = String::from("rules\n");
    for rule in rules::all() {
        _ = writeln!(text, "  {:<12} {}", rule.id, rule.requirement);
    }
    text.push_str("\ntopics\n");
    for topic in TOPICS {
        _ = writeln!(text, "  {:<12} {}", topic.name, topic.about);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_renders_and_begins_with_a_heading() {
        let pages = rules::all().map(|rule| (rule.id, rule.page.to_string()));
        for (name, page) in pages.chain(TOPICS.iter().map(|topic| (topic.name, (topic.page)()))) {
            assert!(page.starts_with("# "), "{name}");
            for width in [Some(80), None] {
                assert!(markdown::render(&page, width).contains(name), "{name}");
            }
        }
    }

    #[test]
    fn the_page_of_the_mock_has_every_limit_of_the_report() {
        let page = kafka_mock_page();
        assert!(!page.contains('{'));
        for limit in kafka_mock::LIMITS {
            assert!(page.contains(limit), "{limit}");
        }
    }

    #[test]
    fn a_slip_is_answered_with_the_nearest_name() {
        let failure = |name: &str| format!("{:?}", page(name).unwrap_err());
        assert!(failure("exit-code").contains("did you mean `exit-codes`?"));
        assert!(failure("nothing-like-it-at-all").contains("lists them all"));
    }
}
