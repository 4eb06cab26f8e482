//! Metrics of a service: recorded once, exposed for Prometheus and pushed over OTLP.
//!
//! An instrument is named as the semantic conventions name it (`http.server.request.duration`); the exposition derives its
//! family from that (`http_server_request_duration_seconds`), so that both carry the same values.

mod exports;
mod exposition;
mod observed;
mod process;

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, SystemTime};

use opentelemetry::metrics::{AsyncInstrument, Meter, MeterProvider as _};
use opentelemetry::trace::TraceContextExt as _;
use opentelemetry::{Context, KeyValue, metrics};
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::{IdGenerator as _, RandomIdGenerator};
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue as _, LabelSetEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::exemplar::HistogramWithExemplars;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

pub(crate) use exposition::Exposition;

use crate::defect::Defect;
use crate::telemetry::Telemetry;
use observed::Observed;

/// Bounds that the semantic conventions give for durations of HTTP, RPC and messaging, in seconds. The service level
/// objective, 250 ms, is one of them.
pub(crate) const DURATION_BOUNDS: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// Where a counter that falls begins again.
const STARTS_ANEW_AT: u64 = 5;

/// Bounds for database operations, in seconds.
pub(crate) const DATABASE_BOUNDS: &[f64] = &[0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];

/// Creates the instruments of a service and becomes its exposition.
#[derive(Debug)]
pub(crate) struct Metrics {
    meter: Meter,
    registry: Registry,
    defect: Option<Defect>,
}

impl Metrics {
    /// Metrics that are pushed the way the other telemetry goes, and tell what becomes of that.
    pub(crate) fn new(telemetry: &Telemetry, defect: Option<Defect>) -> Self {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(exports::OfSpans(telemetry.exports().clone())));
        Self { meter: telemetry.meter().clone(), registry, defect }
    }

    /// A histogram of durations. `name` has dots and no unit.
    pub(crate) fn latency(
        &mut self,
        name: &'static str,
        help: &'static str,
        bounds: &'static [f64],
    ) -> Latency {
        let scraped = Family::new_with_constructor(Bounds(bounds));
        self.registry.register_with_unit(family(name), help, Unit::Seconds, scraped.clone());
        let pushed = self.meter.f64_histogram(name).with_unit("s").with_description(help);
        let pushed = pushed.with_boundaries(bounds.to_vec()).build();
        let exemplars = match self.defect {
            Some(Defect::ExemplarMissing) => Exemplars::None,
            Some(Defect::ExemplarOfUnsampled) => Exemplars::OfUnsampled,
            _ => Exemplars::OfSampled,
        };
        Latency { kind: LatencyKind::Histogram { scraped, pushed, exemplars }, units_per_second: 1.0 }
    }

    /// The last duration, which says nothing of the others.
    pub(crate) fn last_latency(&mut self, name: &'static str, help: &'static str) -> Latency {
        let scraped = Family::default();
        self.registry.register_with_unit(family(name), help, Unit::Seconds, scraped.clone());
        let pushed = self.meter.f64_gauge(name).with_unit("s").with_description(help).build();
        Latency { kind: LatencyKind::Last { scraped, pushed }, units_per_second: 1.0 }
    }

    /// A counter of things: `unit` is the OTLP annotation of what is counted, such as `{request}`.
    pub(crate) fn count(&mut self, name: &'static str, unit: &'static str, help: &'static str) -> Count {
        let scraped = Family::default();
        self.registry.register(family(name), help, scraped.clone());
        let meter = match self.defect {
            Some(Defect::PushSubset) => SdkMeterProvider::builder().build().meter("nowhere"),
            _ => self.meter.clone(),
        };
        let pushed = meter.u64_counter(name).with_unit(unit).with_description(help).build();
        let starts_anew = self.defect == Some(Defect::CounterResets);
        Count { scraped, pushed, starts_anew }
    }

    /// A state, one series for each: 1 for the one that holds, 0 for the others.
    pub(crate) fn state(
        &mut self,
        name: &'static str,
        help: &'static str,
        states: &'static [&'static str],
    ) -> State {
        let scraped = Family::default();
        self.registry.register(family(name), help, scraped.clone());
        let pushed = self.meter.i64_gauge(name).with_description(help).build();
        let state = State { scraped, pushed, states };
        state.set(states[0]);
        state
    }

    /// A figure that is read whenever somebody looks: one series. `unit` is the OTLP annotation of what it counts.
    pub(crate) fn observe(
        &mut self,
        name: &'static str,
        unit: &'static str,
        help: &'static str,
        labels: Labels,
        read: impl Fn() -> i64 + Send + Sync + 'static,
    ) {
        self.observe_all(name, unit, help, move || vec![(labels.clone(), read() as f64)]);
    }

    /// The same, of several series. The unit `s` stands for seconds.
    pub(crate) fn observe_all(
        &mut self,
        name: &'static str,
        unit: &'static str,
        help: &'static str,
        read: impl Fn() -> Vec<(Labels, f64)> + Send + Sync + 'static,
    ) {
        let observed = Observed::new(family(name), (unit == "s").then_some(Unit::Seconds), help, read);
        let pushed = self.meter.f64_observable_gauge(name).with_unit(unit).with_description(help);
        let look = observed.reader();
        let callback = move |observer: &dyn AsyncInstrument<f64>| {
            look().iter().for_each(|(labels, value)| observer.observe(*value, &labels.attributes()));
        };
        pushed.with_callback(callback).build();
        self.registry.register_collector(Box::new(observed));
    }

    /// All instruments are there: what `/metrics` shows.
    pub(crate) fn exposition(self) -> Exposition {
        Exposition::new(self.registry, self.defect)
    }
}

