//! Metrics as pushed over OTLP: what a program without a scraped port, or without a declaration, says of itself.

use std::collections::{BTreeMap, BTreeSet};

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, ExponentialHistogramDataPoint, HistogramDataPoint, Metric, NumberDataPoint,
    ResourceMetrics, number_data_point,
};
use prost::Message;

use crate::model::{Case, ExportRequest, ProcessId, Signal, UnixNanos};
use crate::rules::text::{quoted, service_shown};

/// One metric of one export.
pub(super) struct Pushed {
    service: String,
    /// Who sent it, where that is known.
    pub(super) process: Option<ProcessId>,
    pub(super) received: UnixNanos,
    pub(super) metric: Metric,
}

/// The labels of a series as Prometheus names them, in order.
pub(crate) type Series = BTreeMap<String, String>;

/// What kind of thing a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A monotonic sum.
    Counter,
    Histogram,
    /// A gauge, or a sum that may fall.
    Gauge,
    Other,
}

impl Kind {
    pub(super) fn word(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Histogram => "histogram",
            Kind::Gauge => "gauge",
            Kind::Other => "summary",
        }
    }
}

/// One point: a counter's value, a histogram's count, a gauge's reading.
pub(super) struct Point {
    pub(super) series: Series,
    pub(super) start: UnixNanos,
    pub(super) time: UnixNanos,
    pub(super) cumulative: bool,
    pub(super) value: f64,
}

/// Every metric that was pushed, export by export. Requests that do not decode are the ledger's matter.
pub(super) fn metrics(case: &Case) -> impl Iterator<Item = Pushed> {
    let requests = case.evidence.requests.iter().filter(|request| request.signal == Signal::Metrics);
    requests.flat_map(|request| {
        let decoded = ExportMetricsServiceRequest::decode(request.bytes.clone()).unwrap_or_default();
        let groups = decoded.resource_metrics.into_iter();
        groups.flat_map(|group| pushed(case, request, group)).collect::<Vec<_>>()
    })
}

/// A metric over all exports.
#[derive(Default)]
pub(crate) struct PushedFamily {
    /// The words for what it was sent as.
    pub(crate) types: BTreeSet<&'static str>,
    /// None of summaries.
    pub(crate) series: BTreeSet<Series>,
}

/// Every metric that was pushed, by service and name.
pub(crate) fn families(case: &Case) -> BTreeMap<(String, String), PushedFamily> {
    let mut found: BTreeMap<_, PushedFamily> = BTreeMap::new();
    for pushed in metrics(case) {
        let (word, points) = (pushed.kind().word(), pushed.points());
        let family = found.entry((pushed.service, pushed.metric.name)).or_default();
        family.types.insert(word);
        family.series.extend(points.into_iter().map(|point| point.series));
    }
    found
}

fn pushed(case: &Case, request: &ExportRequest, group: ResourceMetrics) -> Vec<Pushed> {
    let process =
        request.process.as_ref().and_then(|id| case.process(id)).map(|process| process.service.clone());
    let said = || {
        let resource = group.resource.as_ref()?;
        let named = resource.attributes.iter().find(|attribute| attribute.key == "service.name")?;
        match named.value.as_ref()?.value.as_ref()? {
            Value::StringValue(name) => Some(name.clone()),
            _ => None,
        }
    };
    let service = process.or_else(said).unwrap_or_default();
    let metrics = group.scope_metrics.into_iter().flat_map(|scope| scope.metrics);
    let (process, received) = (request.process.clone(), request.received_unix_nanos);
    metrics
        .map(|metric| Pushed { service: service.clone(), process: process.clone(), received, metric })
        .collect()
}

/// `{http_route="/{code}"}`.
pub(super) fn shown_series(series: &Series) -> String {
    let labels: Vec<String> = series.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    format!("{{{}}}", labels.join(","))
}

/// A name as Prometheus writes it.
fn sanitised(name: &str) -> String {
    let fits =
        |character: char| if character.is_ascii_alphanumeric() || character == ':' { character } else { '_' };
    name.chars().map(fits).collect()
}

