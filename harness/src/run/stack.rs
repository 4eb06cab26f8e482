//! What a scenario asks for. Nothing here has started; see [`super::Running`] for what it then holds.

use std::time::Duration;

use crate::model::Declaration;

/// The backends, services and settings that a scenario asks for.
#[derive(Clone, Debug)]
pub struct Stack {
    pub(super) services: Vec<&'static str>,
    pub(super) started_by_drive: bool,
    pub(super) own: Vec<Own>,
    /// Service (`None`: every one), variable, value.
    pub(super) environment: Vec<(Option<&'static str>, &'static str, String)>,
    pub(super) scrape_files: Vec<ScrapeFile>,
    pub(super) needs_prometheus: bool,
    pub(super) needs_rabbitmq: bool,
    pub(super) asks_prometheus: bool,
    pub(super) asks_sockets: bool,
    pub(super) collector_late: bool,
    pub(super) collector_can_leave: bool,
    pub(super) snapshot: bool,
    pub(super) grace: Duration,
    pub(super) spans_delay: Duration,
    pub(super) span_batch: Option<u32>,
    pub(super) watches_probes: bool,
    pub(super) judged_early: bool,
    pub(super) declares: Option<fn(&mut Declaration)>,
    pub(super) long: bool,
}

/// What a changed copy is called, and what is changed.
type Variant = (&'static str, fn(&str) -> String);

/// A scrape configuration of the system, or a changed copy of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct ScrapeFile {
    pub(super) file: &'static str,
    pub(super) variant: Option<Variant>,
}

/// A backend that the scenario stops, kills, pauses or empties, and therefore wants for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Own {
    Etcd,
    Postgres,
    Kafka,
}

impl Stack {
    /// Those services, started side by side on shared backends, each scenario in its own database, topic and key prefix.
    pub fn of(services: &[&'static str]) -> Stack {
        Stack {
            services: services.to_vec(),
            started_by_drive: false,
            own: Vec::new(),
            environment: Vec::new(),
            scrape_files: Vec::new(),
            needs_prometheus: false,
            needs_rabbitmq: false,
            asks_prometheus: false,
            asks_sockets: false,
            collector_late: false,
            collector_can_leave: false,
            snapshot: false,
            grace: Duration::from_secs(5),
            spans_delay: Duration::from_millis(50),
            span_batch: None,
            watches_probes: false,
            judged_early: false,
            declares: None,
            long: false,
        }
    }

    /// Other services, with the same settings.
    pub fn with(mut self, services: &[&'static str]) -> Stack {
        self.services = services.to_vec();
        self
    }

    /// The scenario starts the services itself, in its own order.
    pub fn started_by_drive(mut self) -> Stack {
        self.started_by_drive = true;
        self
    }

    /// An instance of a backend of its own.
    pub fn own(mut self, backend: Own) -> Stack {
        self.own.push(backend);
        self
    }

    /// An environment variable for every service of the stack.
    pub fn set(mut self, variable: &'static str, value: impl Into<String>) -> Stack {
        self.environment.push((None, variable, value.into()));
        self
    }

    /// An environment variable for one service.
    pub fn set_for(
        mut self,
        service: &'static str,
        variable: &'static str,
        value: impl Into<String>,
    ) -> Stack {
        self.environment.push((Some(service), variable, value.into()));
        self
    }

    /// Also judges what had arrived when the drive ended, as if there were no barrier: to show what the barrier is for.
    pub fn also_judged_early(mut self) -> Stack {
        self.judged_early = true;
        self
    }

    /// Reads this scrape configuration (relative to the system's root) and asks each of its targets, and every listening
    /// socket, for metrics once.
    pub fn scraped_by(mut self, file: &'static str) -> Stack {
        self.scrape_files.push(ScrapeFile { file, variant: None });
        self.asks_sockets = true;
        self
    }

    /// Also reads a changed copy of a scrape configuration, under a name of its own.
    pub fn scraped_by_variant(
        mut self,
        file: &'static str,
        name: &'static str,
        change: fn(&str) -> String,
    ) -> Stack {
        self.scrape_files.push(ScrapeFile { file, variant: Some((name, change)) });
        self.asks_sockets = true;
        self
    }

    /// The drive starts a real Prometheus, which looks at its targets only after five seconds. Where there is none the
    /// scenario is skipped.
    pub fn needs_prometheus(mut self) -> Stack {
        self.needs_prometheus = true;
        self.long()
    }

    /// Its services have a RabbitMQ, which the first such scenario starts; that takes seconds. Where there is none the scenario is
    /// skipped.
    pub fn needs_rabbitmq(mut self) -> Stack {
        self.needs_rabbitmq = true;
        self.long()
    }

    /// A real Prometheus is given each scrape configuration and the same answers, and SCRAPE-05 compares. Where there is none
    /// the scenario is skipped.
    pub fn asks_prometheus(mut self) -> Stack {
        self.asks_prometheus = true;
        self.needs_prometheus()
    }

    /// The collector refuses connections until the scenario lets it in.
    pub fn collector_late(mut self) -> Stack {
        self.collector_late = true;
        self
    }

    /// The drive may take the collector away ([`super::Running::stop_collector`]).
    pub fn collector_can_leave(mut self) -> Stack {
        self.collector_can_leave = true;
        self
    }

    /// Whether its trees are compared with a snapshot.
    pub(crate) fn has_snapshot(&self) -> bool {
        self.snapshot
    }

    /// Its trees are compared with the committed snapshot of its name.
    pub fn snapshot(mut self) -> Stack {
        self.snapshot = true;
        self
    }

    /// How long after it ended a span may wait in its process before it is exported (`OTEL_BSP_SCHEDULE_DELAY`).
    pub fn spans_delay(mut self, delay: Duration) -> Stack {
        self.spans_delay = delay;
        self
    }

    /// The largest batch of spans (`OTEL_BSP_MAX_EXPORT_BATCH_SIZE`).
    pub fn span_batch(mut self, spans: u32) -> Stack {
        self.span_batch = Some(spans);
        self
    }

    /// Changes what the system says of itself, for this scenario alone (a promise that only its settings make).
    pub fn declares(mut self, change: fn(&mut Declaration)) -> Stack {
        self.declares = Some(change);
        self
    }

    /// It takes many times as long as most: a suite begins with it, so that it does not end with waiting for it alone.
    pub fn long(mut self) -> Stack {
        self.long = true;
        self
    }

    /// Looks at health and readiness all the time, not only at the end.
    pub fn watches_probes(mut self) -> Stack {
        self.watches_probes = true;
        self
    }
}
