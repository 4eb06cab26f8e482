//! What services exposed when we scraped them: answers read as expositions, families counted by their labels.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::catch_unwind;
use std::sync::Arc;

use crate::exposition::{self, Exposition, Family, FamilyType, Format, ParseError, Sample};
use crate::model::{Case, HttpAnswer, Process, ProcessId, Scrape, ScrapeStage, Socket};

use super::text::shown;

/// One of our own scrapes, read.
pub(crate) struct Exposed<'a> {
    pub(crate) scrape: &'a Scrape,
    exposition: Arc<Result<Exposition<'a>, String>>,
}

impl<'a> Exposed<'a> {
    /// One of the case's own scrapes.
    pub(crate) fn of(case: &Case<'a>, scrape: &'a Scrape) -> Self {
        match case.expositions.get(&place(scrape)) {
            Some(exposition) => Exposed { scrape, exposition: exposition.clone() },
            None => Exposed::alone(scrape),
        }
    }

    /// A scrape of which no more than this is asked.
    pub(crate) fn alone(scrape: &'a Scrape) -> Self {
        Exposed { scrape, exposition: Arc::new(read(&scrape.answer, None)) }
    }

    /// `Err`: why there is no exposition, in words.
    pub(crate) fn exposition(&self) -> Result<&Exposition<'a>, &str> {
        self.exposition.as_ref().as_ref().map_err(String::as_str)
    }

    pub(crate) fn service(&self) -> &'a str {
        &self.scrape.service
    }

    /// Whether there was a whole answer with a body in no format, or not in its own.
    pub(crate) fn is_unreadable(&self) -> bool {
        let answer = &self.scrape.answer;
        self.exposition().is_err() && answer.status == Some(200) && answer.error.is_none()
    }

    /// The family of that name, if there is an exposition.
    pub(crate) fn family(&self, name: &str) -> Option<&Family<'a>> {
        self.exposition().ok()?.family(name)
    }
}

/// Reads every scrape of a case that many rules will ask about. One whose reading panics is left to them: each rule answers for
/// its own panic.
pub(crate) fn read_all(case: &mut Case) {
    for scrape in &case.evidence.scrapes {
        if let Ok(exposed) = catch_unwind(|| Exposed::alone(scrape)) {
            case.expositions.insert(place(scrape), exposed.exposition);
        }
    }
}

/// What tells a scrape from every other one of its evidence, which outlives the case.
fn place(scrape: &Scrape) -> usize {
    std::ptr::from_ref(scrape).addr()
}

/// Reads an answer as Prometheus would: 200, a content type that names a format (or the fallback that the job names), and a
/// body in that format.
pub(crate) fn read<'a>(answer: &'a HttpAnswer, fallback: Option<Format>) -> Result<Exposition<'a>, String> {
    let Some(status) = answer.status else {
        return Err(shown(answer.error.as_deref().unwrap_or("no answer")));
    };
    if status != 200 {
        return Err(format!("HTTP {status}"));
    }
    if let Some(error) = &answer.error {
        return Err(shown(error));
    }
    let parsed = match (exposition::parse(answer.content_type.as_deref(), answer.body.as_bytes()), fallback) {
        (Err(ParseError::ContentType(_)), Some(format)) => {
            exposition::parse_as(format, answer.body.as_bytes())
        }
        (parsed, _) => parsed,
    };
    parsed.map_err(|error| format!("200 with {error}"))
}

/// The last scrape of each process, in the order of their ids. Scrapes before the traffic are none.
pub(crate) fn last_scrapes<'a>(case: &Case<'a>) -> Vec<Exposed<'a>> {
    let mut last: BTreeMap<&ProcessId, &Scrape> = BTreeMap::new();
    for scrape in case.evidence.scrapes.iter().filter(|scrape| scrape.stage != ScrapeStage::Before) {
        let known = last.entry(&scrape.process).or_insert(scrape);
        if known.at <= scrape.at {
            *known = scrape;
        }
    }
    last.into_values().map(|scrape| Exposed::of(case, scrape)).collect()
}

