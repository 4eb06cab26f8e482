//! The metrics of `url-api`, and the label sets that are known before they count anything.

use crate::http_server::Expected;
use crate::metrics::{Count, DURATION_BOUNDS, Labels, Latency, Metrics, State};

/// Routes with the answers that each is expected to give.
pub(super) const EXPECTED_ANSWERS: [Expected; 6] = [
    ("POST", "/api/v1/urls", 201),
    ("GET", "/{code}", 302),
    ("GET", "/{code}", 404),
    ("GET", "/{code}", 500),
    ("GET", "/api/v1/links/{code}", 200),
    ("GET", "/api/v1/links/{code}", 404),
];
const BREAKER_STATES: &[&str] = &["closed", "half_open", "open"];

/// Why a link detail is degraded.
pub(super) const DEGRADATION_REASONS: [&str; 4] =
    ["no_endpoint", "circuit_open", "deadline_exceeded", "rpc_failed"];

/// Every instrument of `url-api` but those of HTTP, gRPC and the database.
#[derive(Debug, Clone)]
pub(super) struct Measures {
    pub(super) sent: Count,
    pub(super) send_duration: Latency,
    pub(super) degraded: Count,
    pub(super) breaker: State,
    topic: String,
}

impl Measures {
    pub(super) fn new(metrics: &mut Metrics, topic: &str) -> Self {
        let measures = Self {
            sent: metrics.count(
                "messaging.client.sent.messages",
                "{message}",
                "Records sent to Kafka or given up",
            ),
            send_duration: metrics.latency(
                "messaging.client.operation.duration",
                "Duration of sending records",
                DURATION_BOUNDS,
            ),
            degraded: metrics.count(
                "shortener.degraded.answers",
                "{answer}",
                "Link details answered without a click count",
            ),
            breaker: metrics.state(
                "shortener.circuit.breaker.state",
                "State of the circuit to analytics-rpc",
                BREAKER_STATES,
            ),
            topic: topic.to_owned(),
        };
        measures.expect_known_series();
        measures
    }

    fn expect_known_series(&self) {
        for reason in DEGRADATION_REASONS {
            self.degraded.expect(Labels::new([("reason", reason.into())]));
        }
        self.sent.expect(self.send_labels());
    }

    pub(super) fn send_labels(&self) -> Labels {
        Labels::new([
            ("messaging.system", "kafka".into()),
            ("messaging.operation.name", "send".into()),
            ("messaging.destination.name", self.topic.clone().into()),
        ])
    }
}
