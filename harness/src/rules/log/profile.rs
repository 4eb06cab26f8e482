//! What log lines call their parts: profiles as data, one of which a system declares or its lines show.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::Value;

use super::line::Object;
use crate::model::Case;

/// The keys of one way to write lines.
#[derive(Debug, Deserialize)]
pub(crate) struct Profile {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) timestamp: String,
    /// Whether timestamps must be in UTC.
    pub(crate) utc: bool,
    pub(crate) level: String,
    /// Levels of its own, beside those that everybody has.
    levels: BTreeMap<String, Level>,
    pub(crate) message: String,
    /// Which part of the program wrote the line; the first that there is.
    loggers: Vec<String>,
    pub(crate) trace: String,
    pub(crate) span: String,
    pub(crate) flags: Option<String>,
    /// Further keys that every line must have, each with some text.
    pub(crate) required: Vec<String>,
    /// Whether a dotted key may also be a path of objects.
    nested: bool,
}

/// How much attention a line wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

impl Level {
    /// Of a severity number of OpenTelemetry; 0 is none.
    pub(crate) fn of_number(number: i32) -> Option<Level> {
        match number {
            1..=8 => Some(Level::Debug),
            9..=12 => Some(Level::Info),
            13..=16 => Some(Level::Warn),
            17.. => Some(Level::Error),
            _ => None,
        }
    }

    fn of_word(word: &str) -> Option<Level> {
        Some(match word.to_ascii_lowercase().as_str() {
            "trace" | "debug" | "verbose" | "fine" | "finer" | "finest" => Level::Debug,
            "info" | "information" | "informational" | "notice" => Level::Info,
            "warn" | "warning" => Level::Warn,
            "error" | "err" | "severe" | "critical" | "crit" | "fatal" | "panic" | "alert" | "emerg"
            | "emergency" => Level::Error,
            _ => return None,
        })
    }
}

static PROFILES: LazyLock<Vec<Profile>> = LazyLock::new(|| {
    let texts = [
        include_str!("../profiles/log-otel.json"),
        include_str!("../profiles/log-ecs.json"),
        include_str!("../profiles/log-go-zero.json"),
    ];
    texts.iter().map(|text| serde_json::from_str(text).expect("the profiles are our own")).collect()
});

/// Lines that are looked at to find out whose they are.
const LOOKED_AT: usize = 1_000;

impl Profile {
    /// The profile that the system declares; without one, the first whose time, level and message most lines have. `None`:
    /// the lines are none of these, or of a profile that nobody knows.
    pub(crate) fn of(case: &Case) -> Option<&'static Profile> {
        let declared = case.declaration.and_then(|declaration| declaration.logs.profile.as_deref());
        match declared {
            Some(name) => PROFILES.iter().find(|profile| profile.name == name),
            None => detect(case),
        }
    }

    /// A part of a line.
    pub(crate) fn find<'o>(&self, object: &'o Object, key: &str) -> Option<&'o Value> {
        if self.nested { object.find(key) } else { object.get(key) }
    }

    pub(crate) fn text<'o>(&self, object: &'o Object, key: &str) -> Option<&'o str> {
        self.find(object, key)?.as_str()
    }

    /// Which part of the program wrote the line; empty when it does not say.
    pub(crate) fn logger<'o>(&self, object: &'o Object) -> &'o str {
        self.loggers.iter().find_map(|key| self.text(object, key)).unwrap_or_default()
    }

    pub(crate) fn level(&self, word: &str) -> Option<Level> {
        self.levels.get(&word.to_ascii_lowercase()).copied().or_else(|| Level::of_word(word))
    }

    /// Whether a key is the profile's, not the event's own.
    pub(crate) fn owns(&self, key: &str) -> bool {
        let single = [&self.timestamp, &self.level, &self.message, &self.trace, &self.span];
        let is = |known: &String| known == key || self.nested && known.split('.').next() == Some(key);
        single.into_iter().chain(&self.flags).chain(&self.required).chain(&self.loggers).any(is)
    }
}

fn detect(case: &Case) -> Option<&'static Profile> {
    let mut counts = vec![0usize; PROFILES.len()];
    for object in case.evidence.logs.iter().take(LOOKED_AT).filter_map(|line| Object::parse(&line.text)) {
        let has = |profile: &Profile| {
            let keys = [&profile.timestamp, &profile.level, &profile.message];
            keys.iter().all(|key| profile.find(&object, key).is_some())
        };
        if let Some(number) = PROFILES.iter().position(has) {
            counts[number] += 1;
        }
    }
    let most = *counts.iter().max()?;
    let number = counts.iter().position(|count| *count == most && most > 0)?;
    Some(&PROFILES[number])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::build::{Build, declaration};

    fn found(lines: &[&str], declared: Option<&str>) -> Option<String> {
        let mut build = Build::new();
        let api = build.process("url-api");
        lines.iter().for_each(|line| build.log(&api, line));
        let mut declaration = declaration();
        declaration.logs.profile = declared.map(String::from);
        let evidence = build.evidence();
        Profile::of(&Case::new(&evidence, Some(&declaration))).map(|profile| profile.name.clone())
    }

    #[test]
    fn a_profile_is_declared_or_shown_by_most_lines() {
        let otel = r#"{"timestamp":"2026-01-01T00:00:00Z","level":"INFO","message":"x"}"#;
        let ecs = r#"{"@timestamp":"2026-01-01T00:00:00Z","log":{"level":"info"},"message":"x"}"#;
        let go_zero = r#"{"@timestamp":"2026-01-01T00:00:00Z","level":"info","content":"x"}"#;
        assert_eq!(found(&[otel, "text", ecs, otel], None).as_deref(), Some("otel"));
        assert_eq!(found(&[ecs], None).as_deref(), Some("ecs"));
        assert_eq!(found(&[go_zero, "text"], None).as_deref(), Some("go-zero"));
        assert_eq!(found(&[otel], Some("ecs")).as_deref(), Some("ecs"));
        assert_eq!(found(&["text", "{}"], None), None);
        assert_eq!(found(&[otel], Some("log4j")), None);
    }

    #[test]
    fn every_profile_says_what_it_is_from() {
        for profile in PROFILES.iter() {
            assert!(!profile.version.is_empty() && profile.owns(&profile.message), "{}", profile.name);
        }
        let go_zero = PROFILES.iter().find(|profile| profile.name == "go-zero").unwrap();
        assert_eq!((go_zero.level("slow"), go_zero.level("SEVERE")), (Some(Level::Warn), Some(Level::Error)));
        assert_eq!((go_zero.level("Fatal"), go_zero.level("loud")), (Some(Level::Error), None));
    }
}
