//! SCRAPE-05: a real Prometheus given the same file and the same answers agrees with us on every target.
//!
//! What it finds is a fault of ours, or of the version of Prometheus in use, rather than of the system: it says how far the
//! other SCRAPE rules can be believed.

use crate::exposition::{self, Format, ParseError};
use crate::model::{Case, HttpAnswer, Judgement, PrometheusView, Resolution, Severity, Target};
use crate::rules::Rule;
use crate::rules::tally::{Fault, Tally};
use crate::rules::text::shown;

use super::targets::{beginning, files, place, speaks_tls_to_plain, subject};

pub(crate) static RULE: Rule = Rule {
    id: "SCRAPE-05",
    severity: Severity::Error,
    requirement: "a real Prometheus given the same file and answers agrees on every target: up, its error, its samples",
    needs: &["targets", "files", "prometheus"],
    page: include_str!("../pages/SCRAPE-05.md"),
    judge,
};

fn judge(case: &Case) -> Judgement {
    let mut judgement = Judgement::default();
    let mut tally = Tally::new(&RULE);
    for file in files(case) {
        let Some(theirs) = &file.prometheus else { continue };
        judgement.judged();
        if theirs.is_ok() != file.error.is_none() {
            let words = |error: Option<&str>| error.map_or("it is read".to_owned(), |error| format!("refused: {}", shown(error)));
            tally.add_at(beginning(file), shown(&file.name), "file", || Fault {
                required: format!("as promtool says: {}", words(theirs.as_ref().err().map(String::as_str))),
                seen: words(file.error.as_deref()),
                fix: FIX.into(),
                ..Fault::default()
            });
        }
    }
    for target in &case.evidence.targets {
        let Some(view) = &target.prometheus else { continue };
        if let Some(what) = &target.not_evaluated {
            judgement.gap(subject(target), format!("not evaluated: {}", shown(what)));
            continue;
        }
        match ours(case, target, view) {
            Some(ours) => compare(target, view, &ours, &mut judgement, &mut tally),
            None => judgement.gap(subject(target), "it was not asked"),
        }
    }
    tally.put_into(&mut judgement);
    judgement
}

const FIX: &str = "believe Prometheus here, and report the difference: it is Probity's; probity explain SCRAPE-05";

/// What becomes of a scrape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scraped {
    /// Up; the number of samples where it is known.
    Up(Option<u64>),
    Down(Class),
}

/// Why a target is down, as far as two programs can be compared in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Host,
    Refused,
    Connection,
    Tls,
    Time,
    Status,
    ContentType,
    Body,
    /// Over a limit of the configuration: not this rule's.
    Limit,
}

impl Class {
    fn words(self) -> &'static str {
        match self {
            Class::Host => "no such host",
            Class::Refused => "connection refused",
            Class::Connection => "no HTTP answer",
            Class::Tls => "plain HTTP where TLS was spoken",
            Class::Time => "no answer in time",
            Class::Status => "a status other than 200",
            Class::ContentType => "a content type of no metrics format",
            Class::Body => "a body that is not in its format",
            Class::Limit => "over a limit",
        }
    }
}

impl Scraped {
    fn words(self) -> String {
        match self {
            Scraped::Up(Some(samples)) => format!("up, with {samples} samples"),
            Scraped::Up(None) => "up".into(),
            Scraped::Down(class) => format!("down: {}", class.words()),
        }
    }
}

fn compare(target: &Target, view: &PrometheusView, ours: &Scraped, judgement: &mut Judgement, tally: &mut Tally) {
    let theirs = theirs(&view.scraped);
    let agrees = match (*ours, theirs) {
        (_, Scraped::Down(Class::Limit)) => return,
        (Scraped::Up(Some(ours)), Scraped::Up(Some(theirs))) => ours == theirs,
        (Scraped::Up(_), Scraped::Up(_)) => true,
        (ours, theirs) => ours == theirs,
    };
    judgement.judged();
    if agrees {
        return;
    }
    let fault = || Fault {
        required: match &view.scraped {
            Ok(_) => format!("as Prometheus {} says: {}", shown(&view.version), theirs.words()),
            Err(error) => {
                format!("as Prometheus {} says: {} ({})", shown(&view.version), theirs.words(), shown(error))
            }
        },
        seen: ours.words(),
        fix: FIX.into(),
        ..Fault::default()
    };
    let openmetrics = target.answer.as_ref().is_some_and(|answer| {
        matches!(Format::of(answer.content_type.as_deref()), Ok(Format::OpenMetrics))
    });
    match (*ours, theirs) {
        // OpenMetrics we read to the letter: what it forbids may well be read by Prometheus.
        (Scraped::Down(Class::Body), Scraped::Up(_)) if openmetrics => {
            tally.add_as(Severity::Warning, subject(target), "stricter", None, || Fault {
                fix: "mend what SCRAPE-01 names: this Prometheus reads it, others need not; probity explain SCRAPE-05".into(),
                ..fault()
            });
        }
        _ => tally.add_at(place(target), subject(target), "differs", fault),
    }
}

