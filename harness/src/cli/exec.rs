//! `probity exec`: runs any command with OTLP pointed here and judges what it sent.
//!
//! The command's output is shown as it comes. Its end is the fence: behind it and an empty queue, what did not arrive was
//! not sent.

mod causes;
mod environment;

use std::path::Path;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;

use super::Done;
use super::arguments::ExecArguments;
use super::gate::Gate;
use super::output::{Failure, note, print};
use super::session::{Session, check_places, conclude, runtime, unix_nanos};
use crate::collector::{Collector, Options};
use crate::model::{Barrier, BarrierKind, BarrierStep, Case, Effect, Evidence, LogLine, ProcessId, Source};
use crate::outline::View;
use crate::process::interrupt::{Interrupt, interrupts};
use crate::process::{Exit, Process, Program, Status};
use crate::report::terminal;
use crate::report::text::{count, harmless, seconds};
use crate::report::trees::folded;
use crate::until::{Never, Probe, until};
use crate::workdir::{RunId, Workdir};

/// Between the signal that interrupts us, passed on, and the end of the command by force.
const GRACE: Duration = Duration::from_secs(5);
/// For requests that are still being answered when the command has ended.
const QUEUE_LIMIT: Duration = Duration::from_secs(10);
/// Shapes of trees that are printed; `probity tree` shows all of saved evidence.
const SHAPES_MAX: usize = 20;
/// Output that is kept as evidence, per stream.
const LOG_BYTES_MAX: u64 = 16 << 20;

pub(super) fn run(arguments: &ExecArguments) -> Done {
    check_places(&arguments.capture)?;
    let gate = Gate::read(&arguments.capture.report)?;
    runtime()?.block_on(exec(arguments, &gate))
}

/// A command that has ended.
struct Ended {
    name: String,
    exit: Exit,
    interrupt: Option<Interrupt>,
    began: SystemTime,
    logs: Vec<LogLine>,
}

impl Ended {
    fn seconds(&self) -> f64 {
        self.exit.at.duration_since(self.began).map_or(0.0, |took| took.as_secs_f64())
    }

    fn in_words(&self) -> String {
        match self.exit.status {
            Status::Code(code) => {
                format!("{} ended with {code} after {}", self.name, seconds(self.seconds()))
            }
            _ => format!("{} {} after {}", self.name, self.exit, seconds(self.seconds())),
        }
    }
}

async fn exec(arguments: &ExecArguments, gate: &Gate) -> Done {
    let interrupts =
        interrupts().map_err(|error| Failure::new(format!("cannot listen for signals: {error}")))?;
    let options = Options { max_memory: arguments.capture.max_memory, ..Options::default() };
    let collector = Collector::start(options).await.map_err(|error| Failure::new(error.to_string()))?;
    let workdir = Workdir::create(RunId::new()).map_err(|error| Failure::new(error.to_string()))?;
    let name = program_name(&arguments.command);
    let ended = supervise(arguments, &name, &collector, &workdir, interrupts).await;
    // Whatever came of it, nothing of ours stays behind.
    let removed = workdir.remove();
    let ended = ended?;
    removed.map_err(|error| Failure::new(error.to_string()))?;
    let evidence = gather(&collector, &ended).await;
    collector.shutdown().await;
    let mut session = conclude(&arguments.capture, gate, &ended.name, &evidence, ended.seconds())?;
    if ended.interrupt.is_some() {
        session.report = session.report.interrupted();
    }
    if !arguments.capture.report.takes_stdout() {
        show(&session, &evidence, &ended);
    }
    Ok(session.finish(&arguments.capture, &evidence))
}

/// What people call it: the script where an interpreter runs one, else the program.
fn program_name(command: &[std::ffi::OsString]) -> String {
    let file_name = |word: &std::ffi::OsString| {
        Path::new(word).file_name().unwrap_or(word).to_string_lossy().into_owned()
    };
    let interpreters = [
        "python", "node", "ruby", "perl", "php", "java", "deno", "bun", "sh", "bash", "dotnet", "npx", "tsx",
    ];
    let first = command.first().map(file_name).unwrap_or_default();
    let script = command.iter().skip(1).find(|word| Path::new(word).is_file());
    let name = match script {
        Some(script) if interpreters.iter().any(|interpreter| first.starts_with(interpreter)) => {
            file_name(script)
        }
        _ => first,
    };
    // It travels in a header, whose values know few characters.
    let plain = |character: char| character.is_ascii_alphanumeric() || "._-".contains(character);
    name.chars().map(|character| if plain(character) { character } else { '_' }).take(100).collect()
}

