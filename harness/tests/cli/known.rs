//! Findings that are accepted for now: `--known` on the commands that judge, and the file that `check` writes first.

use std::fs;
use std::path::{Path, PathBuf};

use super::kit::{Output, command, probity, run, sender, span};

/// Evidence of a program whose span names a parent that never arrived, and a way to write files beside it.
struct Case {
    directory: tempfile::TempDir,
}

impl Case {
    fn new() -> Case {
        let case = Case { directory: tempfile::tempdir().unwrap() };
        let saved = case.exec(&["--evidence", case.path("evidence").to_str().unwrap()]);
        assert_eq!(saved.code, 1, "{saved:?}");
        case
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn exec(&self, options: &[&str]) -> Output {
        let orphan = sender(&[span("web", 1, 2, "00000000000000ff", 1, "work")]);
        let arguments = [&["exec"], options, &["--", "bash", "-c", &orphan]].concat();
        run(command(arguments).current_dir(self.directory.path()))
    }

    fn check(&self, options: &[&str]) -> Output {
        let arguments = [&["check", "evidence"], options].concat();
        run(command(arguments).current_dir(self.directory.path()))
    }

    fn known(&self, entries: &str) -> &str {
        fs::write(self.path("known.yaml"), format!("version: 1\nknown:\n{entries}")).unwrap();
        "known.yaml"
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn a_known_finding_is_shown_with_its_reason_and_is_not_red() {
    let case = Case::new();
    let entry =
        "  - rule: TRACE-03\n    subject: web, span `work`\n    reason: the gateway is not traced yet\n";
    let known = case.known(entry);
    let json = case.path("report.json");
    for output in [case.check(&["--known", known, "--json", "report.json"]), case.exec(&["--known", known])] {
        assert_eq!(output.code, 0, "{output:?}");
        let line = "    known        TRACE-03 web, span `work`: the gateway is not traced yet\n";
        assert!(output.stdout.contains(line), "{output:?}");
        assert!(!output.stdout.contains("TRACE-03 error"), "{output:?}");
        assert!(output.stdout.contains("1 known finding, nothing lost"), "{output:?}");
    }
    let report: serde_json::Value = serde_json::from_str(&read(&json)).unwrap();
    let finding = &report["scenarios"][0]["findings"][0];
    assert_eq!(finding["known"], serde_json::json!({ "reason": "the gateway is not traced yet" }));
    assert_eq!((&report["verdict"], &report["exit_code"]), (&"pass".into(), &0.into()));
    assert_eq!(report["totals"]["known"], 1);
}

#[test]
fn an_acceptance_that_has_ended_counts_again_and_says_so() {
    let case = Case::new();
    let output = case.check(&[
        "--known",
        case.known("  - {rule: TRACE-03, subject: '*', reason: for the release, until: 2020-02-29}\n"),
    ]);
    assert_eq!(output.code, 1, "{output:?}");
    let line = "    expired      it was known until 2020-02-29, and counts again: for the release\n";
    assert!(output.stdout.contains(line), "{output:?}");
    let long = case.known("  - {rule: TRACE-03, subject: '*', reason: for the release, until: 9999-12-31}\n");
    let output = case.check(&["--known", long]);
    assert_eq!(output.code, 0, "{output:?}");
    assert!(output.stdout.contains("for the release (until 9999-12-31)\n"), "{output:?}");
}

#[test]
fn an_entry_that_matches_nothing_fails_and_names_its_line_and_the_nearest_finding() {
    let case = Case::new();
    let entries = "  - {rule: TRACE-03, subject: '*', reason: r}\n  - rule: TRACE-03\n    subject: web, span `wrok`\n    \
                   reason: the typo\n";
    let output = case.check(&["--known", case.known(entries), "--json", "report.json"]);
    assert_eq!(output.code, 1, "{output:?}");
    let expected = "  known.yaml:4:5: the known finding TRACE-03, subject `web, span `wrok`` is not there\n    \
                    reason       the typo\n    nearest      web, span `work`\n";
    assert!(output.stdout.contains(expected), "{output:?}");
    let report: serde_json::Value = serde_json::from_str(&read(&case.path("report.json"))).unwrap();
    assert_eq!(report["unmatched_known"][0]["place"], "known.yaml:4:5");
    assert_eq!(report["verdict"], "fail");
    assert_eq!(report["scenarios"][0]["verdict"], "pass");
}

#[test]
fn what_is_incomplete_stays_so_whatever_is_known() {
    let case = Case::new();
    let killed = sender(&[span("web", 1, 2, "00000000000000ff", 1, "work")]) + "kill -9 $$";
    let known = case.known("  - {rule: EXPECT-03, subject: '*', reason: it is killed on purpose}\n");
    let arguments = ["exec", "--known", known, "--", "bash", "-c", &killed];
    let output = run(command(arguments).current_dir(case.directory.path()));
    assert_eq!(output.code, 3, "{output:?}");
    assert!(output.stdout.contains("it is killed on purpose"), "{output:?}");
}

#[test]
fn the_first_file_accepts_what_fails_and_is_never_overwritten() {
    let case = Case::new();
    let output = case.check(&["--write-known", "first.yaml"]);
    assert_eq!(output.code, 0, "{output:?}");
    assert!(output.stderr.contains("wrote first.yaml: 1 entry"), "{output:?}");
    let text = read(&case.path("first.yaml"));
    assert!(
        text.contains("version: 1\nknown:\n  - rule: TRACE-03\n    subject: \"web, span `work`\""),
        "{text}"
    );
    assert_eq!(case.check(&["--known", "first.yaml"]).code, 0);
    let again = case.check(&["--write-known", "first.yaml"]);
    assert_eq!((again.code, again.stdout.as_str()), (2, ""), "{again:?}");
    assert!(again.stderr.contains("nothing is overwritten"), "{again:?}");
    assert_eq!(read(&case.path("first.yaml")), text);
    assert_eq!(case.check(&["--write-known", "second.yaml"]).code, 0);
    assert_eq!(read(&case.path("second.yaml")), text);
    let both = case.check(&["--known", "first.yaml", "--write-known", "third.yaml"]);
    assert!(both.code == 2 && both.stderr.contains("cannot be used with"), "{both:?}");
}

#[test]
fn a_broken_file_is_refused_before_anything_is_started() {
    let case = Case::new();
    let broken =
        case.known("  - {rule: TRACE-33, subject: x, reason: r}\n  - {rule: TRACE-03, reason: r, util: x}\n");
    for command in [vec!["check", "evidence"], vec!["exec"], vec!["listen"], vec!["run"]] {
        let tail: &[&str] = if command == ["exec"] { &["--", "touch", "started"] } else { &[] };
        for (file, message) in [
            (
                broken,
                "error: known.yaml:4:33: unknown field `util`, expected one of rule, subject, scenario, reason, until",
            ),
            ("none.yaml", "error: could not read none.yaml: No such file or directory"),
        ] {
            let arguments = [command.as_slice(), &["--known", file], tail].concat();
            let output = run(super::kit::command(arguments).current_dir(case.directory.path()));
            assert_eq!((output.code, output.stdout.as_str()), (2, ""), "{output:?}");
            assert!(output.stderr.contains(message), "{output:?}");
        }
    }
    assert!(!case.path("started").exists());
    let output = case.check(&["--known", case.known("  - {rule: TRACE-30, subject: x, reason: r}\n")]);
    assert!(
        output.stderr.contains("known.yaml:3:12: there is no rule `TRACE-30`; did you mean `TRACE-0"),
        "{output:?}"
    );
    let binary = case.path("binary.yaml");
    fs::write(&binary, [0xff, 0xfe, 0x00]).unwrap();
    let output = probity(["check", "x", "--known", binary.to_str().unwrap()]);
    assert!(output.code == 2 && output.stderr.contains("is no text in UTF-8"), "{output:?}");
}