/// What our own rules make of the target; `None`: it was not asked.
fn ours(case: &Case, target: &Target, view: &PrometheusView) -> Option<Scraped> {
    Some(match &target.resolved {
        Resolution::UnknownHost => Scraped::Down(Class::Host),
        Resolution::Scraper if target.is_prometheus() => Scraped::Up(None),
        Resolution::Scraper | Resolution::ClosedPort { .. } => Scraped::Down(Class::Refused),
        Resolution::Port { .. } => {
            let answer = target.answer.as_ref()?;
            let answered = read(answer, target.fallback_protocol.as_deref());
            match answered {
                Scraped::Down(Class::Host | Class::Refused | Class::Time) => answered,
                _ if speaks_tls_to_plain(case, target) => Scraped::Down(Class::Tls),
                // Before version 3 whatever came was read as text.
                Scraped::Down(Class::ContentType) if view.version.starts_with("2.") => as_text(answer),
                answered => answered,
            }
        }
    })
}

fn read(answer: &HttpAnswer, fallback: Option<&str>) -> Scraped {
    match (answer.status, answer.error.as_deref()) {
        (None, Some(HttpAnswer::NOT_IN_TIME)) => return Scraped::Down(Class::Time),
        (None, Some(error)) if error.to_lowercase().contains("refused") => return Scraped::Down(Class::Refused),
        (None, _) | (Some(200), Some(_)) => return Scraped::Down(Class::Connection),
        (Some(200), None) => {}
        (Some(_), _) => return Scraped::Down(Class::Status),
    }
    let parsed = exposition::parse(answer.content_type.as_deref(), answer.body.as_bytes());
    match (parsed, fallback.and_then(Format::of_protocol)) {
        (Ok(exposition), _) => Scraped::Up(Some(exposition.sample_count() as u64)),
        (Err(ParseError::ContentType(_)), Some(format)) => as_format(answer, format),
        (Err(ParseError::ContentType(_)), None) => Scraped::Down(Class::ContentType),
        (Err(ParseError::TooLarge { .. }), _) => Scraped::Down(Class::Limit),
        (Err(ParseError::Malformed { .. }), _) => Scraped::Down(Class::Body),
    }
}

fn as_text(answer: &HttpAnswer) -> Scraped {
    as_format(answer, Format::Text)
}

fn as_format(answer: &HttpAnswer, format: Format) -> Scraped {
    match exposition::parse_as(format, answer.body.as_bytes()) {
        Ok(exposition) => Scraped::Up(Some(exposition.sample_count() as u64)),
        Err(_) => Scraped::Down(Class::Body),
    }
}

/// Prometheus says why in words only. What Go's HTTP client says begins with the method.
fn theirs(scraped: &Result<u64, String>) -> Scraped {
    let error = match scraped {
        Ok(samples) => return Scraped::Up(Some(*samples)),
        Err(error) => error.as_str(),
    };
    let says = |words: &[&str]| words.iter().any(|word| error.contains(word));
    let of_the_client = error.starts_with("Get ");
    Scraped::Down(match () {
        () if says(&["deadline exceeded", "Timeout exceeded"]) => Class::Time,
        () if of_the_client && says(&["no such host", "server misbehaving"]) => Class::Host,
        () if of_the_client && says(&["connection refused"]) => Class::Refused,
        () if of_the_client && says(&["HTTP response to HTTPS client", "tls:"]) => Class::Tls,
        () if of_the_client || says(&["unexpected EOF", "connection reset by peer"]) => Class::Connection,
        () if says(&["server returned HTTP status"]) => Class::Status,
        () if says(&["Content-Type", "content type"]) => Class::ContentType,
        () if says(&["limit exceeded", "limit:", "exceeded by"]) => Class::Limit,
        () => Class::Body,
    })
}

#[cfg(test)]
mod tests;
