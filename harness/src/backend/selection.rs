//! Who provides each backend: the notation of `--backends` and `PROBITY_BACKENDS`, read into a [`Selection`].
//!
//! `local` speaks for all; `kafka=local,etcd=embedded,postgres=external:URL` for one at a time; what is not named
//! is embedded. RabbitMQ has no embedded server and no container: unless it is external it is the machine's own. Reading does no I/O: whether a provider can serve is found out by starting it, or by the doctor.

use std::fmt;

use thiserror::Error;

use super::container::image;
use crate::nearest::nearest;

/// The variable with the syntax of `--backends`; it serves `cargo test`.
pub const VARIABLE: &str = "PROBITY_BACKENDS";

/// A backend of the system under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Etcd,
    Postgres,
    Kafka,
    /// Started only when a scenario needs it.
    RabbitMq,
}

impl Kind {
    pub const ALL: [Kind; 4] = [Kind::Etcd, Kind::Postgres, Kind::Kafka, Kind::RabbitMq];

    /// Those that Probity brings along, and that there are images of.
    pub const EVERYWHERE: [Kind; 3] = [Kind::Etcd, Kind::Postgres, Kind::Kafka];

    /// The name in the notation, in evidence and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Etcd => "etcd",
            Kind::Postgres => "postgres",
            Kind::Kafka => "kafka",
            Kind::RabbitMq => "rabbitmq",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Who starts a backend.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Provider {
    /// What Probity brings along.
    #[default]
    Embedded,
    /// The programs of this machine.
    Local,
    /// The official images, or this one, on a Docker engine.
    Containers(Option<String>),
    /// One that runs already: etcd endpoints, a Postgres URL, Kafka brokers, the URL of a RabbitMQ.
    External(String),
}

impl Provider {
    /// `embedded`, `local`, `containers` or `external`. Never the address, which may hold a password.
    pub const fn name(&self) -> &'static str {
        match self {
            Provider::Embedded => "embedded",
            Provider::Local => "local",
            Provider::Containers(_) => "containers",
            Provider::External(_) => "external",
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// The provider of every backend.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Selection {
    pub etcd: Provider,
    pub postgres: Provider,
    pub kafka: Provider,
    /// Local or external.
    pub rabbitmq: Provider,
}

impl Default for Selection {
    fn default() -> Self {
        let [etcd, postgres, kafka] = [(); 3].map(|()| Provider::default());
        Selection { etcd, postgres, kafka, rabbitmq: Provider::Local }
    }
}

/// Why a selection could not be read. Wrong input: exit 2.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SelectionError {
    #[error("an image is one backend's, as in etcd=containers:IMAGE")]
    ImageOfAll,
    #[error("`{0}` is no name of an image, as in etcd=containers:my/etcd:v3")]
    Image(String),
    #[error("unknown provider `{name}`{}", did_you_mean(nearest))]
    UnknownProvider { name: String, nearest: Option<&'static str> },
    #[error("unknown backend `{name}`{}", did_you_mean(nearest))]
    UnknownBackend { name: String, nearest: Option<&'static str> },
    #[error("`{0}` has no provider, as in {0}=local")]
    NoProvider(Kind),
    #[error("`{0}` is given twice")]
    Twice(Kind),
    #[error("`external` needs an address for each backend, as in {}", example(*.0))]
    NoAddress(Option<Kind>),
    #[error("the address given for {kind} is no {expected}, as in {}", example(Some(*kind)))]
    Address { kind: Kind, expected: &'static str },
    #[error(
        "there is no {0} rabbitmq: use rabbitmq=local with Debian's package `rabbitmq-server`, or rabbitmq=external:URL"
    )]
    NoSuchRabbitMq(&'static str),
    #[error("`{0}` takes no address: only `external:` does")]
    NeedlessAddress(&'static str),
    #[error("a selection has an empty item: write it as kafka=local,etcd=embedded")]
    Empty,
    #[error("{VARIABLE} is not UTF-8")]
    Encoding,
}

impl Selection {
    /// Reads the notation. The empty string selects embedded for all.
    pub fn parse(text: &str) -> Result<Selection, SelectionError> {
        let mut chosen: [Option<Provider>; 4] = [None, None, None, None];
        let mut rest = Provider::Embedded;
        for (place, item) in items(text)?.into_iter().enumerate() {
            match item.name {
                None => match self::kind(&item.value) {
                    Ok(kind) => return Err(SelectionError::NoProvider(kind)),
                    Err(_) if place == 0 => rest = provider(None, &item.value)?,
                    Err(unknown) => return Err(unknown),
                },
                Some(name) => {
                    let kind = kind(name)?;
                    let slot = &mut chosen[kind as usize];
                    if slot.is_some() {
                        return Err(SelectionError::Twice(kind));
                    }
                    *slot = Some(provider(Some(kind), &item.value)?);
                }
            }
        }
        let [etcd, postgres, kafka, rabbitmq] = chosen;
        let [etcd, postgres, kafka] =
            [etcd, postgres, kafka].map(|provider| provider.unwrap_or_else(|| rest.clone()));
        let rabbitmq = match rabbitmq {
            Some(Provider::Embedded) => return Err(SelectionError::NoSuchRabbitMq("embedded")),
            Some(Provider::Containers(_)) => return Err(SelectionError::NoSuchRabbitMq("containerised")),
            Some(provider) => provider,
            None => Provider::Local,
        };
        Ok(Selection { etcd, postgres, kafka, rabbitmq })
    }

    /// What [`VARIABLE`] says; embedded for all when it is not set.
    pub fn from_environment() -> Result<Selection, SelectionError> {
        match std::env::var(VARIABLE) {
            Ok(text) => Selection::parse(&text),
            Err(std::env::VarError::NotPresent) => Ok(Selection::default()),
            Err(std::env::VarError::NotUnicode(_)) => Err(SelectionError::Encoding),
        }
    }

    pub fn provider(&self, kind: Kind) -> &Provider {
        match kind {
            Kind::Etcd => &self.etcd,
            Kind::Postgres => &self.postgres,
            Kind::Kafka => &self.kafka,
            Kind::RabbitMq => &self.rabbitmq,
        }
    }
}

/// `etcd=embedded,postgres=local,kafka=external`: without addresses, which may hold passwords. RabbitMQ where it is not local.
impl fmt::Display for Selection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Selection { etcd, postgres, kafka, rabbitmq } = self;
        write!(formatter, "etcd={etcd},postgres={postgres},kafka={kafka}")?;
        match rabbitmq {
            Provider::Local => Ok(()),
            other => write!(formatter, ",rabbitmq={other}"),
        }
    }
}

struct Item<'text> {
    name: Option<&'text str>,
    value: String,
}

/// Addresses may hold commas themselves (`kafka=external:a:9092,b:9092`): a piece that starts with no `word=` belongs to
/// the external address before it.
fn items(text: &str) -> Result<Vec<Item<'_>>, SelectionError> {
    let mut items: Vec<Item<'_>> = Vec::new();
    if text.trim().is_empty() {
        return Ok(items);
    }
    for piece in text.split(',').map(str::trim) {
        if piece.is_empty() {
            return Err(SelectionError::Empty);
        }
        let named = piece.split_once('=').filter(|(name, _)| {
            let name = name.trim();
            !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphabetic())
        });
        match (named, items.last_mut()) {
            (Some((name, value)), _) => {
                items.push(Item { name: Some(name.trim()), value: value.trim().to_owned() });
            }
            (None, Some(before)) if before.value.starts_with("external:") => {
                before.value.push(',');
                before.value.push_str(piece);
            }
            (None, _) => items.push(Item { name: None, value: piece.to_owned() }),
        }
    }
    Ok(items)
}

