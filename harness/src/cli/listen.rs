//! `probity listen`: stays up as a collector until a signal, then saves, judges and prints.

use std::io::Write;
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Instant;

use super::Done;
use super::arguments::ListenArguments;
use super::gate::Gate;
use super::output::{Failure, note, print};
use super::session::{check_places, conclude, runtime};
use crate::collector::{Collector, Forwarded, Options, StartError};
use crate::model::{Barrier, BarrierKind, BarrierStep, Case, Evidence, Source};
use crate::outline::View;
use crate::process::interrupt::interrupts;
use crate::report::progress::Progress;
use crate::report::terminal;
use crate::report::text::{count, harmless};
use crate::report::trees::folded;

/// Shapes of trees that are printed; `probity tree` shows all of saved evidence.
const SHAPES_MAX: usize = 20;

pub(super) fn run(arguments: &ListenArguments) -> Done {
    check_places(&arguments.capture)?;
    let [grpc, http] =
        [&arguments.grpc, &arguments.http].map(|address| address.as_deref().map(resolve).transpose());
    let gate = Gate::read(&arguments.capture.report)?;
    runtime()?.block_on(listen(arguments, &gate, grpc?, http?))
}

/// `127.0.0.1:4317`, `localhost:4317`, or a port alone, which means loopback.
fn resolve(text: &str) -> Result<SocketAddr, Failure> {
    let wrong = || {
        Failure::new(format!("`{text}` is not an address"))
            .hint("give HOST:PORT, such as 127.0.0.1:4317; port 0 lets the system choose")
    };
    let port = text.strip_prefix(':').unwrap_or(text).parse::<u16>();
    let whole = port.map_or_else(|_| text.to_string(), |port| format!("127.0.0.1:{port}"));
    whole.to_socket_addrs().ok().and_then(|mut addresses| addresses.next()).ok_or_else(wrong)
}

async fn listen(
    arguments: &ListenArguments,
    gate: &Gate,
    grpc: Option<SocketAddr>,
    http: Option<SocketAddr>,
) -> Done {
    let mut interrupts =
        interrupts().map_err(|error| Failure::new(format!("cannot listen for signals: {error}")))?;
    let (collector, [grpc, http]) =
        start(arguments, grpc, http).await.map_err(|error| not_listening(&error))?;
    announce(grpc, http)?;
    let began = Instant::now();
    let progress = Progress::new(0);
    let line = progress.begin("listening");
    let mut received = collector.progress();
    while interrupts.borrow().is_none() {
        let seen = *received.borrow_and_update();
        line.phase(&format!("{} in {}", count(seen.spans, "span"), count(seen.requests, "request")));
        tokio::select! {
            _ = received.changed() => {}
            _ = interrupts.changed() => {}
        }
    }
    drop(line);
    progress.finish();
    collector.shutdown().await;
    let evidence = gather(&collector);
    let session = conclude(&arguments.capture, gate, "listen", &evidence, began.elapsed().as_secs_f64())?;
    if arguments.forward.is_some() {
        note(&forwarded(&collector.forwarded()));
    }
    if !arguments.capture.report.takes_stdout() {
        print(&format!("received: {}\n\n", terminal::account(&session.report.scenarios[0])));
        let shapes = View::default().links().shapes(&Case::new(&evidence, None));
        print(&folded(&shapes[..shapes.len().min(SHAPES_MAX)]));
    }
    Ok(session.finish(&arguments.capture, &evidence))
}

/// Both addresses serve both protocols; one is enough.
async fn start(
    arguments: &ListenArguments,
    grpc: Option<SocketAddr>,
    http: Option<SocketAddr>,
) -> Result<(Collector, [SocketAddr; 2]), StartError> {
    let mut options = Options {
        max_memory: arguments.capture.max_memory,
        forward: arguments.forward.clone(),
        ..Options::default()
    };
    if let Some(address) = grpc.or(http) {
        options.address = address;
    }
    let collector = Collector::start(options).await?;
    let first = collector.address();
    let second = match (grpc, http) {
        (Some(grpc), Some(http)) if grpc != http || grpc.port() == 0 => collector.listen(http, None).await?,
        _ => first,
    };
    Ok((collector, [first, second]))
}

fn not_listening(error: &StartError) -> Failure {
    let hint = match error {
        StartError::Listen { .. } => "name a free port, or port 0, which lets the system choose",
        StartError::Forward { .. } => {
            "give the part of an OTLP/HTTP endpoint before /v1/traces, such as http://127.0.0.1:4318"
        }
    };
    Failure::new(error.to_string()).hint(hint)
}

/// The first line of standard output, for scripts.
fn announce(grpc: SocketAddr, http: SocketAddr) -> Result<(), Failure> {
    let line = serde_json::json!({ "grpc": grpc.to_string(), "http": http.to_string() });
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .map_err(|error| Failure::new(format!("could not print the addresses: {error}")))
}

fn gather(collector: &Collector) -> Evidence {
    let step = BarrierStep {
        name: "quiet".into(),
        closed: true,
        status: "ended by a signal; senders were not asked".into(),
        took_ms: 0,
    };
    Evidence {
        source: Source::Listen,
        requests: collector.requests(),
        barrier: Barrier { steps: vec![step], kind: BarrierKind::Quiet },
        ledger: collector.ledger(),
        ..Evidence::default()
    }
}

fn forwarded(forwarded: &Forwarded) -> String {
    let mut text = format!("forwarded {}", count(forwarded.requests, "request"));
    let missed = forwarded.failed_requests + forwarded.waiting;
    if missed > 0 {
        text.push_str(&format!("; {} could not be passed on", count(missed, "request")));
    }
    if let Some(why) = &forwarded.last_failure {
        text.push_str(&format!(" (last: {})", harmless(why, false)));
    }
    text
}
