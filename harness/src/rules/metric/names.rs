//! What is wrong with a family's name, by the practice of Prometheus: its naming page, and what `promtool check metrics` says.

use crate::exposition::{Exposition, Family, FamilyType, Format};
use crate::rules::text::shown;

/// Units with the base unit that stands for them.
const UNITS: [(&[&str], &str); 8] = [
    (&["milliseconds", "microseconds", "nanoseconds", "minutes", "hours", "days", "weeks"], "seconds"),
    (
        &[
            "kilobytes",
            "megabytes",
            "gigabytes",
            "terabytes",
            "kibibytes",
            "mebibytes",
            "gibibytes",
            "bits",
            "kilobits",
            "megabits",
        ],
        "bytes",
    ),
    (&["millimeters", "centimeters", "kilometers", "inches", "yards", "miles"], "meters"),
    (&["milligrams", "kilograms", "pounds", "ounces"], "grams"),
    (&["fahrenheit", "kelvin"], "celsius"),
    (&["millivolts", "kilovolts"], "volts"),
    (&["milliamperes"], "amperes"),
    (&["percent", "percentage"], "ratio"),
];

const ABBREVIATIONS: [&str; 14] =
    ["s", "ms", "us", "ns", "sec", "m", "h", "d", "b", "kb", "mb", "gb", "tb", "pb"];

/// Everything that is wrong with a family's name and help, each in words with what to do.
pub(super) fn faults(exposition: &Exposition, family: &Family) -> Vec<(&'static str, String, &'static str)> {
    if is_derived(exposition, family) {
        return Vec::new();
    }
    let name = family.base_name();
    let lower = name.to_ascii_lowercase();
    let mut faults = Vec::new();
    let mut fault = |kind, what: String, fix| faults.push((kind, what, fix));
    if family.help.as_deref().unwrap_or("").trim().is_empty() {
        fault("help", "no HELP text".into(), "say in a sentence what it counts or measures");
    }
    total(exposition.format, family, &mut fault);
    if let Some(word) = type_in_name(&lower) {
        fault("type", format!("the type `{word}` in the name"), "leave the type to the TYPE line");
    }
    for (units, base) in UNITS {
        if let Some(unit) = units.iter().find(|unit| lower.split('_').any(|part| part == **unit)) {
            fault("unit", format!("the unit `{unit}`"), base_unit(base));
        }
    }
    if let Some(unit) = ABBREVIATIONS.iter().find(|unit| lower.split('_').skip(1).any(|part| part == **unit))
    {
        fault(
            "abbreviation",
            format!("the abbreviated unit `{unit}`"),
            "write the base unit out: seconds, bytes",
        );
    }
    if name.contains(':') {
        fault("colon", "a colon".into(), "colons are for recording rules; use `_`");
    }
    let labels = family.samples.iter().flat_map(|sample| sample.labels.iter().map(|(name, _)| name));
    let camel = std::iter::once(name).chain(labels).find(|name| is_camel_case(name));
    if let Some(name) = camel {
        fault("case", format!("camelCase in `{}`", shown(name)), "write snake_case");
    }
    reserved(family, name, &mut fault);
    faults
}

fn base_unit(base: &str) -> &'static str {
    match base {
        "seconds" => "record seconds, as floating point numbers",
        "bytes" => "record bytes",
        "ratio" => "record a ratio from 0 to 1",
        _ => "record the base unit",
    }
}

/// Series that a library or an adapter derives from others: `foo_created` beside `foo`, `target_info`, `otel_scope_info`.
fn is_derived(exposition: &Exposition, family: &Family) -> bool {
    let name = family.name.as_ref();
    let created = name.strip_suffix("_created").is_some_and(|of| exposition.family(of).is_some());
    created || name == "target" || name == "target_info" || name.starts_with("otel_scope")
}

fn total(format: Format, family: &Family, fault: &mut impl FnMut(&'static str, String, &'static str)) {
    let has_total = family.name.ends_with("_total");
    match (family.kind, format) {
        (FamilyType::Counter, Format::Text) if !has_total => {
            fault("total", "a counter without `_total`".into(), "name counters `…_total`");
        }
        // In OpenMetrics the samples have the suffix, and the family must not.
        (FamilyType::Counter, Format::OpenMetrics) if has_total => {
            fault(
                "total",
                "a counter whose samples end in `_total_total`".into(),
                "register the name without `_total`",
            );
        }
        (FamilyType::Counter | FamilyType::Unknown, _) => {}
        _ if has_total => fault(
            "total",
            format!("`_total` on a {}", family.kind),
            "`_total` says that it only rises: make it a counter, or rename it",
        ),
        _ => {}
    }
}

fn type_in_name(lower: &str) -> Option<&'static str> {
    let words = ["counter", "gauge", "histogram", "gaugehistogram", "summary"];
    words.into_iter().find(|word| lower.split('_').skip(1).any(|part| part == *word))
}

fn is_camel_case(name: &str) -> bool {
    let pairs = name.as_bytes().windows(2);
    pairs.into_iter().any(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase())
}

/// Endings and labels that mean a histogram or a summary.
fn reserved(family: &Family, name: &str, fault: &mut impl FnMut(&'static str, String, &'static str)) {
    let histogram = matches!(family.kind, FamilyType::Histogram | FamilyType::GaugeHistogram);
    let summary = family.kind == FamilyType::Summary;
    if family.kind == FamilyType::Unknown {
        return;
    }
    let endings: &[&str] = match family.kind {
        _ if histogram || summary => &[],
        // The semantic conventions call what there is of something its count: `db.client.connection.count`.
        FamilyType::Gauge => &["_bucket", "_sum"],
        _ => &["_bucket", "_count", "_sum"],
    };
    if let Some(ending) = endings.iter().find(|ending| name.ends_with(**ending)) {
        fault(
            "reserved",
            format!("`{ending}` on a {}", family.kind),
            "the ending belongs to histograms and summaries; rename it",
        );
    }
    let has = |label: &str| family.samples.iter().any(|sample| sample.labels.get(label).is_some());
    if !histogram && has("le") {
        fault(
            "reserved label",
            format!("the label `le` on a {}", family.kind),
            "`le` belongs to histograms; rename it",
        );
    }
    if !summary && has("quantile") {
        fault(
            "reserved label",
            format!("the label `quantile` on a {}", family.kind),
            "`quantile` belongs to summaries; rename it",
        );
    }
}