fn kind(name: &str) -> Result<Kind, SelectionError> {
    Kind::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| unknown_backend(name))
}

fn unknown_backend(name: &str) -> SelectionError {
    let nearest = nearest(name, Kind::ALL.map(Kind::name));
    SelectionError::UnknownBackend { name: shortened(name), nearest }
}

fn provider(kind: Option<Kind>, value: &str) -> Result<Provider, SelectionError> {
    let (word, address) = match value.split_once(':') {
        Some((word, address)) => (word, Some(address)),
        None => (value, None),
    };
    match (word, address) {
        ("embedded", None) => Ok(Provider::Embedded),
        ("local", None) => Ok(Provider::Local),
        ("embedded", Some(_)) => Err(SelectionError::NeedlessAddress("embedded")),
        ("local", Some(_)) => Err(SelectionError::NeedlessAddress("local")),
        ("external", address) => match (kind, address) {
            (Some(kind), Some(address)) if !address.is_empty() => external(kind, address),
            _ => Err(SelectionError::NoAddress(kind)),
        },
        ("containers", None) => Ok(Provider::Containers(None)),
        ("containers", Some(image)) => match kind {
            Some(_) if image::is_name(image) => Ok(Provider::Containers(Some(image.to_owned()))),
            Some(_) => Err(SelectionError::Image(shortened(image))),
            None => Err(SelectionError::ImageOfAll),
        },
        _ => {
            let nearest = nearest(word, ["embedded", "local", "containers", "external"]);
            Err(SelectionError::UnknownProvider { name: shortened(word), nearest })
        }
    }
}

