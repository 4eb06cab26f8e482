//! `probity export`: saved evidence as OTLP JSON lines, in the order in which it came.

use std::io::{self, BufWriter, Write};

use super::Done;
use super::arguments::ExportArguments;
use super::evidence::{load, tell_problems};
use super::output::Failure;
use crate::bundle::Loaded;
use crate::inert;
use crate::otlp::files;

pub(super) fn run(arguments: &ExportArguments) -> Done {
    let mut loaded = load(&arguments.evidence)?;
    let mut out = BufWriter::with_capacity(1 << 20, io::stdout().lock());
    let unreadable = match write_all(&loaded, &mut out) {
        Ok(unreadable) => unreadable,
        // The reader has what it wanted.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(0),
        Err(error) => return Err(Failure::new(format!("could not print: {error}"))),
    };
    drop(out);
    if unreadable > 0 {
        loaded.problems.push(format!("{unreadable} requests do not decode and are left out"));
    }
    tell_problems(&arguments.evidence, &loaded.problems);
    Ok(if loaded.problems.is_empty() { 0 } else { 2 })
}

/// Writes what decodes, and counts what does not.
fn write_all(loaded: &Loaded, out: &mut impl Write) -> io::Result<usize> {
    let mut unreadable = 0;
    let mut line = Vec::new();
    for request in loaded.scenarios.iter().flat_map(|scenario| &scenario.evidence.requests) {
        line.clear();
        match files::write_json(request.signal, &request.bytes, &mut line) {
            Ok(()) => out.write_all(inert::document(&String::from_utf8_lossy(&line)).as_bytes())?,
            Err(_) => unreadable += 1,
        }
    }
    out.flush()?;
    Ok(unreadable)
}
