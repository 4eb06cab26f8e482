//! Metrics as they were sent over OTLP: one entry an instrument of a process, with its last points.

use std::collections::{BTreeMap, BTreeSet};

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{Metric, NumberDataPoint, metric, number_data_point};
use prost::Message;
use serde_json::{Value, json};

use super::scrapes::number;
use super::{Budget, Build, plain, take};
use crate::model::Signal;

/// Points of one instrument that are shown.
const POINTS_MAX: usize = 20;
const INSTRUMENTS_MAX: usize = 2_000;
/// Label sets of one instrument that are told apart.
const SETS_MAX: usize = 10_000;

#[derive(Default)]
struct Instrument {
    kind: &'static str,
    unit: String,
    description: String,
    points: u64,
    sets: BTreeSet<String>,
    /// By label set: a later point replaces an earlier one.
    last: BTreeMap<String, Value>,
}

pub(super) fn of(build: &mut Build, budget: &mut Budget) -> Vec<Value> {
    let mut instruments: BTreeMap<(String, String), Instrument> = BTreeMap::new();
    let mut beyond = 0;
    let mut requests: Vec<_> =
        build.case.evidence.requests.iter().filter(|request| request.signal == Signal::Metrics).collect();
    requests.sort_by_key(|request| request.received_unix_nanos);
    for request in requests {
        let Ok(message) = ExportMetricsServiceRequest::decode(request.bytes.clone()) else { continue };
        for group in message.resource_metrics {
            let said = group
                .resource
                .iter()
                .flat_map(|resource| &resource.attributes)
                .find(|pair| pair.key == "service.name");
            let said = said.map(|pair| shown(pair.value.as_ref())).unwrap_or_default();
            let process = request.process.as_ref().map_or(said, |process| process.to_string());
            for metric in group.scope_metrics.into_iter().flat_map(|scope| scope.metrics) {
                let key = (plain(&process), plain(&metric.name));
                if instruments.len() >= INSTRUMENTS_MAX && !instruments.contains_key(&key) {
                    beyond += 1;
                    continue;
                }
                add(instruments.entry(key).or_default(), metric);
            }
        }
    }
    build.leave_out("OTLP metrics", beyond);
    instruments.into_iter().map(|(key, instrument)| entry(build, key, instrument, budget)).collect()
}

fn entry(
    build: &mut Build,
    (process, name): (String, String),
    instrument: Instrument,
    budget: &mut Budget,
) -> Value {
    let shown = take(&mut budget.samples, instrument.last.len().min(POINTS_MAX));
    let points = instrument.last.iter().take(shown).map(|(labels, value)| json!([build.text(labels), value]));
    let points: Vec<_> = points.collect();
    json!({
        "process": process,
        "name": name,
        "type": instrument.kind,
        "unit": plain(&instrument.unit),
        "help": plain(&instrument.description),
        "points": instrument.points,
        "series": instrument.sets.len(),
        "last": points,
    })
}

fn add(instrument: &mut Instrument, metric: Metric) {
    instrument.unit = metric.unit;
    instrument.description = metric.description;
    match metric.data {
        Some(metric::Data::Gauge(data)) => numbers(instrument, "gauge", data.data_points),
        Some(metric::Data::Sum(data)) => {
            numbers(
                instrument,
                if data.is_monotonic { "counter" } else { "up-down counter" },
                data.data_points,
            );
        }
        Some(metric::Data::Histogram(data)) => {
            instrument.kind = "histogram";
            for point in data.data_points {
                let value = format!("count {}, sum {}", point.count, point.sum.unwrap_or_default());
                put(instrument, &point.attributes, json!(value));
            }
        }
        Some(metric::Data::ExponentialHistogram(data)) => {
            instrument.kind = "exponential histogram";
            for point in data.data_points {
                let value = format!("count {}, sum {}", point.count, point.sum.unwrap_or_default());
                put(instrument, &point.attributes, json!(value));
            }
        }
        Some(metric::Data::Summary(data)) => {
            instrument.kind = "summary";
            for point in data.data_points {
                put(
                    instrument,
                    &point.attributes,
                    json!(format!("count {}, sum {}", point.count, point.sum)),
                );
            }
        }
        None => {}
    }
}

fn numbers(instrument: &mut Instrument, kind: &'static str, points: Vec<NumberDataPoint>) {
    instrument.kind = kind;
    for point in points {
        let value = match point.value {
            Some(number_data_point::Value::AsInt(value)) => json!(value),
            Some(number_data_point::Value::AsDouble(value)) => number(value),
            None => Value::Null,
        };
        put(instrument, &point.attributes, value);
    }
}

fn put(instrument: &mut Instrument, attributes: &[KeyValue], value: Value) {
    instrument.points += 1;
    let mut pairs: Vec<_> = attributes
        .iter()
        .map(|pair| format!("{}=\"{}\"", plain(&pair.key), shown(pair.value.as_ref())))
        .collect();
    pairs.sort();
    let labels = format!("{{{}}}", pairs.join(","));
    if instrument.sets.len() < SETS_MAX {
        instrument.sets.insert(labels.clone());
    }
    if instrument.last.len() < POINTS_MAX || instrument.last.contains_key(&labels) {
        instrument.last.insert(labels, value);
    }
}

/// A value as text; what is no plain value says what it is.
pub(super) fn shown(value: Option<&AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        None => String::new(),
        Some(any_value::Value::StringValue(text)) => plain(text),
        Some(any_value::Value::BoolValue(flag)) => flag.to_string(),
        Some(any_value::Value::IntValue(number)) => number.to_string(),
        Some(any_value::Value::DoubleValue(number)) => number.to_string(),
        Some(any_value::Value::BytesValue(bytes)) => format!("({} bytes)", bytes.len()),
        Some(any_value::Value::ArrayValue(list)) => format!("(a list of {})", list.values.len()),
        Some(any_value::Value::KvlistValue(map)) => format!("(a map of {})", map.values.len()),
        Some(_) => "(of another kind)".into(),
    }
}