/// How long something took, by labels.
#[derive(Debug, Clone)]
pub(crate) struct Latency {
    kind: LatencyKind,
    units_per_second: f64,
}

#[derive(Debug, Clone)]
enum LatencyKind {
    Histogram {
        scraped: Family<Labels, HistogramWithExemplars<TraceLabels>, Bounds>,
        pushed: metrics::Histogram<f64>,
        exemplars: Exemplars,
    },
    Last {
        scraped: Family<Labels, Gauge<f64, AtomicU64>>,
        pushed: metrics::Gauge<f64>,
    },
}

/// Whose ids are kept beside an observation.
#[derive(Debug, Clone, Copy)]
enum Exemplars {
    OfSampled,
    OfUnsampled,
    None,
}

impl Exemplars {
    fn of(self, context: &Context) -> Option<TraceLabels> {
        match self {
            Self::OfSampled => TraceLabels::of(context),
            Self::OfUnsampled => Some(TraceLabels::of_nobody()),
            Self::None => None,
        }
    }
}

impl Latency {
    /// Records in milliseconds from here on, whatever the family is called.
    pub(crate) fn in_milliseconds(mut self, _wrong: Defect) -> Self {
        self.units_per_second = 1_000.0;
        self
    }

    /// Records a duration. The span of `context` becomes the exemplar of its bucket if it is sampled.
    pub(crate) fn record(&self, context: &Context, elapsed: Duration, labels: Labels) {
        let value = elapsed.as_secs_f64() * self.units_per_second;
        match &self.kind {
            LatencyKind::Histogram { scraped, pushed, exemplars } => {
                let exemplar = exemplars.of(context);
                let timestamp = exemplar.is_some().then(SystemTime::now);
                scraped.get_or_create(&labels).observe(value, exemplar, timestamp);
                pushed.record(value, &labels.attributes());
            }
            LatencyKind::Last { scraped, pushed } => {
                scraped.get_or_create(&labels).set(value);
                pushed.record(value, &labels.attributes());
            }
        }
    }
}

/// How often something happened, by labels.
#[derive(Debug, Clone)]
pub(crate) struct Count {
    scraped: Family<Labels, Counter>,
    pushed: metrics::Counter<u64>,
    /// Whether a defect makes it fall.
    starts_anew: bool,
}

impl Count {
    pub(crate) fn add(&self, number: u64, labels: Labels) {
        let scraped = self.scraped.get_or_create(&labels);
        scraped.inc_by(number);
        if self.starts_anew && scraped.get() >= STARTS_ANEW_AT {
            scraped.inner().store(0, std::sync::atomic::Ordering::Relaxed);
        }
        drop(scraped);
        self.pushed.add(number, &labels.attributes());
    }

