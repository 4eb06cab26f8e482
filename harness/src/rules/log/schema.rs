//! The schema of a system's log lines, as a file that is committed: which fields lines have, by service and event, and what
//! they are. Made from evidence by `probity log-schema`, compared by LOG-03.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::entries::{Entry, lines};
use super::profile::Profile;
use crate::model::Case;

const FORMAT: &str = "probity-log-schema";
const VERSION: u32 = 1;
/// Events of one service that a schema keeps: more are messages with values in them.
const EVENTS_MAX: usize = 1_000;

/// A schema file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Schema {
    format: String,
    version: u32,
    pub(crate) services: BTreeMap<String, ServiceSchema>,
}

/// The lines of one service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ServiceSchema {
    /// Fields of the profile: those of every line.
    pub(crate) lines: Fields,
    /// An event's own fields, by what it is called: the message up to its first colon, digits as `#`.
    pub(crate) events: BTreeMap<String, Fields>,
}

pub(crate) type Fields = BTreeMap<String, FieldType>;

/// What a field is: `text`, `number|text`, and with `?` behind it where not every line has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FieldType {
    pub(crate) types: BTreeSet<&'static str>,
    pub(crate) optional: bool,
}

const TYPES: [&str; 6] = ["array", "boolean", "null", "number", "object", "text"];

/// The type of a value, in the words of the file.
pub(crate) fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Array(_) => "array",
        Value::Bool(_) => "boolean",
        Value::Null => "null",
        Value::Number(_) => "number",
        Value::Object(_) => "object",
        Value::String(_) => "text",
    }
}

/// Why a text is no schema.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SchemaError {
    #[error("it is no log schema: {0}")]
    Json(#[from] serde_json::Error),
    #[error("its format is `{0}`, not `{FORMAT}`")]
    Format(String),
    #[error("its version is {0}, and this program reads {VERSION}")]
    Version(u32),
}

impl Schema {
    pub(crate) fn parse(text: &str) -> Result<Schema, SchemaError> {
        let schema: Schema = serde_json::from_str(text)?;
        match (schema.format.as_str(), schema.version) {
            (FORMAT, VERSION) => Ok(schema),
            (FORMAT, version) => Err(SchemaError::Version(version)),
            (other, _) => Err(SchemaError::Format(other.chars().take(80).collect())),
        }
    }

    /// Gathers what the lines of cases are like.
    pub(crate) fn builder() -> Builder {
        Builder::default()
    }

    /// Takes over what a newer one says; events, and optional fields of lines, that it has not seen stay as they are.
    pub(crate) fn update(&mut self, newer: Schema) {
        for (name, service) in newer.services {
            let known = self.services.entry(name).or_default();
            known.lines.retain(|_, field| field.optional);
            known.lines.extend(service.lines);
            known.events.extend(service.events);
        }
    }

    /// As it is committed: sorted, a field a line.
    pub(crate) fn text(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("text and maps are JSON");
        text.push('\n');
        text
    }
}

impl Default for Schema {
    fn default() -> Self {
        Schema { format: FORMAT.into(), version: VERSION, services: BTreeMap::new() }
    }
}

/// A schema in the making.
#[derive(Default)]
pub(crate) struct Builder(BTreeMap<String, ServiceCount>);

impl Builder {
    pub(crate) fn add(&mut self, case: &Case<'_>) {
        let Some(profile) = Profile::of(case) else { return };
        for line in lines(case) {
            self.0.entry(line.service.clone().into_owned()).or_default().add(profile, &line);
        }
    }

    pub(crate) fn schema(self) -> Schema {
        let services = self.0.into_iter().map(|(name, count)| (name, count.schema()));
        Schema { services: services.collect(), ..Schema::default() }
    }
}

/// Lines of a service, counted.
#[derive(Default)]
struct ServiceCount {
    lines: Count,
    events: BTreeMap<String, Count>,
}

