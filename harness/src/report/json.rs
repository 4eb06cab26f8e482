//! The report for machines: a documented, versioned JSON schema (`docs/json.md`), fields in snake_case.
//!
//! Fields are only added within a version; a field that goes or changes its meaning raises [`VERSION`].

use std::io::Write;
use std::path::Path;

use serde::Serialize;

use super::{RunReport, Totals};

/// The version of the schema.
pub const VERSION: u32 = 1;

#[derive(Serialize)]
struct Document<'r> {
    format: &'static str,
    version: u32,
    tool: &'static str,
    exit_code: u8,
    #[serde(flatten)]
    report: &'r RunReport,
    totals: Totals,
}

/// The report as one JSON document, pretty-printed, with a line feed at the end.
pub fn render(report: &RunReport) -> String {
    let document = Document {
        format: "probity-report",
        version: VERSION,
        tool: concat!("probity ", env!("CARGO_PKG_VERSION")),
        exit_code: report.exit_code(),
        report,
        totals: report.totals(),
    };
    pretty(&document)
}

/// Writes the document to a file, completely or not at all.
pub fn save(report: &RunReport, path: &Path) -> std::io::Result<()> {
    write_file(path, &render(report))
}

/// Any value of ours as pretty JSON with a line feed at the end.
pub(crate) fn pretty(value: &impl Serialize) -> String {
    // Maps with text keys and plain values: serialisation has nothing to fail on.
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}

/// Writes a file completely or not at all: first beside it, then renamed over it.
pub(crate) fn write_file(path: &Path, text: &str) -> std::io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // A pipe or a terminal (`/dev/stdout`) cannot be renamed over.
    if path.metadata().is_ok_and(|known| !known.is_file()) {
        return std::fs::OpenOptions::new().write(true).open(path)?.write_all(text.as_bytes());
    }
    let mut file = new_file_in(directory)?;
    file.write_all(text.as_bytes())?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// A file that gets its name later, with the permissions that the umask leaves (a temporary file's would be ours alone).
fn new_file_in(directory: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    use std::os::unix::fs::PermissionsExt;
    tempfile::Builder::new().permissions(std::fs::Permissions::from_mode(0o666)).tempfile_in(directory)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::judge::judge;
    use crate::model::build::{Build, declaration};
    use crate::model::{Fence, Kind, Known};
    use crate::report::{BackendReport, ScenarioReport, UnmatchedEntry};

    fn report() -> RunReport {
        let mut build = Build::new();
        let api = build.process("url-api");
        let consumer = build.process("analytics-consumer");
        build.change_process(&consumer, |process| {
            process.fence = Fence::Open { why: "killed (SIGKILL)".into() }
        });
        let root = build.span(&api, Kind::Server, "GET /abc").add();
        build.span(&api, Kind::Producer, "send click-events").child_of(root).add();
        build.stimulus(&api, "click", "GET", "/abc", 302).trace = Some(root.trace);
        build.record("click-events", &[]);
        build.committed("analytics", "click-events", Some(1), 1);
        let mut judged = judge(&build.evidence(), Some(&declaration()));
        judged.rerun = Some("probity run".into());
        let backend = BackendReport {
            name: "etcd".into(),
            provider: "embedded".into(),
            version: "3.7.2".into(),
            ready_ms: 90,
            limits: vec![],
        };
        let unmatched = UnmatchedEntry {
            place: "known.yaml:3:5".into(),
            rule: "MSG-02".into(),
            subject: Some("a".into()),
            scenario: Some("b".into()),
            reason: "c".into(),
            nearest: Some("d".into()),
        };
        let accepted = Known { reason: "later".into(), until: "2026-12-31".parse().ok() };
        let finding = judged.findings.first_mut().unwrap();
        (finding.known, finding.expired) = (Some(accepted.clone()), Some(accepted));
        let skipped = ScenarioReport::skipped("b", "start", "external");
        let broken = ScenarioReport::could_not_run("c", "start", "etcd exited");
        RunReport::new("shortener", vec![judged, skipped, broken])
            .with_backends(vec![backend])
            .with_problems(vec!["cut off".into()])
            .with_unmatched_known(vec![unmatched])
    }

    fn keys(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => fields.iter().for_each(|(key, value)| {
                found.insert(key.clone());
                keys(value, found);
            }),
            Value::Array(entries) => entries.iter().for_each(|entry| keys(entry, found)),
            _ => {}
        }
    }

    #[test]
    fn every_field_is_documented_and_in_snake_case() {
        let page = include_str!("../../../docs/json.md");
        let mut found = BTreeSet::new();
        keys(&serde_json::from_str(&render(&report())).unwrap(), &mut found);
        assert!(
            found.contains("findings") && found.contains("gaps") && found.contains("skipped"),
            "{found:?}"
        );
        for key in found {
            assert!(page.contains(&format!("`{key}`")), "{key}");
            assert!(key.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_'), "{key}");
        }
    }

    #[test]
    fn a_report_is_the_same_byte_for_byte() {
        assert_eq!(render(&report()), render(&report()));
    }
}
