//! What Grafana is provisioned with: data sources that are there, panels that can be read, latency as quantiles with the objective
//! drawn in and exemplars that lead to traces.

use std::collections::BTreeSet;

use scenarios::compose::{Dashboard, dashboards};
use serde_json::Value;

use super::{Claims, all_well, declaration, root, words, yaml};

pub(super) const CLAIMS: Claims = &[
    ("data_sources_are_containers_and_exemplars_lead_to_traces", data_sources),
    ("dashboards_have_names_of_their_own_and_panels_that_do_not_overlap", structure),
    ("every_panel_has_a_unit_a_description_and_a_known_data_source", described),
    ("rates_are_over_the_rate_interval_and_counters_are_never_shown_raw", rates),
    ("latency_is_shown_as_quantiles_with_the_objective_and_exemplars", latency),
    ("traces_are_looked_for_under_declared_names", traces),
];

const DATA_SOURCES: &str = "compose/grafana/provisioning/datasources/datasources.yaml";

fn all() -> Vec<Dashboard> {
    dashboards(&root()).unwrap_or_else(|error| panic!("{error}"))
}

/// A dashboard's panels with what they are called in messages.
fn panels(dashboard: &Dashboard) -> impl Iterator<Item = (String, &Value)> {
    dashboard.panels().map(|panel| (format!("{}: {}", dashboard.name, panel["title"]), panel))
}

fn queries(panel: &Value) -> Vec<&str> {
    let targets = panel["targets"].as_array().into_iter().flatten();
    targets.filter_map(|target| target["expr"].as_str()).collect()
}

fn data_sources() -> Result<(), String> {
    let sources = yaml(DATA_SOURCES)["datasources"].take();
    let containers = yaml("compose/compose.yaml")["services"].take();
    let mut wrong = Vec::new();
    for source in sources.as_array().into_iter().flatten() {
        let url = source["url"].as_str().unwrap_or_default();
        let (host, port) = url.trim_start_matches("http://").split_once(':').unwrap_or_default();
        let container = &containers[host];
        let serves = words(&container["ports"]).into_iter().chain(words(&container["expose"]));
        if !serves.into_iter().any(|known| known.rsplit(':').next() == Some(port)) {
            wrong.push(format!("{}: no container serves {url}", source["name"]));
        }
    }
    let of_type = |kind: &str| sources.as_array().into_iter().flatten().find(|source| source["type"] == kind);
    let leads = of_type("prometheus").map(|source| &source["jsonData"]["exemplarTraceIdDestinations"][0]);
    let jaeger = of_type("jaeger").map(|source| &source["uid"]);
    if leads.is_none_or(|leads| leads["name"] != "trace_id" || Some(&leads["datasourceUid"]) != jaeger) {
        wrong.push(format!("exemplars lead to {leads:?}, and Jaeger is {jaeger:?}"));
    }
    all_well(wrong)
}

fn structure() -> Result<(), String> {
    let mut wrong = Vec::new();
    let mut uids = BTreeSet::new();
    for dashboard in all() {
        if !uids.insert(dashboard.json["uid"].to_string()) || !dashboard.json["uid"].is_string() {
            wrong.push(format!("{}: uid {}", dashboard.name, dashboard.json["uid"]));
        }
        let mut ids = BTreeSet::new();
        let mut taken = BTreeSet::new();
        for panel in dashboard.json["panels"].as_array().into_iter().flatten() {
            if !panel["id"].as_u64().is_some_and(|id| ids.insert(id)) {
                wrong.push(format!("{}: panel id {} twice, or none", dashboard.name, panel["id"]));
            }
            let side = |name: &str| panel["gridPos"][name].as_u64().unwrap_or(999);
            let (x, y, w, h) = (side("x"), side("y"), side("w"), side("h"));
            let fits = x + w <= 24 && h < 50;
            let free = fits && (x..x + w).all(|x| (y..y + h).all(|y| taken.insert((x, y))));
            if !free {
                wrong.push(format!(
                    "{}: {} lies on another panel, or outside",
                    dashboard.name, panel["title"]
                ));
            }
        }
    }
    if uids.len() < 3 {
        wrong.push(format!("{} dashboards", uids.len()));
    }
    all_well(wrong)
}

