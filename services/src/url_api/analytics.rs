//! Asks `analytics-rpc` for click counts, behind a circuit breaker.
//!
//! A call that the circuit refuses is a call all the same: one CLIENT span, one count and one duration.

use std::time::{Duration, Instant};

use opentelemetry::Context;
use tonic::Code;

use super::Settings;
use super::breaker::Breaker;
use crate::analytics_protocol::{AnalyticsClient as Stub, GET_CLICK_COUNT, GetClickCountRequest};
use crate::defect::Defect;
use crate::discovery::Endpoints;
use crate::grpc::{Begun, CallFailure, RpcClient};
use crate::metrics::{Metrics, State};
use crate::service::Service;

/// A client of `analytics-rpc`.
pub(super) struct AnalyticsClient {
    client: RpcClient,
    breaker: Breaker,
}

impl AnalyticsClient {
    pub(super) fn new(service: &Service, settings: &Settings, state: State, metrics: &mut Metrics) -> Self {
        let defect = service.common.defect;
        let (failures_max, open_for) = match defect {
            // One failure is enough, and no time is.
            Some(Defect::NoRecovery) => (1, Duration::MAX),
            _ => (settings.breaker_failures, settings.breaker_open),
        };
        let endpoints = Endpoints::follow("analytics-rpc", settings.etcd.clone(), defect);
        let (deadline, methods) = (settings.rpc_deadline, [GET_CLICK_COUNT]);
        Self {
            client: RpcClient::new(service, "analytics-rpc", endpoints, deadline, &methods, metrics),
            breaker: Breaker::new(failures_max, open_for, state),
        }
    }

    /// How often a link was followed. A link that nobody has followed is not known there, which is 0.
    pub(super) async fn click_count(&self, parent: &Context, code: &str) -> Result<u64, CallFailure> {
        let call = self.client.begin(parent, GET_CLICK_COUNT);
        let outcome = self.guarded(&call, code).await;
        self.client.finish(call, &outcome);
        match outcome {
            Err(CallFailure::Status(status)) if status.code() == Code::NotFound => Ok(0),
            outcome => outcome,
        }
    }

    async fn guarded(&self, call: &Begun, code: &str) -> Result<u64, CallFailure> {
        let Some(permit) = self.breaker.admit(Instant::now()) else {
            return Err(CallFailure::CircuitOpen);
        };
        let question = GetClickCountRequest { code: code.to_owned() };
        let ask = |channel, request| async move { Stub::new(channel).get_click_count(request).await };
        let outcome = self.client.attempt(call, question, ask).await.map(|answer| answer.clicks);
        match &outcome {
            Ok(_) => permit.succeeded(),
            Err(CallFailure::Status(status)) if status.code() == Code::NotFound => {
                permit.succeeded();
            }
            // Nobody was called, so nobody has failed.
            Err(CallFailure::NoEndpoint) => drop(permit),
            Err(_) => permit.failed(),
        }
        outcome
    }
}
