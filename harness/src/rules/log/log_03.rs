//! LOG-03: the fields of log lines are a contract with whoever reads them.

use crate::model::{Case, Judgement, Severity, SourcePlace};
use crate::rules::Rule;
use crate::rules::tally::{Fault, Tally};
use crate::rules::text::{quoted, service_shown};

use super::entries::{Entry, lines};
use super::profile::Profile;
use super::schema::{Fields, Schema, type_of};

pub(crate) static RULE: Rule = Rule {
    id: "LOG-03",
    severity: Severity::Error,
    requirement: "log lines have the fields of the committed schema: none removed, renamed or of another type; new ones are reported",
    needs: &["logs", "files", "log profile", "log schema"],
    page: include_str!("../pages/LOG-03.md"),
    judge,
};

fn judge(case: &Case) -> Judgement {
    let mut judgement = Judgement::default();
    let Some(name) = case.declaration.and_then(|declaration| declaration.logs.schema.as_deref()) else { return judgement };
    let mut tally = Tally::new(&RULE);
    match (committed(case, name), Profile::of(case)) {
        (Err(why), _) => judgement.gap(name, why),
        (Ok(_), None) => judgement.not_judged = Some("no line is of a profile that is known".into()),
        (Ok(schema), Some(profile)) => {
            let reading = Reading { schema, profile, file: name };
            for line in lines(case) {
                judgement.judged();
                reading.judge(&line, &mut tally);
            }
        }
    }
    tally.put_into(&mut judgement);
    judgement
}

/// The schema that the system committed; else why there is none.
fn committed(case: &Case, name: &str) -> Result<Schema, String> {
    let file = case.evidence.files.iter().find(|file| file.name == name).ok_or("it was not captured")?;
    match &file.error {
        Some(error) => Err(format!("{error}; `probity log-schema EVIDENCE --write {name}` makes it")),
        None => Schema::parse(&file.text).map_err(|error| error.to_string()),
    }
}

struct Reading<'c> {
    schema: Schema,
    profile: &'static Profile,
    file: &'c str,
}

impl Reading<'_> {
    fn judge(&self, line: &Entry<'_>, tally: &mut Tally) {
        let Some(service) = self.schema.services.get(line.service.as_ref()) else {
            return self.added(service_shown(&line.service), "service", tally);
        };
        let lines = format!("{}, lines", service_shown(&line.service));
        self.judge_fields(lines, line, true, &service.lines, tally);
        match service.events.get(&line.event()) {
            Some(fields) => self.judge_fields(line.subject(), line, false, fields, tally),
            None => self.added(line.subject(), "event", tally),
        }
    }

    /// The fields of the profile, or the event's own.
    fn judge_fields(&self, subject: String, line: &Entry<'_>, of_profile: bool, committed: &Fields, tally: &mut Tally) {
        let seen = || line.fields.iter().filter(|(key, _)| self.profile.owns(key) == of_profile);
        for (key, field) in committed {
            let value = seen().find(|(known, _)| known == key).map(|(_, value)| value);
            let subject = || format!("{subject}, field {}", quoted(key));
            match value.map(type_of) {
                None if field.optional => {}
                None => {
                    let new = || seen().filter(|(key, value)| !committed.contains_key(key) && field.types.contains(type_of(value)));
                    let renamed = new().next().map(|(key, _)| format!("; {} is new", quoted(key)));
                    tally.add_at(self.place(), subject(), "removed", || Fault {
                        required: format!("{field}, in each of these lines"),
                        seen: format!("a line goes without it{}", renamed.clone().unwrap_or_default()),
                        candidates: new().map(|(key, _)| quoted(key)).take(3).collect(),
                        ..self.broken()
                    });
                }
                Some(kind) if !field.types.contains(kind) => tally.add_at(self.place(), subject(), "retyped", || Fault {
                    required: field.to_string(),
                    seen: format!("it is {kind}"),
                    ..self.broken()
                }),
                Some(_) => {}
            }
        }
        for (key, _) in seen().filter(|(key, _)| !committed.contains_key(key)) {
            self.added(format!("{subject}, field {}", quoted(key)), "field", tally);
        }
    }

    fn broken(&self) -> Fault {
        Fault {
            fix: format!(
                "keep the old field beside the new one until nobody reads it, then accept the change with `probity \
                 log-schema EVIDENCE --write {}`; probity explain LOG-03",
                self.file
            ),
            ..Fault::default()
        }
    }

    fn place(&self) -> SourcePlace {
        SourcePlace { file: self.file.into(), line: 1 }
    }

    /// What is new breaks nobody: it is reported.
    fn added(&self, subject: String, what: &'static str, tally: &mut Tally) {
        tally.add_as(Severity::Note, subject, what, None, || Fault {
            required: "what the committed schema knows".into(),
            seen: format!("a new {what}"),
            fix: format!("accept it with `probity log-schema EVIDENCE --write {}`", self.file),
            ..Fault::default()
        });
    }
}

#[cfg(test)]
mod tests;