/// The word for a unit in a name (Prometheus and OpenMetrics compatibility of the OpenTelemetry specification).
fn unit_word(unit: &str) -> Option<&str> {
    let word = match unit {
        "s" => "seconds",
        "ms" => "milliseconds",
        "us" => "microseconds",
        "ns" => "nanoseconds",
        "min" => "minutes",
        "h" => "hours",
        "By" => "bytes",
        "KiBy" => "kibibytes",
        "MiBy" => "mebibytes",
        _ => return None,
    };
    Some(word)
}

impl Pushed {
    /// ``web, metric `http.server.request.duration` ``.
    pub(super) fn subject(&self) -> String {
        format!("{}, metric {}", service_shown(&self.service), quoted(&self.metric.name))
    }

    /// Whether a point has that attribute, true.
    pub(super) fn points_with(&self, attribute: &str) -> bool {
        let has = |attributes: &[KeyValue]| {
            attributes.iter().any(|known| {
                let value = known.value.as_ref().and_then(|value| value.value.as_ref());
                known.key == attribute && matches!(value, Some(Value::BoolValue(true)))
            })
        };
        match &self.metric.data {
            Some(Data::Gauge(gauge)) => gauge.data_points.iter().any(|point| has(&point.attributes)),
            Some(Data::Sum(sum)) => sum.data_points.iter().any(|point| has(&point.attributes)),
            Some(Data::Histogram(histogram)) => {
                histogram.data_points.iter().any(|point| has(&point.attributes))
            }
            Some(Data::ExponentialHistogram(histogram)) => {
                histogram.data_points.iter().any(|point| has(&point.attributes))
            }
            Some(Data::Summary(summary)) => summary.data_points.iter().any(|point| has(&point.attributes)),
            None => false,
        }
    }

    /// The points of a histogram with explicit bounds; none for other types.
    pub(super) fn histogram(&self) -> &[HistogramDataPoint] {
        match &self.metric.data {
            Some(Data::Histogram(histogram)) => &histogram.data_points,
            _ => &[],
        }
    }

    pub(super) fn kind(&self) -> Kind {
        match &self.metric.data {
            Some(Data::Sum(sum)) if sum.is_monotonic => Kind::Counter,
            Some(Data::Histogram(_) | Data::ExponentialHistogram(_)) => Kind::Histogram,
            Some(Data::Gauge(_) | Data::Sum(_)) => Kind::Gauge,
            Some(Data::Summary(_)) | None => Kind::Other,
        }
    }

    /// The family that it is in an exposition: sanitised, with its unit.
    pub(super) fn prometheus_name(&self) -> String {
        let name = sanitised(&self.metric.name);
        match unit_word(&self.metric.unit) {
            Some(unit) if !name.ends_with(&format!("_{unit}")) => format!("{name}_{unit}"),
            _ => name,
        }
    }

    /// Its points, one a series; none of summaries.
    pub(super) fn points(&self) -> Vec<Point> {
        let cumulative = |temporality: i32| temporality == AggregationTemporality::Cumulative as i32;
        let number = |point: &NumberDataPoint, cumulative: bool| Point {
            series: series(&point.attributes),
            start: point.start_time_unix_nano,
            time: point.time_unix_nano,
            cumulative,
            value: match point.value {
                Some(number_data_point::Value::AsInt(value)) => value as f64,
                Some(number_data_point::Value::AsDouble(value)) => value,
                None => 0.0,
            },
        };
        let counted = |attributes: &[KeyValue], start: u64, time: u64, count: u64, temporality: i32| Point {
            series: series(attributes),
            start,
            time,
            cumulative: cumulative(temporality),
            value: count as f64,
        };
        match &self.metric.data {
            Some(Data::Sum(sum)) => {
                let cumulative = cumulative(sum.aggregation_temporality);
                sum.data_points.iter().map(|point| number(point, cumulative)).collect()
            }
            Some(Data::Gauge(gauge)) => gauge.data_points.iter().map(|point| number(point, true)).collect(),
            Some(Data::Histogram(histogram)) => {
                let temporality = histogram.aggregation_temporality;
                let point = |point: &HistogramDataPoint| {
                    let (start, time) = (point.start_time_unix_nano, point.time_unix_nano);
                    counted(&point.attributes, start, time, point.count, temporality)
                };
                histogram.data_points.iter().map(point).collect()
            }
            Some(Data::ExponentialHistogram(histogram)) => {
                let temporality = histogram.aggregation_temporality;
                let point = |point: &ExponentialHistogramDataPoint| {
                    let (start, time) = (point.start_time_unix_nano, point.time_unix_nano);
                    counted(&point.attributes, start, time, point.count, temporality)
                };
                histogram.data_points.iter().map(point).collect()
            }
            Some(Data::Summary(_)) | None => Vec::new(),
        }
    }

