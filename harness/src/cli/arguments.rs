//! The grammar of the command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::TypedValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::nearest::nearest;
use crate::report::{Kind, Shard};

/// Judges whether a system can be observed: its traces, metrics and logs, by named rules.
#[derive(Parser)]
#[command(
    name = "probity",
    bin_name = "probity",
    version,
    arg_required_else_help = true,
    after_help = "Exit codes: 0 pass, 1 fail, 2 error or wrong input, 3 incomplete. `probity explain exit-codes` says more."
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Subcommand)]
pub(super) enum Command {
    Run(RunArguments),
    Defects(DefectsArguments),
    Exec(ExecArguments),
    Listen(ListenArguments),
    Check(CheckArguments),
    Merge(MergeArguments),
    Diff(DiffArguments),
    Prove(ProveArguments),
    Tree(TreeArguments),
    Export(ExportArguments),
    LogSchema(LogSchemaArguments),
    Explain(ExplainArguments),
    Rules(RulesArguments),
    Doctor(DoctorArguments),
}

/// Start the system on real backends, run its scenarios, judge what was captured.
#[derive(Args)]
pub(super) struct RunArguments {
    /// Parts of scenario names, or families; without any, all scenarios.
    pub(super) scenarios: Vec<String>,
    /// Only scenarios whose name has this part, or of this family; may be repeated.
    #[arg(long, value_name = "PATTERN")]
    pub(super) only: Vec<String>,
    /// Put this defect into the system, and run the scenario that it shows in.
    #[arg(long, value_name = "NAME")]
    pub(super) defect: Option<String>,
    /// Only this share of the scenarios, such as 2/3; `probity merge` puts the shares together.
    #[arg(long, value_name = "I/N", conflicts_with = "defect")]
    pub(super) shard: Option<Shard>,
    /// Only what was not green in the last run, or in the one that is saved in DIR.
    #[arg(long, value_name = "DIR", num_args = 0..=1, conflicts_with = "defect")]
    pub(super) rerun_failed: Option<Option<PathBuf>>,
    /// Try all 720 start orders instead of eight.
    #[arg(long)]
    pub(super) all_orders: bool,
    #[command(flatten)]
    pub(super) suite: SuiteArguments,
    #[command(flatten)]
    pub(super) report: ReportArguments,
}

/// List the breaks that the rules are proven by, with what each turns red; `--run` proves them now.
#[derive(Args)]
pub(super) struct DefectsArguments {
    /// Run every scenario with and without its defects, and compare.
    #[arg(long)]
    pub(super) run: bool,
    /// Write the page that shows what proves each rule, as Markdown.
    #[arg(long, value_name = "FILE", conflicts_with = "run")]
    pub(super) page: Option<PathBuf>,
    /// The cases of each rule's tables, as the tests counted them; without it, those that the page has.
    #[arg(long, value_name = "FILE", requires = "page")]
    pub(super) cases: Option<PathBuf>,
    #[command(flatten)]
    pub(super) suite: SuiteArguments,
    #[command(flatten)]
    pub(super) json: ListArguments,
}

/// What commands that start backends have in common.
#[derive(Args)]
pub(super) struct SuiteArguments {
    /// Who provides the backends: `embedded`, `local`, `containers`, or one by one: `kafka=local,postgres=external:URL`.
    #[arg(long, value_name = "PROVIDERS")]
    pub(super) backends: Option<String>,
    /// Save the evidence here instead of in target/probity.
    #[arg(long, value_name = "DIR")]
    pub(super) evidence: Option<std::path::PathBuf>,
    /// How many scenarios run at once. By default four for each core, at least 4 and at most 16: they wait more than they work.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=64).map(usize::from))]
    pub(super) jobs: Option<usize>,
}

/// Run any command with OTLP pointed here, judge what it sent, print its trees.
#[derive(Args)]
pub(super) struct ExecArguments {
    #[command(flatten)]
    pub(super) capture: CaptureArguments,
    /// The command and its arguments, behind `--`.
    #[arg(last = true, required = true, value_name = "CMD")]
    pub(super) command: Vec<OsString>,
}

