//! A real Prometheus started, asked and ended. Ignored, with the reason, where there is none.

#[path = "prometheus/parity.rs"]
mod parity;

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use probity::process;
use probity::prometheus::{Health, Programs, Prometheus, Replay, Replayed, Rewriting};
use probity::workdir::{RunId, Workdir};

const LIMIT: Duration = Duration::from_secs(60);

fn main() {
    process::serve_hidden_subcommands();
    let arguments = Arguments::from_args();
    let found = Programs::find();
    if let Err(missing) = &found {
        eprintln!("tests on a real Prometheus are ignored: {missing}");
    }
    let missing = found.is_err();
    let programs = found.ok();
    let trial = |name: &str, claim: Claim| {
        let programs = programs.clone();
        Trial::test(name, move || run(programs, claim)).with_ignored_flag(missing)
    };
    let trials = vec![
        trial("its_targets_and_series_are_those_of_the_file", |programs, place| {
            Box::pin(targets_and_series(programs, place))
        }),
        trial("a_configuration_that_it_refuses_is_said_with_its_own_words", |programs, place| {
            Box::pin(refused_configuration(programs, place))
        }),
        trial("an_expression_that_it_refuses_is_an_error_and_no_empty_result", |programs, place| {
            Box::pin(refused_expression(programs, place))
        }),
        trial("it_reads_what_our_parser_reads", |programs, place| Box::pin(parity::holds(programs, place))),
    ];
    libtest_mimic::run(&arguments, trials).exit();
}

type Claim = fn(Programs, Workdir) -> std::pin::Pin<Box<dyn Future<Output = Result<(), Failed>>>>;

fn run(programs: Option<Programs>, claim: Claim) -> Result<(), Failed> {
    let programs = programs.ok_or("there is no Prometheus")?;
    let workdir = Workdir::create(RunId::new())?;
    let outcome = tokio::runtime::Runtime::new()?.block_on(claim(programs, workdir.clone()));
    match outcome.is_ok() {
        true => workdir.remove()?,
        false => eprintln!("what it wrote is in {}", workdir.keep().display()),
    }
    outcome
}

fn text(body: &'static str) -> Replayed {
    let content_type = Some("text/plain; version=0.0.4".to_owned());
    Replayed::Answer { status: 200, content_type, body: body.into() }
}

const FILE: &str = "
global: {scrape_interval: 1m}
alerting: {alertmanagers: [{static_configs: [{targets: ['far:9093']}]}]}
scrape_configs:
  - job_name: shop
    static_configs: [{targets: ['shop:80', 'gone:80']}]
  - job_name: other
    metrics_path: /nowhere
    static_configs: [{targets: ['shop:80'], labels: {instance: named}}]
";

async fn targets_and_series(programs: Programs, workdir: Workdir) -> Result<(), Failed> {
    let replay = Replay::serve([("/metrics".to_owned(), text("a 1\nb{c=\"d\"} 2\n"))].into()).await?;
    let file = Rewriting {
        addresses: [("shop:80".to_owned(), replay.address())].into(),
        interval: Duration::from_secs(1),
        rule_files: Vec::new(),
    };
    let prometheus = Prometheus::start(&programs, &file.apply(FILE)?, &workdir).await?;
    println!("version {}", programs.version(&workdir).await?);

    let targets = prometheus.scraped(3, LIMIT, |_| true).await?;
    let seen: BTreeMap<_, _> = targets
        .iter()
        .map(|target| {
            ((target.label("job"), target.label("instance")), (target.health, target.last_error.as_str()))
        })
        .collect();
    assert_eq!(seen[&("shop", "shop:80")], (Health::Up, ""));
    let (health, error) = seen[&("shop", "gone:80")];
    assert!(health == Health::Down && error.contains("no such host"), "{error}");
    let (health, error) = seen[&("other", "named")];
    assert!(health == Health::Down && error.contains("404"), "{error}");

    let series = prometheus.query("b{c=\"d\"}").await?;
    assert_eq!((series.len(), series[0].value, series[0].labels["instance"].as_str()), (1, 2.0, "shop:80"));
    assert_eq!(prometheus.query("nothing_of_the_kind").await?, []);
    assert!(prometheus.rules().await?.is_empty());
    prometheus.stop().await;
    Ok(())
}

async fn refused_configuration(programs: Programs, workdir: Workdir) -> Result<(), Failed> {
    let error = Prometheus::start(&programs, "scrape_configs: [{job: a}]", &workdir).await.unwrap_err();
    assert!(error.to_string().contains("field job not found"), "{error}");
    Ok(())
}

async fn refused_expression(programs: Programs, workdir: Workdir) -> Result<(), Failed> {
    let prometheus = Prometheus::start(&programs, "{}", &workdir).await?;
    let error = prometheus.query("rate(up)").await.unwrap_err();
    assert!(error.to_string().contains("range vector"), "{error}");
    prometheus.stop().await;
    Ok(())
}
