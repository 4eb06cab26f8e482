//! Shards put together: the whole's report and exit code, what is missing, and what does not belong together.

use std::fs;
use std::path::{Path, PathBuf};

use probity::bundle::Writer;
use probity::judge::judge;
use probity::model::build::{Address, Build};
use probity::model::{Kind, SpanId, TraceId};
use probity::report::{BackendReport, Plan, RunReport, ScenarioReport, Shard};
use serde_json::Value;

use super::kit::{Output, command, run};

/// Scenarios of a run, in the order in which they are defined; the third is red.
const SCENARIOS: [&str; 5] = ["a_create", "b_click", "c_orphan", "d_detail", "e_health"];

struct Runs {
    directory: tempfile::TempDir,
}

impl Runs {
    fn new() -> Runs {
        Runs { directory: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn plan(shard: Option<&str>) -> Plan {
        let names: Vec<String> = SCENARIOS.iter().map(|name| name.to_string()).collect();
        let shard = shard.map(|shard| shard.parse::<Shard>().unwrap());
        Plan { subject: "shortener".into(), all: names.clone(), chosen: names, shard, defect: None }
    }

    /// A run, or a shard of it, that ended.
    fn save(&self, name: &str, plan: Plan) -> &Runs {
        let writer = Writer::create(&self.path(name), Some(plan.clone())).unwrap();
        let reports = plan.share().map(|scenario| save_scenario(&writer, scenario)).collect();
        writer.finish(&finished(plan, reports)).unwrap();
        self
    }

    fn shards(&self, of: u32) -> Vec<String> {
        let name = |index| format!("{index}-of-{of}");
        (1..=of).for_each(|index| {
            self.save(&name(index), Runs::plan(Some(&format!("{index}/{of}"))));
        });
        (1..=of).map(name).collect()
    }

    fn probity(&self, arguments: &[&str]) -> Output {
        run(command(arguments).current_dir(self.directory.path()))
    }

    fn merge(&self, shards: &[String], options: &[&str]) -> Output {
        let mut arguments = vec!["merge"];
        arguments.extend(shards.iter().map(String::as_str));
        arguments.extend(["--evidence", "whole"]);
        arguments.extend(options);
        self.probity(&arguments)
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_str(&fs::read_to_string(self.path(name)).unwrap()).unwrap()
    }
}

fn save_scenario(writer: &Writer, name: &str) -> ScenarioReport {
    let mut build = Build::new();
    let api = build.process("url-api");
    let mut span = build.span(&api, Kind::Internal, "work");
    if name == "c_orphan" {
        span = span.child_of(Address { trace: TraceId([7; 16]), span: SpanId([7; 8]) });
    }
    span.add();
    build.evidence_mut().scenario = name.into();
    let mut report = judge(&build.evidence(), None);
    report.family = "trace".into();
    report.seconds = [("drive".to_string(), 0.25)].into();
    writer.scenario(&report, &build.evidence(), None).unwrap();
    report
}

fn finished(plan: Plan, reports: Vec<ScenarioReport>) -> RunReport {
    let etcd = BackendReport {
        name: "etcd".into(),
        provider: "embedded".into(),
        version: "3.7.2".into(),
        ready_ms: 90,
        limits: vec![],
    };
    let mut report = RunReport::new(plan.subject.clone(), reports).with_backends(vec![etcd]).with_plan(&plan);
    report.seconds = 1.0;
    report
}

#[test]
fn the_report_of_the_shards_together_is_that_of_the_whole_run() {
    let runs = Runs::new();
    runs.save("at-once", Runs::plan(None));
    let expected = runs.probity(&["check", "at-once", "--json", "at-once.json"]);
    assert_eq!(expected.code, 1, "{expected:?}");
    for of in [1, 2, 3, 5, 8] {
        let output = runs.merge(&runs.shards(of), &["--json", "whole.json"]);
        assert_eq!(output.code, 1, "{output:?}");
        assert_eq!(runs.json("whole.json"), runs.json("at-once.json"), "{of} shards");
        let checked = runs.probity(&["check", "whole", "--json", "checked.json"]);
        assert_eq!(checked.code, 1, "{checked:?}");
        assert_eq!(runs.json("checked.json"), runs.json("at-once.json"), "{of} shards, again");
        assert!(runs.path("whole/report.json").is_file(), "all reports lie beside the evidence");
    }
}

#[test]
fn a_shard_of_more_than_there_are_scenarios_is_green_and_says_which_it_is() {
    let runs = Runs::new();
    runs.shards(8);
    let empty = runs.probity(&["check", "7-of-8", "--json", "empty.json"]);
    assert_eq!(empty.code, 0, "{empty:?}");
    assert_eq!(runs.json("empty.json")["shard"], serde_json::json!({ "index": 7, "of": 8 }));
    assert!(empty.stdout.contains("shard 7/8"), "{empty:?}");
}

#[test]
fn a_missing_shard_is_incomplete_and_named_with_its_scenarios() {
    let runs = Runs::new();
    let shards = runs.shards(5);
    let green = [shards[0].clone(), shards[1].clone(), shards[4].clone()];
    let output = runs.merge(&green, &["--json", "whole.json"]);
    assert_eq!(output.code, 3, "{output:?}");
    assert!(output.stdout.contains("incomplete           c_orphan"), "{output:?}");
    assert!(output.stdout.contains("  shard 3/5 is missing\n"), "{output:?}");
    let whole = runs.json("whole.json");
    let names: Vec<_> =
        whole["scenarios"].as_array().unwrap().iter().map(|scenario| &scenario["name"]).collect();
    assert_eq!(names, SCENARIOS);
    assert_eq!((&whole["totals"]["pass"], &whole["totals"]["incomplete"]), (&3.into(), &2.into()));
    assert_eq!(runs.probity(&["check", "whole"]).code, 3);
}

#[test]
fn a_shard_that_did_not_end_leaves_the_whole_incomplete() {
    let runs = Runs::new();
    let mut shards = runs.shards(2);
    let plan = Runs::plan(Some("1/2"));
    let writer = Writer::create(&runs.path("killed"), Some(plan.clone())).unwrap();
    save_scenario(&writer, "a_create");
    shards[0] = "killed".into();
    let output = runs.merge(&shards, &[]);
    assert_eq!(output.code, 3, "{output:?}");
    assert!(output.stdout.contains("shard 1/2 did not end"), "{output:?}");
    writer.finish(&finished(plan, Vec::new()).interrupted()).unwrap();
    assert_eq!(runs.merge(&shards, &[]).code, 2, "an interrupt is always 2");
}

#[test]
fn known_findings_are_held_against_the_whole_and_not_against_a_shard() {
    let runs = Runs::new();
    let shards = runs.shards(2);
    let known = "version: 1\nknown:\n  - {rule: TRACE-03, subject: '*', reason: r}\n  - {rule: TRACE-12, subject: x, reason: gone}\n";
    fs::write(runs.path("known.yaml"), known).unwrap();
    for shard in &shards {
        let alone = runs.probity(&["check", shard, "--known", "known.yaml"]);
        assert_eq!(alone.code, 0, "{alone:?}");
    }
    let output = runs.merge(&shards, &["--known", "known.yaml"]);
    assert_eq!(output.code, 1, "{output:?}");
    assert!(output.stdout.contains("known.yaml:4:5: the known finding TRACE-12"), "{output:?}");
    assert!(!output.stdout.contains("known.yaml:3:5"), "{output:?}");
}

#[test]
fn what_was_changed_after_it_was_saved_is_said_of_the_whole() {
    let runs = Runs::new();
    let shards = runs.shards(2);
    let file = runs.path("1-of-2/a_create/traces.pb");
    let content = fs::read(&file).unwrap();
    fs::write(&file, &content[..content.len() - 3]).unwrap();
    let output = runs.merge(&shards, &[]);
    assert_eq!(output.code, 2, "{output:?}");
    assert!(output.stderr.contains("a_create: traces.pb is cut off"), "{output:?}");
}

#[test]
fn what_is_not_of_one_run_is_refused_and_nothing_is_written() {
    let runs = Runs::new();
    let shards = runs.shards(2);
    let others = runs.shards(3);
    runs.save("unsharded", Runs::plan(None));
    let mut fewer = Runs::plan(Some("2/2"));
    fewer.chosen.pop();
    runs.save("fewer", fewer);
    runs.save("elsewhere", Plan { subject: "ledger".into(), ..Runs::plan(Some("2/2")) });
    let mut foreign = Runs::plan(Some("2/2"));
    foreign.chosen.rotate_left(1);
    runs.save("foreign", foreign);
    let text = fs::read_to_string(runs.path("2-of-2/manifest.json")).unwrap();
    fs::create_dir(runs.path("moved")).unwrap();
    fs::write(
        runs.path("moved/manifest.json"),
        text.replace("\"name\": \"b_click\"", "\"name\": \"a_create\""),
    )
    .unwrap();
    fs::write(runs.path("notes.txt"), "x").unwrap();
    let one = shards[0].as_str();
    let table: [(&[&str], &str); 10] = [
        (&[one, one], "1-of-2 and 1-of-2 are both shard 1/2"),
        (&[one, &others[1]], "1-of-2 and 2-of-3 are not of one run: one is shard 1/2, the other shard 2/3"),
        (&[one, "unsharded"], "unsharded is no shard of a run: it was saved without --shard"),
        (&[one, "unsharded/a_create"], "unsharded/a_create is no shard of a run"),
        (&[one, "fewer"], "are not of one run: the first is to judge `e_health`, the second is not"),
        (&[one, "foreign"], "are not of one run: they are to judge the same scenarios in another order"),
        (&[one, "elsewhere"], "are not of one run: one is of shortener, the other of ledger"),
        (&[one, "moved"], "moved is shard 2/2, and holds `a_create`, which is not in it"),
        (&[one, "notes.txt"], "notes.txt/manifest.json could not be read"),
        (&[one, "nowhere"], "nowhere/manifest.json could not be read"),
    ];
    for (parts, message) in table {
        let parts: Vec<String> = parts.iter().map(|part| part.to_string()).collect();
        let output = runs.merge(&parts, &[]);
        assert_eq!((output.code, output.stdout.as_str()), (2, ""), "{output:?}");
        assert!(output.stderr.contains(message) && output.stderr.contains("hint: "), "{message}: {output:?}");
        assert!(!runs.path("whole").exists(), "{message}");
    }
}

#[test]
fn the_whole_replaces_no_shard_and_no_work() {
    let runs = Runs::new();
    let shards = runs.shards(2);
    for into in ["1-of-2", "."] {
        let output = runs.probity(&["merge", &shards[0], &shards[1], "--evidence", into]);
        assert_eq!(output.code, 2, "{output:?}");
        assert!(output.stderr.contains("is one of the shards"), "{output:?}");
    }
    assert!(Path::new(&runs.path("1-of-2/a_create/manifest.json")).is_file());
    fs::create_dir(runs.path("whole")).unwrap();
    fs::write(runs.path("whole/thesis.txt"), "x").unwrap();
    let output = runs.merge(&shards, &[]);
    assert!(
        output.code == 2 && output.stderr.contains("holds no evidence that could be replaced"),
        "{output:?}"
    );
    let none = runs.probity(&["merge", "--evidence", "x"]);
    assert!(none.code == 2 && none.stderr.contains("<DIR>..."), "{none:?}");
}

#[test]
fn a_shard_that_is_none_is_wrong_input() {
    let runs = Runs::new();
    for shard in ["0/3", "4/3", "3", "a/b", "1/0", "1/1001"] {
        let output = runs.probity(&["run", "--shard", shard]);
        assert!(output.code == 2 && output.stderr.contains("write I/N"), "{output:?}");
    }
    for with_defect in [&["--shard", "1/2"][..], &["--rerun-failed"]] {
        let arguments = [&["run", "--defect", "health-traced"], with_defect].concat();
        let output = runs.probity(&arguments);
        assert!(output.code == 2 && output.stderr.contains("cannot be used with"), "{output:?}");
    }
}
