//! LOG-07: the level can be changed while the process runs: by whoever may, for a while, and the log says so.

use crate::model::{Case, Credentials, Judgement, LevelChange, LevelReading, Severity, UnixNanos};
use crate::rules::Rule;
use crate::rules::tally::{Fault, Tally};
use crate::rules::text::{quoted, service_shown};

use super::entries::{Entry, events};

pub(crate) static RULE: Rule = Rule {
    id: "LOG-07",
    severity: Severity::Error,
    requirement: "the log level can be changed at run time, authenticated, for a limited time, and the change is itself logged",
    needs: &["level changes", "logs", "log level address", "thresholds"],
    page: include_str!("../pages/LOG-07.md"),
    judge,
};

fn judge(case: &Case) -> Judgement {
    let mut judgement = Judgement::default();
    let mut tally = Tally::warning_without_declaration(&RULE, case);
    for change in &case.evidence.level_changes {
        let subject = format!("{}, log level", service_shown(&change.service));
        if change.status.is_none() {
            judgement.gap(subject, "no answer to an attempt to change it");
            continue;
        }
        judgement.judged();
        match change.credentials {
            Credentials::Right => judge_change(case, change, &subject, &mut judgement, &mut tally),
            Credentials::None | Credentials::Wrong => judge_intrusion(change, &subject, &mut tally),
        }
    }
    tally.put_into(&mut judgement);
    judgement
}

/// Who does not know the token is refused, and the level stays.
fn judge_intrusion(change: &LevelChange, subject: &str, tally: &mut Tally) {
    let refused = matches!(change.status, Some(401 | 403));
    let changed = change.seen.iter().any(|reading| reading.level.is_some() && reading.level != change.before);
    if refused && !changed {
        return;
    }
    let who = match change.credentials {
        Credentials::None => "without credentials",
        _ => "with wrong credentials",
    };
    tally.add(subject.into(), "open", None, || Fault {
        required: "401 or 403 for whoever does not know the token, and the level as it was".into(),
        seen: match changed {
            true => format!("the level changed {who}"),
            false => format!("HTTP {} {who}", change.status.unwrap_or_default()),
        },
        fix: "ask for a token in front of the handler, and refuse everybody where none is configured: DEBUG prints what \
              nobody should read; probity explain LOG-07"
            .into(),
        ..Fault::default()
    });
}

fn judge_change(case: &Case, change: &LevelChange, subject: &str, judgement: &mut Judgement, tally: &mut Tally) {
    let status = change.status.unwrap_or_default();
    let first = change.seen.first().and_then(|reading| reading.level.as_deref());
    let over = change.at.saturating_add(nanos(change.lasts_ms));
    let is_back = first.is_some() && first == change.before.as_deref();
    if (200..300).contains(&status) && is_back && change.seen.iter().all(|reading| reading.at >= over) {
        return judgement.gap(subject, "it was not read before its time was over");
    }
    if !(200..300).contains(&status) || !first.is_some_and(|level| level.eq_ignore_ascii_case(&change.level)) {
        return tally.add(subject.into(), "refused", None, || Fault {
            required: format!("level {} after it was asked for with the token", quoted(&change.level)),
            seen: format!("HTTP {status}, and the level is {}", first.map_or("not told".into(), quoted)),
            fix: "apply the level to the running logger, and tell it on the same address; probity explain LOG-07".into(),
            ..Fault::default()
        });
    }
    judge_return(case, change, subject, judgement, tally);
    if !events(case).any(|entry| tells(&entry, change)) {
        tally.add(subject.into(), "untold", None, || Fault {
            required: "a line that says that the level was changed, and to what".into(),
            seen: "none".into(),
            fix: "log the change before a quieter level and after a more talkative one; probity explain LOG-07".into(),
            ..Fault::default()
        });
    }
}

/// The level goes back by itself, once its time is over. What counts is when it was seen to be changed still: when exactly it
/// went back, nobody sees.
fn judge_return(case: &Case, change: &LevelChange, subject: &str, judgement: &mut Judgement, tally: &mut Tally) {
    let lasts = nanos(change.lasts_ms).saturating_add(nanos(case.thresholds().log_level_margin_ms));
    let due = change.at.saturating_add(lasts);
    let is_back = |reading: &LevelReading| reading.level.is_some() && reading.level == change.before;
    let back = change.seen.iter().any(is_back);
    let stays = |reading: &LevelReading| reading.level.is_some() && !is_back(reading) && reading.at > due;
    match (change.seen.iter().any(stays), back) {
        (true, true) => tally.add(subject.into(), "late", None, || not_back(change, "it went back later than that")),
        (true, false) => tally.add(subject.into(), "for ever", None, || not_back(change, "it did not go back")),
        (false, true) => {}
        (false, false) => judgement.gap(subject, "it was not watched until its time was over"),
    }
}

fn nanos(ms: u64) -> UnixNanos {
    ms.saturating_mul(1_000_000)
}

fn not_back(change: &LevelChange, seen: &str) -> Fault {
    Fault {
        required: format!("level {} again after {} ms", quoted(change.before.as_deref().unwrap_or("")), change.lasts_ms),
        seen: seen.into(),
        fix: "give each change a time, and go back when it is over: nobody remembers yesterday's DEBUG until the disk is full; \
              probity explain LOG-07"
            .into(),
        ..Fault::default()
    }
}

/// Whether a line speaks of that change: of a level, and of the one that it became.
fn tells(entry: &Entry<'_>, change: &LevelChange) -> bool {
    let is_level = |text: &str| text.eq_ignore_ascii_case(&change.level);
    let names = || {
        entry.fields.iter().any(|(key, value)| key != "level" && value.as_str().is_some_and(is_level))
            || entry.message.split(|letter: char| !letter.is_alphanumeric()).any(is_level)
    };
    let of_process = entry.process == Some(&change.process);
    of_process && entry.message.to_ascii_lowercase().contains("level") && names()
}

#[cfg(test)]
mod tests;