/// Objects, and how many of them have which field of which types.
#[derive(Default)]
struct Count {
    objects: u64,
    fields: BTreeMap<String, (u64, BTreeSet<&'static str>)>,
}

impl ServiceCount {
    fn add(&mut self, profile: &Profile, line: &Entry<'_>) {
        let (of_line, own): (Vec<_>, Vec<_>) = line.fields.iter().partition(|(key, _)| profile.owns(key));
        self.lines.add(of_line);
        let event = line.event();
        if self.events.len() < EVENTS_MAX || self.events.contains_key(&event) {
            self.events.entry(event).or_default().add(own);
        }
    }

    fn schema(self) -> ServiceSchema {
        let events = self.events.into_iter().map(|(event, count)| (event, count.fields()));
        ServiceSchema { lines: self.lines.fields(), events: events.collect() }
    }
}

impl Count {
    fn add(&mut self, fields: Vec<&(String, Value)>) {
        self.objects += 1;
        for (key, value) in fields {
            let (count, types) = self.fields.entry(key.clone()).or_default();
            *count += 1;
            types.insert(type_of(value));
        }
    }

    fn fields(self) -> Fields {
        let objects = self.objects;
        let field = |(key, (count, types))| (key, FieldType { types, optional: count < objects });
        self.fields.into_iter().map(field).collect()
    }
}

impl fmt::Display for FieldType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, name) in self.types.iter().enumerate() {
            write!(f, "{}{name}", if number > 0 { "|" } else { "" })?;
        }
        f.write_str(if self.optional { "?" } else { "" })
    }
}

impl Serialize for FieldType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for FieldType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let names = text.strip_suffix('?').unwrap_or(&text);
        let known = |name: &str| TYPES.into_iter().find(|known| *known == name);
        let types: Option<BTreeSet<_>> = names.split('|').map(known).collect();
        let types =
            types.ok_or_else(|| serde::de::Error::custom(format!("`{text}` is no type of a field")))?;
        Ok(FieldType { types, optional: text.ends_with('?') })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::build::{Address, Build, declaration};
    use crate::model::{SpanId, TraceId};

    fn schema() -> Schema {
        let mut build = Build::new();
        let api = build.process("url-api");
        let span = Address { trace: TraceId([1; 16]), span: SpanId([1; 8]) };
        build.log_fields(&api, "INFO", "took 12 ms", Some(span), json!({ "rows": 1, "user": "a" }));
        build.log_fields(&api, "INFO", "took 7 ms", None, json!({ "rows": "none" }));
        let (evidence, declaration) = (build.evidence(), declaration());
        let mut builder = Schema::builder();
        builder.add(&Case::new(&evidence, Some(&declaration)));
        builder.schema()
    }

    #[test]
    fn a_schema_says_what_every_line_and_each_event_has() {
        let schema = schema();
        let service = &schema.services["url-api"];
        assert_eq!(service.lines["timestamp"].to_string(), "text");
        assert_eq!(service.lines["trace_id"].to_string(), "text?");
        let event: Vec<_> =
            service.events["took # ms"].iter().map(|(key, kind)| format!("{key} {kind}")).collect();
        assert_eq!(event, ["rows number|text", "user text?"]);
    }

    #[test]
    fn a_schema_survives_its_file() {
        let text = schema().text();
        assert_eq!(Schema::parse(&text).unwrap(), schema());
        let wrong = |text: &str| Schema::parse(text).unwrap_err().to_string();
        assert!(wrong(&text.replace("text?", "word")).contains("`word` is no type of a field"));
        assert!(wrong(&text.replace("\"version\": 1", "\"version\": 2")).contains("its version is 2"));
        assert!(wrong(&text.replace(FORMAT, "other")).contains("`other`"));
        assert!(wrong("x").starts_with("it is no log schema"));
    }

    #[test]
    fn an_update_keeps_events_that_it_has_not_seen() {
        let mut known = schema();
        let mut newer = schema();
        let service = newer.services.get_mut("url-api").unwrap();
        let event = service.events.remove("took # ms").unwrap();
        service.events.insert("another".into(), event);
        service.lines.remove("trace_id");
        service.lines.remove("level");
        known.update(newer);
        let service = &known.services["url-api"];
        assert_eq!(service.events.keys().collect::<Vec<_>>(), ["another", "took # ms"]);
        assert!(service.lines.contains_key("trace_id") && !service.lines.contains_key("level"));
    }
}
