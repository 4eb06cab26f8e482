//! Each way not to start is one message with what to do, and exit code 2; nothing is left behind.

use std::{
    os::unix::net::UnixListener,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use super::fake::Fake;

/// "At once", on a machine that has other things to do.
const AT_ONCE: Duration = Duration::from_secs(30);
const VERSION: &str = r#"{"Version":"20.10.24","ApiVersion":"1.41"}"#;

pub(crate) async fn no_engine() {
    let text = refused(Path::new("/nowhere/docker.sock"));
    assert!(
        text.contains(
            "could not be started: there is no Docker engine: nothing is at unix:///nowhere/docker.sock"
        ),
        "{text}"
    );
    assert!(text.contains("install Docker and start it"), "{text}");
}

pub(crate) async fn nobody_listens() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("docker.sock");
    drop(UnixListener::bind(&socket).unwrap());
    let text = refused(&socket);
    assert!(text.contains("no Docker engine listens at unix://"), "{text}");
}

pub(crate) async fn a_silent_engine() {
    let fake = Fake::start(|_| None);
    let text = refused(&fake.socket());
    assert!(text.contains("does not answer: nothing within 5 s"), "{text}");
    assert!(fake.asked().iter().all(|asked| asked == "GET /version"), "{:?}", fake.asked());
}

pub(crate) async fn an_old_engine() {
    let fake = Fake::start(|_| Some((200, r#"{"Version":"19.3.1","ApiVersion":"1.40"}"#)));
    let text = refused(&fake.socket());
    assert!(text.contains("is too old: its API is 1.40, Docker 20.10 has 1.41"), "{text}");
}

pub(crate) async fn an_unknown_image() {
    let fake = Fake::start(|asked| match asked {
        "GET /version" => Some((200, VERSION)),
        _ if asked.starts_with("GET /images/") => Some((404, r#"{"message":"no such image"}"#)),
        _ if asked.starts_with("POST /images/create") => {
            Some((404, r#"{"message":"pull access denied for it"}"#))
        }
        _ => Some((500, r#"{"message":"unexpected"}"#)),
    });
    let text = refused(&fake.socket());
    assert!(text.contains("is not on this machine and cannot be pulled:"), "{text}");
    assert!(text.contains("pull access denied for it"), "{text}");
    assert!(text.contains("=containers:IMAGE"), "what to do: {text}");
    assert!(!fake.asked().iter().any(|asked| asked.contains("/containers/create")), "{:?}", fake.asked());
}

pub(crate) async fn the_doctor() {
    let (text, code, _) = victim("doctor", Path::new("/nowhere/docker.sock"));
    assert_eq!(code, Some(0));
    for backend in ["etcd", "postgres", "kafka"] {
        let line = format!(
            "{backend} containers false there is no Docker engine: nothing is at unix:///nowhere/docker.sock"
        );
        assert!(text.contains(&line), "{text}");
    }
    let fake = Fake::start(|asked| match asked {
        "GET /version" => Some((200, VERSION)),
        _ if asked.contains("postgres") => Some((200, r#"{"Id":"sha256:00"}"#)),
        _ => Some((404, r#"{"message":"no such image"}"#)),
    });
    let (text, ..) = victim("doctor", &fake.socket());
    assert!(text.contains("postgres containers true postgres:17.6-alpine on Docker 20.10.24\n"), "{text}");
    assert!(
        text.contains("kafka containers true apache/kafka:4.1.0 on Docker 20.10.24, which must be pulled"),
        "{text}"
    );
}

/// What a run says that asks for containers of this engine; it must not take its time.
fn refused(socket: &Path) -> String {
    let (text, code, took) = victim("start", socket);
    assert_eq!(code, Some(2), "{text}");
    assert!(took < AT_ONCE, "after {took:?}: {text}");
    assert_eq!(text.lines().count(), 2, "one message and one hint: {text}");
    text
}

#[expect(clippy::disallowed_methods, reason = "a run of its own, with an environment of its own")]
fn victim(role: &str, socket: &Path) -> (String, Option<i32>, Duration) {
    let began = Instant::now();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg(format!("victim:{role}")).stdin(Stdio::null()).stderr(Stdio::inherit());
    command.env("DOCKER_HOST", format!("unix://{}", socket.display()));
    for variable in ["PROBITY_IMAGE_ETCD", "PROBITY_IMAGE_POSTGRES", "PROBITY_IMAGE_KAFKA"] {
        command.env_remove(variable);
    }
    let output = command.output().unwrap();
    (String::from_utf8(output.stdout).unwrap(), output.status.code(), began.elapsed())
}