    /// Whether it only ever rises.
    pub(super) fn is_counter(&self) -> bool {
        matches!(&self.metric.data, Some(Data::Sum(sum)) if sum.is_monotonic)
    }
}

/// Attributes as labels.
fn series(attributes: &[KeyValue]) -> Series {
    let text = |attribute: &KeyValue| match attribute.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::BoolValue(value)) => value.to_string(),
        Some(Value::IntValue(value)) => value.to_string(),
        Some(Value::DoubleValue(value)) => value.to_string(),
        _ => String::new(),
    };
    attributes.iter().map(|attribute| (sanitised(&attribute.key), text(attribute))).collect()
}

#[cfg(test)]
pub(in crate::rules) mod tests {
    use opentelemetry_proto::tonic::common::v1::AnyValue;
    use opentelemetry_proto::tonic::metrics::v1::{Gauge, Histogram, ScopeMetrics, Sum};
    use opentelemetry_proto::tonic::resource::v1::Resource;

    use super::*;
    use crate::exposition::{Exposition, FamilyType, Sample};
    use crate::rules::exposed::counts;

    fn attribute(key: &str, value: Value) -> KeyValue {
        KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..Default::default() }
    }

    /// A counter of a process, with the value of each label set, pushed at that built millisecond.
    pub(in crate::rules::metric) fn counter(
        process: &ProcessId,
        name: &str,
        ms: u64,
        series: &[(&[(&str, &str)], f64)],
    ) -> ExportRequest {
        let at = crate::model::build::at(ms);
        let point = |(labels, value): &(&[(&str, &str)], f64)| NumberDataPoint {
            attributes: labels
                .iter()
                .map(|(key, text)| attribute(key, Value::StringValue((*text).into())))
                .collect(),
            start_time_unix_nano: crate::model::build::at(0),
            time_unix_nano: at,
            value: Some(number_data_point::Value::AsDouble(*value)),
            ..Default::default()
        };
        let sum = Sum {
            data_points: series.iter().map(point).collect(),
            aggregation_temporality: AggregationTemporality::Cumulative as i32,
            is_monotonic: true,
        };
        let metric = Metric { name: name.into(), data: Some(Data::Sum(sum)), ..Default::default() };
        let service = process.as_str().split('#').next().unwrap_or_default();
        ExportRequest {
            signal: Signal::Metrics,
            process: Some(process.clone()),
            connection: 1,
            received_unix_nanos: at,
            bytes: export(service, metric).encode_to_vec().into(),
        }
    }

    /// An exposition as one export of the same families and values.
    pub(in crate::rules) fn as_pushed(
        process: &ProcessId,
        ms: u64,
        exposition: &Exposition,
    ) -> ExportRequest {
        let cumulative = AggregationTemporality::Cumulative as i32;
        let labels = |sample: &Sample, own: &str| -> Vec<KeyValue> {
            let labels = sample.labels.without(own);
            labels.map(|(name, value)| attribute(name, Value::StringValue(value.into()))).collect()
        };
        let number = |sample: &Sample| NumberDataPoint {
            attributes: labels(sample, ""),
            value: Some(number_data_point::Value::AsDouble(sample.value)),
            ..Default::default()
        };
        let observed = |sample: &Sample| HistogramDataPoint {
            attributes: labels(sample, "le"),
            count: sample.value as u64,
            ..Default::default()
        };
        let metrics = exposition.families.iter().map(|family| {
            let counted = counts(family).unwrap_or_default();
            let data = match family.kind {
                FamilyType::Counter => Data::Sum(Sum {
                    data_points: counted.into_iter().map(number).collect(),
                    aggregation_temporality: cumulative,
                    is_monotonic: true,
                }),
                FamilyType::Histogram => Data::Histogram(Histogram {
                    data_points: counted.into_iter().map(observed).collect(),
                    aggregation_temporality: cumulative,
                }),
                _ => Data::Gauge(Gauge { data_points: family.samples.iter().map(number).collect() }),
            };
            Metric { name: family.base_name().into(), data: Some(data), ..Default::default() }
        });
        let service = process.as_str().split('#').next().unwrap_or_default();
        let mut export = export(service, Metric::default());
        export.resource_metrics[0].scope_metrics[0].metrics = metrics.collect();
        ExportRequest {
            signal: Signal::Metrics,
            process: Some(process.clone()),
            connection: 1,
            received_unix_nanos: crate::model::build::at(ms),
            bytes: export.encode_to_vec().into(),
        }
    }

    #[test]
    fn names_are_those_that_prometheus_gives() {
        let name = |name: &str, unit: &str| {
            let metric = Metric { name: name.into(), unit: unit.into(), ..Default::default() };
            let pushed = Pushed { service: "web".into(), process: None, received: 0, metric };
            pushed.prometheus_name()
        };
        assert_eq!(name("http.server.request.duration", "s"), "http_server_request_duration_seconds");
        assert_eq!(name("process.memory", "By"), "process_memory_bytes");
        assert_eq!(name("a_seconds", "s"), "a_seconds");
        assert_eq!(name("shortener.degraded.answers", "{answer}"), "shortener_degraded_answers");
        assert_eq!(name("odd-name 1", "1"), "odd_name_1");
    }

    /// A histogram of a service, with one point that has that attribute.
    pub(in crate::rules::metric) fn request(
        service: &str,
        name: &str,
        unit: &str,
        with: &str,
        bounds: &[f64],
    ) -> ExportMetricsServiceRequest {
        let point = HistogramDataPoint {
            attributes: vec![attribute(with, Value::BoolValue(true))],
            explicit_bounds: bounds.to_vec(),
            ..Default::default()
        };
        let histogram = Histogram { data_points: vec![point], aggregation_temporality: 2 };
        let metric = Metric {
            name: name.into(),
            unit: unit.into(),
            data: Some(Data::Histogram(histogram)),
            ..Default::default()
        };
        export(service, metric)
    }

    /// One metric of a service.
    pub(in crate::rules::metric) fn export(service: &str, metric: Metric) -> ExportMetricsServiceRequest {
        let name = attribute("service.name", Value::StringValue(service.into()));
        ExportMetricsServiceRequest {
            resource_metrics: vec![ResourceMetrics {
                resource: Some(Resource { attributes: vec![name], ..Default::default() }),
                scope_metrics: vec![ScopeMetrics { metrics: vec![metric], ..Default::default() }],
                ..Default::default()
            }],
        }
    }

    /// Evidence of `exec` that holds these exports.
    pub(in crate::rules::metric) fn evidence(
        exports: &[ExportMetricsServiceRequest],
    ) -> crate::model::Evidence {
        let request = |export: &ExportMetricsServiceRequest| ExportRequest {
            signal: Signal::Metrics,
            process: None,
            connection: 1,
            received_unix_nanos: 1,
            bytes: export.encode_to_vec().into(),
        };
        crate::model::Evidence {
            requests: exports.iter().map(request).collect(),
            source: crate::model::Source::Exec,
            ..Default::default()
        }
    }

    #[test]
    fn what_does_not_decode_is_passed_over() {
        let mut evidence = evidence(&[request("web", "a.duration", "s", "x", &[])]);
        evidence.requests[0].bytes = bytes::Bytes::from_static(b"\xff\xff");
        assert_eq!(metrics(&Case::new(&evidence, None)).count(), 0);
    }
}
