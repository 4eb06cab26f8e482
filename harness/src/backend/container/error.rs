//! Why there is no container: each reason is one message, with what to do.

use std::{error::Error as StdError, time::Duration};

use thiserror::Error;

use super::image;

/// An engine that does not say what it is within this time does not answer.
pub(super) const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// Docker 20.10.
pub(super) const API_MIN: (u32, u32) = (1, 41);

/// Why there is no container. Each is one message, at once.
#[derive(Debug, Error)]
#[cfg_attr(not(feature = "containers"), expect(dead_code, reason = "without an engine there is one reason"))]
pub(crate) enum EngineError {
    #[cfg(not(feature = "containers"))]
    #[error("this build of Probity has no containers")]
    NotBuilt,
    #[error("there is no Docker engine: nothing is at {host}")]
    Absent { host: String },
    #[error("no Docker engine listens at {host}")]
    Refused { host: String },
    #[error("this user may not speak to the Docker engine at {host}")]
    Denied { host: String },
    #[error("the Docker engine at {host} does not answer: nothing within {} s", ANSWER_LIMIT.as_secs())]
    Silent { host: String },
    #[error("the Docker engine at {host} is too old: its API is {version}, Docker 20.10 has {}.{}", API_MIN.0, API_MIN.1)]
    Old { host: String, version: String },
    #[error("the image {image} is not on this machine and cannot be pulled: {reason}")]
    Image { image: String, reason: String },
    #[error("the Docker engine did not {what}: {reason}")]
    Failed { what: &'static str, reason: String },
}

impl EngineError {
    /// What to do about it.
    pub(crate) fn hint(&self) -> String {
        match self {
            #[cfg(not(feature = "containers"))]
            EngineError::NotBuilt => "build it with the feature `containers`, or use --backends local".into(),
            EngineError::Absent { .. } | EngineError::Refused { .. } => {
                "install Docker and start it, name another engine in DOCKER_HOST, or use --backends local"
                    .into()
            }
            EngineError::Denied { .. } => {
                "add this user to the group `docker`, or name another engine in DOCKER_HOST".into()
            }
            EngineError::Silent { .. } => "restart it, or name another engine in DOCKER_HOST".into(),
            EngineError::Old { .. } => "update it, or name another engine in DOCKER_HOST".into(),
            EngineError::Image { .. } => format!(
                "name one that can be had, as in --backends etcd=containers:IMAGE or {}=IMAGE; ci/setup-images makes some \
                 without a registry",
                image::variable(crate::backend::Kind::Etcd)
            ),
            EngineError::Failed { .. } => "look at the log of the engine".into(),
        }
    }

    pub(super) fn failed(what: &'static str, error: &dyn StdError) -> EngineError {
        EngineError::Failed { what, reason: whole(error) }
    }
}

/// The message with those beneath it, each once.
pub(super) fn whole(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let beneath = error.to_string();
        if !text.contains(&beneath) {
            text = format!("{text}: {beneath}");
        }
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_beneath_an_error_is_said_once() {
        let beneath = std::io::Error::other("no route");
        let error = EngineError::failed("list containers", &beneath);
        assert_eq!(error.to_string(), "the Docker engine did not list containers: no route");
    }
}