/// Stay up as a collector until a signal, then judge what came.
#[derive(Args)]
pub(super) struct ListenArguments {
    /// Where to listen; every address serves gRPC and HTTP, one is enough. Without any, a free port of loopback.
    #[arg(long, value_name = "ADDR")]
    pub(super) grpc: Option<String>,
    /// A second address.
    #[arg(long, value_name = "ADDR")]
    pub(super) http: Option<String>,
    /// Pass everything that is accepted on to another OTLP/HTTP endpoint, such as a viewer.
    #[arg(long, value_name = "URL")]
    pub(super) forward: Option<String>,
    #[command(flatten)]
    pub(super) capture: CaptureArguments,
}

/// Judge saved evidence, or any OTLP file, again.
#[derive(Args)]
pub(super) struct CheckArguments {
    /// An evidence directory, a file of OTLP JSON lines, or one of the Collector's protobuf files.
    pub(super) evidence: PathBuf,
    /// The evidence is all there was: what is missing in it may be held against the system.
    #[arg(long)]
    pub(super) complete: bool,
    /// Write a file for --known that accepts what fails today; it is for you to read, and to shorten.
    #[arg(long, value_name = "FILE", conflicts_with = "known")]
    pub(super) write_known: Option<PathBuf>,
    #[command(flatten)]
    pub(super) report: ReportArguments,
}

/// Break saved evidence in many ways, judge it again, and say which break nobody would notice.
#[derive(Args)]
pub(super) struct ProveArguments {
    /// An evidence directory or an OTLP file; without it, that of the last run.
    pub(super) evidence: Option<PathBuf>,
    /// One line for every break, not only for those that were not caught.
    #[arg(long)]
    pub(super) all: bool,
    /// The evidence is all there was: what is missing in it may be held against the system.
    #[arg(long)]
    pub(super) complete: bool,
    #[command(flatten)]
    pub(super) json: ListArguments,
}

/// Put the shards of a run together: the evidence and the report of the whole.
#[derive(Args)]
pub(super) struct MergeArguments {
    /// The evidence of each shard of `probity run --shard I/N`.
    #[arg(required = true, value_name = "DIR")]
    pub(super) shards: Vec<PathBuf>,
    /// Save the whole here.
    #[arg(long, value_name = "DIR")]
    pub(super) evidence: PathBuf,
    #[command(flatten)]
    pub(super) report: ReportArguments,
}

/// Say what changed between two saved runs: trees, spans, attributes, series, durations, findings.
#[derive(Args)]
pub(super) struct DiffArguments {
    /// The earlier run: an evidence directory or an OTLP file.
    pub(super) a: PathBuf,
    /// The later run.
    pub(super) b: PathBuf,
    /// Write the differences as JSON (`docs/json.md`); `-` prints it instead of the text.
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
    /// Write them as Markdown, for the summary of a pull request; `-` prints it instead of the text.
    #[arg(long, value_name = "FILE")]
    pub(super) markdown: Option<PathBuf>,
    /// Fail on these differences; may be repeated.
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(super) deny: Vec<DenyDiff>,
    /// Findings that are accepted for now are not new (`probity explain known`).
    #[arg(long, value_name = "FILE")]
    pub(super) known: Option<PathBuf>,
}

