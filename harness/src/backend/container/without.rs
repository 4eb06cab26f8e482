//! A build without containers: there is no engine, which is said at once, and therefore nothing that could run on one.

use std::{
    net::SocketAddr,
    time::{Duration, SystemTime},
};

use super::{EngineError, Plan, labels::Labelled};
use crate::{process::Logs, workdir::RunId};

/// There is none.
#[derive(Clone, Debug)]
pub(crate) enum Engine {}

/// There is none.
#[derive(Debug)]
pub(crate) enum Container {}

impl Engine {
    pub(crate) async fn connect() -> Result<Engine, EngineError> {
        Err(EngineError::NotBuilt)
    }

    pub(crate) fn version(&self) -> &str {
        match *self {}
    }

    pub(crate) async fn has(&self, _image: &str) -> Result<bool, EngineError> {
        match *self {}
    }

    pub(crate) async fn obtain(&self, _image: &str) -> Result<(), EngineError> {
        match *self {}
    }

    pub(super) async fn labelled(&self, _label: &str) -> Result<Vec<Labelled>, EngineError> {
        match *self {}
    }

    pub(super) async fn remove(&self, _id: &str) -> Result<(), EngineError> {
        match *self {}
    }
}

impl Container {
    pub(super) async fn start(
        engine: &Engine,
        _image: &str,
        _run: &RunId,
        _plan: &Plan,
    ) -> Result<Container, EngineError> {
        match *engine {}
    }

    pub(super) async fn start_again(&self) -> Result<(), EngineError> {
        match *self {}
    }

    pub(super) async fn addresses(&self, _ports: &[u16]) -> Result<Vec<SocketAddr>, EngineError> {
        match *self {}
    }

    pub(super) fn copy_output(&self, _since: SystemTime, _logs: &Logs) {
        match *self {}
    }

    pub(super) async fn output_copied(&self, _limit: Duration) {
        match *self {}
    }

    pub(super) async fn ended(&self) -> Result<Option<i64>, EngineError> {
        match *self {}
    }

    pub(crate) async fn is_running(&self) -> bool {
        match *self {}
    }

    pub(crate) async fn stop(&self, _grace: Duration) -> Result<(), EngineError> {
        match *self {}
    }

    pub(crate) async fn kill(&self) -> Result<(), EngineError> {
        match *self {}
    }

    pub(crate) async fn pause(&self) -> Result<(), EngineError> {
        match *self {}
    }

    pub(crate) async fn resume(&self) -> Result<(), EngineError> {
        match *self {}
    }

    pub(super) async fn remove(&self) -> Result<(), EngineError> {
        match *self {}
    }
}