fn external(kind: Kind, address: &str) -> Result<Provider, SelectionError> {
    let (is_one, expected) = match kind {
        Kind::Etcd => (address.split(',').all(is_http_url), "list of http:// URLs"),
        Kind::Postgres => (address.parse::<tokio_postgres::Config>().is_ok(), "postgres:// URL"),
        Kind::Kafka => (address.split(',').all(is_host_and_port), "list of host:port"),
        Kind::RabbitMq => (is_amqp_url(address), "amqp:// URL"),
    };
    let is_url =
        kind != Kind::Postgres || ["postgres://", "postgresql://"].iter().any(|it| address.starts_with(it));
    match is_one && is_url {
        true => Ok(Provider::External(address.to_owned())),
        false => Err(SelectionError::Address { kind, expected }),
    }
}

fn is_http_url(text: &str) -> bool {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    rest.is_some_and(|rest| is_host_and_port(rest.trim_end_matches('/')))
}

fn is_amqp_url(text: &str) -> bool {
    let rest = text.strip_prefix("amqp://").unwrap_or_default();
    let authority = rest.split('/').next().unwrap_or_default();
    is_host_and_port(authority.rsplit('@').next().unwrap_or_default())
}

fn is_host_and_port(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && !host.contains(['/', ' ', '@']) && port.parse::<u16>().is_ok_and(|port| port > 0)
    })
}

fn example(kind: Option<Kind>) -> &'static str {
    match kind {
        Some(Kind::Etcd) => "etcd=external:http://127.0.0.1:2379",
        Some(Kind::Postgres) => "postgres=external:postgres://user@127.0.0.1:5432/postgres",
        Some(Kind::RabbitMq) => "rabbitmq=external:amqp://user:password@127.0.0.1:5672/%2f",
        Some(Kind::Kafka) | None => "kafka=external:127.0.0.1:9092",
    }
}

fn did_you_mean(nearest: &Option<&'static str>) -> String {
    nearest.map(|name| format!(": did you mean `{name}`?")).unwrap_or_default()
}