impl DiffArguments {
    /// Whether standard output belongs to JSON or Markdown.
    pub(super) fn takes_stdout(&self) -> bool {
        self.json.iter().chain(&self.markdown).any(|file| super::output::is_stdout(file))
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum DenyDiff {
    /// Errors and warnings that were not there before and are not known.
    NewFindings,
    /// Any change but durations.
    Changes,
}

/// Print the trace trees of saved evidence, those of one shape together.
#[derive(Args)]
pub(super) struct TreeArguments {
    /// An evidence directory or an OTLP file.
    pub(super) evidence: PathBuf,
    /// Show one trace: the number of its shape, or the first digits (eight or more) of its id.
    #[arg(long, value_name = "N|ID")]
    pub(super) trace: Option<String>,
    /// Of a run with several scenarios, only this one.
    #[arg(long)]
    pub(super) scenario: Option<String>,
}

/// Print saved evidence as OTLP JSON lines, for other tools.
#[derive(Args)]
pub(super) struct ExportArguments {
    /// An evidence directory or an OTLP file.
    pub(super) evidence: PathBuf,
}

/// Print the schema of the log lines in saved evidence, or write it where it is committed.
#[derive(Args)]
pub(super) struct LogSchemaArguments {
    /// An evidence directory.
    pub(super) evidence: PathBuf,
    /// Bring this file up to date, from the scenarios whose system declares it; events that were not seen stay.
    #[arg(long, value_name = "FILE")]
    pub(super) write: Option<PathBuf>,
}

/// Say why a rule matters, how a break shows and how to fix it; or explain a topic.
#[derive(Args)]
pub(super) struct ExplainArguments {
    /// The id of a rule (`MSG-02`) or a topic; without it, all of them.
    pub(super) name: Option<String>,
}

/// List the rules and what each needs.
#[derive(Args)]
pub(super) struct RulesArguments {
    #[command(flatten)]
    pub(super) json: ListArguments,
}

/// Say which providers of backends this machine can serve, and what is missing.
#[derive(Args)]
pub(super) struct DoctorArguments {
    #[command(flatten)]
    pub(super) json: ListArguments,
}

/// What commands that judge have in common.
#[derive(Args)]
pub(super) struct ReportArguments {
    /// Write the report as JSON (`docs/json.md`); `-` prints it instead of the text.
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
    /// Write a report of this kind: html, json, junit, sarif, markdown or github; `-` as FILE prints it instead of the text. May be repeated.
    #[arg(long, value_name = "KIND=FILE", value_parser = parse_report)]
    pub(super) report: Vec<(Kind, PathBuf)>,
    /// Let findings of less than error fail the run too.
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(super) deny: Option<Deny>,
    /// Findings that are accepted for now, with reasons (`probity explain known`): shown, but not red.
    #[arg(long, value_name = "FILE")]
    pub(super) known: Option<PathBuf>,
}

impl ReportArguments {
    /// Which reports are to be written where.
    pub(super) fn asked(&self) -> Vec<(Kind, PathBuf)> {
        let json = self.json.iter().map(|file| (Kind::Json, file.clone()));
        json.chain(self.report.iter().cloned()).collect()
    }

    /// Whether standard output belongs to one of them. Annotations stand beside the text.
    pub(super) fn takes_stdout(&self) -> bool {
        self.asked().iter().any(|(kind, file)| *kind != Kind::Github && super::output::is_stdout(file))
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Deny {
    Warnings,
}

/// What commands that receive have in common.
#[derive(Args)]
pub(super) struct CaptureArguments {
    /// Save the evidence in this directory.
    #[arg(long, value_name = "DIR")]
    pub(super) evidence: Option<PathBuf>,
    /// Keep at most so many bytes of telemetry (`512MiB`); past it senders are told to come again later.
    #[arg(long, value_name = "BYTES", default_value = "2GiB", value_parser = parse_bytes)]
    pub(super) max_memory: usize,
    #[command(flatten)]
    pub(super) report: ReportArguments,
}

/// `html=report.html`: a kind of report, and its file.
fn parse_report(text: &str) -> Result<(Kind, PathBuf), String> {
    let kinds = Kind::ALL.map(Kind::word).join(", ");
    let Some((word, file)) = text.split_once('=').filter(|(_, file)| !file.is_empty()) else {
        return Err(format!("write KIND=FILE, such as html=report.html; kinds are {kinds}"));
    };
    let kind = Kind::named(word).ok_or_else(|| match nearest(word, Kind::ALL.map(Kind::word)) {
        Some(meant) => format!("there is no kind of report `{word}`: did you mean `{meant}`?"),
        None => format!("there is no kind of report `{word}`: kinds are {kinds}"),
    })?;
    Ok((kind, file.into()))
}

/// A number of bytes, with an optional unit of powers of 1024.
fn parse_bytes(text: &str) -> Result<usize, String> {
    let text = text.trim().to_ascii_lowercase();
    let digits = text.trim_end_matches(|character: char| character.is_ascii_alphabetic() || character == ' ');
    let shift = match text[digits.len()..].trim() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        unit => return Err(format!("`{unit}` is no unit of bytes: write 536870912, 512MiB or 2GiB")),
    };
    let number: usize = digits.parse().map_err(|_| "write a number of bytes, such as 512MiB".to_string())?;
    number
        .checked_shl(shift)
        .filter(|bytes| bytes >> shift == number && *bytes > 0)
        .ok_or("out of range".into())
}

/// What commands that list have in common.
#[derive(Args)]
pub(super) struct ListArguments {
    /// Print it as JSON, or write it to FILE.
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    pub(super) json: Option<PathBuf>,
}
