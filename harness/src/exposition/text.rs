//! Prometheus text 0.0.4, as Prometheus 3 reads it: lines of blank-separated tokens, comments, HELP and TYPE.
//!
//! Looser than OpenMetrics, and than its own format page, on purpose: whether a target is up is Prometheus's to say, so a
//! last line without line feed, metadata that comes twice or late, and a comma left out between labels are read. Families may
//! come in pieces, histograms are taken as they are. `tests/prometheus.rs` compares, case by case.

use std::borrow::Cow;
use std::collections::HashMap;

use super::labels::{self, Labels, Style};
use super::line::{Fault, Line, unescaped};
use super::{Family, FamilyType, SAMPLE_LIMIT, Sample, metadata, number};

pub(super) fn read(text: &str) -> Result<Vec<Family<'_>>, Fault> {
    let mut reader = Reader::default();
    let (mut rest, mut number) = (text, 0);
    while !rest.is_empty() {
        let (line, after) = rest.split_at(end_of_line(rest));
        reader.line(Line::new(line, number + 1))?;
        number += 1 + line.matches('\n').count() as u32;
        rest = after.strip_prefix('\n').unwrap_or(after);
    }
    Ok(reader.families)
}

/// Where the line ends: at a line feed, but not at one within the quotes of a sample's label value.
fn end_of_line(text: &str) -> usize {
    let plain = text.find('\n').unwrap_or(text.len());
    if text.trim_start_matches([' ', '\t']).starts_with('#') || !text[..plain].contains('"') {
        return plain;
    }
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'\n' if !quoted => return at,
            _ => {}
        }
    }
    // Never closed: the fault is in the first line.
    if quoted { plain } else { text.len() }
}

#[derive(Default)]
struct Reader<'a> {
    families: Vec<Family<'a>>,
    by_name: HashMap<Cow<'a, str>, usize>,
    /// Samples of one name come together: the last one's name and family.
    last: Option<(Cow<'a, str>, usize)>,
    samples: usize,
}

impl<'a> Reader<'a> {
    fn line(&mut self, mut line: Line<'a>) -> Result<(), Fault> {
        line.skip_blanks();
        if line.is_done() {
            return Ok(());
        }
        if line.eat(b'#') { self.comment(line) } else { self.sample(line) }
    }

    fn comment(&mut self, mut line: Line<'a>) -> Result<(), Fault> {
        line.skip_blanks();
        let keyword = line.word();
        match keyword {
            // The bare word is a comment like any other.
            "HELP" | "TYPE" if line.is_done() => Ok(()),
            "HELP" => self.help(line),
            "TYPE" => self.family_type(line),
            _ => Ok(()),
        }
    }

    fn help(&mut self, mut line: Line<'a>) -> Result<(), Fault> {
        let family = self.named_family(&mut line)?;
        _ = line.eat(b' ') || line.eat(b'\t');
        self.families[family].help = Some(unescaped(line.rest(), false));
        Ok(())
    }

    fn family_type(&mut self, mut line: Line<'a>) -> Result<(), Fault> {
        let number = self.named_family(&mut line)?;
        if !line.is_done() && !line.eat(b' ') && !line.eat(b'\t') {
            return Err(line.fault(format!("expected a blank after the metric name, found {}", line.found())));
        }
        // Prometheus takes exactly one blank before the type and nothing after it.
        let kind = match line.rest() {
            "counter" => FamilyType::Counter,
            "gauge" => FamilyType::Gauge,
            "histogram" => FamilyType::Histogram,
            "summary" => FamilyType::Summary,
            "untyped" => FamilyType::Unknown,
            _ => return Err(line.fault("expected counter, gauge, histogram, summary or untyped")),
        };
        self.families[number].kind = kind;
        self.last = None;
        Ok(())
    }

    /// The family that a metadata line names; the cursor is left at what it says of it.
    fn named_family(&mut self, line: &mut Line<'a>) -> Result<usize, Fault> {
        line.skip_blanks();
        let name = metadata::metric_name(line)?;
        Ok(self.family(name, line.number))
    }

    fn sample(&mut self, mut line: Line<'a>) -> Result<(), Fault> {
        let begin = line;
        let bare = metadata::sample_name(&mut line)?;
        line.skip_blanks();
        let (quoted, labels) = match line.peek() {
            Some(b'{') => labels::read(&mut line, Style::Loose)?,
            _ => (None, Labels::default()),
        };
        let name = metadata::one_name(&begin, bare, quoted)?;
        line.skip_blanks();
        let at = line;
        let value = number::value(line.word())
            .ok_or_else(|| at.fault("expected a value: a decimal number, +Inf, -Inf or NaN"))?;
        line.skip_blanks();
        let timestamp = if line.is_done() { None } else { Some(timestamp(&mut line)?) };
        self.samples += 1;
        if self.samples > SAMPLE_LIMIT {
            return Err(begin.fault(format!("more than {SAMPLE_LIMIT} samples")));
        }
        let family = self.family_of_sample(name.clone(), line.number);
        let sample = Sample { name, labels, value, timestamp, exemplar: None, line: line.number };
        self.families[family].samples.push(sample);
        Ok(())
    }

    fn family_of_sample(&mut self, name: Cow<'a, str>, line: u32) -> usize {
        if let Some((last, family)) = &self.last
            && *last == name
        {
            return *family;
        }
        let family = match self.by_name.get(&name) {
            Some(&family) => family,
            None => self.parent_of(&name).unwrap_or_else(|| self.family(name.clone(), line)),
        };
        self.last = Some((name, family));
        family
    }

    /// The histogram or summary that a `_bucket`, `_sum` or `_count` belongs to.
    fn parent_of(&self, name: &str) -> Option<usize> {
        let of = |suffix: &str, kinds: &[FamilyType]| {
            let family = *self.by_name.get(name.strip_suffix(suffix)?)?;
            kinds.contains(&self.families[family].kind).then_some(family)
        };
        let both = [FamilyType::Histogram, FamilyType::Summary];
        of("_bucket", &both[..1]).or_else(|| of("_sum", &both)).or_else(|| of("_count", &both))
    }

    fn family(&mut self, name: Cow<'a, str>, line: u32) -> usize {
        *self.by_name.entry(name).or_insert_with_key(|name| {
            self.families.push(metadata::family(name.clone(), line));
            self.families.len() - 1
        })
    }
}

/// Milliseconds in the text, seconds in the result.
fn timestamp(line: &mut Line<'_>) -> Result<f64, Fault> {
    let at = *line;
    if line.peek() == Some(b'#') {
        return Err(at.fault("plain text carries no exemplars: they need OpenMetrics"));
    }
    let digits = line.word();
    // The format page allows a sign; Prometheus itself does not.
    let ms: Option<i64> = digits.parse().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()));
    let ms = ms.ok_or_else(|| at.fault("expected a timestamp: whole milliseconds"))?;
    line.skip_blanks();
    if !line.is_done() {
        return Err(line.fault(format!("expected the end of the line, found {}", line.found())));
    }
    Ok(ms as f64 / 1000.0)
}
