//! The log level while the process runs: changed for a while, then as it was configured.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tracing_subscriber::Registry;
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::reload::{self, Handle};

use crate::config::ConfigError;

/// From silence to everything.
const NAMES: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// The level of the process's logger. Clones are the same level.
#[derive(Debug, Clone)]
pub(crate) struct LogLevel(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    handle: Handle<EnvFilter, Registry>,
    /// The directives that it goes back to.
    configured: String,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    level: Level,
    /// When a change ends; none: as configured.
    until: Option<Instant>,
    /// Counts changes, so that the end of one does not end the next.
    change: u64,
}

/// A level by its name, as an order: each lets through what the ones before do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Level(usize);

impl Level {
    pub(crate) fn named(name: &str) -> Option<Self> {
        NAMES.iter().position(|known| known.eq_ignore_ascii_case(name)).map(Self)
    }

    pub(crate) fn name(self) -> &'static str {
        NAMES[self.0]
    }

    /// What directives say of targets that they do not name.
    fn of(directives: &str) -> Self {
        directives.split(',').rev().find_map(|directive| Self::named(directive.trim())).unwrap_or(Self(1))
    }
}

impl LogLevel {
    /// The filter with these directives, and the level that changes it.
    pub(super) fn filter(
        directives: &str,
    ) -> Result<(reload::Layer<EnvFilter, Registry>, Self), ConfigError> {
        let filter = parse(directives).map_err(|error| ConfigError::new("LOG_LEVEL", error))?;
        let (layer, handle) = reload::Layer::new(filter);
        let state = Mutex::new(State { level: Level::of(directives), until: None, change: 0 });
        Ok((layer, Self(Arc::new(Inner { handle, configured: directives.to_owned(), state }))))
    }

    /// The level, and for how long it will stay changed.
    pub(crate) fn now(&self) -> (Level, Option<Duration>) {
        let state = self.lock();
        (state.level, state.until.map(|until| until.saturating_duration_since(Instant::now())))
    }

    /// Changes the level and goes back by itself after that time. Both are logged.
    pub(crate) fn change_for(&self, level: Level, lasts: Duration) -> Result<(), reload::Error> {
        let change = self.change(level, lasts)?;
        let this = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(lasts).await;
            this.revert(change);
        });
        Ok(())
    }

    /// Changes the level; whoever was told its number can end the change.
    pub(crate) fn change(&self, level: Level, lasts: Duration) -> Result<u64, reload::Error> {
        let mut state = self.lock();
        let seconds = lasts.as_secs_f64();
        let (from, to) = (state.level.name(), level.name());
        let log = || tracing::warn!(from, to, seconds, "log level changed");
        self.apply(&state, level, &self.directives(level), log)?;
        state.level = level;
        state.until = Instant::now().checked_add(lasts);
        state.change += 1;
        Ok(state.change)
    }

    fn revert(&self, change: u64) {
        let mut state = self.lock();
        if state.change != change {
            return;
        }
        let level = Level::of(&self.0.configured);
        let (from, to) = (state.level.name(), level.name());
        let log = || tracing::warn!(from, to, "log level changed back");
        if self.apply(&state, level, &self.0.configured, log).is_ok() {
            state.level = level;
            state.until = None;
        }
    }

    /// Says so under the more talkative of the two levels, as the other may let nothing through.
    fn apply(
        &self,
        state: &State,
        level: Level,
        directives: &str,
        log: impl FnOnce(),
    ) -> Result<(), reload::Error> {
        let filter = parse(directives).unwrap_or_default();
        if level > state.level {
            self.0.handle.reload(filter)?;
            log();
            return Ok(());
        }
        log();
        self.0.handle.reload(filter)
    }

    /// A wish for more is for this program's own lines; a wish for less is for all.
    fn directives(&self, level: Level) -> String {
        match level >= Level::of(&self.0.configured) {
            true => format!("{},services={}", self.0.configured, level.name()),
            false => level.name().to_owned(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn parse(directives: &str) -> Result<EnvFilter, tracing_subscriber::filter::ParseError> {
    EnvFilter::builder().parse(directives)
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn level(name: &str) -> Level {
        Level::named(name).unwrap()
    }

    /// Whether debug lines of this program and of another get through while `act` has its effect.
    fn lets_debug_through(act: impl FnOnce(&LogLevel)) -> (bool, bool) {
        let (layer, log_level) = LogLevel::filter("info,deadpool.postgres=error").unwrap();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            act(&log_level);
            let ours = tracing::enabled!(target: "services::here", tracing::Level::DEBUG);
            (ours, tracing::enabled!(target: "hyper", tracing::Level::DEBUG))
        })
    }

    #[test]
    fn a_change_is_for_our_own_lines_and_ends() {
        assert_eq!(lets_debug_through(|_| {}), (false, false));
        assert_eq!(lets_debug_through(|it| _ = it.change(level("debug"), MINUTE).unwrap()), (true, false));
        let ended = lets_debug_through(|it| {
            let change = it.change(level("debug"), MINUTE).unwrap();
            assert_eq!(it.now().0.name(), "debug");
            it.revert(change);
            assert_eq!((it.now().0.name(), it.now().1), ("info", None));
        });
        assert_eq!(ended, (false, false));
    }

    #[test]
    fn the_end_of_one_change_does_not_end_the_next() {
        let still = lets_debug_through(|it| {
            let first = it.change(level("warn"), MINUTE).unwrap();
            it.change(level("debug"), MINUTE).unwrap();
            it.revert(first);
        });
        assert_eq!(still, (true, false));
    }

    #[test]
    fn a_filter_without_a_logger_cannot_be_changed() {
        let (layer, log_level) = LogLevel::filter("info").unwrap();
        drop(layer);
        assert!(log_level.change(level("debug"), MINUTE).is_err());
        assert_eq!(log_level.now().0.name(), "info");
    }

    #[test]
    fn directives_that_name_no_level_are_errors_only() {
        for (directives, expected) in
            [("info,a=debug", "info"), ("a=debug,WARN", "warn"), ("a=debug", "error"), ("", "error")]
        {
            assert_eq!(Level::of(directives).name(), expected, "{directives}");
        }
    }
}
