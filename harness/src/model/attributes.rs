//! The attributes of the semantic conventions that rules ask every span for: found in one pass for all rules, and read
//! where they lie.

use std::sync::LazyLock;

use serde::Deserialize;

use super::{Span, ValueRef};

macro_rules! keys {
    ($($name:ident = $text:literal,)*) => {
        /// A key of the conventions, old ones included.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
        #[serde(try_from = "String")]
        #[repr(u8)]
        pub(crate) enum Key { $($name,)* }

        impl Key {
            const ALL: &[Key] = &[$(Key::$name,)*];

            pub(crate) fn text(self) -> &'static str {
                match self { $(Key::$name => $text,)* }
            }
        }
    };
}

keys! {
    ErrorType = "error.type",
    HttpMethod = "http.request.method",
    HttpRoute = "http.route",
    HttpStatus = "http.response.status_code",
    UrlFull = "url.full",
    UrlPath = "url.path",
    UrlScheme = "url.scheme",
    UrlTemplate = "url.template",
    ServerAddress = "server.address",
    ServerPort = "server.port",
    RpcSystem = "rpc.system.name",
    RpcMethod = "rpc.method",
    RpcStatus = "rpc.response.status_code",
    MessagingSystem = "messaging.system",
    MessagingOperation = "messaging.operation.name",
    MessagingType = "messaging.operation.type",
    MessagingDestination = "messaging.destination.name",
    MessagingTemplate = "messaging.destination.template",
    MessagingPartition = "messaging.destination.partition.id",
    MessagingOffset = "messaging.kafka.offset",
    MessagingGroup = "messaging.consumer.group.name",
    MessagingCount = "messaging.batch.message_count",
    MessagingId = "messaging.message.id",
    MessagingRouting = "messaging.rabbitmq.destination.routing_key",
    DbSystem = "db.system.name",
    DbSummary = "db.query.summary",
    DbText = "db.query.text",
    DbOperation = "db.operation.name",
    DbCollection = "db.collection.name",
    DbNamespace = "db.namespace",
    DbProcedure = "db.stored_procedure.name",
    DbStatus = "db.response.status_code",
    // What the conventions called them before.
    OldHttpMethod = "http.method",
    OldHttpStatus = "http.status_code",
    OldHttpTarget = "http.target",
    OldHttpUrl = "http.url",
    OldRpcSystem = "rpc.system",
    OldRpcService = "rpc.service",
    OldRpcStatus = "rpc.grpc.status_code",
    OldDbSystem = "db.system",
    OldDbStatement = "db.statement",
    OldMessagingOperation = "messaging.operation",
    OldMessagingDestination = "messaging.destination",
}

impl Key {
    /// The key of that text; `None` for one that no rule asks for.
    pub(crate) fn find(text: &[u8]) -> Option<Key> {
        static TABLE: LazyLock<[u8; SLOTS]> = LazyLock::new(table);
        let mut slot = hash(text);
        loop {
            let number = TABLE[slot];
            let key = *Key::ALL.get(usize::from(number))?;
            if key.text().as_bytes() == text {
                return Some(key);
            }
            slot = (slot + 1) % SLOTS;
        }
    }
}

impl TryFrom<String> for Key {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Key::find(text.as_bytes()).ok_or_else(|| format!("`{text}` is no known key"))
    }
}

/// Four times the keys, so that most look-ups end at the first slot. An empty slot holds a number that no key has.
const SLOTS: usize = 256;

fn table() -> [u8; SLOTS] {
    let mut table = [u8::MAX; SLOTS];
    for (number, key) in Key::ALL.iter().enumerate() {
        let mut slot = hash(key.text().as_bytes());
        while table[slot] != u8::MAX {
            slot = (slot + 1) % SLOTS;
        }
        table[slot] = number as u8;
    }
    table
}

/// Keys differ in their length and in their last letters.
fn hash(text: &[u8]) -> usize {
    let mut tail = [0; 8];
    let last = &text[text.len().saturating_sub(8)..];
    tail[..last.len()].copy_from_slice(last);
    let middle = text.get(text.len() / 2).copied().unwrap_or(0);
    let mixed = (u64::from_le_bytes(tail) ^ ((text.len() as u64) << 8) ^ u64::from(middle))
        .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 56) as usize % SLOTS
}

/// Where one known attribute's value stands in a span's bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    start: u32,
    /// The value's length in the upper three bytes, its key in the lowest.
    length_and_key: u32,
}