/// What a person typed is shown, but not a page of it.
fn shortened(name: &str) -> String {
    name.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn external(address: &str) -> Provider {
        Provider::External(address.to_owned())
    }

    #[test]
    fn a_selection_reads_as_it_is_written() {
        use Provider::{Containers, Embedded, Local};
        let image = |name: &str| Containers(Some(name.to_owned()));
        let url = "postgres://me:a%2Cb@one:5432,two:5432/db?application_name=x";
        let table = [
            ("", [Embedded, Embedded, Embedded]),
            (" ", [Embedded, Embedded, Embedded]),
            ("embedded", [Embedded, Embedded, Embedded]),
            ("local", [Local, Local, Local]),
            ("local,kafka=embedded", [Local, Local, Embedded]),
            ("containers", [Containers(None), Containers(None), Containers(None)]),
            ("kafka=containers,etcd=local", [Local, Embedded, Containers(None)]),
            (
                "containers,etcd=containers:localhost:5000/etcd:v3,kafka=containers:k@sha256:ab",
                [image("localhost:5000/etcd:v3"), Containers(None), image("k@sha256:ab")],
            ),
            ("kafka=local, etcd = embedded", [Embedded, Embedded, Local]),
            ("kafka=external:a:9092,b:9093,etcd=local", [Local, Embedded, external("a:9092,b:9093")]),
            (&format!("postgres=external:{url},etcd=local"), [Local, external(url), Embedded]),
            (
                "etcd=external:http://127.0.0.1:2379,http://[::1]:2379/",
                [external("http://127.0.0.1:2379,http://[::1]:2379/"), Embedded, Embedded],
            ),
        ];
        for (text, [etcd, postgres, kafka]) in table {
            let expected = Selection { etcd, postgres, kafka, rabbitmq: Local };
            assert_eq!(Selection::parse(text), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn rabbitmq_is_the_machines_own_unless_it_is_external() {
        for text in ["", "embedded", "local", "containers", "rabbitmq=local", "kafka=local,rabbitmq=local"] {
            assert_eq!(Selection::parse(text).unwrap().rabbitmq, Provider::Local, "{text:?}");
        }
        let url = "amqp://me:secret@broker:5672/%2f";
        let selection = Selection::parse(&format!("rabbitmq=external:{url}")).unwrap();
        assert_eq!(selection.rabbitmq, external(url));
        assert_eq!(selection.to_string(), "etcd=embedded,postgres=embedded,kafka=embedded,rabbitmq=external");
    }

    #[test]
    fn a_wrong_selection_says_what_is_wrong_and_what_was_meant() {
        let table = [
            ("containers:postgres:17", "an image is one backend's, as in etcd=containers:IMAGE"),
            ("etcd=containers:", "`` is no name of an image, as in etcd=containers:my/etcd:v3"),
            ("etcd=containers:a b", "`a b` is no name of an image, as in etcd=containers:my/etcd:v3"),
            ("container", "unknown provider `container`: did you mean `containers`?"),
            ("lokal", "unknown provider `lokal`: did you mean `local`?"),
            ("kafka=docker", "unknown provider `docker`"),
            ("kafak=local", "unknown backend `kafak`: did you mean `kafka`?"),
            ("redis=local", "unknown backend `redis`"),
            ("kafka=external:a:1,kafak=local", "unknown backend `kafak`: did you mean `kafka`?"),
            ("kafka=local,kafka=embedded", "`kafka` is given twice"),
            ("kafka=local,etcd", "`etcd` has no provider, as in etcd=local"),
            ("kafka", "`kafka` has no provider, as in kafka=local"),
            ("kafka=local,local", "unknown backend `local`"),
            (
                "external:127.0.0.1:9092",
                "`external` needs an address for each backend, as in kafka=external:127.0.0.1:9092",
            ),
            (
                "etcd=external",
                "`external` needs an address for each backend, as in etcd=external:http://127.0.0.1:2379",
            ),
            (
                "etcd=external:localhost",
                "the address given for etcd is no list of http:// URLs, as in etcd=external:http://127.0.0.1:2379",
            ),
            (
                "kafka=external:http://a:9092",
                "the address given for kafka is no list of host:port, as in kafka=external:127.0.0.1:9092",
            ),
            (
                "postgres=external:host=a password=secret",
                "the address given for postgres is no postgres:// URL, as in \
                 postgres=external:postgres://user@127.0.0.1:5432/postgres",
            ),
            (
                "rabbitmq=embedded",
                "there is no embedded rabbitmq: use rabbitmq=local with Debian's package `rabbitmq-server`, or \
                 rabbitmq=external:URL",
            ),
            (
                "rabbitmq=external:broker",
                "the address given for rabbitmq is no amqp:// URL, as in \
                 rabbitmq=external:amqp://user:password@127.0.0.1:5672/%2f",
            ),
            ("kafka=local:9092", "`local` takes no address: only `external:` does"),
            (
                "kafka=local,,etcd=local",
                "a selection has an empty item: write it as kafka=local,etcd=embedded",
            ),
        ];
        for (text, expected) in table {
            let error = Selection::parse(text).expect_err(text);
            assert_eq!(error.to_string(), expected, "{text:?}");
        }
    }

    #[test]
    fn a_page_of_nonsense_is_not_repeated() {
        let error = Selection::parse(&"x".repeat(100_000)).unwrap_err();
        assert!(error.to_string().len() < 100, "{error}");
    }

    #[test]
    fn what_is_shown_holds_no_address_and_so_no_password() {
        let selection = Selection::parse("local,postgres=external:postgres://me:secret@db:5432/x").unwrap();
        assert_eq!(selection.to_string(), "etcd=local,postgres=external,kafka=local");
    }
}
