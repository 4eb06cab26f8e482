//! The rule files: burn rates on two windows with the factors of their objective, alerts that somebody owns and that can fire in
//! time, and promtool's own opinion.

use scenarios::compose::{Rule, rules};

use super::{Claims, all_well, root, text};

pub(super) const CLAIMS: Claims = &[
    ("burn_rates_use_both_windows_with_the_factors_of_30_days", burn_rates),
    ("each_alert_has_severity_owner_summary_and_a_runbook_that_is_there", owned),
    ("each_alert_waits_for_less_than_its_shortest_window", waits),
    ("each_alert_is_tested", tested),
];

/// What promtool is asked, in `compose/`.
pub(super) const PROMTOOL: &[(&str, &[&str])] = &[
    ("promtool_reads_prometheus_yml", &["check", "config", "prometheus.yml"]),
    ("promtool_reads_the_rules", &["check", "rules", "rules/recording.yml", "rules/alerts.yml"]),
    ("alerts_fire_and_are_over_when_they_should", &["test", "rules", "rules.test.yml"]),
];

fn all() -> Vec<Rule> {
    rules(&root()).unwrap_or_else(|error| panic!("{error}"))
}

fn alerts() -> impl Iterator<Item = (String, Rule)> {
    all().into_iter().filter_map(|rule| Some((rule.alert.clone()?, rule)))
}

/// The long window, the short one, and how fast the budget of 30 days then burns: Google's SRE workbook, chapter 5.
const WINDOWS: [(&str, &str, &str); 4] =
    [("1h", "5m", "14.4"), ("6h", "30m", "6"), ("1d", "2h", "3"), ("3d", "6h", "1")];

/// Windows and factors of an expression, in its order: `rate1h{…} > (14.4 * 0.001)`.
fn comparisons(expression: &str) -> Vec<(&str, &str)> {
    let parts = expression.split("ratio_rate").skip(1);
    parts
        .map(|part| {
            let window = part.split('{').next().unwrap_or_default().trim();
            let factor = part.split_once("> (").and_then(|(_, rest)| rest.split_once(" *"));
            (window, factor.map_or("", |(factor, _)| factor))
        })
        .collect()
}

fn burn_rates() -> Result<(), String> {
    let mut wrong = Vec::new();
    let mut found = 0;
    for (name, rule) in alerts().filter(|(name, _)| name.contains("Burn")) {
        let comparisons = comparisons(&rule.expr);
        for pair in comparisons.chunks(2) {
            let right = matches!(pair, [(long, one), (short, other)]
                if one == other && WINDOWS.contains(&(*long, *short, *one)));
            found += usize::from(right);
            if !right {
                wrong.push(format!("{name}: {pair:?}"));
            }
        }
        if comparisons.len() != 4 || rule.expr.matches("and").count() != 2 {
            wrong.push(format!("{name}: two pairs of windows, each joined by `and`"));
        }
    }
    // Two objectives.
    if found != 2 * WINDOWS.len() {
        wrong.push(format!("{found} pairs of windows"));
    }
    let recorded: Vec<String> = all().into_iter().filter_map(|rule| rule.record).collect();
    for (name, rule) in alerts() {
        let asks = rule.expr.split_whitespace().filter_map(|word| word.split('{').next());
        let missing =
            asks.filter(|word| word.starts_with("job:") && !recorded.iter().any(|known| known == word));
        wrong.extend(missing.map(|word| format!("{name}: nobody records {word}")));
    }
    all_well(wrong)
}

fn owned() -> Result<(), String> {
    let runbooks = text("compose/RUNBOOKS.md");
    let anchors: Vec<String> = runbooks
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .map(|title| format!("RUNBOOKS.md#{}", title.to_lowercase().replace(' ', "-")))
        .collect();
    let mut wrong = Vec::new();
    for (name, rule) in alerts() {
        let label = |key: &str| rule.labels.get(key).map_or("", String::as_str);
        let annotation = |key: &str| rule.annotations.get(key).map_or("", String::as_str);
        if !matches!(label("severity"), "page" | "ticket") || label("owner").is_empty() {
            wrong.push(format!("{name}: {:?}", rule.labels));
        }
        if annotation("summary").is_empty() || !anchors.iter().any(|anchor| anchor == annotation("runbook")) {
            wrong.push(format!("{name}: {:?}", rule.annotations));
        }
        if !runbooks.contains(&name) {
            wrong.push(format!("{name} is in no runbook"));
        }
    }
    all_well(wrong)
}

/// `2m`, in seconds.
fn seconds(duration: &str) -> Option<u64> {
    let unit = match duration.chars().last()? {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    Some(duration[..duration.len() - 1].parse::<u64>().ok()? * unit)
}

fn waits() -> Result<(), String> {
    let mut wrong = Vec::new();
    for (name, rule) in alerts() {
        let Some(holds_for) = seconds(&rule.holds_for) else {
            wrong.push(format!("{name}: `for` is {:?}", rule.holds_for));
            continue;
        };
        let recorded = comparisons(&rule.expr).into_iter().map(|(window, _)| window);
        let ranges = rule.expr.split('[').skip(1).filter_map(|rest| rest.split(']').next());
        let shortest = recorded.chain(ranges).filter_map(seconds).min();
        // What was seen once is forgotten after the window: an alert that must wait for longer needs it to go on, and so it may.
        if shortest.is_some_and(|window| holds_for > window) {
            wrong.push(format!("{name} waits {holds_for} s on a window of {shortest:?} s"));
        }
    }
    all_well(wrong)
}

fn tested() -> Result<(), String> {
    let tests = text("compose/rules.test.yml");
    let fires = |name: &str| {
        let line = format!("alertname: {name}\n");
        tests.split(line.as_str()).skip(1).any(|rest| rest.trim_start().starts_with("exp_alerts:"))
    };
    all_well(
        alerts()
            .filter(|(name, _)| !fires(name))
            .map(|(name, _)| format!("{name} fires in no test"))
            .collect(),
    )
}