    /// Shows a series that is known to come as 0, so that its first increase can be seen.
    pub(crate) fn expect(&self, labels: Labels) {
        self.add(0, labels);
    }
}

/// Which of a few states holds.
#[derive(Debug, Clone)]
pub(crate) struct State {
    scraped: Family<Labels, Gauge>,
    pushed: metrics::Gauge<i64>,
    states: &'static [&'static str],
}

impl State {
    pub(crate) fn set(&self, current: &str) {
        for state in self.states {
            let labels = Labels::new([("state", (*state).into())]);
            let value = i64::from(*state == current);
            self.scraped.get_or_create(&labels).set(value);
            self.pushed.record(value, &labels.attributes());
        }
    }
}

/// The labels of a series, by their attribute names (`http.route`). The exposition writes `_` for `.`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Labels(Vec<(&'static str, Cow<'static, str>)>);

impl Labels {
    pub(crate) fn new<const N: usize>(labels: [(&'static str, Cow<'static, str>); N]) -> Self {
        Self(labels.into())
    }

    pub(crate) fn without(mut self, left_out: &str) -> Self {
        self.0.retain(|(name, _)| *name != left_out);
        self
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.0.push((name, value.into()));
        self
    }

    fn attributes(&self) -> Vec<KeyValue> {
        self.0.iter().map(|(name, value)| KeyValue::new(*name, value.clone())).collect()
    }
}

impl EncodeLabelSet for Labels {
    fn encode(&self, encoder: &mut LabelSetEncoder) -> Result<(), std::fmt::Error> {
        for (name, value) in &self.0 {
            let mut label = encoder.encode_label();
            let mut key = label.encode_label_key()?;
            for part in name.split_inclusive('.') {
                match part.strip_suffix('.') {
                    Some(part) => write!(key, "{part}_")?,
                    None => key.write_str(part)?,
                }
            }
            let mut encoded = key.encode_label_value()?;
            value.as_ref().encode(&mut encoded)?;
            encoded.finish()?;
        }
        Ok(())
    }
}

