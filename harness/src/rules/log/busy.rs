//! When each process was serving requests, and when it did work that requests had spawned: what tells a line within a request
//! from one outside when the line itself does not.

use std::collections::{HashMap, HashSet};

use super::entries::Entry;
use crate::model::{Case, Kind, ProcessId, Span, UnixNanos};

/// The busy times of every process.
pub(crate) struct Busy<'a> {
    known: HashSet<&'a ProcessId>,
    serving: HashMap<&'a ProcessId, Times>,
    spawned: HashMap<&'a ProcessId, Times>,
}

impl<'a> Busy<'a> {
    pub(crate) fn of(case: &'a Case) -> Self {
        let mut busy = Busy { known: HashSet::new(), serving: HashMap::new(), spawned: HashMap::new() };
        for span in case.spans.iter() {
            let Some(process) = span.process() else { continue };
            busy.known.insert(process);
            let times = match span.kind() {
                Kind::Server | Kind::Consumer => &mut busy.serving,
                _ if is_spawned(case, span) => &mut busy.spawned,
                _ => continue,
            };
            times.entry(process).or_default().add(span);
        }
        busy.serving.values_mut().chain(busy.spawned.values_mut()).for_each(Times::settle);
        busy
    }

    /// Whether spans say what the process did when this was logged.
    pub(crate) fn is_known(&self, entry: &Entry<'_>) -> bool {
        entry.at.is_some() && entry.process.is_some_and(|process| self.known.contains(process))
    }

    /// Whether the process was serving a request when this was logged.
    pub(crate) fn serves(&self, entry: &Entry<'_>) -> bool {
        covers(&self.serving, entry)
    }

    /// Whether it did no such thing, but work that a request had spawned.
    pub(crate) fn does_spawned_work(&self, entry: &Entry<'_>) -> bool {
        !self.serves(entry) && covers(&self.spawned, entry)
    }
}

/// Whether a span is declared work off a request.
pub(crate) fn is_spawned(case: &Case, span: Span<'_>) -> bool {
    let operations =
        case.declaration.map(|declaration| declaration.operations.as_slice()).unwrap_or_default();
    let mut spawned = operations.iter().flat_map(|operation| &operation.spawns);
    spawned.any(|work| {
        let same_topic = match (&work.topic, span.str("messaging.destination.name")) {
            (Some(topic), Some(destination)) => topic == destination,
            _ => true,
        };
        work.kind == span.kind() && same_topic && work.service == case.service(span)
    })
}

fn covers(times: &HashMap<&ProcessId, Times>, entry: &Entry<'_>) -> bool {
    let (Some(process), Some(time)) = (entry.process, entry.at) else { return false };
    // A clock that is read to the millisecond says a time that lies before the one that it means.
    times.get(process).is_some_and(|times| times.overlap(time.at, time.at.saturating_add(time.precision - 1)))
}

/// Stretches of time that do not touch, in order.
#[derive(Default)]
struct Times(Vec<(UnixNanos, UnixNanos)>);

impl Times {
    fn add(&mut self, span: Span<'_>) {
        if span.start() <= span.end() {
            self.0.push((span.start(), span.end()));
        }
    }

    fn settle(&mut self) {
        self.0.sort_unstable();
        let mut settled: Vec<(UnixNanos, UnixNanos)> = Vec::with_capacity(self.0.len());
        for (start, end) in self.0.drain(..) {
            match settled.last_mut().filter(|last| start <= last.1) {
                Some(last) => last.1 = last.1.max(end),
                None => settled.push((start, end)),
            }
        }
        self.0 = settled;
    }

    fn overlap(&self, from: UnixNanos, to: UnixNanos) -> bool {
        let next = self.0.partition_point(|(_, end)| *end < from);
        self.0.get(next).is_some_and(|(start, _)| *start <= to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_are_joined_and_found() {
        let mut times = Times(vec![(50, 60), (10, 20), (15, 30), (30, 31)]);
        times.settle();
        assert_eq!(times.0, [(10, 31), (50, 60)]);
        for (from, to, expected) in [
            (0, 9, false),
            (0, 10, true),
            (31, 31, true),
            (32, 49, false),
            (32, 50, true),
            (60, 60, true),
            (61, 99, false),
        ] {
            assert_eq!(times.overlap(from, to), expected, "{from}-{to}");
        }
        assert!(!Times::default().overlap(0, u64::MAX));
    }
}
