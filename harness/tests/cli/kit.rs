//! Starts the binary and looks at what it did.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;

/// What a command came to.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A command of the binary, in an environment that no shell of a developer changes.
pub(crate) fn command<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = program(env!("CARGO_BIN_EXE_probity"));
    command.args(arguments).env_remove("COLUMNS").env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
    for (name, _) in std::env::vars_os() {
        let name_text = name.to_string_lossy();
        if name_text.starts_with("OTEL_") || name_text.starts_with("GITHUB_") {
            command.env_remove(name);
        }
    }
    command
}

/// A command of any program.
#[expect(clippy::disallowed_methods, reason = "from outside there is no supervisor to start it with")]
pub(crate) fn program(path: &str) -> Command {
    Command::new(path)
}

/// Runs it to its end.
pub(crate) fn probity<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Output {
    run(&mut command(arguments))
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> Output {
    let output = command.output().expect("the binary starts");
    Output {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).expect("standard output is text"),
        stderr: String::from_utf8(output.stderr).expect("standard error is text"),
    }
}

/// A file of the project's fixtures.
pub(crate) fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(name)
}

/// A span of a conformant service as an OTLP/JSON request. `parent` is empty for a root.
pub(crate) fn span(service: &str, trace: u8, id: u8, parent: &str, kind: u8, name: &str) -> String {
    let attribute =
        |key: &str, value: &str| format!(r#"{{"key":"{key}","value":{{"stringValue":"{value}"}}}}"#);
    let resource = [
        attribute("service.name", service),
        attribute("service.version", "1.0.0"),
        attribute("service.instance.id", &format!("{service}-1")),
        attribute("deployment.environment.name", "test"),
    ];
    let own = [
        attribute("http.request.method", "GET"),
        attribute("http.route", "/items"),
        attribute("url.path", "/items"),
        attribute("url.scheme", "http"),
        r#"{"key":"http.response.status_code","value":{"intValue":"200"}}"#.to_string(),
    ];
    format!(
        r#"{{"resourceSpans":[{{"resource":{{"attributes":[{}]}},"scopeSpans":[{{"scope":{{"name":"shop"}},
        "schemaUrl":"https://opentelemetry.io/schemas/1.44.0","spans":[{{"traceId":"{trace:032x}","spanId":"{id:016x}",
        "parentSpanId":"{parent}","kind":{kind},"name":"{name}","startTimeUnixNano":"1700000000000000000",
        "endTimeUnixNano":"1700000000005000000","attributes":[{}]}}]}}]}}]}}"#,
        resource.join(","),
        own.join(",")
    )
}

/// The root span of one request.
pub(crate) fn root(service: &str, trace: u8) -> String {
    span(service, trace, 1, "", 2, "GET /items")
}

/// A program for bash that sends these bodies to the collector that its environment names, as an SDK would.
pub(crate) fn sender(bodies: &[String]) -> String {
    let mut script = String::from(
        "address=${OTEL_EXPORTER_OTLP_ENDPOINT#http://}\nheader=${OTEL_EXPORTER_OTLP_HEADERS/=/: }\n\
         send() { exec 3<>/dev/tcp/${address%:*}/${address##*:}; printf 'POST /v1/traces HTTP/1.1\\r\\nHost: x\\r\\n\
         Content-Type: application/json\\r\\n%s\\r\\nContent-Length: %d\\r\\nConnection: close\\r\\n\\r\\n%s' \"$header\" \
         ${#1} \"$1\" >&3; cat <&3 >/dev/null; }\n",
    );
    for body in bodies {
        script.push_str(&format!("send '{body}'\n"));
    }
    script
}

/// Sends one body to a collector over HTTP/1.1 and returns the status line.
pub(crate) fn post(address: &str, body: &str) -> String {
    use std::io::{BufRead, BufReader, Write};
    let mut stream = std::net::TcpStream::connect(address).expect("the collector listens");
    let length = body.len();
    write!(
        stream,
        "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    )
    .expect("the request is taken");
    let mut status = String::new();
    BufReader::new(stream).read_line(&mut status).expect("the request is answered");
    status.trim_end().to_string()
}

/// Sends SIGINT, as Ctrl-C does.
pub(crate) fn interrupt(child: &std::process::Child) {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it runs");
}

/// Waits for a state of the file system, at most ten seconds.
pub(crate) fn until(mut holds: impl FnMut() -> bool) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime starts");
    let limit = std::time::Duration::from_secs(10);
    let look = async || {
        Ok::<_, probity::until::Never>(match holds() {
            true => probity::until::Probe::Ready(()),
            false => probity::until::Probe::NotYet("not yet".into()),
        })
    };
    runtime.block_on(probity::until::until("the child", limit, look)).expect("it comes in time");
}
