//! `probity tree`: the trace trees of saved evidence, in outline notation.

use std::fmt::Write;

use super::Done;
use super::arguments::TreeArguments;
use super::evidence::{load, tell_problems};
use super::output::{Failure, print};
use crate::bundle::LoadedScenario;
use crate::model::{Case, TraceId};
use crate::outline::View;
use crate::report::text::{count, harmless};
use crate::report::trees::{folded, of_trace};

/// So many digits name a trace by its id, and not a shape by its number.
const ID_DIGITS_MIN: usize = 8;

pub(super) fn run(arguments: &TreeArguments) -> Done {
    let loaded = load(&arguments.evidence)?;
    let scenarios = chosen(&loaded.scenarios, arguments.scenario.as_deref())?;
    tell_problems(&arguments.evidence, &loaded.problems);
    match &arguments.trace {
        Some(trace) => print(&one(&scenarios, trace)?),
        None => scenarios.iter().for_each(|scenario| print(&all(scenario, loaded.scenarios.len() > 1))),
    }
    Ok(if loaded.problems.is_empty() { 0 } else { 2 })
}

fn chosen<'l>(
    scenarios: &'l [LoadedScenario],
    name: Option<&str>,
) -> Result<Vec<&'l LoadedScenario>, Failure> {
    let Some(name) = name else { return Ok(scenarios.iter().collect()) };
    let found: Vec<_> = scenarios.iter().filter(|scenario| scenario.evidence.scenario == name).collect();
    if found.is_empty() {
        let names = scenarios.iter().map(|scenario| scenario.evidence.scenario.as_str());
        return Err(Failure::unknown(
            "scenario",
            name,
            names,
            "`probity check` lists the scenarios of the evidence",
        ));
    }
    Ok(found)
}

fn case(scenario: &LoadedScenario) -> Case<'_> {
    Case::new(&scenario.evidence, scenario.declaration.as_ref())
}

/// Every shape, numbered, the most frequent first.
fn all(scenario: &LoadedScenario, named: bool) -> String {
    let case = case(scenario);
    let mut text = String::new();
    if named {
        _ = writeln!(text, "{}", harmless(&scenario.evidence.scenario, false));
    }
    let shapes = View::default().links().shapes(&case);
    text.push_str(&folded(&shapes));
    _ = writeln!(
        text,
        "{} in {}, {}\n",
        count(case.spans.len() as u64, "span"),
        count(case.spans.traces().len() as u64, "trace"),
        count(shapes.len() as u64, "shape")
    );
    text
}

/// The traces that a number or the first digits of an id name.
fn one(scenarios: &[&LoadedScenario], name: &str) -> Result<String, Failure> {
    let mut text = String::new();
    for scenario in scenarios {
        let case = case(scenario);
        for trace in named(&case, name) {
            text.push_str(&of_trace(&case, trace));
        }
        if name.len() < ID_DIGITS_MIN && scenarios.len() > 1 {
            return Err(Failure::new(format!("which scenario's shape {name}?"))
                .hint("name one with --scenario, or the trace by its id"));
        }
    }
    if text.is_empty() {
        return Err(Failure::new(format!("there is no trace `{name}`")).hint(
            "`probity tree EVIDENCE` numbers the shapes; an id is given by its first eight digits or more",
        ));
    }
    Ok(text)
}

fn named(case: &Case, name: &str) -> Vec<TraceId> {
    if name.len() < ID_DIGITS_MIN {
        let number = name.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        let shapes = View::default().shapes(case);
        return number.and_then(|number| shapes.get(number)).map(|shape| shape.example).into_iter().collect();
    }
    let digits = name.to_ascii_lowercase();
    case.spans.traces().into_iter().filter(|trace| trace.to_string().starts_with(&digits)).collect()
}
