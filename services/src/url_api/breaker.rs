//! A circuit breaker: after enough failed calls in a row, calls are refused for a while, then one is let through to see.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::metrics;

/// Refuses calls to a service that has failed again and again.
#[derive(Debug)]
pub(super) struct Breaker {
    state: Mutex<State>,
    /// Consecutive failures that open the circuit.
    failures_max: u32,
    /// How long the circuit stays open before a probe.
    open_for: Duration,
    gauge: metrics::State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed {
        failures: u32,
    },
    Open {
        since: Instant,
    },
    /// One call is on its way; what becomes of it decides.
    HalfOpen {
        since: Instant,
    },
}

/// The permission to make one call. Dropped without an outcome, it is as if it had never been given.
#[derive(Debug)]
pub(super) struct Permit<'a> {
    breaker: &'a Breaker,
    outcome: Option<bool>,
}

impl Breaker {
    pub(super) fn new(failures_max: u32, open_for: Duration, gauge: metrics::State) -> Self {
        Self {
            state: Mutex::new(State::Closed { failures: 0 }),
            failures_max: failures_max.max(1),
            open_for,
            gauge,
        }
    }

    /// Asks to make a call at `now`.
    pub(super) fn admit(&self, now: Instant) -> Option<Permit<'_>> {
        let mut state = self.lock();
        match *state {
            State::Closed { .. } => {}
            State::Open { since } if now.duration_since(since) >= self.open_for => {
                self.enter(&mut state, State::HalfOpen { since });
            }
            State::Open { .. } | State::HalfOpen { .. } => return None,
        }
        Some(Permit { breaker: self, outcome: None })
    }

    fn settle(&self, outcome: Option<bool>) {
        let mut state = self.lock();
        let next = match (*state, outcome) {
            (_, Some(true)) => State::Closed { failures: 0 },
            (State::Closed { failures }, Some(false)) if failures + 1 < self.failures_max => {
                State::Closed { failures: failures + 1 }
            }
            (State::Closed { .. } | State::HalfOpen { .. }, Some(false)) => {
                State::Open { since: Instant::now() }
            }
            // The probe was not made: the next call may try.
            (State::HalfOpen { since }, None) => State::Open { since },
            (unchanged, _) => unchanged,
        };
        self.enter(&mut state, next);
    }

    fn enter(&self, state: &mut State, next: State) {
        if std::mem::discriminant(state) != std::mem::discriminant(&next) {
            self.gauge.set(next.name());
            tracing::info!(state = next.name(), "the circuit to analytics-rpc changed");
        }
        *state = next;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Closed { .. } => "closed",
            Self::Open { .. } => "open",
            Self::HalfOpen { .. } => "half_open",
        }
    }
}

impl Permit<'_> {
    pub(super) fn succeeded(mut self) {
        self.outcome = Some(true);
    }

    pub(super) fn failed(mut self) {
        self.outcome = Some(false);
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.breaker.settle(self.outcome);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;
    use crate::telemetry::Telemetry;

    const SECOND: Duration = Duration::from_secs(1);

    fn breaker(failures_max: u32) -> Breaker {
        let mut metrics = Metrics::new(&Telemetry::nowhere(), None);
        let gauge = metrics.state("state", "State", &["closed", "half_open", "open"]);
        Breaker::new(failures_max, SECOND, gauge)
    }

    fn fail(breaker: &Breaker, times: usize) {
        for _ in 0..times {
            breaker.admit(Instant::now()).unwrap().failed();
        }
    }

    #[test]
    fn it_opens_at_the_last_of_the_failures_and_not_before() {
        let breaker = breaker(3);
        fail(&breaker, 2);
        assert!(breaker.admit(Instant::now()).is_some());
        fail(&breaker, 1);
        assert!(breaker.admit(Instant::now()).is_none());
    }

    #[test]
    fn a_success_in_between_starts_the_count_again() {
        let breaker = breaker(2);
        fail(&breaker, 1);
        breaker.admit(Instant::now()).unwrap().succeeded();
        fail(&breaker, 1);
        assert!(breaker.admit(Instant::now()).is_some());
    }

    #[test]
    fn after_a_while_one_probe_is_let_through() {
        let breaker = breaker(1);
        fail(&breaker, 1);
        let later = Instant::now() + SECOND;
        let probe = breaker.admit(later).unwrap();
        assert!(breaker.admit(later).is_none());
        probe.succeeded();
        assert!(breaker.admit(Instant::now()).is_some());
    }

    #[test]
    fn a_probe_that_fails_opens_it_again() {
        let breaker = breaker(1);
        fail(&breaker, 1);
        breaker.admit(Instant::now() + SECOND).unwrap().failed();
        assert!(breaker.admit(Instant::now()).is_none());
    }

    #[test]
    fn a_probe_that_was_never_made_leaves_the_next_one_free() {
        let breaker = breaker(1);
        fail(&breaker, 1);
        let later = Instant::now() + SECOND;
        drop(breaker.admit(later).unwrap());
        assert!(breaker.admit(later).is_some());
    }

    #[test]
    fn a_call_that_was_never_made_is_no_failure() {
        let breaker = breaker(1);
        drop(breaker.admit(Instant::now()).unwrap());
        assert!(breaker.admit(Instant::now()).is_some());
    }

    #[test]
    fn one_that_stays_open_for_ever_never_asks_again() {
        let mut breaker = breaker(1);
        breaker.open_for = Duration::MAX;
        fail(&breaker, 1);
        assert!(breaker.admit(Instant::now() + 1_000_000 * SECOND).is_none());
    }
}
