//! `probity exec` on programs in other languages with OpenTelemetry's ordinary SDKs, over every protocol they speak.
//!
//! `ci/setup` installs the SDKs; where one is missing its tests are ignored, and say why. `PROBITY_PYTHON` names another
//! interpreter, `NODE_PATH` another directory of Node's packages.

use std::path::Path;
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let trials = languages().into_iter().flat_map(trials).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// A language, its program, and how to see whether its SDK is there.
struct Language {
    name: &'static str,
    interpreter: String,
    program: &'static str,
    /// What to run to see whether a protocol's exporter is there.
    probe: fn(protocol: &str) -> [&'static str; 2],
}

fn languages() -> [Language; 2] {
    let python = Language {
        name: "python",
        interpreter: std::env::var("PROBITY_PYTHON").unwrap_or_else(|_| python()),
        program: concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sdks/app.py"),
        probe: |protocol| match protocol {
            "grpc" => {
                ["-c", "import opentelemetry.sdk, opentelemetry.exporter.otlp.proto.grpc.trace_exporter"]
            }
            "http/protobuf" => {
                ["-c", "import opentelemetry.sdk, opentelemetry.exporter.otlp.proto.http.trace_exporter"]
            }
            _ => ["-c", "import opentelemetry.sdk, opentelemetry.exporter.otlp.json.http.trace_exporter"],
        },
    };
    let node = Language {
        name: "node",
        interpreter: "node".into(),
        program: concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sdks/app.js"),
        probe: |_| ["-e", "require('@opentelemetry/sdk-node')"],
    };
    [python, node]
}

fn trials(language: Language) -> Vec<Trial> {
    let trial = |protocol: &'static str| {
        let missing = missing(&language, protocol);
        let (interpreter, program) = (language.interpreter.clone(), language.program);
        let trial = Trial::test(
            format!("{}_over_{}_is_judged", language.name, protocol.replace('/', "_")),
            move || is_judged(&interpreter, program, protocol),
        );
        match missing {
            Some(reason) => trial.with_kind(reason).with_ignored_flag(true),
            None => trial,
        }
    };
    ["grpc", "http/protobuf", "http/json"].map(trial).into()
}

/// Why the SDK cannot be used here; `None` when it can.
fn missing(language: &Language, protocol: &str) -> Option<String> {
    let probe = command(&language.interpreter).args((language.probe)(protocol)).output();
    match probe {
        Err(_) => Some(format!("no {} here", language.interpreter)),
        Ok(output) if !output.status.success() => {
            Some(format!("{} has no OpenTelemetry SDK with {protocol}", language.interpreter))
        }
        Ok(_) => None,
    }
}

/// The interpreter that has the SDK, else the one on PATH.
fn python() -> String {
    let installed = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/sdk-python/bin/python");
    if Path::new(installed).exists() { installed } else { "python3" }.into()
}

/// A program that finds the packages of Node that `ci/setup` installed.
#[expect(clippy::disallowed_methods, reason = "from outside there is no supervisor to start it with")]
fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    if std::env::var_os("NODE_PATH").is_none() {
        command.env("NODE_PATH", concat!(env!("CARGO_MANIFEST_DIR"), "/../target/sdk-node/node_modules"));
    }
    command
}

fn is_judged(interpreter: &str, program: &str, protocol: &str) -> Result<(), Failed> {
    let mut probity = command(env!("CARGO_BIN_EXE_probity"));
    probity.args(["exec", "--", interpreter, program]).env("OTEL_EXPORTER_OTLP_PROTOCOL", protocol);
    let output = probity.env("OTEL_METRICS_EXPORTER", "otlp").output()?;
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let expected = [
        "served 3 requests\n",
        ": 1 service, 6 spans in 3 traces, 2 metric points",
        "; nothing lost\n",
        "  1  2 × shop                  SERVER    GET /items/{id}\n           shop                CLIENT    SELECT items\n",
        "\npass  ",
    ];
    match expected.iter().find(|part| !text.contains(*part)) {
        _ if output.status.code() != Some(0) => {
            Err(format!("it ended with {}:\n{text}", output.status).into())
        }
        Some(part) => Err(format!("there is no {part:?} in\n{text}").into()),
        None => Ok(()),
    }
}
