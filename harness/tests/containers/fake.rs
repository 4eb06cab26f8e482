//! An engine that is made up: it answers each request by its path, or nothing at all.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    os::unix::net::{UnixListener, UnixStream},
    path::PathBuf,
    sync::{Arc, Mutex},
    thread,
};

use tempfile::TempDir;

/// Status and body for a request line's method and path; `None` is silence.
pub(crate) type Answer = fn(&str) -> Option<(u16, &'static str)>;

pub(crate) struct Fake {
    directory: TempDir,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    pub(crate) fn start(answer: Answer) -> Fake {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join("docker.sock")).unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = asked.clone();
        // It ends with the test's process: an engine outlives its clients.
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let log = log.clone();
                thread::spawn(move || serve(&connection, answer, &log));
            }
        });
        Fake { directory, asked }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("docker.sock")
    }

    /// What it was asked, in order: `GET /version`.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve(connection: &UnixStream, answer: Answer, log: &Mutex<Vec<String>>) {
    let mut request = BufReader::new(connection).lines().map_while(Result::ok);
    let Some(first) = request.next() else { return };
    while request.next().is_some_and(|line| !line.is_empty()) {}
    let asked = first.trim_end_matches(" HTTP/1.1");
    log.lock().unwrap().push(asked.to_owned());
    let Some((status, body)) = answer(asked) else {
        // Until the other side gives up.
        _ = request.next();
        return;
    };
    let head = format!("HTTP/1.1 {status} x\r\ncontent-type: application/json\r\nconnection: close\r\n");
    let mut writer = connection;
    _ = write!(writer, "{head}content-length: {}\r\n\r\n{body}", body.len());
}
