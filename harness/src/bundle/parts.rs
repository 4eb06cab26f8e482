//! The parts of evidence that are JSON files: one line here for each field of [`Evidence`].

use std::io::{self, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::model::Evidence;

/// A part as a file: how to write it (nothing for an empty list) and how to put it back.
pub(super) struct Part {
    pub(super) file: &'static str,
    pub(super) is_empty: fn(&Evidence) -> bool,
    pub(super) write: fn(&Evidence, &mut dyn Write) -> io::Result<()>,
    pub(super) read: fn(&mut Evidence, &[u8]) -> Result<(), serde_json::Error>,
}

macro_rules! parts {
    (lists { $($list:ident => $list_file:literal,)* } values { $($value:ident => $value_file:literal,)* }) => {
        pub(super) static PARTS: &[Part] = &[
            $(Part {
                file: $list_file,
                is_empty: |evidence| evidence.$list.is_empty(),
                write: |evidence, out| write_list(&evidence.$list, out),
                read: |evidence, text| read_into(&mut evidence.$list, text),
            },)*
            $(Part {
                file: $value_file,
                is_empty: |_| false,
                write: |evidence, out| write_value(&evidence.$value, out),
                read: |evidence, text| read_into(&mut evidence.$value, text),
            },)*
        ];

        /// Fails to compile when [`Evidence`] gets a field that no file keeps.
        #[cfg(test)]
        fn every_field_is_kept(evidence: Evidence) {
            // The manifest keeps the first six, `payloads` the requests.
            let Evidence { scenario: _, source: _, names: _, written_at: _, clock_jump_ms: _, lost_backend: _, requests: _, $($list: _,)* $($value: _,)* } = evidence;
        }
    };
}

parts! {
    lists {
    processes => "processes.json",
    stimuli => "stimuli.json",
    effects => "effects.json",
    faults => "faults.json",
    records => "records.json",
    offsets => "offsets.json",
    applied => "applied.json",
    offset_looks => "offset_looks.json",
    scrapes => "scrapes.json",
    targets => "targets.json",
    probes => "probes.json",
    sockets => "sockets.json",
    logs => "logs.json",
    level_changes => "level_changes.json",
    log_costs => "log_costs.json",
    canaries => "canaries.json",
    keys => "keys.json",
    key_watches => "key_watches.json",
    orders => "orders.json",
    files => "files.json",
    expectations => "expectations.json",
    }
    values {
    barrier => "barrier.json",
    ledger => "ledger.json",
    }
}

/// A list with one entry a line: readable, and a difference of two runs names the entry.
fn write_list<T: Serialize>(list: &[T], out: &mut dyn Write) -> io::Result<()> {
    for (number, entry) in list.iter().enumerate() {
        out.write_all(if number == 0 { b"[\n" } else { b",\n" })?;
        serde_json::to_writer(&mut *out, entry)?;
    }
    out.write_all(if list.is_empty() { b"[]\n" } else { b"\n]\n" })
}

pub(super) fn write_value<T: Serialize>(value: &T, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    out.write_all(b"\n")
}

fn read_into<T: DeserializeOwned>(place: &mut T, text: &[u8]) -> Result<(), serde_json::Error> {
    *place = read(text)?;
    Ok(())
}

pub(super) fn read<'t, T: Deserialize<'t>>(text: &'t [u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_of_the_evidence_is_kept_in_a_file() {
        every_field_is_kept(Evidence::default());
    }

    #[test]
    fn a_list_has_one_entry_a_line() {
        let mut text = Vec::new();
        write_list(&["a", "b"], &mut text).unwrap();
        assert_eq!(String::from_utf8(text).unwrap(), "[\n\"a\",\n\"b\"\n]\n");
    }
}
