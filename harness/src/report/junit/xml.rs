//! Elements of XML, written one a line, with everything from outside escaped.

use crate::report::escape;

/// An element: attributes, then either text or children.
pub(super) struct Element {
    opening: String,
    name: &'static str,
    children: Vec<Element>,
    text: String,
}

pub(super) fn element(name: &'static str) -> Element {
    Element { opening: format!("<{name}"), name, children: Vec::new(), text: String::new() }
}

impl Element {
    pub(super) fn with(mut self, name: &str, value: impl AsRef<str>) -> Self {
        let value = escape::xml(value.as_ref()).replace('\n', "&#10;");
        self.opening.push_str(&format!(" {name}=\"{value}\""));
        self
    }

    pub(super) fn child(mut self, child: Element) -> Self {
        self.children.push(child);
        self
    }

    pub(super) fn holding(mut self, text: &str) -> Self {
        self.text = escape::xml(text);
        self
    }

    /// The element as text, children indented by two spaces a level.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text, 0);
        text
    }

    fn write(&self, out: &mut String, depth: usize) {
        let indent = "  ".repeat(depth);
        if self.children.is_empty() && self.text.is_empty() {
            out.push_str(&format!("{indent}{}/>\n", self.opening));
        } else if self.children.is_empty() {
            out.push_str(&format!("{indent}{}>{}</{}>\n", self.opening, self.text, self.name));
        } else {
            out.push_str(&format!("{indent}{}>\n", self.opening));
            self.children.iter().for_each(|child| child.write(out, depth + 1));
            out.push_str(&format!("{indent}</{}>\n", self.name));
        }
    }
}
