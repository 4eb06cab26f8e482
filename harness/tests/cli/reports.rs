//! Reports in files: where they go, and what is said when they cannot.

use std::fs;
use std::path::Path;

use super::kit::{command, fixture, probity, root, run, sender, span};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Evidence of one good request, saved by `exec`, and what the command said.
fn recorded(arguments: &[&str]) -> (tempfile::TempDir, std::path::PathBuf) {
    let workdir = tempfile::tempdir().unwrap();
    let directory = workdir.path().join("evidence");
    let script = sender(&[root("web", 1)]);
    let evidence = ["exec", "--evidence", text(&directory)];
    let output = probity(evidence.iter().chain(arguments).chain(&["--", "bash", "-c", &script]));
    assert_eq!(output.code, 0, "{output:?}");
    (workdir, directory)
}

#[test]
fn every_report_lies_beside_the_evidence() {
    let (_workdir, directory) = recorded(&[]);
    let kinds = ["report.json", "report.html", "junit.xml", "report.sarif", "summary.md"];
    for file in kinds {
        let report =
            fs::read_to_string(directory.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(report.contains("bash"), "{file}: {report}");
    }
    let output = probity(["check", text(&directory)]);
    assert_eq!((output.code, output.stderr.as_str()), (0, ""), "reports do not damage evidence");
}

#[test]
fn an_asked_for_report_is_written_or_printed_alone() {
    let workdir = tempfile::tempdir().unwrap();
    let (page, json) = (workdir.path().join("a.html"), workdir.path().join("a.json"));
    let evidence = fixture("otlp/file-exporter.jsonl");
    let asked = [format!("html={}", text(&page)), format!("json={}", text(&json))];
    let output =
        probity(["check", text(&evidence), "--report", &asked[0], "--report", &asked[1], "--json", "-"]);
    assert!(output.stdout.starts_with("{\n  \"format\": \"probity-report\""), "{output:?}");
    assert_eq!(
        fs::read_to_string(&json).unwrap(),
        output.stdout,
        "`--json FILE` is short for `--report json=FILE`"
    );
    assert!(fs::read_to_string(&page).unwrap().to_ascii_lowercase().starts_with("<!doctype html>"));
    let printed = probity(["check", text(&evidence), "--report", "html=-"]);
    assert_eq!(printed.stdout, fs::read_to_string(&page).unwrap());
}

#[test]
fn a_report_that_cannot_be_written_is_said_and_takes_nothing_with_it() {
    let workdir = tempfile::tempdir().unwrap();
    let directory = workdir.path().join("evidence");
    // The file is there when the command begins, and a directory when it ends.
    let page = workdir.path().join("page");
    let script = format!("{}\nmkdir '{}'\n", sender(&[root("web", 1)]), text(&page));
    let asked = format!("html={}", text(&page));
    let mut exec =
        command(["exec", "--evidence", text(&directory), "--report", &asked, "--", "bash", "-c", &script]);
    let output = run(&mut exec);
    assert_eq!(output.code, 2, "{output:?}");
    assert!(
        output.stderr.contains(&format!("error: could not write {}: ", text(&page))),
        "{}",
        output.stderr
    );
    assert!(output.stdout.contains("\npass  "), "{}", output.stdout);
    assert!(directory.join("report.html").is_file() && directory.join("manifest.json").is_file());
    assert_eq!(probity(["check", text(&directory)]).code, 0);
}

/// What a GitHub runner would obey in this output: any line that begins with `::`, and `##[` anywhere.
fn commands(output: &str) -> Vec<&str> {
    let obeyed = |line: &&str| line.trim_start().starts_with("::") || line.contains("##[");
    output.split(['\n', '\r']).filter(obeyed).collect()
}

#[test]
fn on_a_runner_only_our_annotations_are_commands_whatever_a_program_prints_or_sends() {
    let workdir = tempfile::tempdir().unwrap();
    let summary = workdir.path().join("summary.md");
    fs::write(&summary, "before\n").unwrap();
    let hostile = root("::error::w ##[error]e b", 1).replace("w ##", "w\\n::warning::x\\n  ##");
    let prints = "printf '::add-mask::a\\n  ::error::b\\nc ##[error]d\\r::error::e\\n' | tee /dev/stderr";
    let script = format!("{}\n{prints}; exit 1", sender(&[hostile]));
    let mut exec = command(["exec", "--", "bash", "-c", &script]);
    let output = run(exec.env("GITHUB_ACTIONS", "true").env("GITHUB_STEP_SUMMARY", &summary));
    assert_eq!(output.code, 1, "{output:?}");
    assert_eq!(commands(&output.stderr), Vec::<&str>::new());
    let annotations = commands(&output.stdout);
    assert!(
        annotations.iter().any(|line| line.starts_with("::error title=EXPECT-03 bash::")),
        "{annotations:?}"
    );
    assert!(
        annotations
            .iter()
            .all(|line| line.starts_with("::error title=") || line.starts_with("::warning title="))
    );
    assert!(
        output.stdout.contains(":\\u{3a}add-mask::a\n") && output.stderr.contains("c ##\\u{5b}error]d\r"),
        "{output:?}"
    );
    let summary = fs::read_to_string(&summary).unwrap();
    assert!(summary.starts_with("before\n## Probity: fail\n") && summary.contains("EXPECT-03"), "{summary}");
}

#[test]
fn json_printed_on_a_runner_is_the_same_json_and_no_command() {
    let workdir = tempfile::tempdir().unwrap();
    let evidence = workdir.path().join("traces.jsonl");
    let request = span("web", 1, 1, "", 2, "GET /items/98412/##[error]boo");
    fs::write(&evidence, request.replace('\n', "") + "\n").unwrap();
    let check =
        |on: &str| run(command(["check", text(&evidence), "--json", "-"]).env("GITHUB_ACTIONS", on)).stdout;
    let [elsewhere, on_runner] = ["false", "true"].map(check);
    let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(read(&on_runner), read(&elsewhere));
    assert!(elsewhere.contains("##[") && commands(&on_runner).is_empty(), "{on_runner}");
}

#[test]
fn a_job_summary_never_grows_past_what_github_shows() {
    let workdir = tempfile::tempdir().unwrap();
    let summary = workdir.path().join("summary.md");
    let full = "x".repeat((1 << 20) - 100);
    fs::write(&summary, &full).unwrap();
    let evidence = fixture("otlp/file-exporter.jsonl");
    let mut check = command(["check", text(&evidence)]);
    let output = run(check.env("GITHUB_ACTIONS", "true").env("GITHUB_STEP_SUMMARY", &summary));
    assert_ne!(output.code, 2, "{output:?}");
    assert_eq!(fs::read_to_string(&summary).unwrap(), full);
}

#[test]
fn annotations_are_printed_beside_the_text_where_they_are_asked_for() {
    let output = probity(["exec", "--report", "github=-", "--", "sh", "-c", "exit 1"]);
    assert!(
        output.stdout.contains("\nfail  ") && output.stdout.contains("\n::error title=EXPECT-03 sh::"),
        "{output:?}"
    );
}
