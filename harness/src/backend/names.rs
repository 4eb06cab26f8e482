//! What keeps scenarios apart on shared backends.

/// The names that one scenario uses on shared backends, unlike any other scenario's of any run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    stem: String,
}

impl Names {
    /// `scenario` is unique within its run, and `run` among runs: backends that run elsewhere see several.
    pub fn new(run: &str, scenario: &str) -> Names {
        let digest = super::cache::key(&[run.as_bytes(), scenario.as_bytes()]);
        let plain: String = scenario
            .chars()
            .map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' })
            .take(24)
            .collect();
        Names { stem: format!("{}-{}", plain.trim_matches('-'), &digest[..10]) }
    }

    /// `probity_late_consumer_0a1b2c3d4e_ledger`
    pub fn database(&self, declared: &str) -> String {
        let short: String =
            declared.chars().take(16).map(|letter| if letter == '-' { '_' } else { letter }).collect();
        format!("probity_{}_{short}", self.stem.replace('-', "_"))
    }

    /// `click-events.late-consumer-0a1b2c3d4e`: the declared name first, so that a person finds it.
    pub fn topic(&self, declared: &str) -> String {
        format!("{declared}.{}", self.stem)
    }

    /// `analytics.late-consumer-0a1b2c3d4e`
    pub fn group(&self, declared: &str) -> String {
        format!("{declared}.{}", self.stem)
    }

    /// `late-consumer-0a1b2c3d4e/`: goes in front of every key.
    pub fn key_prefix(&self) -> String {
        format!("{}/", self.stem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scenario_of_each_run_has_names_of_its_own() {
        let names = Names::new("r1", "Postgres cut: 500!");
        let stem = names.stem.strip_prefix("postgres-cut--500-").unwrap();
        assert_eq!(stem.len(), 10);
        assert_eq!(names.topic("click-events"), format!("click-events.postgres-cut--500-{stem}"));
        assert_ne!(names, Names::new("r2", "Postgres cut: 500!"));
        assert_ne!(names, Names::new("r1", "Postgres cut: 500?"));
    }

    #[test]
    fn names_are_such_as_each_backend_takes() {
        for scenario in ["", "é\u{0}/../'; DROP", &"x".repeat(1000)] {
            let names = Names::new("r", scenario);
            let database = names.database("read-model-of-balances");
            assert!(database.len() <= 63, "{database}");
            assert!(database.chars().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_'));
            let topic = names.topic("click-events");
            assert!(
                topic.len() < 200 && topic.chars().all(|it| it.is_ascii_alphanumeric() || ".-".contains(it))
            );
        }
    }
}
