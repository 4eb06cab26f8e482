//! Building the index: scan the requests side by side, sort, drop retries, join parents and links.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::{Lists, NO_ROW, Names, Resource, Row, Scope, Spans, read};
use crate::model::{ExportRequest, Kind, ProcessId, Signal, SpanId, TraceId};
use crate::otlp::wire::{SpanEntry, SpanIndex};

/// Below this many requests, threads cost more than they save.
const PARALLEL_FROM: usize = 64;

/// Trace ids are random already.
pub(super) type IdHasher = BuildHasherDefault<TakeAsIs>;

#[derive(Default)]
pub(super) struct TakeAsIs(u64);

impl Hasher for TakeAsIs {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            // Hand-made ids count up in their last bytes: spread them over the table's upper bits too.
            self.0 = (self.0 ^ u64::from_be_bytes(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(26);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Spans {
    /// Indexes the trace requests among `requests`. Requests that do not decode are the ledger's matter and are passed over.
    pub fn of(requests: &[ExportRequest]) -> Self {
        let traces: Vec<_> = requests.iter().filter(|request| request.signal == Signal::Traces).collect();
        let threads = match traces.len() {
            0..PARALLEL_FROM => 1,
            _ => std::thread::available_parallelism().map_or(1, usize::from).min(8),
        };
        let share = traces.len().div_ceil(threads).max(1);
        let parts: Vec<Part> = std::thread::scope(|scope| {
            let parts = traces.chunks(share).enumerate();
            let parts =
                parts.map(|(number, part)| scope.spawn(move || Part::scan(part, (number * share) as u32)));
            let parts: Vec<_> = parts.collect();
            parts.into_iter().map(|part| part.join().expect("scanning does not panic")).collect()
        });
        let bytes = traces.iter().map(|request| request.bytes.clone()).collect();
        let received = traces.iter().map(|request| request.received_unix_nanos).collect();
        Self::join(Spans { requests: bytes, received, ..Spans::default() }, parts)
    }

    /// As [`Spans::of`]; names that the run made up are read as the declared ones that they stand for.
    pub fn named(requests: &[ExportRequest], names: &[(String, String)]) -> Self {
        let mut spans = Self::of(requests);
        if names.is_empty() {
            return spans;
        }
        let mut renamed = HashMap::new();
        for span in spans.iter() {
            let found = names.iter().find(|(made_up, _)| span.name().contains(made_up.as_str()));
            if let (Some((made_up, declared)), false) = (found, renamed.contains_key(span.name())) {
                renamed.insert(span.name().to_owned(), span.name().replace(made_up.as_str(), declared));
            }
        }
        spans.names = Names { values: names.to_vec(), spans: renamed };
        spans
    }

    fn join(mut spans: Spans, parts: Vec<Part>) -> Self {
        for part in parts {
            spans.take(part);
        }
        let requests = &spans.requests;
        let message = |row: &Row| row.message.of(&requests[row.request as usize]);
        // The parts come sorted; a stable sort merges such runs. Spans of one id stand in the order of their bytes.
        spans
            .rows
            .sort_by(|a, b| (a.trace, a.id).cmp(&(b.trace, b.id)).then_with(|| message(a).cmp(message(b))));
        let resources = &spans.resources;
        let same = |b: &mut Row, a: &mut Row| {
            (a.trace, a.id) == (b.trace, b.id)
                && message(a) == message(b)
                && resources[a.resource as usize] == resources[b.resource as usize]
        };
        spans.rows.dedup_by(same);
        spans.mark_traces();
        spans.join_parents();
        spans.join_links();
        spans
    }

    fn take(&mut self, part: Part) {
        let (resources, scopes) = (self.resources.len() as u32, self.scopes.len() as u32);
        self.resources.extend(part.resources);
        self.scopes.extend(part.scopes);
        let moved = |row: Row| Row { resource: resources + row.resource, scope: scopes + row.scope, ..row };
        self.rows.extend(part.rows.into_iter().map(moved));
    }

    fn mark_traces(&mut self) {
        for (number, row) in self.rows.iter().enumerate() {
            if self.traces.last().is_none_or(|(trace, _)| *trace != row.trace) {
                self.trace_numbers.insert(row.trace, self.traces.len() as u32);
                self.traces.push((row.trace, number as u32));
            }
        }
        self.traces.push((TraceId([0xff; 16]), self.rows.len() as u32));
    }

    fn join_parents(&mut self) {
        let mut parents = vec![NO_ROW; self.rows.len()];
        for ends in self.traces.windows(2) {
            for row in ends[0].1..ends[1].1 {
                let parent = self.rows[row as usize].parent;
                let found = parent.and_then(|parent| self.row_of(ends[0].1..ends[1].1, parent));
                parents[row as usize] = found.unwrap_or(NO_ROW);
            }
        }
        self.children = invert(&parents);
        self.parents = parents;
    }

    fn join_links(&mut self) {
        let mut linked_from: HashMap<u32, Vec<u32>> = HashMap::new();
        for span in self.iter() {
            for (trace, id, _) in read::link_ids(span.bytes()) {
                if let Some(target) = self.get(trace, id) {
                    linked_from.entry(target.row).or_default().push(span.row);
                }
            }
        }
        self.linked_from = linked_from;
    }
}

/// From each row's parent to each row's children.
fn invert(parents: &[u32]) -> Lists {
    let mut starts = vec![0u32; parents.len() + 1];
    for parent in parents.iter().filter(|parent| **parent != NO_ROW) {
        starts[*parent as usize + 1] += 1;
    }
    for number in 1..starts.len() {
        starts[number] += starts[number - 1];
    }
    let mut next = starts.clone();
    let mut items = vec![0; starts.last().map_or(0, |end| *end as usize)];
    for (row, parent) in parents.iter().enumerate().filter(|(_, parent)| **parent != NO_ROW) {
        items[next[*parent as usize] as usize] = row as u32;
        next[*parent as usize] += 1;
    }
    Lists { starts, items }
}

/// Who sent a resource, its bytes and those of its schema URL.
type Emitter<'r> = (Option<&'r ProcessId>, &'r [u8], &'r [u8]);

/// What one thread scanned.
#[derive(Default)]
struct Part {
    rows: Vec<Row>,
    resources: Vec<Resource>,
    scopes: Vec<Scope>,
}

impl Part {
    fn scan(requests: &[&ExportRequest], first: u32) -> Part {
        let mut part = Part::default();
        // Resources and scopes repeat from request to request, byte for byte.
        let mut resources: HashMap<Emitter<'_>, u32> = HashMap::new();
        let mut scopes: HashMap<(&[u8], &[u8]), u32> = HashMap::new();
        for (number, request) in requests.iter().enumerate() {
            let Ok(index) = SpanIndex::scan(&request.bytes) else { continue };
            let resource_numbers: Vec<u32> = index
                .resources
                .iter()
                .map(|entry| {
                    let (message, schema) =
                        (entry.resource.of(&request.bytes), entry.schema_url.of(&request.bytes));
                    *resources.entry((request.process.as_ref(), message, schema)).or_insert_with(|| {
                        part.resources.push(Resource {
                            process: request.process.clone(),
                            attributes: read::pairs(message, 1),
                            schema_url: String::from_utf8_lossy(schema).into_owned(),
                        });
                        part.resources.len() as u32 - 1
                    })
                })
                .collect();
            let scope_numbers: Vec<u32> = index
                .scopes
                .iter()
                .map(|entry| {
                    let (message, schema) =
                        (entry.scope.of(&request.bytes), entry.schema_url.of(&request.bytes));
                    *scopes.entry((message, schema)).or_insert_with(|| {
                        let schema_url = String::from_utf8_lossy(schema).into_owned();
                        part.scopes.push(Scope { name: read::text(message, 1), schema_url });
                        part.scopes.len() as u32 - 1
                    })
                })
                .collect();
            let valid = index.spans.iter().filter(|entry| entry.valid);
            part.rows.extend(valid.map(|entry| {
                let resource = resource_numbers[index.scopes[entry.scope as usize].resource as usize];
                row(entry, first + number as u32, resource, scope_numbers[entry.scope as usize])
            }));
        }
        part.rows.sort_by_key(|row| (row.trace, row.id));
        part
    }
}

fn row(entry: &SpanEntry, request: u32, resource: u32, scope: u32) -> Row {
    Row {
        trace: TraceId(entry.trace_id),
        id: SpanId(entry.span_id),
        parent: SpanId::from_slice(&entry.parent_span_id),
        start: entry.start_unix_nanos,
        end: entry.end_unix_nanos,
        request,
        message: entry.message,
        name: entry.name,
        resource,
        scope,
        flags: entry.flags,
        kind: Kind::from_number(i32::from(entry.kind)),
        status: entry.status,
    }
}
