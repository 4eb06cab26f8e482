//! What is going on right now: a line per running scenario on a terminal, one plain line per event elsewhere.
//!
//! Goes to standard error, so that standard output holds results alone. Waiting always names what it waits for.

use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::text::harmless;
use crate::inert::printed;

/// Where the engine says what it does. Cheap to clone; every clone speaks to the same place.
#[derive(Clone, Default)]
pub struct Progress(Option<Arc<Sink>>);

enum Sink {
    /// Lines that move: standard error is a terminal.
    Terminal { lines: MultiProgress, overall: ProgressBar },
    /// One line per event.
    Plain { err: Mutex<Box<dyn Write + Send>> },
}

impl Progress {
    /// For so many scenarios (0: no overall bar), in the form that standard error can show.
    pub fn new(scenarios: u64) -> Self {
        let sink = if std::io::stderr().is_terminal()
            && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
        {
            let lines = MultiProgress::new();
            let overall =
                if scenarios == 0 { ProgressBar::hidden() } else { lines.add(ProgressBar::new(scenarios)) };
            overall.set_style(style("  {bar:30} {pos}/{len} scenarios, {elapsed}"));
            Sink::Terminal { lines, overall }
        } else {
            Sink::Plain { err: Mutex::new(Box::new(std::io::stderr())) }
        };
        Progress(Some(Arc::new(sink)))
    }

    /// Says nothing: for tests, and where another runner reports.
    pub fn silent() -> Self {
        Progress(None)
    }

    /// Plain lines to a writer of the caller's.
    pub fn to_writer(writer: impl Write + Send + 'static) -> Self {
        Progress(Some(Arc::new(Sink::Plain { err: Mutex::new(Box::new(writer)) })))
    }

    /// Begins the line of a scenario (or of another long piece of work); it goes when the value is dropped.
    pub fn begin(&self, name: &str) -> Running {
        let name = harmless(name, false);
        let bar = match self.0.as_deref() {
            Some(Sink::Terminal { lines, overall }) => {
                let bar = ProgressBar::new_spinner();
                let bar =
                    if overall.is_hidden() { lines.add(bar) } else { lines.insert_before(overall, bar) };
                bar.set_style(style("  {spinner} {prefix}  {msg}"));
                bar.set_prefix(name.clone());
                bar.enable_steady_tick(Duration::from_millis(120));
                Some(bar)
            }
            _ => None,
        };
        Running { progress: self.clone(), name, bar, last: Mutex::new(String::new()) }
    }

    /// Counts one scenario as done.
    pub fn advance(&self) {
        if let Some(Sink::Terminal { overall, .. }) = self.0.as_deref() {
            overall.inc(1);
        }
    }

    /// Prints a result on standard output, above the moving lines.
    pub fn print(&self, text: &str) {
        let print = || _ = writeln!(anstream::stdout(), "{}", printed(text.trim_end_matches('\n')));
        match self.0.as_deref() {
            Some(Sink::Terminal { lines, .. }) => lines.suspend(print),
            Some(Sink::Plain { .. }) => print(),
            None => {}
        }
    }

    /// Takes the moving lines away, before the summary is printed.
    pub fn finish(&self) {
        if let Some(Sink::Terminal { lines, overall }) = self.0.as_deref() {
            overall.finish_and_clear();
            _ = lines.clear();
        }
    }

    fn plain_line(&self, name: &str, phase: &str) {
        if let Some(Sink::Plain { err }) = self.0.as_deref()
            && let Ok(mut err) = err.lock()
        {
            _ = writeln!(err, "{}", printed(&format!("{name}: {phase}")));
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

/// The line of one running scenario.
pub struct Running {
    progress: Progress,
    name: String,
    bar: Option<ProgressBar>,
    /// The last phase printed plainly, without its digits: a counter that moves is one event.
    last: Mutex<String>,
}

impl Running {
    /// Says what is going on: `starting etcd`, `driving 41/100`, `waiting: lag of analytics = 3`.
    pub fn phase(&self, phase: &str) {
        let phase = harmless(phase, false);
        if let Some(bar) = &self.bar {
            bar.set_message(phase);
            return;
        }
        let event: String = phase.chars().filter(|character| !character.is_ascii_digit()).collect();
        let Ok(mut last) = self.last.lock() else { return };
        if *last != event {
            self.progress.plain_line(&self.name, &phase);
            *last = event;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn away_from_a_terminal_each_event_is_one_line_and_a_moving_counter_is_one_event() {
        let lines = Lines::default();
        let progress = Progress::to_writer(lines.clone());
        let running = progress.begin("a_click\u{1b}[2J");
        running.phase("starting etcd");
        for number in 1..=100 {
            running.phase(&format!("driving {number}/100"));
        }
        running.phase("waiting: lag of analytics = 3");
        drop(running);
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let name = "a_click\\u{1b}[2J";
        assert_eq!(
            text,
            format!("{name}: starting etcd\n{name}: driving 1/100\n{name}: waiting: lag of analytics = 3\n")
        );
    }
}
