//! What `/metrics` answers: OpenMetrics, or the older text format for who does not ask for it.

use std::fmt::Write as _;
use std::sync::Arc;

use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;

use super::process;
use crate::defect::Defect;

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PLAIN: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The metrics of a process, ready to be scraped.
#[derive(Debug, Clone)]
pub(crate) struct Exposition(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    runtime: Registry,
    own: Registry,
    defect: Option<Defect>,
}

/// One answer.
#[derive(Debug)]
pub(crate) struct Scrape {
    pub content_type: &'static str,
    pub body: String,
}

impl Exposition {
    pub(super) fn new(own: Registry, defect: Option<Defect>) -> Self {
        Self(Arc::new(Inner { runtime: process::registry(), own, defect }))
    }

    pub(crate) fn defect(&self) -> Option<Defect> {
        self.0.defect
    }

    /// Everything as of now, in the format that `accept` prefers.
    pub(crate) fn render(&self, accept: Option<&str>) -> Scrape {
        let mut body = String::with_capacity(16 * 1024);
        // Writing to a string cannot fail.
        _ = text::encode_registry(&mut body, &self.0.runtime);
        if self.0.defect != Some(Defect::MetricsGateClosed) {
            _ = text::encode_registry(&mut body, &self.0.own);
        }
        if self.0.defect == Some(Defect::ScrapeHuge) {
            write_far_too_much(&mut body);
        }
        if self.0.defect == Some(Defect::CounterWithoutTotal) {
            return self.with_a_counter_that_lacks_total(&body);
        }
        if prefers_openmetrics(accept.unwrap_or_default()) {
            _ = text::encode_eof(&mut body);
            Scrape { content_type: OPENMETRICS, body }
        } else {
            Scrape { content_type: PLAIN, body: plain_text(&body) }
        }
    }

    /// OpenMetrics forbids such a name, so this service speaks the older format only.
    fn with_a_counter_that_lacks_total(&self, openmetrics: &str) -> Scrape {
        let mut body = plain_text(openmetrics);
        body.push_str("# HELP shortener_scrapes Scrapes answered.\n");
        body.push_str("# TYPE shortener_scrapes counter\nshortener_scrapes 1\n");
        Scrape { content_type: PLAIN, body }
    }
}

/// Ten series for each of many families: each is within its budget, and all of them are not.
fn write_far_too_much(body: &mut String) {
    for family in 0..1_200 {
        _ = writeln!(
            body,
            "# HELP shortener_detail_{family} A detail.\n# TYPE shortener_detail_{family} gauge"
        );
        for part in 0..10 {
            _ = writeln!(body, "shortener_detail_{family}{{part=\"{part}\"}} {part}");
        }
    }
}

/// Whether OpenMetrics is wanted at least as much as plain text. Nothing asked for is plain text.
fn prefers_openmetrics(accept: &str) -> bool {
    let wanted = |kinds: &[&str]| {
        accept
            .split(',')
            .filter_map(|range| {
                let mut parts = range.split(';').map(str::trim);
                let kind = parts.next()?.to_ascii_lowercase();
                let quality = parts
                    .find_map(|parameter| parameter.strip_prefix("q="))
                    .map_or(Some(1.0), |quality| quality.parse::<f64>().ok())?;
                kinds.contains(&kind.as_str()).then_some(quality)
            })
            .fold(0.0, f64::max)
    };
    let openmetrics = wanted(&["application/openmetrics-text"]);
    openmetrics > 0.0 && openmetrics >= wanted(&["text/plain"])
}

/// OpenMetrics without what text format 0.0.4 does not have: units, exemplars, the end mark, and counters whose family is
/// named without `_total`.
fn plain_text(openmetrics: &str) -> String {
    let mut plain = String::with_capacity(openmetrics.len());
    let mut help = None;
    for line in openmetrics.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ');
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap_or((rest, "untyped"));
            let suffix = if kind == "counter" { "_total" } else { "" };
            let text = help.take().map_or("", |(_, text)| text);
            _ = writeln!(plain, "# HELP {name}{suffix} {text}\n# TYPE {name}{suffix} {kind}");
        } else if !line.starts_with('#') {
            _ = writeln!(plain, "{}", without_exemplar(line));
        }
    }
    plain
}

/// A `#` inside of a quoted label value begins no exemplar.
fn without_exemplar(sample: &str) -> &str {
    let (mut quoted, mut escaped) = (false, false);
    for (index, byte) in sample.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'#' if !quoted => return sample[..index].trim_end(),
            _ => {}
        }
    }
    sample
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_follows_the_accept_header() {
        let prometheus = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
            application/openmetrics-text;version=0.0.1;q=0.4,\
            text/plain;version=1.0.0;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
        assert!(prefers_openmetrics(prometheus));
        assert!(prefers_openmetrics("Application/OpenMetrics-Text"));
        assert!(!prefers_openmetrics(""));
        assert!(!prefers_openmetrics("*/*"));
        assert!(!prefers_openmetrics("text/plain, application/openmetrics-text;q=0.9"));
        assert!(!prefers_openmetrics("application/openmetrics-text;q=0"));
        assert!(!prefers_openmetrics("application/openmetrics-text;q=much"));
    }

    #[test]
    fn plain_text_has_no_units_exemplars_or_end() {
        let openmetrics = "# HELP a_seconds How long.\n# TYPE a_seconds histogram\n\
            # UNIT a_seconds seconds\n\
            a_seconds_bucket{le=\"1.0\",p=\"x # {\\\" y\"} 1 # {trace_id=\"a1\"} 0.5 1.0\n\
            # HELP b Things.\n# TYPE b counter\nb_total 2\n# EOF\n";
        let plain = "# HELP a_seconds How long.\n# TYPE a_seconds histogram\n\
            a_seconds_bucket{le=\"1.0\",p=\"x # {\\\" y\"} 1\n\
            # HELP b_total Things.\n# TYPE b_total counter\nb_total 2\n";
        assert_eq!(plain_text(openmetrics), plain);
    }

    #[test]
    fn content_types_are_those_of_the_formats() {
        let exposition = Exposition::new(Registry::default(), None);
        let openmetrics = exposition.render(Some("application/openmetrics-text"));
        assert_eq!(openmetrics.content_type, OPENMETRICS);
        assert!(openmetrics.body.ends_with("# EOF\n"));
        let plain = exposition.render(None);
        assert_eq!(plain.content_type, PLAIN);
        assert!(!plain.body.contains("EOF"));
    }

    #[test]
    fn a_counter_that_lacks_total_is_seen_whatever_is_asked_for() {
        let exposition = Exposition::new(Registry::default(), Some(Defect::CounterWithoutTotal));
        let scrape = exposition.render(Some("application/openmetrics-text"));
        assert_eq!(scrape.content_type, PLAIN);
        assert!(scrape.body.contains("# TYPE shortener_scrapes counter\n"));
    }
}
