//! How often the event of a record had its effect, where the system says that it shows.

use std::collections::HashMap;

use crate::model::{Case, Group, Record, Topic};

/// What is known of a group's effects.
pub(crate) enum Known<'c> {
    /// The system does not say where they show.
    Undeclared,
    /// They could not be read, in words.
    Unknown(String),
    Read(Effects<'c>),
}

/// The effects of one group on one topic.
pub(crate) struct Effects<'c> {
    field: &'c str,
    times: HashMap<&'c str, u64>,
}

pub(crate) fn effects_of<'c>(case: &'c Case<'_>, topic: &'c Topic, group: &'c Group) -> Known<'c> {
    let Some(place) = &group.effects else { return Known::Undeclared };
    let mut applied = case.evidence.applied.iter();
    match applied
        .find(|applied| applied.topic == topic.name && applied.group == group.name)
        .map(|it| &it.events)
    {
        None => Known::Unknown(format!("what {} did was not read", group.name)),
        Some(Err(why)) => Known::Unknown(format!("what {} did could not be read: {why}", group.name)),
        Some(Ok(events)) => {
            let mut times = HashMap::new();
            for event in events {
                *times.entry(event.as_str()).or_default() += 1;
            }
            Known::Read(Effects { field: &place.event, times })
        }
    }
}

impl Effects<'_> {
    /// What names the event of a record; `None`: it is no event, and can have no effect.
    pub(crate) fn event_of(&self, record: &Record) -> Option<String> {
        let value: serde_json::Value = serde_json::from_str(&record.value).ok()?;
        match value.get(self.field)? {
            serde_json::Value::String(event) => Some(event.clone()),
            serde_json::Value::Number(event) => Some(event.to_string()),
            _ => None,
        }
    }

    pub(crate) fn times(&self, event: &str) -> u64 {
        self.times.get(event).copied().unwrap_or(0)
    }
}