async fn supervise(
    arguments: &ExecArguments,
    name: &str,
    collector: &Collector,
    workdir: &Workdir,
    interrupts: watch::Receiver<Option<Interrupt>>,
) -> Result<Ended, Failure> {
    let directory = std::env::current_dir()
        .map_err(|error| Failure::new(format!("the current directory is gone: {error}")))?;
    let environment = environment::for_child(collector.address(), name, |name| std::env::var(name).ok());
    let mut program = Program::new(&arguments.command[0])
        .name(name)
        .args(&arguments.command[1..])
        .directory(directory)
        .inherit_environment()
        .envs(environment.set.iter().cloned())
        .show_output();
    for variable in &environment.removed {
        program = program.env_remove(*variable);
    }
    note(&format!(
        "listening on {} (OTLP gRPC and HTTP); OTEL_EXPORTER_OTLP_ENDPOINT is set for the child",
        collector.address()
    ));
    if !environment.overridden.is_empty() {
        note(&format!("overridden, as your shell has them: {}", environment.overridden.join(", ")));
    }
    let process = program.spawn(workdir).map_err(|error| {
        let failure = Failure::new(error.to_string());
        match error.hint() {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    })?;
    let (exit, interrupt) = wait(&process, interrupts).await;
    let logs = log_lines(&process, name);
    Ok(Ended { name: name.into(), exit, interrupt, began: process.started(), logs })
}

/// Waits for the end of the command and of all that it started. An interrupt is passed on to it first.
async fn wait(
    process: &Process,
    mut interrupts: watch::Receiver<Option<Interrupt>>,
) -> (Exit, Option<Interrupt>) {
    let interrupt = tokio::select! {
        exit = process.wait() => return (exit, None),
        seen = interrupts.wait_for(Option::is_some) => seen.ok().and_then(|seen| *seen),
    };
    if let Some(interrupt) = interrupt {
        process.signal(interrupt.signal());
    }
    match tokio::time::timeout(GRACE, process.wait()).await {
        Ok(exit) => (exit, interrupt),
        Err(_) => (process.stop(GRACE).await, interrupt),
    }
}

async fn gather(collector: &Collector, ended: &Ended) -> Evidence {
    let queue = queue_step(collector).await;
    let at = unix_nanos(ended.exit.at);
    let expected = Effect {
        name: format!("exit of {}", ended.name),
        required: "exit code 0".into(),
        seen: Some(ended.exit.to_string()),
        at,
        holds: ended.exit.is_success(),
    };
    Evidence {
        source: Source::Exec,
        requests: collector.requests(),
        // An end that we brought about says nothing of the program.
        effects: if ended.interrupt.is_none() { vec![expected] } else { Vec::new() },
        logs: ended.logs.clone(),
        barrier: Barrier { steps: vec![exit_step(ended), queue], kind: BarrierKind::Stepped },
        ledger: collector.ledger(),
        ..Evidence::default()
    }
}

/// The command's own end is its fence. Ended by a signal it may not have flushed.
fn exit_step(ended: &Ended) -> BarrierStep {
    BarrierStep {
        name: format!("fence of {}", ended.name),
        closed: matches!(ended.exit.status, Status::Code(_)),
        status: ended.exit.to_string(),
        took_ms: (ended.seconds() * 1e3) as u64,
    }
}

async fn queue_step(collector: &Collector) -> BarrierStep {
    let began = SystemTime::now();
    let empty = until("the collector's queue is empty", QUEUE_LIMIT, async || {
        let in_flight = collector.progress().borrow().in_flight;
        let open = format!("{} in flight", count(in_flight, "request"));
        Ok::<_, Never>(if in_flight == 0 { Probe::Ready(()) } else { Probe::NotYet(open) })
    });
    let empty = empty.await;
    BarrierStep {
        name: "the collector's queue".into(),
        closed: empty.is_ok(),
        status: empty.err().map_or("empty".into(), |error| error.to_string()),
        took_ms: began.elapsed().map_or(0, |took| took.as_millis() as u64),
    }
}

fn log_lines(process: &Process, name: &str) -> Vec<LogLine> {
    let streams = [(false, &process.logs().stdout), (true, &process.logs().stderr)];
    streams.into_iter().flat_map(|(stderr, path)| lines_of(path, name, stderr)).collect()
}

fn lines_of(path: &Path, name: &str, stderr: bool) -> Vec<LogLine> {
    use std::io::Read;
    let mut content = Vec::new();
    if let Ok(file) = std::fs::File::open(path) {
        _ = file.take(LOG_BYTES_MAX).read_to_end(&mut content);
    }
    let line = |(number, text): (usize, &str)| LogLine {
        process: ProcessId::new(name),
        service: name.into(),
        stderr,
        line: number as u32 + 1,
        text: text.into(),
    };
    String::from_utf8_lossy(&content).lines().enumerate().map(line).collect()
}

/// What there is to see before the findings: how it ended, how much came, the trees; or why there may be nothing.
fn show(session: &Session, evidence: &Evidence, ended: &Ended) {
    let judged = &session.report.scenarios[0];
    print(&format!("{}: {}\n\n", harmless(&ended.in_words(), false), terminal::account(judged)));
    if evidence.requests.is_empty() {
        print(&causes::likeliest(evidence, |name| std::env::var(name).ok()));
        return;
    }
    let case = Case::new(evidence, None);
    let shapes = View::default().links().shapes(&case);
    print(&folded(&shapes[..shapes.len().min(SHAPES_MAX)]));
    if let Some(more) = shapes.len().checked_sub(SHAPES_MAX).filter(|more| *more > 0) {
        let whole = session.layout.evidence.as_deref().unwrap_or("EVIDENCE");
        print(&format!("and {}: probity tree {whole}\n\n", count(more as u64, "more shape")));
    }
}
