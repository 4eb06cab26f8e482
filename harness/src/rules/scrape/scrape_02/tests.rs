use super::super::testing::*;
use crate::model::*;

fn with(from: &str, to: &str) -> Judgement {
    assert!(CONFIG.contains(from), "{from}");
    judge("SCRAPE-02", &scraped_by(&CONFIG.replacen(from, to, 1)))
}

#[test]
fn every_service_named_and_every_target_somebody_passes() {
    let judgement = judge("SCRAPE-02", &scraped_by(CONFIG));
    assert_eq!((judgement.outcome(), judgement.subjects), (Outcome::Pass, 6));
    assert_eq!(with("url-api:9464", "url-api:8080").outcome(), Outcome::Pass, "a wrong port is another rule's");
    assert_eq!(with("[\"url-api:9464\"]", "[\"url-api:9464\", \"localhost:9090\"]").outcome(), Outcome::Pass);
}

#[test]
fn a_service_that_no_target_names_is_found() {
    let without = CONFIG.split("  - job_name: analytics-consumer").next().unwrap();
    let judgement = judge("SCRAPE-02", &scraped_by(without));
    assert_eq!(errors(&judgement), ["analytics-consumer"]);
    assert_eq!(judgement.findings[0].required, "a target for analytics-consumer:9466/metrics");
    assert_eq!(judgement.findings[0].at, Some(SourcePlace { file: "compose/prometheus.yml".into(), line: 1 }));
    assert_eq!(errors(&with("url-api:9464", "localhost:9464")), ["url-api"]);
    assert_eq!(errors(&judge("SCRAPE-02", &scraped_by("scrape_configs: []\n"))).len(), 3);
}

#[test]
fn a_host_that_is_not_there_is_dangling_and_the_nearest_name_is_offered() {
    let judgement = judge("SCRAPE-02", &scraped_by(&CONFIG.replace("  - job_name: analytics-rpc", "  - job_name: gone\n    static_configs: [{targets: [\"urlapi:9464\"]}]\n  - job_name: analytics-rpc")));
    assert_eq!(errors(&judgement), ["compose/prometheus.yml line 6, target urlapi:9464"]);
    assert_eq!(judgement.findings[0].candidates, ["url-api"]);
    assert_eq!(judgement.findings[0].at, Some(SourcePlace { file: "compose/prometheus.yml".into(), line: 6 }));
    let misspelt = with("url-api:9464", "url_api:9464");
    assert_eq!(errors(&misspelt), ["compose/prometheus.yml line 4, target url_api:9464", "url-api"]);
}

#[test]
fn a_service_discovery_may_name_whoever_is_missing() {
    let without = CONFIG.split("  - job_name: analytics-consumer").next().unwrap();
    let discovered = format!("{without}  - job_name: found\n    dns_sd_configs: [{{names: [x]}}]\n");
    let judgement = judge("SCRAPE-02", &scraped_by(&discovered));
    assert_eq!((judgement.outcome(), judgement.gaps[0].subject.as_str()), (Outcome::Incomplete, "analytics-consumer"));
}

#[test]
fn without_a_configuration_or_a_declaration_nothing_is_judged() {
    let mut build = scraped_by(CONFIG);
    let evidence = build.evidence();
    let rule = crate::rules::find("SCRAPE-02").unwrap();
    assert_eq!(crate::rules::testing::judged(rule, &Case::new(&evidence, None)).outcome(), Outcome::NotJudged);
    build.evidence_mut().targets.clear();
    build.evidence_mut().files.clear();
    assert_eq!(judge("SCRAPE-02", &build).outcome(), Outcome::NotJudged);
    assert_eq!(judge("SCRAPE-02", &scraped_by("- not: a map\n")).outcome(), Outcome::NotJudged);
}

#[test]
fn services_without_metrics_need_no_target() {
    let mut declaration = crate::model::build::declaration();
    declaration.services[2].ports.clear();
    let without = CONFIG.split("  - job_name: analytics-consumer").next().unwrap();
    let evidence = scraped_by(without).evidence();
    let rule = crate::rules::find("SCRAPE-02").unwrap();
    assert_eq!(crate::rules::testing::judged(rule, &Case::new(&evidence, Some(&declaration))).outcome(), Outcome::Pass);
}

#[test]
fn hostile_hosts_are_shown_harmless() {
    let hostile = format!("scrape_configs:\n  - job_name: a\n    static_configs: [{{targets: [\"\\e[2J{}:1\"]}}]\n", "x".repeat(100_000));
    let judgement = judge("SCRAPE-02", &scraped_by(&hostile));
    assert_eq!(errors(&judgement).len(), 4);
    assert!(judgement.findings.iter().all(|finding| finding.seen.len() < 300 && !finding.subject.contains('\u{1b}')));
}
