//! The kinds of report that a file can hold, one name each: what `--report` takes and what the run directory has.

use super::{Judged, RunReport, github, html, json, junit, markdown, sarif};

/// One form of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Versioned, for programs: `docs/json.md`.
    Json,
    /// One page for a browser, with everything in it.
    Html,
    /// JUnit's XML, which every CI reads.
    Junit,
    /// SARIF 2.1.0, for code scanning and editors.
    Sarif,
    /// A summary for a pull request.
    Markdown,
    /// Annotations, as a GitHub runner reads them.
    Github,
}

impl Kind {
    pub const ALL: [Kind; 6] =
        [Kind::Json, Kind::Html, Kind::Junit, Kind::Sarif, Kind::Markdown, Kind::Github];

    /// As it is typed: `html`.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Json => "json",
            Kind::Html => "html",
            Kind::Junit => "junit",
            Kind::Sarif => "sarif",
            Kind::Markdown => "markdown",
            Kind::Github => "github",
        }
    }

    /// The kind of that name.
    pub fn named(word: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// What its file is called beside the evidence; annotations lie nowhere.
    pub fn file_name(self) -> Option<&'static str> {
        match self {
            Kind::Json => Some("report.json"),
            Kind::Html => Some("report.html"),
            Kind::Junit => Some("junit.xml"),
            Kind::Sarif => Some("report.sarif"),
            Kind::Markdown => Some("summary.md"),
            Kind::Github => None,
        }
    }

    /// The report, the same for the same run and cases, byte for byte.
    pub fn render(self, run: &RunReport, cases: &[Judged]) -> String {
        match self {
            Kind::Json => json::render(run),
            Kind::Html => html::render(run, cases),
            Kind::Junit => junit::render(run, cases),
            Kind::Sarif => sarif::render(run, cases),
            Kind::Markdown => markdown::render(run, cases),
            Kind::Github => github::render(run, cases),
        }
    }
}
