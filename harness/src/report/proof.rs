//! What `probity prove` says: mutation by mutation who noticed, then in full what nobody would notice.

use std::collections::BTreeSet;
use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use super::terminal::Layout;
use super::text::{count, harmless, shortened, wrap};
use crate::prove::{Broken, Disturbed, Fate, Proof};

const NAME_MAX: usize = 200;
/// The column at which the rules of a mutation begin.
const RULES_AT: usize = 36;
const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const MEAGRE: Style = AnsiColor::Yellow.on_default().bold();

/// The whole account; with `all` every break has its line.
pub fn terminal(proof: &Proof, all: bool, layout: &Layout) -> String {
    let mut text = String::new();
    if !proof.passed_over.is_empty() {
        let names: Vec<String> = proof.passed_over.iter().map(|name| shown(name)).collect();
        _ = writeln!(text, "not green, so not broken: {}\n", names.join(", "));
    }
    for mutation in mutations(proof) {
        text.push_str(&mutation_lines(&mutation, all, layout));
    }
    text.push('\n');
    for neutral in &proof.neutrals {
        text.push_str(&neutral_lines(neutral));
    }
    text.push_str(&survivors(proof));
    text + &summary(proof)
}

/// The breaks of each mutation, in order.
fn mutations(proof: &Proof) -> Vec<Vec<&Broken>> {
    let mut mutations: Vec<Vec<&Broken>> = Vec::new();
    for broken in &proof.breaks {
        match mutations.last_mut().filter(|known| known[0].mutation == broken.mutation) {
            Some(known) => known.push(broken),
            None => mutations.push(vec![broken]),
        }
    }
    mutations
}

fn mutation_lines(breaks: &[&Broken], all: bool, layout: &Layout) -> String {
    let caught = breaks.iter().filter(|broken| broken.fate == Fate::Caught).count();
    let rules: BTreeSet<&str> = breaks.iter().flat_map(|broken| &broken.rules).map(String::as_str).collect();
    let (style, word) = match breaks.iter().map(|broken| broken.fate).max() {
        Some(Fate::Caught) | None => (GOOD, "caught"),
        Some(Fate::Incomplete | Fate::Warned) => (MEAGRE, "partly"),
        Some(Fate::Survived) => (BAD, "missed"),
    };
    let head = format!("{:<16} {caught:>3} of {:<3} ", breaks[0].mutation, breaks.len());
    let rules: Vec<&str> = rules.into_iter().collect();
    let rules = wrap(&rules.join(" "), layout.beside(RULES_AT)).join(&format!("\n{:RULES_AT$}", ""));
    let mut text = format!("{style}{word}{style:#}  {head} {rules}\n");
    if all {
        for broken in breaks {
            _ = writeln!(text, "          {}", broken_line(broken));
        }
    }
    text
}

fn broken_line(broken: &Broken) -> String {
    let place =
        if broken.scenario.is_empty() { String::new() } else { format!(" in {}", shown(&broken.scenario)) };
    format!("{}: {}{place}", shown(&broken.subject), fate(broken))
}

fn fate(broken: &Broken) -> String {
    let rules = broken.rules.join(" ");
    match broken.fate {
        Fate::Caught => format!("caught by {rules}"),
        Fate::Incomplete if rules.is_empty() => "incomplete".into(),
        Fate::Incomplete => format!("incomplete: {rules}"),
        Fate::Warned => format!("only a warning: {rules}"),
        Fate::Survived => "nobody notices".into(),
    }
}

fn neutral_lines(neutral: &Disturbed) -> String {
    let (style, word) = if neutral.changed.is_empty() { (GOOD, "same  ") } else { (BAD, "differs") };
    let mut text = format!("{style}{word}{style:#}  {:<16} {}\n", neutral.change, neutral.about);
    for changed in neutral.changed.iter().take(5) {
        _ = writeln!(text, "          {}", shortened(&harmless(changed, false), 400));
    }
    text
}

/// Everything that would pass, with what to do about it.
fn survivors(proof: &Proof) -> String {
    let mut text = String::new();
    let missed: Vec<&Broken> = proof.breaks.iter().filter(|broken| broken.fate != Fate::Caught).collect();
    if missed.is_empty() {
        return text;
    }
    _ = writeln!(text, "\nnot caught");
    for broken in missed {
        let tried = count(broken.scenarios as u64, "scenario");
        _ = writeln!(
            text,
            "  {:<16} {}: {} ({}; {tried})",
            broken.mutation,
            shown(&broken.subject),
            fate(broken),
            broken.about
        );
    }
    if proof.survivors().next().is_some() {
        text.push_str(
            "  what to do      expect the tree (an outline or a snapshot) in a scenario that has the span; declare the \
             family, the label\n                  or the topic; or judge with a rule that needs it: probity explain prove\n",
        );
    }
    text
}

fn summary(proof: &Proof) -> String {
    let of = |fate: Fate| proof.breaks.iter().filter(|broken| broken.fate == fate).count();
    let (survived, disturbed) = (of(Fate::Survived), proof.disturbed().count());
    let (style, word) = match (proof.breaks.is_empty(), survived + disturbed) {
        (true, _) => (MEAGRE, "incomplete"),
        (false, 0) => (GOOD, "pass"),
        _ => (BAD, "fail"),
    };
    let mut parts = vec![
        count(proof.scenarios.len() as u64, "scenario"),
        count(proof.breaks.len() as u64, "break"),
        format!("{} caught", of(Fate::Caught)),
    ];
    for (fate, what) in
        [(Fate::Incomplete, "incomplete"), (Fate::Warned, "only warned of"), (Fate::Survived, "unnoticed")]
    {
        if of(fate) > 0 {
            parts.push(format!("{} {what}", of(fate)));
        }
    }
    if disturbed > 0 {
        parts.push(format!("{disturbed} of what must not matter did"));
    }
    format!("\n{style}{word}{style:#}  {}\n", parts.join(", "))
}

fn shown(name: &str) -> String {
    shortened(&harmless(name, false), NAME_MAX)
}
