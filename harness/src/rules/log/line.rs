//! A line as a JSON object: its fields in order, and the keys that stand twice in one object, which a map would hide.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Keys that stand twice which are kept of one line.
const TWICE_MAX: usize = 20;

/// A line that is one JSON object and nothing else.
#[derive(Debug, PartialEq)]
pub(crate) struct Object {
    /// As they stand there. Of a key that stands twice, both.
    pub(crate) fields: Vec<(String, Value)>,
    /// Keys that stand twice in one object, with the objects that they are in: `fields.user`.
    pub(crate) twice: Vec<String>,
}

impl Object {
    pub(crate) fn parse(text: &str) -> Option<Object> {
        if !text.trim_start().starts_with('{') {
            return None;
        }
        let mut twice = Vec::new();
        let mut fields = Vec::new();
        let mut deserializer = serde_json::Deserializer::from_str(text);
        deserializer.deserialize_map(Top { fields: &mut fields, twice: &mut twice }).ok()?;
        deserializer.end().ok()?;
        Some(Object { fields, twice })
    }

    /// The first field of exactly that key.
    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.fields.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The field of that key, or of the path that its dots make: `{"log":{"level":…}}` for `log.level`.
    pub(crate) fn find(&self, key: &str) -> Option<&Value> {
        self.get(key).or_else(|| {
            let mut parts = key.split('.');
            let first = self.get(parts.next()?)?;
            parts.try_fold(first, |value, part| value.get(part))
        })
    }
}

/// Reads the outermost object.
struct Top<'s> {
    fields: &'s mut Vec<(String, Value)>,
    twice: &'s mut Vec<String>,
}

impl<'de> Visitor<'de> for Top<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            if self.fields.iter().any(|(known, _)| *known == key) {
                note(self.twice, "", &key);
            }
            let value = map.next_value_seed(Inner { path: &key, twice: self.twice })?;
            self.fields.push((key, value));
        }
        Ok(())
    }
}

fn note(twice: &mut Vec<String>, path: &str, key: &str) {
    if twice.len() < TWICE_MAX {
        twice.push(if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") });
    }
}

/// Reads a value, and looks for keys that stand twice in it.
struct Inner<'s> {
    path: &'s str,
    twice: &'s mut Vec<String>,
}

impl<'de> DeserializeSeed<'de> for Inner<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Inner<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(Inner { path: self.path, twice: self.twice })? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let path = format!("{}.{key}", self.path);
            let value = map.next_value_seed(Inner { path: &path, twice: self.twice })?;
            if fields.insert(key.clone(), value).is_some() {
                note(self.twice, self.path, &key);
            }
        }
        Ok(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_whole_object_is_an_object() {
        assert!(Object::parse(r#" {"a":1} "#).is_some());
        assert_eq!(Object::parse("{}").unwrap().fields, []);
        for other in ["", "text", "[1]", "1", r#"{"a":1} and more"#, r#"{"a":1}{"b":2}"#, r#"{"a":"#, "{a:1}"]
        {
            assert_eq!(Object::parse(other), None, "{other}");
        }
    }

    #[test]
    fn keys_that_stand_twice_are_found_at_every_depth() {
        let object = Object::parse(r#"{"a":1,"b":{"c":1,"d":[{"e":1,"e":2}],"c":2},"a":2}"#).unwrap();
        assert_eq!(object.twice, ["b.d.e", "b.c", "a"]);
        assert_eq!(object.fields.len(), 3);
        assert_eq!(object.get("a"), Some(&1.into()));
    }

    #[test]
    fn a_dotted_key_is_also_a_path() {
        let object = Object::parse(r#"{"log":{"level":"info"},"service.name":"a"}"#).unwrap();
        assert_eq!(object.find("log.level"), Some(&"info".into()));
        assert_eq!(object.find("service.name"), Some(&"a".into()));
        assert_eq!((object.find("log.level.x"), object.find("")), (None, None));
    }

    #[test]
    fn hostile_nesting_is_no_object_and_no_overflow() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(Object::parse(&deep), None);
        let many = format!("{{{}}}", vec!["\"k\":0"; 1_000].join(","));
        assert_eq!(Object::parse(&many).unwrap().twice.len(), TWICE_MAX);
    }
}
