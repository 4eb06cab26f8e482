//! What a process was driven to count between its first scrape and its last.

use crate::model::{Case, Operation, ProcessId, Scrape, Stimulus, StimulusKind, UnixNanos};
use crate::rules::exposed::{Exposed, first_scrape};
use crate::rules::traffic::operation_of;

/// The time between two scrapes of a process.
pub(super) struct Window<'a> {
    pub(super) process: &'a ProcessId,
    /// `None`: the process started inside of the scenario, and began to count at zero.
    pub(super) first: Option<Exposed<'a>>,
    pub(super) from: UnixNanos,
    pub(super) to: UnixNanos,
}

/// A request of ours to the process.
pub(super) struct Driven<'a> {
    pub(super) stimulus: &'a Stimulus,
    pub(super) operation: Option<&'a Operation>,
    pub(super) method: &'a str,
    /// The status, where the request came to its end within the window. `None`: it may have been counted or not.
    pub(super) status: Option<u16>,
}

impl<'a> Window<'a> {
    pub(super) fn up_to(case: &Case<'a>, last: &'a Scrape) -> Self {
        let first = first_scrape(case, &last.process).filter(|first| first.exposition().is_ok());
        let from = first.as_ref().map_or(0, |first| first.scrape.at);
        Window { process: &last.process, first, from, to: last.at }
    }

    /// What was asked of the process's main port in it.
    pub(super) fn driven(&self, case: &Case<'a>) -> Vec<Driven<'a>> {
        let stimuli = case.evidence.stimuli.iter();
        let here = stimuli.filter(|stimulus| {
            stimulus.process.as_ref() == Some(self.process)
                && stimulus.port == "main"
                && stimulus.sent <= self.to
        });
        here.filter_map(|stimulus| {
            let StimulusKind::Http { method, .. } = &stimulus.kind else { return None };
            let ended = stimulus.answered.unwrap_or(UnixNanos::MAX);
            let whole = stimulus.sent >= self.from && ended <= self.to;
            let status = stimulus.answer.as_ref().filter(|_| whole).map(|answer| answer.status);
            let over_before = ended < self.from;
            let operation = operation_of(case, stimulus);
            (!over_before).then_some(Driven { stimulus, operation, method, status })
        })
        .collect()
    }
}