/// The last scrape of one process.
pub(crate) fn last_scrape_of<'a>(case: &Case<'a>, process: &ProcessId) -> Option<Exposed<'a>> {
    let its_own = |scrape: &&Scrape| scrape.stage != ScrapeStage::Before && scrape.process == *process;
    case.evidence
        .scrapes
        .iter()
        .filter(its_own)
        .max_by_key(|scrape| scrape.at)
        .map(|scrape| Exposed::of(case, scrape))
}

/// The scrape of a process before its traffic, if there was one.
pub(crate) fn first_scrape<'a>(case: &Case<'a>, process: &ProcessId) -> Option<Exposed<'a>> {
    let before = |scrape: &&Scrape| scrape.stage == ScrapeStage::Before && scrape.process == *process;
    case.evidence.scrapes.iter().find(before).map(|scrape| Exposed::of(case, scrape))
}

/// Whether the families of a process may be judged: it became ready, or another process holds the port that they should be
/// on (which is then why it never did).
pub(crate) fn answers_for_itself<'a>(case: &Case<'a>, scrape: &Scrape) -> Option<&'a Process> {
    let process = case.process(&scrape.process)?;
    (process.ready.is_some() || lost_port(case, &process.id).is_some()).then_some(process)
}

/// The port of a process that another process holds.
pub(crate) fn lost_port<'a>(case: &Case<'a>, process: &ProcessId) -> Option<&'a Socket> {
    let mut sockets = case.evidence.sockets.iter();
    sockets.find(|socket| socket.process == *process && socket.held_by.is_some())
}

/// How many instances of a service were ready, or would have been.
pub(crate) fn instances(case: &Case, service: &str) -> usize {
    let ready = |process: &&Process| process.ready.is_some() || lost_port(case, &process.id).is_some();
    case.processes_of(service).filter(ready).count()
}

/// The samples that count something: a counter's values, a histogram's or summary's counts. `None` for other types.
pub(crate) fn counts<'f, 'a>(family: &'f Family<'a>) -> Option<Vec<&'f Sample<'a>>> {
    let wanted: &[&str] = match family.kind {
        // Plain text's counters carry their suffix in the family's own name.
        FamilyType::Counter => &["_total", ""],
        FamilyType::Histogram | FamilyType::Summary => &["_count"],
        _ => return None,
    };
    let counts = |sample: &&Sample| wanted.contains(&suffix(family, sample));
    Some(family.samples.iter().filter(counts).collect())
}

/// What a sample's name has after its family's.
pub(crate) fn suffix<'f>(family: &Family<'_>, sample: &'f Sample<'_>) -> &'f str {
    sample.name.strip_prefix(family.name.as_ref()).unwrap_or("")
}

/// A label set without the label that tells buckets or quantiles apart.
pub(crate) type LabelSet<'f> = Vec<(&'f str, &'f str)>;

/// The distinct label sets of a family: a histogram's buckets, sum and count are one.
pub(crate) fn label_sets<'f>(family: &'f Family<'_>) -> BTreeSet<LabelSet<'f>> {
    let own = own_label(family.kind);
    family.samples.iter().map(|sample| sample.labels.without(own).collect()).collect()
}

/// The values of each label of a family, but for the one that tells buckets or quantiles apart.
pub(crate) fn label_values<'f>(family: &'f Family<'_>) -> BTreeMap<&'f str, BTreeSet<&'f str>> {
    let own = own_label(family.kind);
    let mut values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, value) in family.samples.iter().flat_map(|sample| sample.labels.without(own)) {
        values.entry(name).or_default().insert(value);
    }
    values
}

fn own_label(kind: FamilyType) -> &'static str {
    match kind {
        FamilyType::Histogram | FamilyType::GaugeHistogram => "le",
        FamilyType::Summary => "quantile",
        _ => "",
    }
}

/// A few of them, quoted: `a`, `b`, `c` and 997 more.
pub(crate) fn some_values<'v>(values: impl IntoIterator<Item = &'v str>) -> String {
    let values: Vec<&str> = values.into_iter().collect();
    let few: Vec<String> = values.iter().take(3).map(|value| format!("`{}`", shown(value))).collect();
    match values.len() - few.len() {
        0 => few.join(", "),
        more => format!("{} and {more} more", few.join(", ")),
    }
}
