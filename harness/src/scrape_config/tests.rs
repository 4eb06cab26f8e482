use super::*;
use crate::model::Resolution;
use crate::model::build::declaration;

const FILE: &str = "\
global:
  scrape_interval: 5s
  external_labels: {cluster: dev}
rule_files: [\"*.rules.yml\"]
scrape_configs:
  - job_name: url-api
    static_configs:
      - targets: [\"url-api:9464\"]
        labels:
          team: links
  - job_name: others
    scheme: https
    metrics_path: /internal/metrics
    honor_labels: true
    fallback_scrape_protocol: PrometheusText0.0.4
    relabel_configs:
      - source_labels: [__address__]
        target_label: instance
    static_configs:
      - targets:
          - analytics-rpc:9465
          - 'gone:1'
      - targets: [analytics-consumer:9466]
        labels: {__metrics_path__: /m, __scheme__: http}
";

fn places(config: &ScrapeConfig) -> Vec<(&str, u32, &str, &str, &str)> {
    let all = config.jobs.iter().flat_map(|job| job.targets.iter().map(move |target| (job, target)));
    all.map(|(job, target)| {
        (
            job.name.as_str(),
            target.line,
            target.address.as_str(),
            target.scheme.as_str(),
            target.path.as_str(),
        )
    })
    .collect()
}

#[test]
fn jobs_have_their_targets_with_lines_and_defaults() {
    let config = parse(FILE).unwrap();
    assert_eq!(
        places(&config),
        [
            ("url-api", 8, "url-api:9464", "http", "/metrics"),
            ("others", 21, "analytics-rpc:9465", "https", "/internal/metrics"),
            ("others", 22, "gone:1", "https", "/internal/metrics"),
            ("others", 23, "analytics-consumer:9466", "http", "/m"),
        ]
    );
    assert_eq!(config.jobs[1].line, 11);
    assert_eq!(config.jobs[1].fallback_protocol.as_deref(), Some("PrometheusText0.0.4"));
    assert!(config.jobs[1].not_evaluated.is_empty(), "a label of the series moves no target");
    assert!(!config.is_partial());
}

#[test]
fn targets_are_resolved_through_the_declared_network() {
    let declaration = declaration();
    let port = |service: &str, role: &str| Resolution::Port { service: service.into(), role: role.into() };
    for (address, scheme, meant) in [
        ("url-api:9464", "http", port("url-api", "admin")),
        ("url-api:8080", "http", port("url-api", "main")),
        ("url-api:9465", "http", Resolution::ClosedPort { host: "url-api".into() }),
        ("url-api", "http", Resolution::ClosedPort { host: "url-api".into() }),
        ("localhost:9464", "http", Resolution::Scraper),
        ("127.0.0.1:9464", "http", Resolution::Scraper),
        ("[::1]:9464", "http", Resolution::Scraper),
        ("prometheus:9090", "http", Resolution::Scraper),
        ("gone:9464", "http", Resolution::UnknownHost),
        ("10.0.0.7:9464", "http", Resolution::UnknownHost),
        ("url-api:70000", "http", Resolution::UnknownHost),
        ("http://url-api:9464", "http", Resolution::UnknownHost),
        ("url-api:9464/metrics", "http", Resolution::UnknownHost),
        ("", "https", Resolution::UnknownHost),
        ("[::1", "http", Resolution::UnknownHost),
    ] {
        assert_eq!(resolve(address, scheme, &declaration), meant, "{address}");
    }
    let targets = parse(FILE).unwrap().targets("compose/prometheus.yml", &declaration);
    assert_eq!((targets[0].file.as_str(), targets[0].line), ("compose/prometheus.yml", 8));
    assert_eq!(targets[0].resolved, port("url-api", "admin"));
    assert_eq!(targets[2].resolved, Resolution::UnknownHost);
}

#[test]
fn what_moves_targets_and_is_not_evaluated_is_said() {
    let job = |more: &str| {
        format!("scrape_configs:\n  - job_name: a\n{more}    static_configs: [{{targets: [url-api:9464]}}]\n")
    };
    for (more, said) in [
        ("    kubernetes_sd_configs: [{role: pod}]\n", vec!["kubernetes_sd_configs"]),
        ("    relabel_configs: [{action: drop, source_labels: [a], regex: b}]\n", vec!["relabel_configs"]),
        ("    relabel_configs: [{target_label: __address__, replacement: x}]\n", vec!["relabel_configs"]),
        ("    params: {module: [x]}\n", vec!["params"]),
        ("    metric_relabel_configs: [{action: drop, regex: x}]\n", vec![]),
    ] {
        assert_eq!(parse(&job(more)).unwrap().jobs[0].not_evaluated, said, "{more}");
    }
    assert!(parse(&job("    dns_sd_configs: []\n")).unwrap().is_partial());
    assert!(!parse(&job("    params: {}\n")).unwrap().is_partial());
    assert!(parse("scrape_config_files: [\"jobs/*.yml\"]").unwrap().is_partial());
}

#[test]
fn what_prometheus_would_not_start_with_is_an_error_with_its_line() {
    for (text, line) in [
        ("scrape_configs:\n  - metrics_path: /m\n", 2),
        ("scrape_configs:\n  - job_name: a\n  - job_name: b\n  - job_name: a\n", 4),
        ("scrape_configs:\n  - job_name: a\n    scheme: ftp\n", 2),
        ("scrape_configs:\n  - job_name: a\n    static_configs:\n      - targets: url-api:9464\n", 4),
        ("scrape_configs:\n  - job_name: [a\n", 2),
        ("scrape_configs: yes\n", 1),
        ("scrape_configs:\n  - job_name: a\n    metric_path: /m\n", 3),
        ("scrape_config: []\n", 1),
        ("- a\n- b\n", 1),
    ] {
        let error = parse(text).unwrap_err();
        assert_eq!(error.line, line, "{text:?}: {error}");
        assert!(!error.what.contains('\n') && error.what.len() < 300, "{error}");
    }
    assert_eq!(parse("").unwrap(), ScrapeConfig::default());
    assert_eq!(parse("# nothing yet\n").unwrap(), ScrapeConfig::default());
    assert_eq!(parse("global: {}\nscrape_configs:\n").unwrap(), ScrapeConfig::default());
}

#[test]
fn hostile_files_are_refused_and_not_expanded() {
    let laughs = "a: &a [x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b, *b]\n\
        d: &d [*c, *c, *c, *c, *c, *c, *c, *c]\ne: &e [*d, *d, *d, *d, *d, *d, *d, *d]\nf: &f [*e, *e, *e, *e, *e, *e, *e, *e]\n\
        g: &g [*f, *f, *f, *f, *f, *f, *f, *f]\nscrape_configs: [*g, *g]\n";
    assert!(parse(laughs).is_err());
    assert!(parse(&format!("scrape_configs: {}", "[".repeat(100_000))).is_err());
    assert!(parse(&"x".repeat(5 << 20)).is_err());
    assert!(
        parse("scrape_configs: [{job_name: \"\\x00\\e[2J\", static_configs: [{targets: [\"\\0:1\"]}]}]")
            .is_ok()
    );
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[-a-z_:\\[\\]{}&*!|>'\"#%@,? \n]{0,200}") {
        _ = parse(&text);
        _ = parse(&format!("scrape_configs:\n  - job_name: a\n    {text}"));
    }
}
