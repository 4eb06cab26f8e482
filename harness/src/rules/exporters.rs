//! What a process itself says of spans that it gave up, by the counters that people have for it.

use crate::exposition::{Exposition, Family, Sample};
use crate::model::{Case, Counted};

use super::exposed::counts;

/// Which of a family's samples count lost spans.
enum Lost {
    /// Those with a value in that label.
    Labelled(&'static str),
    /// Those whose label has that value.
    Where(&'static str, &'static str),
    Every,
}

/// OpenTelemetry's conventions for SDKs, Java's SDK before them, and the Collector as an agent.
const KNOWN: [(&str, Lost); 7] = [
    ("otel_sdk_exporter_span_exported", Lost::Labelled("error_type")),
    ("otel_sdk_processor_span_processed", Lost::Labelled("error_type")),
    ("processedSpans", Lost::Where("dropped", "true")),
    ("otlp_exporter_exported", Lost::Where("success", "false")),
    ("otelcol_exporter_send_failed_spans", Lost::Every),
    ("otelcol_exporter_enqueue_failed_spans", Lost::Every),
    ("otelcol_processor_dropped_spans", Lost::Every),
];

/// What an exposition says of lost spans.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Says {
    /// Whether any family counts them.
    pub(crate) counts: bool,
    pub(crate) spans: f64,
    /// The samples that are more than zero, as they were exposed.
    pub(crate) lines: Vec<String>,
}

/// What the exposition of a service says: by the families that are known, and by those that the service declares.
pub(crate) fn says(case: &Case, service: &str, exposition: &Exposition<'_>) -> Says {
    let declared = case.declaration.and_then(|declaration| declaration.service(service));
    let families = declared.into_iter().flat_map(|service| &service.families);
    let own = families.filter(|family| family.counts == Some(Counted::SpansLost));
    let mut says = said(exposition);
    for family in own.filter_map(|family| exposition.family(&family.name)) {
        says.take(family, &Lost::Every);
    }
    says
}

/// The same by the known families alone.
pub(crate) fn said(exposition: &Exposition<'_>) -> Says {
    let mut says = Says::default();
    for (name, lost) in &KNOWN {
        let total = || exposition.family(&format!("{name}_total"));
        if let Some(family) = exposition.family(name).or_else(total) {
            says.take(family, lost);
        }
    }
    says
}

impl Says {
    fn take(&mut self, family: &Family<'_>, lost: &Lost) {
        let Some(samples) = counts(family) else { return };
        self.counts = true;
        for sample in samples.into_iter().filter(|sample| lost.is(sample) && sample.value > 0.0) {
            self.spans += sample.value;
            self.lines.push(format!("{}{} {}", sample.name, sample.labels, sample.value));
        }
    }
}

impl Lost {
    fn is(&self, sample: &Sample<'_>) -> bool {
        match self {
            Lost::Labelled(label) => !sample.labels.get(label).unwrap_or_default().is_empty(),
            Lost::Where(label, value) => sample.labels.get(label) == Some(*value),
            Lost::Every => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exposition::parse;

    fn said_of(body: &str) -> (bool, f64) {
        let exposition = parse(Some("text/plain; version=0.0.4"), body.as_bytes()).unwrap();
        let says = said(&exposition);
        assert_eq!(says.lines.is_empty(), says.spans == 0.0);
        (says.counts, says.spans)
    }

    #[test]
    fn the_conventions_of_sdks_are_read_by_their_error() {
        let body = "# TYPE otel_sdk_exporter_span_exported_total counter\n\
                    otel_sdk_exporter_span_exported_total{error_type=\"\"} 90\n\
                    otel_sdk_exporter_span_exported_total{error_type=\"timeout\"} 4\n\
                    # TYPE otel_sdk_processor_span_processed_total counter\n\
                    otel_sdk_processor_span_processed_total 94\n\
                    otel_sdk_processor_span_processed_total{error_type=\"queue_full\"} 3\n";
        assert_eq!(said_of(body), (true, 7.0));
    }

    #[test]
    fn so_are_those_of_java_and_of_an_agent() {
        let java = "# TYPE processedSpans_total counter\n\
                    processedSpans_total{dropped=\"true\"} 5\nprocessedSpans_total{dropped=\"false\"} 70\n";
        assert_eq!(said_of(java), (true, 5.0));
        let agent = "# TYPE otelcol_exporter_send_failed_spans_total counter\notelcol_exporter_send_failed_spans_total 6\n";
        assert_eq!(said_of(agent), (true, 6.0));
    }

    #[test]
    fn nothing_lost_and_nothing_counted_are_two_things() {
        let none = "# TYPE otel_sdk_exporter_span_exported_total counter\n\
                    otel_sdk_exporter_span_exported_total{error_type=\"timeout\"} 0\n";
        assert_eq!(said_of(none), (true, 0.0));
        assert_eq!(said_of("# TYPE up gauge\nup 1\n"), (false, 0.0));
        let nonsense = "# TYPE otel_sdk_exporter_span_exported gauge\notel_sdk_exporter_span_exported{error_type=\"x\"} NaN\n";
        assert_eq!(said_of(nonsense), (false, 0.0));
    }
}
