//! `tracestate`: at most 32 members, each a key and a value, in order.

use std::fmt::Write as _;

use opentelemetry::trace::TraceState;

const MEMBERS_MAX: usize = 32;
const KEY_MAX: usize = 256;
const VALUE_MAX: usize = 256;
/// What is passed on at most, in characters. The Recommendation asks for 512 at least; HTTP/2 servers commonly refuse
/// requests with more than 16 KiB of headers, which would turn somebody's `tracestate` into a failure of ours.
const HEADER_MAX: usize = 4_096;
/// Members longer than this go first when there are too many characters.
const LONG: usize = 128;

/// The members of a `tracestate`, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Members(Vec<(String, String)>);

/// A list that is not valid as a whole: a member without `=`, a key or value outside of the grammar, or more than 32 members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidMember;

impl Members {
    /// Reads the values of all `tracestate` headers as one list, in order. Empty members are skipped.
    pub fn parse(headers: &[&str]) -> Result<Self, InvalidMember> {
        let mut members = Vec::new();
        let all = headers.iter().flat_map(|header| header.split(','));
        // White space in front of a value is a part of it, white space behind it is not.
        for member in all.map(|member| member.trim_matches([' ', '\t'])).filter(|member| !member.is_empty()) {
            let (key, value) = member.split_once('=').ok_or(InvalidMember)?;
            if !is_key(key) || !is_value(value) || members.len() == MEMBERS_MAX {
                return Err(InvalidMember);
            }
            members.push((key.to_owned(), value.to_owned()));
        }
        Ok(Self(members))
    }

    /// The same, from OpenTelemetry's own type.
    pub(crate) fn of(state: &TraceState) -> Self {
        let members = state.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned()));
        Self(members.filter(|(key, value)| is_key(key) && is_value(value)).collect())
    }

    /// What OpenTelemetry's own type can hold of it: it knows the keys of level 1 only.
    pub(crate) fn as_trace_state(&self) -> TraceState {
        let pairs = || self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let holds = |pair: &(&str, &str)| TraceState::from_key_value([*pair]).is_ok();
        TraceState::from_key_value(pairs())
            .or_else(|_| TraceState::from_key_value(pairs().filter(holds)))
            .unwrap_or_default()
    }

    /// These members after somebody changed the part that OpenTelemetry's type held (`given`) to `state`: that part as it is
    /// now, then what the type could not hold.
    pub(crate) fn changed(&self, given: &TraceState, state: &TraceState) -> Self {
        let mut members = Self::of(state);
        let kept = self.0.iter().filter(|(key, _)| given.get(key).is_none() && state.get(key).is_none());
        members.0.extend(kept.cloned());
        members.0.truncate(MEMBERS_MAX);
        members
    }

    /// As one header. Too many characters are cut by whole members: long ones first, then from the end.
    pub fn header(&self) -> String {
        let length = |members: &[&(String, String)]| -> usize {
            members.iter().map(|member| length_of(member) + 1).sum::<usize>().saturating_sub(1)
        };
        let mut members: Vec<_> = self.0.iter().collect();
        while length(&members) > HEADER_MAX {
            let long = members.iter().rposition(|member| length_of(member) > LONG);
            members.remove(long.unwrap_or(members.len() - 1));
        }
        let mut header = String::new();
        for (key, value) in members {
            let comma = if header.is_empty() { "" } else { "," };
            _ = write!(header, "{comma}{key}={value}");
        }
        header
    }
}

fn length_of((key, value): &(String, String)) -> usize {
    key.len() + 1 + value.len()
}

fn is_key(key: &str) -> bool {
    let first = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let other = |byte| first(byte) || b"_-*/@".contains(&byte);
    key.len() <= KEY_MAX && key.bytes().next().is_some_and(first) && key.bytes().all(other)
}

fn is_value(value: &str) -> bool {
    let printable = |byte| matches!(byte, b' '..=b'~') && byte != b',' && byte != b'=';
    (1..=VALUE_MAX).contains(&value.len()) && value.bytes().all(printable) && !value.ends_with(' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header_of(value: &str) -> Option<String> {
        Members::parse(&[value]).ok().map(|members| members.header())
    }

    #[test]
    fn white_space_in_front_of_a_value_is_kept_and_behind_it_is_not() {
        assert_eq!(header_of(" a= 1 \t,\tb=2").as_deref(), Some("a= 1,b=2"));
    }

    #[test]
    fn the_edges_of_the_lengths_are_where_the_grammar_says() {
        let (key, value) = ("k".repeat(256), "v".repeat(256));
        assert!(header_of(&format!("{key}={value}")).is_some());
        assert_eq!(header_of(&format!("{key}k={value}")), None);
        assert_eq!(header_of(&format!("{key}={value}v")), None);
        assert_eq!(header_of("k="), None);
        assert_eq!(header_of("k"), None);
        assert_eq!(header_of(&",".repeat(1_000_000)).as_deref(), Some(""));
    }

    #[test]
    fn too_many_characters_are_cut_by_whole_members_the_long_ones_first() {
        let long = "x".repeat(200);
        let many: Vec<String> = (0..32).map(|number| format!("k{number:02}={long}")).collect();
        let header = header_of(&many.join(",")).unwrap();
        assert!(header.len() <= HEADER_MAX && header.len() > HEADER_MAX - 300, "{}", header.len());
        assert!(header.starts_with("k00=") && header.ends_with(&long));
        let mixed = [many.join(","), "short=1".to_owned()].join(",");
        assert_eq!(header_of(&mixed), None, "33 members");
        let mixed = [many[..31].join(","), "short=1".to_owned()].join(",");
        assert!(header_of(&mixed).unwrap().ends_with(",short=1"), "what is short stays");
        let short: Vec<String> = (0..32).map(|number| format!("k{number:02}={}", "x".repeat(120))).collect();
        assert_eq!(header_of(&short.join(",")).unwrap(), short.join(","), "a bit below the bound");
    }

    #[test]
    fn a_change_of_the_part_that_was_given_keeps_the_rest() {
        let members = Members::parse(&["a=1,b@@c=2,d=3"]).unwrap();
        let given = members.as_trace_state();
        assert_eq!(given.header(), "a=1,d=3");
        let state = given.insert("new", "0").unwrap().delete("a").unwrap();
        assert_eq!(members.changed(&given, &state).header(), "new=0,d=3,b@@c=2");
    }
}
