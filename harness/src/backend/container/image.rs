//! Which image a backend runs from: the one given with the provider, else the environment's, else the pinned one.

use crate::backend::selection::Kind;

/// RabbitMQ is not run in containers.
const NONE: &str = "";

/// As in `compose/`, which is the same system. The mirror is byte for byte what etcd's own project publishes.
const fn pinned(kind: Kind) -> &'static str {
    match kind {
        Kind::Etcd => "rancher/mirrored-coreos-etcd:v3.5.9",
        Kind::Postgres => "postgres:17.6-alpine",
        Kind::Kafka => "apache/kafka:4.1.0",
        Kind::RabbitMq => NONE,
    }
}

/// Names another image for one backend.
pub(crate) const fn variable(kind: Kind) -> &'static str {
    match kind {
        Kind::Etcd => "PROBITY_IMAGE_ETCD",
        Kind::Postgres => "PROBITY_IMAGE_POSTGRES",
        Kind::Kafka => "PROBITY_IMAGE_KAFKA",
        Kind::RabbitMq => NONE,
    }
}

/// The image for a backend; `chosen` is what stands behind `containers:`.
pub(crate) fn of(kind: Kind, chosen: Option<&str>) -> String {
    let environment = || std::env::var(variable(kind)).ok().filter(|name| !name.is_empty());
    chosen.map(str::to_owned).or_else(environment).unwrap_or_else(|| pinned(kind).to_owned())
}

/// Repository and tag (or digest), as they are joined by a colon again; without a tag it is `latest`.
#[cfg(any(feature = "containers", test))]
pub(crate) fn split(image: &str) -> (&str, &str) {
    match image.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, tag),
        _ => (image, "latest"),
    }
}

/// Whether a text can be an image's name at all: what goes into a request is only that.
pub(crate) fn is_name(text: &str) -> bool {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || "._-/:@".contains(letter);
    !text.is_empty() && text.len() <= 255 && text.chars().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_comes_before_what_is_pinned() {
        assert_eq!(of(Kind::Kafka, Some("mine:1")), "mine:1");
        for kind in Kind::EVERYWHERE {
            let (repository, tag) = split(pinned(kind));
            assert!(
                !repository.is_empty()
                    && tag.starts_with(|first: char| first == 'v' || first.is_ascii_digit())
            );
            assert!(is_name(pinned(kind)));
        }
    }

    #[test]
    fn a_port_is_no_tag_and_a_digest_is_one() {
        assert_eq!(split("etcd:v3"), ("etcd", "v3"));
        assert_eq!(split("localhost:5000/etcd"), ("localhost:5000/etcd", "latest"));
        assert_eq!(split("localhost:5000/etcd:v3"), ("localhost:5000/etcd", "v3"));
        assert_eq!(split("etcd@sha256:ab"), ("etcd@sha256", "ab"));
        assert_eq!(split("etcd"), ("etcd", "latest"));
    }

    #[test]
    fn names_hold_nothing_but_what_names_are_made_of() {
        for good in ["a", "localhost:5000/a-b_c/etcd:v3.5@sha256:00"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "a b", "a?b", "a\nb", "é", &"a".repeat(256)] {
            assert!(!is_name(bad), "{bad:?}");
        }
    }
}