fn described() -> Result<(), String> {
    let sources = yaml(DATA_SOURCES)["datasources"].take();
    let known = |uid: &Value| sources.as_array().into_iter().flatten().any(|source| source["uid"] == *uid);
    let mut wrong = Vec::new();
    for dashboard in all() {
        for (name, panel) in panels(&dashboard) {
            let has = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
            let unit = &panel["fieldConfig"]["defaults"]["unit"];
            if panel["datasource"]["type"] == "prometheus" && !has(unit) {
                wrong.push(format!("{name} has no unit"));
            }
            if !has(&panel["description"]) || !has(&panel["title"]) {
                wrong.push(format!("{name} says nothing of itself"));
            }
            let targets = panel["targets"].as_array().into_iter().flatten();
            let uids =
                targets.map(|target| &target["datasource"]["uid"]).chain([&panel["datasource"]["uid"]]);
            wrong.extend(uids.filter(|uid| !known(uid)).map(|uid| format!("{name}: nobody provides {uid}")));
        }
    }
    all_well(wrong)
}

fn rates() -> Result<(), String> {
    let mut wrong = Vec::new();
    for dashboard in all() {
        for (name, panel) in panels(&dashboard) {
            for query in queries(panel) {
                let ranges = query.split('[').skip(1).filter_map(|rest| rest.split(']').next());
                // What is increased by over an hour is so for every resolution.
                let increase = query.contains("increase(");
                let other =
                    ranges.filter(|range| *range != "$__rate_interval" && !(increase && *range == "1h"));
                wrong.extend(other.map(|range| format!("{name}: over {range}")));
                let counters = ["_total", "_bucket", "_count", "_sum"];
                let raw = scenarios::compose::metric_names(query).into_iter().any(|metric| {
                    let counts = counters.iter().any(|suffix| metric.ends_with(suffix));
                    counts && !query.contains("rate(") && !increase
                });
                if raw || query.contains("rate(sum") {
                    wrong.push(format!("{name}: a counter that is not under a rate: {query}"));
                }
            }
        }
    }
    all_well(wrong)
}

fn latency() -> Result<(), String> {
    let declared = declaration();
    let families = declared.services.iter().flat_map(|service| &service.families);
    let objectives: Vec<f64> = families.filter_map(|family| family.slo_bound).collect();
    let mut wrong = Vec::new();
    let mut shown = 0;
    for dashboard in all() {
        for (name, panel) in panels(&dashboard) {
            let queries = queries(panel);
            if queries.iter().any(|query| query.contains("avg(") || query.contains("_sum")) {
                wrong.push(format!("{name}: an average hides what hurts"));
            }
            if !queries.iter().any(|query| query.contains("histogram_quantile")) {
                continue;
            }
            shown += 1;
            let form = |query: &&str| query.contains("sum by (le") && query.contains("(rate(");
            if !queries.iter().all(form) {
                wrong.push(format!("{name}: quantiles are over `sum by (le) (rate(…))`"));
            }
            let defaults = &panel["fieldConfig"]["defaults"];
            let steps = defaults["thresholds"]["steps"].as_array().into_iter().flatten();
            let lines: Vec<f64> = steps.filter_map(|step| step["value"].as_f64()).collect();
            if defaults["unit"] != "s" || !lines.iter().any(|line| objectives.contains(line)) {
                wrong.push(format!("{name}: {} with lines at {lines:?}", defaults["unit"]));
            }
            if panel["targets"][0]["exemplar"] != true {
                wrong.push(format!("{name} shows no exemplars"));
            }
        }
    }
    if shown < declared.services.len() {
        wrong.push(format!("{shown} panels show a latency"));
    }
    all_well(wrong)
}

fn traces() -> Result<(), String> {
    let declared = declaration();
    let mut wrong = Vec::new();
    let mut searches = 0;
    for dashboard in all() {
        for (name, panel) in panels(&dashboard) {
            let targets = panel["targets"].as_array().into_iter().flatten();
            for target in targets.filter(|target| target["datasource"]["type"] == "jaeger") {
                searches += 1;
                let (service, operation) = (&target["service"], &target["operation"]);
                let known = declared.operations.iter().any(|known| {
                    *service == known.service && *operation == format!("{} {}", known.method, known.route)
                });
                if !known {
                    wrong.push(format!("{name}: {operation} of {service} is nobody's"));
                }
            }
        }
    }
    if searches == 0 {
        wrong.push("no panel shows traces".into());
    }
    all_well(wrong)
}
