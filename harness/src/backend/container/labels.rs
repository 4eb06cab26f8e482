//! The labels of our containers: which run one belongs to, and which process that run was.

use std::collections::HashMap;

use crate::workdir::Owner;
#[cfg(any(feature = "containers", test))]
use crate::workdir::RunId;

/// The run's id.
pub(super) const RUN: &str = "probity.run";
/// Pid, start time and machine of the process that runs it.
const OWNER: &str = "probity.owner";
/// Of a process that we cannot see (another machine, another pid namespace) a container may be in use for so long.
const IN_DOUBT_SECONDS: i64 = 24 * 3600;

/// What a container of this process for this run is labelled with.
#[cfg(any(feature = "containers", test))]
pub(super) fn of(run: &RunId) -> [(&'static str, String); 2] {
    [(RUN, run.to_string()), (OWNER, Owner::current().to_string())]
}

/// A container with one of our labels, as the engine lists it.
#[derive(Clone, Debug, Default)]
pub(super) struct Labelled {
    pub(super) id: String,
    pub(super) labels: HashMap<String, String>,
    /// Unix seconds.
    pub(super) created: i64,
}

impl Labelled {
    pub(super) fn is_of(&self, run: &str) -> bool {
        self.labels.get(RUN).is_some_and(|label| label == run)
    }

    /// Whether nobody can need it any more at this time: its run has ended and was not able to remove it.
    pub(super) fn is_abandoned(&self, now: i64) -> bool {
        // Without the label it is not ours.
        let Some(owner) = self.labels.get(OWNER) else { return false };
        match Owner::parse(owner).filter(Owner::is_seen) {
            Some(owner) => !owner.is_alive(),
            None => now - self.created > IN_DOUBT_SECONDS,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 2_000_000_000;

    fn labelled(owner: Option<String>, created: i64) -> Labelled {
        let labels = owner.map(|owner| (OWNER.to_owned(), owner)).into_iter().collect();
        Labelled { id: "x".to_owned(), labels, created }
    }

    #[test]
    fn a_container_of_a_living_process_is_left_alone() {
        let run = RunId::new();
        let labels = of(&run).into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let own = Labelled { id: "x".to_owned(), labels, created: 0 };
        assert!(own.is_of(run.as_str()) && !own.is_of("20200101-000000-0000"));
        assert!(!own.is_abandoned(NOW));
    }

    #[test]
    fn a_container_of_an_ended_process_is_abandoned() {
        let here = Owner::current();
        let later = format!("{} {} {}", here.pid, here.start + 1, here.instance);
        assert!(labelled(Some(later), NOW).is_abandoned(NOW));
    }

    #[test]
    fn of_a_process_that_cannot_be_seen_it_is_abandoned_after_a_day() {
        for owner in ["1 1 another-machine pid:[1]", "nonsense", ""] {
            let owner = Some(owner.to_owned());
            assert!(!labelled(owner.clone(), NOW - IN_DOUBT_SECONDS).is_abandoned(NOW), "{owner:?}");
            assert!(labelled(owner.clone(), NOW - IN_DOUBT_SECONDS - 1).is_abandoned(NOW), "{owner:?}");
        }
    }

    #[test]
    fn a_container_without_our_label_is_never_ours() {
        assert!(!labelled(None, 0).is_abandoned(NOW));
    }
}
