//! The files of `compose/` as values: the expressions that its dashboards and alerts ask of Prometheus.

use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

/// Rule files of Prometheus, relative to the root of the workspace.
pub const RULES: &[&str] = &["compose/rules/recording.yml", "compose/rules/alerts.yml"];

/// Where the dashboards lie, relative to the root of the workspace.
pub const DASHBOARDS: &str = "compose/grafana/dashboards";

/// What Grafana puts for its variables: longer than a run, so that a rate is over all of it.
const VARIABLES: [(&str, &str); 3] = [("$__rate_interval", "1m"), ("$__interval", "1m"), ("$__range", "1m")];

/// An expression, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression {
    /// `services.json, panel Duration, query A`.
    pub place: String,
    /// As Prometheus is asked.
    pub text: String,
    /// Whether the panel shows exemplars of it.
    pub exemplars: bool,
}

/// A dashboard, by its file's name.
pub struct Dashboard {
    pub name: String,
    pub json: Value,
}

/// Every dashboard, in the order of their names.
pub fn dashboards(root: &Path) -> Result<Vec<Dashboard>, String> {
    let directory = root.join(DASHBOARDS);
    let entries = fs::read_dir(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    let read = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = fs::read_to_string(path).map_err(|error| format!("{name}: {error}"))?;
        let json = serde_json::from_str(&text).map_err(|error| format!("{name}: {error}"))?;
        Ok(Dashboard { name, json })
    };
    paths.iter().map(|path| read(path)).collect()
}

impl Dashboard {
    /// Its panels, rows left out.
    pub fn panels(&self) -> impl Iterator<Item = &Value> {
        let panels = self.json["panels"].as_array().into_iter().flatten();
        panels.filter(|panel| panel["type"] != "row")
    }
}

/// Every query of every panel that asks Prometheus.
pub fn panels(root: &Path) -> Result<Vec<Expression>, String> {
    let mut expressions = Vec::new();
    for dashboard in dashboards(root)? {
        for panel in dashboard.panels() {
            let targets = panel["targets"].as_array().into_iter().flatten();
            for target in targets.filter(|target| target["datasource"]["type"] == "prometheus") {
                let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                expressions.push(Expression {
                    place: format!(
                        "{}, panel {}, query {}",
                        dashboard.name,
                        word(&panel["title"]),
                        word(&target["refId"])
                    ),
                    text: with_variables(&word(&target["expr"])),
                    exemplars: target["exemplar"] == true,
                });
            }
        }
    }
    Ok(expressions)
}

fn with_variables(text: &str) -> String {
    VARIABLES.iter().fold(text.to_owned(), |text, (variable, value)| text.replace(variable, value))
}

/// A rule of a rule file.
#[derive(Clone, Debug, Deserialize)]
pub struct Rule {
    pub record: Option<String>,
    pub alert: Option<String>,
    pub expr: String,
    #[serde(rename = "for", default)]
    pub holds_for: String,
    #[serde(default)]
    pub labels: std::collections::BTreeMap<String, String>,
    #[serde(default)]
    pub annotations: std::collections::BTreeMap<String, String>,
}

/// Every rule of the rule files.
pub fn rules(root: &Path) -> Result<Vec<Rule>, String> {
    #[derive(Deserialize)]
    struct File {
        groups: Vec<Group>,
    }
    #[derive(Deserialize)]
    struct Group {
        rules: Vec<Rule>,
    }
    let mut rules = Vec::new();
    for name in RULES {
        let text = fs::read_to_string(root.join(name)).map_err(|error| format!("{name}: {error}"))?;
        let file: File = serde_saphyr::from_str(&text).map_err(|error| format!("{name}: {error}"))?;
        rules.extend(file.groups.into_iter().flat_map(|group| group.rules));
    }
    Ok(rules)
}

/// The expressions of the alerts.
pub fn alerts(root: &Path) -> Result<Vec<Expression>, String> {
    let alert = |rule: Rule| {
        Some(Expression { place: format!("alert {}", rule.alert?), text: rule.expr, exemplars: false })
    };
    Ok(rules(root)?.into_iter().filter_map(alert).collect())
}

/// An alert's expression with comparisons that keep what does not fire: 0 and 1 instead of nothing. So it returns data exactly
/// where its series exist.
pub fn with_every_value(expression: Expression) -> Expression {
    let mut text = String::with_capacity(expression.text.len() + 32);
    let (mut quoted, mut depth) = (false, 0);
    let mut characters = expression.text.chars().peekable();
    while let Some(character) = characters.next() {
        text.push(character);
        match character {
            '"' => quoted = !quoted,
            '{' if !quoted => depth += 1,
            '}' if !quoted => depth -= 1,
            '>' | '<' | '=' | '!' if !quoted && depth == 0 => {
                if characters.peek() == Some(&'=') {
                    text.extend(characters.next());
                }
                text.push_str(" bool");
            }
            _ => {}
        }
    }
    Expression { text, ..expression }
}

