//! `probity log-schema`: what the log lines of saved evidence are like, as the file that LOG-03 compares with.

use std::io::ErrorKind;
use std::path::Path;

use super::Done;
use super::arguments::LogSchemaArguments;
use super::evidence::{load, tell_problems};
use super::output::{Failure, print};
use crate::bundle::LoadedScenario;
use crate::model::Case;
use crate::report::text::count;
use crate::rules::log::schema::Schema;

pub(super) fn run(arguments: &LogSchemaArguments) -> Done {
    let loaded = load(&arguments.evidence)?;
    tell_problems(&arguments.evidence, &loaded.problems);
    let Some(file) = &arguments.write else {
        print(&schema(loaded.scenarios.iter()).text());
        return Ok(0);
    };
    let declares = |scenario: &&LoadedScenario| declares(scenario, file);
    let seen = match loaded.scenarios.iter().any(|scenario| declares(&scenario)) {
        true => schema(loaded.scenarios.iter().filter(declares)),
        false => schema(loaded.scenarios.iter()),
    };
    if seen.services.is_empty() {
        return Err(Failure::new(format!(
            "{} holds no log lines of a known profile",
            arguments.evidence.display()
        )));
    }
    let mut written = match std::fs::read_to_string(file) {
        Ok(text) => Schema::parse(&text).map_err(|error| failure(file, &error))?,
        Err(error) if error.kind() == ErrorKind::NotFound => Schema::default(),
        Err(error) => return Err(failure(file, &error)),
    };
    written.update(seen);
    crate::report::json::write_file(file, &written.text()).map_err(|error| failure(file, &error))?;
    let events = written.services.values().map(|service| service.events.len()).sum::<usize>();
    let (services, events) = (count(written.services.len() as u64, "service"), count(events as u64, "event"));
    print(&format!("wrote {}: {services}, {events}\n", file.display()));
    Ok(0)
}

/// Whether the scenario's system has its schema in that file.
fn declares(scenario: &LoadedScenario, file: &Path) -> bool {
    let declared = scenario.declaration.as_ref().and_then(|declaration| declaration.logs.schema.as_deref());
    declared.is_some_and(|declared| file.ends_with(declared) || Path::new(declared).ends_with(file))
}

fn schema<'l>(scenarios: impl Iterator<Item = &'l LoadedScenario>) -> Schema {
    let mut builder = Schema::builder();
    for scenario in scenarios {
        builder.add(&Case::new(&scenario.evidence, scenario.declaration.as_ref()));
    }
    builder.schema()
}

fn failure(file: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::new(format!("{}: {error}", file.display()))
}
