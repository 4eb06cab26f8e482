//! What changed between two saved runs: forms, exit codes, wrong input.

use std::fs;
use std::path::PathBuf;

use probity::bundle;
use probity::model::build::Build;
use probity::model::{Kind, Source};
use probity::report::ScenarioReport;
use serde_json::Value;

use super::kit::{Output, command, run};

/// Evidence of a program before and after a change, side by side.
struct Runs {
    directory: tempfile::TempDir,
}

impl Runs {
    fn new() -> Runs {
        let runs = Runs { directory: tempfile::tempdir().unwrap() };
        runs.save("before", "SELECT items", false);
        runs
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A request with a query; in a copied context a span loses its parent.
    fn save(&self, name: &str, query: &str, orphan: bool) {
        let mut build = Build::new();
        let web = build.process("web");
        let root = build.span(&web, Kind::Server, "GET /items").time(1, 10).add();
        build.span(&web, Kind::Internal, query).child_of(root).time(2, 9).add();
        let evidence = build.evidence_mut();
        evidence.scenario.clear();
        evidence.source = Source::Exec;
        evidence.processes.clear();
        let mut evidence = build.evidence();
        if orphan {
            evidence.requests.remove(0);
        }
        bundle::save(&self.path(name), &ScenarioReport::default(), &evidence, None).unwrap();
    }

    fn diff(&self, arguments: &[&str]) -> Output {
        run(command([&["diff"], arguments].concat()).current_dir(self.directory.path()))
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }
}

#[test]
fn the_same_run_again_shows_nothing() {
    let runs = Runs::new();
    runs.save("again", "SELECT items", false);
    let output = runs.diff(&["before", "again", "--deny", "changes", "--deny", "new-findings"]);
    assert_eq!(output.code, 0, "{output:?}");
    let expected = "from  before  pass        2 spans\nto    again   pass        2 spans\n\nno changes\n";
    assert_eq!(output.stdout, expected);
    assert_eq!(output.stderr, "");
}

#[test]
fn a_change_is_told_in_words_drawn_and_fails_only_when_it_is_denied() {
    let runs = Runs::new();
    runs.save("after", "SELECT goods", false);
    let output = runs.diff(&["before", "after"]);
    assert_eq!(output.code, 0, "{output:?}");
    let expected = "trees\n  ~ renamed: internal span under `GET /items`, from `SELECT items` to `SELECT goods`\n\n      web                   \
                    SERVER    GET /items\n    -   web                 INTERNAL  SELECT items\n    +   web                 INTERNAL  SELECT \
                    goods\n\nspans\n  + web INTERNAL SELECT goods: 1 span\n  - web INTERNAL SELECT items: 1 span\n\nchanged\n";
    assert!(output.stdout.ends_with(expected), "{}", output.stdout);
    assert_eq!(runs.diff(&["before", "after", "--deny", "new-findings"]).code, 0);
    assert_eq!(runs.diff(&["before", "after", "--deny", "changes"]).code, 1);
}

#[test]
fn new_findings_can_be_denied_and_known_ones_are_no_news() {
    let runs = Runs::new();
    runs.save("after", "SELECT items", true);
    let output = runs.diff(&["before", "after", "--deny", "new-findings", "--json", "diff.json"]);
    assert_eq!(output.code, 1, "{output:?}");
    assert!(output.stdout.contains("  + TRACE-03 error: web, span `SELECT items`\n"), "{output:?}");
    let json: Value = serde_json::from_str(&runs.read("diff.json")).unwrap();
    assert_eq!(
        (&json["format"], &json["version"], &json["exit_code"]),
        (&"probity-diff".into(), &1.into(), &1.into())
    );
    assert_eq!(json["findings"]["new"][0]["rule"], "TRACE-03");
    assert_eq!(runs.diff(&["after", "before", "--deny", "new-findings"]).code, 0, "what is gone is no news");
    fs::write(
        runs.path("known.yaml"),
        "version: 1\nknown:\n  - {rule: TRACE-03, subject: '*', reason: later}\n",
    )
    .unwrap();
    let known = runs.diff(&["before", "after", "--deny", "new-findings", "--known", "known.yaml"]);
    assert_eq!(known.code, 0, "{known:?}");
    assert!(known.stdout.contains("known: later"), "{known:?}");
}

#[test]
fn json_and_markdown_are_printed_alone_or_written() {
    let runs = Runs::new();
    runs.save("after", "SELECT goods", false);
    let json = runs.diff(&["before", "after", "--json", "-", "--markdown", "diff.md"]);
    assert!(
        serde_json::from_str::<Value>(&json.stdout).is_ok_and(|json| json["changed"] == true),
        "{json:?}"
    );
    let markdown = runs.diff(&["before", "after", "--markdown", "-"]);
    assert!(
        markdown
            .stdout
            .starts_with("## Probity: what changed\n\nFrom before (**pass**, 2 spans)\nto after ("),
        "{markdown:?}"
    );
    assert!(markdown.stdout.contains("\n```diff\n"), "{markdown:?}");
    assert_eq!(runs.read("diff.md"), markdown.stdout);
    let both = runs.diff(&["before", "after", "--json", "-", "--markdown", "-"]);
    assert!(both.code == 2 && both.stderr.contains("standard output can take one form"), "{both:?}");
}

#[test]
fn otlp_files_are_compared_like_evidence() {
    let runs = Runs::new();
    runs.save("after", "SELECT goods", false);
    for name in ["before", "after"] {
        let exported = run(command(["export", name]).current_dir(runs.directory.path()));
        fs::write(runs.path(&format!("{name}.jsonl")), exported.stdout).unwrap();
    }
    let output = runs.diff(&["before.jsonl", "after.jsonl"]);
    assert_eq!(output.code, 0, "{output:?}");
    assert!(output.stdout.contains("from `SELECT items` to `SELECT goods`"), "{output:?}");
    assert!(runs.diff(&["before.jsonl", "before"]).stdout.ends_with("\nno changes\n"));
}

#[test]
fn what_cannot_be_compared_is_one_message_and_code_2() {
    let runs = Runs::new();
    for (arguments, message) in [
        (&["before", "nowhere"][..], "nowhere could not be read"),
        (&["before"], "<B>"),
        (&["before", "before", "--deny", "everything"], "invalid value 'everything'"),
        (&["before", "before", "--json", "no/such/place.json"], "there is no directory no/such"),
        (&["before", "before", "--known", "none.yaml"], "could not read none.yaml"),
    ] {
        let output = runs.diff(arguments);
        assert_eq!((output.code, output.stdout.as_str()), (2, ""), "{output:?}");
        assert!(output.stderr.contains(message), "{output:?}");
    }
    let file = runs.path("before/traces.pb");
    let content = fs::read(&file).unwrap();
    fs::write(&file, &content[..content.len() / 2]).unwrap();
    runs.save("after", "SELECT items", false);
    let output = runs.diff(&["before", "after"]);
    assert_eq!(output.code, 2, "{output:?}");
    assert!(output.stderr.contains("before is not as it was saved"), "{output:?}");
    assert!(
        output.stdout.contains("1 span\nto    after   pass        2 spans\n"),
        "what could be read is compared: {output:?}"
    );
}

#[test]
fn what_is_incomplete_now_is_no_proof_that_nothing_is_new() {
    let runs = Runs::new();
    let mut build = Build::new();
    let web = build.process("web");
    let root = build.span(&web, Kind::Server, "GET /items").time(1, 10).add();
    build.span(&web, Kind::Internal, "SELECT items").child_of(root).time(2, 9).add();
    let mut evidence = build.evidence();
    evidence.scenario.clear();
    evidence.source = Source::Exec;
    evidence.processes.clear();
    evidence.ledger.senders[0].counts.lost_spans = 7;
    bundle::save(&runs.path("lossy"), &ScenarioReport::default(), &evidence, None).unwrap();
    let output = runs.diff(&["before", "lossy"]);
    assert_eq!(output.code, 0, "{output:?}");
    assert!(output.stdout.contains("  ~ the verdict: incomplete, was pass\n"), "{output:?}");
    assert_eq!(runs.diff(&["before", "lossy", "--deny", "new-findings"]).code, 3);
}
