//! Label sets: `{a="b",c="d"}`, and how both formats write them.

use std::borrow::Cow;
use std::fmt;

use super::line::{Fault, Line};

/// Labels in the order of their names, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Labels<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl Labels<'_> {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_ref())
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> + Clone {
        self.0.iter().map(|(name, value)| (name.as_ref(), value.as_ref()))
    }

    /// All of them but the one of that name.
    pub fn without(&self, left_out: &str) -> impl Iterator<Item = (&str, &str)> + Clone {
        self.iter().filter(move |(name, _)| *name != left_out)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// As a sample line shows them: `{code="200",route="/{code}"}`; `{}` when there are none.
impl fmt::Display for Labels<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (number, (name, value)) in self.iter().enumerate() {
            let comma = if number == 0 { "" } else { "," };
            write!(f, "{comma}{name}=\"{}\"", value.escape_debug())?;
        }
        f.write_str("}")
    }
}

/// How a format writes a label set.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// Plain text: blanks anywhere between tokens, a last comma allowed, the others left out at will.
    Loose,
    /// OpenMetrics: neither.
    Strict,
}

/// Reads a label set from its `{` to its `}`. A quoted string without a value is the metric's name, as Prometheus 3 writes
/// names outside of the classic characters: `{"http.requests",code="200"}`.
pub(super) fn read<'a>(
    line: &mut Line<'a>,
    style: Style,
) -> Result<(Option<Cow<'a, str>>, Labels<'a>), Fault> {
    let begin = *line;
    if !line.eat(b'{') {
        return Err(line.fault(format!("expected `{{`, found {}", line.found())));
    }
    let (mut metric, mut labels) = (None, Vec::new());
    let mut comma = false;
    loop {
        blanks(line, style);
        let may_end = !comma || style == Style::Loose;
        if may_end && line.eat(b'}') {
            break;
        }
        read_one(line, style, &mut metric, &mut labels)?;
        blanks(line, style);
        comma = line.eat(b',');
        // Prometheus takes plain text's labels without a comma between them, with a blank or without.
        if !comma && line.peek() != Some(b'}') && (style == Style::Strict || line.is_done()) {
            return Err(line.fault(format!("expected `,` or `}}` after a label, found {}", line.found())));
        }
    }
    labels.sort_unstable();
    if let Some(pair) = labels.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(begin.fault(format!("the label `{}` twice", pair[0].0)));
    }
    Ok((metric, Labels(labels)))
}

fn read_one<'a>(
    line: &mut Line<'a>,
    style: Style,
    metric: &mut Option<Cow<'a, str>>,
    labels: &mut Vec<(Cow<'a, str>, Cow<'a, str>)>,
) -> Result<(), Fault> {
    let begin = *line;
    let quoted = line.peek() == Some(b'"');
    let name = if quoted { line.quoted()? } else { Cow::Borrowed(line.label_name()?) };
    blanks(line, style);
    if quoted && matches!(line.peek(), Some(b',' | b'}')) {
        if metric.is_some() || name.is_empty() {
            return Err(begin.fault("a second metric name, or an empty one"));
        }
        *metric = Some(name);
        return Ok(());
    }
    if name == "__name__" || (style == Style::Strict && name.starts_with("__")) {
        return Err(begin.fault(format!("the label name `{name}`: two underscores first are reserved")));
    }
    if !line.eat(b'=') {
        return Err(line.fault(format!("expected `=` after the label name, found {}", line.found())));
    }
    blanks(line, style);
    labels.push((name, line.quoted()?));
    Ok(())
}

fn blanks(line: &mut Line<'_>, style: Style) {
    if style == Style::Loose {
        line.skip_blanks();
    }
}
