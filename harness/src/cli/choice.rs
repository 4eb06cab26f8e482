//! Which scenarios a run is to judge: those that were named, those that a defect shows in, those that were not green last
//! time; and of these one shard.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::arguments::RunArguments;
use super::evidence;
use super::gate::Gate;
use super::output::{Failure, note, relative};
use crate::bundle;
use crate::known::Scope;
use crate::model::Verdict;
use crate::report::Plan;
use crate::report::text::count;
use crate::run::{Defect, System, Task, subject_of};
use crate::workdir::RunDirectory;

/// What a run is to do.
pub(super) struct Choice<'s> {
    pub(super) tasks: Vec<Task<'s>>,
    pub(super) plan: Plan,
    /// How the run is introduced: what of how much.
    pub(super) introduction: String,
}

impl Choice<'_> {
    /// What there is to be judged: not all of it need have been chosen.
    pub(super) fn scope(&self) -> Scope {
        Scope { scenarios: self.plan.all.clone(), partial: self.plan.defect.is_some() }
    }
}

/// What the arguments ask for. `None`: what was not green last time, and nothing was red.
pub(super) fn choose<'s>(
    systems: &'s [Arc<System>],
    arguments: &RunArguments,
    gate: &Gate,
) -> Result<Option<Choice<'s>>, Failure> {
    let all = || scenarios(systems).map(|task| task.scenario.name.to_string()).collect::<Vec<_>>();
    if let Some(name) = &arguments.defect {
        let task = with_defect(systems, name)?;
        let chosen = vec![task.scenario.name.to_string()];
        let subject = subject_of(&[task]);
        let plan = Plan { subject, all: all(), chosen, shard: None, defect: Some(name.clone()) };
        return Ok(Some(Choice { introduction: with_its_defect(&task), tasks: vec![task], plan }));
    }
    let mut tasks = named(systems, arguments)?;
    let mut again = None;
    if let Some(place) = &arguments.rerun_failed {
        let last = last_run(place.as_deref())?;
        let red = not_green(&last, gate, systems)?;
        let (of, from) = (tasks.len() as u64, relative(&last));
        tasks.retain(|task| red.iter().any(|name| name == task.scenario.name));
        if tasks.is_empty() {
            note(&format!("nothing to run again: every scenario of {from} passed"));
            return Ok(None);
        }
        again = Some(format!("again {} of {of}, not green in {from}", tasks.len()));
    }
    let chosen: Vec<String> = tasks.iter().map(|task| task.scenario.name.to_string()).collect();
    let (subject, of) = (subject_of(&tasks), count(chosen.len() as u64, "scenario"));
    let plan = Plan { subject, all: all(), chosen, shard: arguments.shard, defect: None };
    if let Some(shard) = plan.shard {
        let mut places = 0..;
        tasks.retain(|_| places.next().is_some_and(|place| shard.has(place)));
    }
    let share = plan.shard.map(|shard| format!("shard {shard}: {} of {of}", tasks.len()));
    let introduction = match (share, again) {
        (Some(share), Some(again)) => format!("{share} ({again})"),
        (share, again) => share.or(again).unwrap_or(of),
    };
    Ok(Some(Choice { tasks, plan, introduction }))
}

fn with_its_defect(task: &Task) -> String {
    let (scenario, Some(defect)) = (task.scenario, task.defect) else { return String::new() };
    let red: Vec<_> = defect.red().collect();
    let (name, carrier, about) = (defect.name, defect.carrier, defect.about);
    // Rows leave EXPECT out: it judges what a scenario states, not what a service does.
    let trees = if (scenario.stack)().has_snapshot() {
        "; EXPECT-02 too, if its trees are not those of the snapshot"
    } else {
        ""
    };
    format!(
        "{} with the defect {name}: {carrier} {about}\nmust turn red: {}{trees}",
        scenario.name,
        red.join(" ")
    )
}

