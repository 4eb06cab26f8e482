//! Why a backend could not be started: one message with the program, its last lines, and what to do.

use std::error::Error;

use super::{
    container::HostError,
    doctor,
    selection::{Kind, Provider},
};
use crate::process;

/// A backend could not be started. The run ends with exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{kind} ({provider}) could not be started: {reason}")]
pub struct StartError {
    pub kind: Kind,
    /// `embedded`, `local`, `containers` or `external`.
    pub provider: &'static str,
    /// What was seen, with the last lines of the program's log.
    pub reason: String,
    hint: Option<String>,
}

impl StartError {
    /// What to do about it, where that is known: what to install, or where the log is.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The program was not there, ended, or was not ready.
    pub(crate) fn process(kind: Kind, provider: &Provider, error: process::StartError) -> StartError {
        let hint = match &error {
            process::StartError::Spawn { .. } => doctor::remedy(kind, provider).or_else(|| error.hint()),
            _ => error.hint(),
        };
        StartError { kind, provider: provider.name(), reason: error.to_string(), hint }
    }

    /// There is no engine, no image, or nobody to keep the containers.
    pub(crate) fn container(kind: Kind, provider: &Provider, error: HostError) -> StartError {
        let hint = match &error {
            HostError::Engine(error) => Some(error.hint()),
            HostError::Keeper(error) => error.hint(),
        };
        StartError { kind, provider: provider.name(), reason: error.to_string(), hint }
    }

    /// What we need for it (a directory, a port, an answer) was not to be had.
    pub(crate) fn ours(kind: Kind, provider: &Provider, error: &dyn Error) -> StartError {
        let mut reason = error.to_string();
        let mut source = error.source();
        while let Some(error) = source {
            let text = error.to_string();
            if !reason.contains(&text) {
                reason = format!("{reason}: {text}");
            }
            source = error.source();
        }
        StartError { kind, provider: provider.name(), reason, hint: doctor::remedy(kind, provider) }
    }
}