impl Entry {
    /// `None` for a value past any reason (16 MiB, or behind 4 GiB of span).
    pub(super) fn new(key: Key, start: usize, length: usize) -> Option<Self> {
        let length = u32::try_from(length).ok().filter(|length| *length < 1 << 24)?;
        Some(Entry { start: u32::try_from(start).ok()?, length_and_key: length << 8 | u32::from(key as u8) })
    }

    fn is_of(self, key: Key) -> bool {
        self.length_and_key as u8 == key as u8
    }

    fn of(self, span: &[u8]) -> &[u8] {
        let (start, length) = (self.start as usize, (self.length_and_key >> 8) as usize);
        span.get(start..start + length).unwrap_or_default()
    }
}

/// The known attributes of one span: found once for all rules, decoded when they are asked for.
#[derive(Clone, Copy)]
pub(crate) struct Attributes<'a> {
    span: Span<'a>,
    entries: &'a [Entry],
}

impl<'a> Attributes<'a> {
    /// Of two attributes with one key the first counts, as [`Span::attribute`] has it.
    pub(crate) fn of(span: Span<'a>) -> Self {
        Attributes { span, entries: span.known_attributes() }
    }

    pub(crate) fn get(&self, key: Key) -> Option<ValueRef<'a>> {
        self.span.value_at(self.entry(key)?.of(self.span.bytes()))
    }

    fn entry(&self, key: Key) -> Option<Entry> {
        self.entries.iter().find(|entry| entry.is_of(key)).copied()
    }

    pub(crate) fn has(&self, key: Key) -> bool {
        self.entry(key).is_some_and(|entry| !entry.of(self.span.bytes()).is_empty())
    }

    pub(crate) fn any(&self, keys: &[Key]) -> bool {
        keys.iter().any(|key| self.has(*key))
    }

    /// The attribute where it is text.
    pub(crate) fn str(&self, key: Key) -> Option<&'a str> {
        self.get(key).and_then(ValueRef::as_str)
    }

    /// The attribute as a whole number, also where it was sent as text.
    pub(crate) fn number(&self, key: Key) -> Option<i64> {
        match self.get(key)? {
            ValueRef::Int(number) => Some(number),
            ValueRef::Text(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// The HTTP status code, by its name of today or of before.
    pub(crate) fn http_status(&self) -> Option<i64> {
        self.number(Key::HttpStatus).or_else(|| self.number(Key::OldHttpStatus))
    }

    /// Whether it is a database call, in old words or new.
    pub(crate) fn is_database(&self) -> bool {
        self.any(&[Key::DbSystem, Key::DbSummary, Key::DbText, Key::DbOperation, Key::OldDbSystem])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::build::Build;
    use crate::model::{Case, Kind};

    #[test]
    fn every_key_is_found_by_its_text_and_nothing_else_is() {
        for key in Key::ALL {
            assert_eq!(Key::find(key.text().as_bytes()), Some(*key));
        }
        for other in ["", "http", "http.request.methoe", "error.typ", "\u{0}", "x".repeat(10_000).as_str()] {
            assert_eq!(Key::find(other.as_bytes()), None);
        }
    }

    #[test]
    fn a_span_is_read_once_and_the_first_of_two_values_counts() {
        let mut build = Build::new();
        let api = build.process("url-api");
        let span = build.span(&api, Kind::Server, "GET /");
        span.attribute("http.status_code", "404")
            .attribute("error.type", "a")
            .attribute("error.type", "b")
            .add();
        let evidence = build.evidence();
        let case = Case::new(&evidence, None);
        let attributes = Attributes::of(case.spans.iter().next().unwrap());
        assert_eq!(attributes.http_status(), Some(404));
        assert_eq!(attributes.str(Key::ErrorType), Some("a"));
        assert!(!attributes.is_database());
    }

    #[test]
    fn values_are_read_with_their_types_and_of_every_span_its_own() {
        let mut build = Build::new();
        let api = build.process("url-api");
        for port in 0..20_000 {
            build
                .span(&api, Kind::Client, "x")
                .attribute("server.port", port)
                .attribute("url.full", "é")
                .add();
        }
        let evidence = build.evidence();
        let case = Case::new(&evidence, None);
        let ports = case.spans.iter().map(|span| Attributes::of(span).get(Key::ServerPort));
        let ports: std::collections::BTreeSet<_> =
            ports.map(|port| port.and_then(ValueRef::as_int)).collect();
        assert_eq!(ports, (0..20_000).map(Some).collect());
        let last = case.spans.iter().last().unwrap();
        assert_eq!(Attributes::of(last).str(Key::UrlFull), Some("é"));
        assert_eq!(Attributes::of(last).get(Key::UrlPath), None);
    }
}