/// The scenarios that the patterns name; without any, all.
fn named<'s>(systems: &'s [Arc<System>], arguments: &RunArguments) -> Result<Vec<Task<'s>>, Failure> {
    let all: Vec<Task> = scenarios(systems).collect();
    let patterns: Vec<&String> = arguments.only.iter().chain(&arguments.scenarios).collect();
    for pattern in &patterns {
        if !all.iter().any(|task| fits(task, pattern)) {
            let known =
                all.iter().flat_map(|task| [task.scenario.name, task.scenario.family, task.system.name]);
            let hint = "a part of a scenario's name, its family, or its system";
            return Err(Failure::unknown("scenario", pattern, known, hint));
        }
    }
    let wanted = |task: &Task| patterns.is_empty() || patterns.iter().any(|pattern| fits(task, pattern));
    Ok(all.into_iter().filter(wanted).collect())
}

/// Every scenario of every system, without a defect.
pub(super) fn scenarios(systems: &[Arc<System>]) -> impl Iterator<Item = Task<'_>> {
    systems.iter().flat_map(|system| system.scenarios.iter().map(move |scenario| Task::new(system, scenario)))
}

/// The scenario that a defect shows in, with the defect; `None` where the system has no such scenario.
pub(super) fn broken<'s>(system: &'s Arc<System>, defect: &'s Defect) -> Option<Task<'s>> {
    system.scenario(defect.scenario).map(|scenario| Task::new(system, scenario).with(defect))
}

fn with_defect<'s>(systems: &'s [Arc<System>], name: &str) -> Result<Task<'s>, Failure> {
    let found = systems.iter().find_map(|system| Some((system, system.defect(name)?)));
    let Some((system, defect)) = found else {
        let known = systems.iter().flat_map(|system| &system.defects).map(|defect| defect.name);
        return Err(Failure::unknown("defect", name, known, "`probity defects` lists them"));
    };
    broken(system, defect).ok_or_else(|| Failure::new(format!("{name} names no scenario that there is")))
}

/// A pattern is a part of the name, the family, or the system.
fn fits(task: &Task, pattern: &str) -> bool {
    let Task { system, scenario, .. } = task;
    scenario.family == pattern || system.name == pattern || scenario.name.contains(pattern)
}

/// The run that was named, else the last one of `probity run` without a defect. Tests leave no plan.
fn last_run(named: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(named) = named {
        return Ok(named.into());
    }
    let runs = RunDirectory::all().map_err(|error| Failure::new(error.to_string()))?;
    let is_one = |path: &PathBuf| bundle::plan_of(path).is_some_and(|plan| plan.defect.is_none());
    runs.into_iter().find(is_one).ok_or_else(|| {
        Failure::new("there is no earlier run in target/probity").hint(
            "name the evidence of one: --rerun-failed DIR; `probity run` without the option makes the first",
        )
    })
}

/// The scenarios of a run that did not pass or were never reached, judged again by today's rules.
fn not_green(run: &Path, gate: &Gate, systems: &[Arc<System>]) -> Result<Vec<String>, Failure> {
    let loaded = evidence::load(run)?;
    let Some(plan) = loaded.plan() else {
        return Err(Failure::new(format!("{} is no run of scenarios", run.display()))
            .hint("name the evidence of a `probity run`, such as target/probity/latest"));
    };
    if let Some(defect) = &plan.defect {
        let message = format!("{} is a run with the defect {defect}: it is meant to fail", run.display());
        return Err(Failure::new(message).hint(format!("`probity run --defect {defect}` runs it again")));
    }
    let report = gate.run(loaded.judge(""), &Scope { partial: true, ..Scope::default() });
    let is_red = |name: &&str| {
        let judged = report.scenarios.iter().find(|scenario| scenario.name == *name);
        judged.is_none_or(|scenario| scenario.verdict.is_some_and(|verdict| verdict != Verdict::Pass))
    };
    let red: Vec<String> = plan.share().filter(is_red).map(String::from).collect();
    for gone in red.iter().filter(|name| !systems.iter().any(|system| system.scenario(name).is_some())) {
        note(&format!("{gone} was not green, and is no scenario any more"));
    }
    Ok(red)
}