/// The labels of an exemplar.
#[derive(Debug, Clone)]
struct TraceLabels([(&'static str, String); 2]);

impl TraceLabels {
    /// Only a sampled span can be found again.
    fn of(context: &Context) -> Option<Self> {
        let span = context.span();
        let span_context = span.span_context();
        (span_context.is_valid() && span_context.is_sampled()).then(|| {
            Self([
                ("trace_id", span_context.trace_id().to_string()),
                ("span_id", span_context.span_id().to_string()),
            ])
        })
    }
}

impl TraceLabels {
    /// Ids of a span that is not recorded.
    fn of_nobody() -> Self {
        let ids = RandomIdGenerator::default();
        Self([("trace_id", ids.new_trace_id().to_string()), ("span_id", ids.new_span_id().to_string())])
    }
}

impl EncodeLabelSet for TraceLabels {
    fn encode(&self, encoder: &mut LabelSetEncoder) -> Result<(), std::fmt::Error> {
        self.0.encode(encoder)
    }
}

#[derive(Debug, Clone, Copy)]
struct Bounds(&'static [f64]);

impl MetricConstructor<HistogramWithExemplars<TraceLabels>> for Bounds {
    fn new_metric(&self) -> HistogramWithExemplars<TraceLabels> {
        HistogramWithExemplars::new(self.0.iter().copied())
    }
}

fn family(name: &str) -> String {
    name.replace('.', "_")
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

    use super::*;

    const OPENMETRICS: Option<&str> = Some("application/openmetrics-text");

    fn metrics(defect: Option<Defect>) -> Metrics {
        Metrics::new(&Telemetry::nowhere(), defect)
    }

    fn sampled() -> Context {
        Context::new().with_remote_span_context(SpanContext::new(
            TraceId::from(0xa1),
            SpanId::from(0xb2),
            TraceFlags::SAMPLED,
            false,
            TraceState::NONE,
        ))
    }

    #[test]
    fn a_latency_is_a_histogram_in_seconds_with_an_exemplar() {
        let mut metrics = metrics(None);
        let latency = metrics.latency("http.server.request.duration", "Requests", DURATION_BOUNDS);
        let labels = Labels::new([("http.route", "/{code}".into())]);
        latency.record(&sampled(), Duration::from_millis(30), labels);

        let text = metrics.exposition().render(OPENMETRICS).body;
        let family = "http_server_request_duration_seconds";
        assert!(text.contains(&format!("# TYPE {family} histogram\n")), "{text}");
        assert!(text.contains(&format!("# UNIT {family} seconds\n")), "{text}");
        assert!(text.contains(&format!("{family}_count{{http_route=\"/{{code}}\"}} 1\n")), "{text}");
        let bucket = format!("{family}_bucket{{le=\"0.05\",http_route=\"/{{code}}\"}} 1 # {{");
        let other = format!("{family}_bucket{{http_route=\"/{{code}}\",le=\"0.05\"}} 1 # {{");
        assert!(text.contains(&bucket) || text.contains(&other), "{text}");
        assert!(text.contains("trace_id=\"000000000000000000000000000000a1\""), "{text}");
        assert!(text.ends_with("# EOF\n"), "{text}");
    }

    #[test]
    fn a_span_that_is_not_sampled_is_no_exemplar() {
        let mut metrics = metrics(None);
        let latency = metrics.latency("rpc.client.call.duration", "Calls", DURATION_BOUNDS);
        latency.record(&Context::new(), Duration::from_millis(1), Labels::new([]));
        assert!(!metrics.exposition().render(OPENMETRICS).body.contains(" # {"));
    }

    #[test]
    fn a_known_series_is_shown_as_zero_before_it_is_counted() {
        let mut metrics = metrics(None);
        let count = metrics.count("shortener.degraded.answers", "{answer}", "Degraded answers");
        count.expect(Labels::new([("reason", "circuit_open".into())]));
        let text = metrics.exposition().render(OPENMETRICS).body;
        assert!(text.contains("shortener_degraded_answers_total{reason=\"circuit_open\"} 0\n"), "{text}");
    }

    #[test]
    fn an_age_is_in_seconds() {
        let mut metrics = metrics(None);
        let read = || vec![(Labels::new([("topic", "t".into())]), 1.5)];
        metrics.observe_all("ledger.outbox.age", "s", "How long the first row has waited", read);
        let text = metrics.exposition().render(OPENMETRICS).body;
        assert!(text.contains("# TYPE ledger_outbox_age_seconds gauge\n"), "{text}");
        assert!(text.contains("ledger_outbox_age_seconds{topic=\"t\"} 1.5\n"), "{text}");
    }

    #[test]
    fn what_is_observed_is_read_when_it_is_scraped() {
        let mut metrics = metrics(None);
        let lag = std::sync::Arc::new(std::sync::atomic::AtomicI64::new(0));
        let (read, labels) = (lag.clone(), Labels::new([("messaging.system", "kafka".into())]));
        let load = move || read.load(std::sync::atomic::Ordering::Relaxed);
        metrics.observe("messaging.consumer.lag", "{record}", "Records that wait", labels, load);
        let exposition = metrics.exposition();
        lag.store(7, std::sync::atomic::Ordering::Relaxed);
        let text = exposition.render(OPENMETRICS).body;
        assert!(text.contains("# TYPE messaging_consumer_lag gauge\n"), "{text}");
        assert!(text.contains("messaging_consumer_lag{messaging_system=\"kafka\"} 7.0\n"), "{text}");
    }

    #[test]
    fn one_state_holds_at_a_time() {
        let mut metrics = metrics(None);
        let state = metrics.state("breaker.state", "Breaker", &["closed", "open"]);
        state.set("open");
        let text = metrics.exposition().render(OPENMETRICS).body;
        assert!(text.contains("breaker_state{state=\"closed\"} 0\n"), "{text}");
        assert!(text.contains("breaker_state{state=\"open\"} 1\n"), "{text}");
    }

    #[test]
    fn the_bounds_hold_the_objective() {
        assert!(DURATION_BOUNDS.contains(&0.25));
        assert!(DURATION_BOUNDS.is_sorted());
    }
}