/// The series whose exemplars Grafana asks for: those that the expression's first bucket selector names.
pub fn exemplar_selector(expression: &Expression) -> Option<String> {
    let text = expression.text.as_str();
    let at = text.find("_bucket").filter(|_| expression.exemplars)?;
    let begin = text[..at]
        .rfind(|character: char| !character.is_alphanumeric() && character != '_')
        .map_or(0, |at| at + 1);
    let rest = &text[at..];
    let end = rest.find(['[', ')']).unwrap_or(rest.len());
    Some(format!("{}{}", &text[begin..at], &rest[..end]))
}

/// The metrics that an expression names, each once: identifiers that are no function, keyword or label.
pub fn metric_names(expression: &str) -> Vec<&str> {
    const KEYWORDS: [&str; 9] = ["and", "or", "unless", "bool", "offset", "by", "without", "on", "ignoring"];
    let is_part = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | ':');
    let mut names = Vec::new();
    let (mut at, mut keyword) = (0, "");
    while let Some(first) = expression[at..].chars().next() {
        let rest = &expression[at..];
        let length = rest.find(|character| !is_part(character)).unwrap_or(rest.len());
        if length == 0 {
            let closing = match first {
                '{' => '}',
                '[' => ']',
                '"' => '"',
                // What stands between these are labels.
                '(' if ["by", "without", "on", "ignoring"].contains(&keyword) => ')',
                _ => '\0',
            };
            let skipped = rest[first.len_utf8()..].find(closing).map_or(0, |end| end + 1);
            at += first.len_utf8() + skipped;
            keyword = if first.is_whitespace() { keyword } else { "" };
            continue;
        }
        let (word, after) = rest.split_at(length);
        let is_function = after.trim_start().starts_with('(');
        if !is_function && !first.is_ascii_digit() && !KEYWORDS.contains(&word) && !names.contains(&word) {
            // `sum by (a) (b)`: the aggregation is followed by its keyword.
            let aggregates = ["by", "without"].iter().any(|next| after.trim_start().starts_with(next));
            names.extend((!aggregates).then_some(word));
        }
        (at, keyword) = (at + length, word);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expression(text: &str) -> Expression {
        Expression { place: String::new(), text: text.into(), exemplars: true }
    }

    #[test]
    fn comparisons_keep_every_value_and_selectors_are_left_alone() {
        for (given, kept) in [
            ("a > 1 and b == 0", "a > bool 1 and b == bool 0"),
            ("a{b=~\"x>y\", c!=\"d\"} >= 1", "a{b=~\"x>y\", c!=\"d\"} >= bool 1"),
            ("sum by (a) (b) != 2", "sum by (a) (b) != bool 2"),
            ("a / b", "a / b"),
        ] {
            assert_eq!(with_every_value(expression(given)).text, kept);
        }
    }

    #[test]
    fn metrics_are_named_and_functions_and_labels_are_not() {
        for (expression, names) in [
            ("histogram_quantile(0.99, sum by (le, job) (rate(a_bucket{b=\"c\"}[1m])))", vec!["a_bucket"]),
            ("a:b:c / 0.001", vec!["a:b:c"]),
            ("(sum(rate(a{b=~\"x|y\"}[5m])) or vector(0)) / sum(rate(a[5m]))", vec!["a"]),
            ("a > bool 1 and on (x) b offset 5m", vec!["a", "b"]),
            ("time() - up", vec!["up"]),
            ("", vec![]),
            ("{\u{e9}", vec![]),
        ] {
            let seen: Vec<_> = metric_names(expression).into_iter().filter(|name| *name != "5m").collect();
            assert_eq!(seen, names, "{expression}");
        }
    }

    #[test]
    fn exemplars_are_those_of_the_buckets() {
        let given = "histogram_quantile(0.99, sum by (le) (rate(a_b_bucket{job=\"x\"}[1m])))";
        assert_eq!(exemplar_selector(&expression(given)).as_deref(), Some("a_b_bucket{job=\"x\"}"));
        assert_eq!(exemplar_selector(&expression("rate(a_bucket[1m])")).as_deref(), Some("a_bucket"));
        assert_eq!(exemplar_selector(&expression("up")), None);
        assert_eq!(exemplar_selector(&Expression { exemplars: false, ..expression(given) }), None);
    }
}
