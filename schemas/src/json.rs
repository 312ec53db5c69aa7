//! How a client's JSON is read, wherever it comes in: UTF-8, bounded depth, numbers that keep their value, every
//! key once, nothing behind the value.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::problem::Code;

/// Deepest nesting of a body, in levels.
pub const MAX_DEPTH: usize = 64;
/// Integers of fewer digits fit in 64 bits.
const SAFE_DIGITS: usize = 19;

/// Why a text is not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// It is not JSON, or holds a number or a text that no store keeps.
    #[error("{0}")]
    Invalid(String),
    /// It is nested more than [`MAX_DEPTH`] levels deep.
    #[error("{place} has more than {MAX_DEPTH} levels")]
    TooDeep {
        /// Line and column.
        place: String,
    },
    /// A key stands twice in one object.
    #[error("{pointer}: this key stands twice in its object")]
    DuplicateKey {
        /// JSON Pointer of the key.
        pointer: String,
    },
}

impl JsonError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Invalid(_) => Code::InvalidJson,
            Self::TooDeep { .. } => Code::TooDeep,
            Self::DuplicateKey { .. } => Code::DuplicateKey,
        }
    }
}

/// Reads one JSON value.
///
/// # Errors
/// [`JsonError`] with place and reason.
pub fn parse(bytes: &[u8]) -> Result<Value, JsonError> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| invalid(format!("not UTF-8 from byte {} on", error.valid_up_to())))?;
    scan(text)?;
    let twice = RefCell::default();
    let mut reader = serde_json::Deserializer::from_str(text);
    let value =
        Strict { twice: &twice }.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    value.map_err(|error| match twice.into_inner() {
        path if path.is_empty() => invalid(error.to_string()),
        path => JsonError::DuplicateKey { pointer: pointer(&path) },
    })
}

fn invalid(reason: String) -> JsonError {
    JsonError::Invalid(reason)
}

/// JSON Pointer of a path that was noted from the inside out.
fn pointer(path: &[String]) -> String {
    path.iter().rev().map(|key| format!("/{}", escaped(key))).collect()
}

/// A key as a part of a JSON Pointer.
#[must_use]
pub fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// What serde_json would let pass or change: depth, integers that lose digits, U+0000.
fn scan(text: &str) -> Result<(), JsonError> {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at = string_end(bytes, at + 1)?;
                continue;
            }
            b'[' | b'{' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Err(JsonError::TooDeep { place: place(bytes, at) });
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'-' | b'0'..=b'9' => {
                at = number_end(text, at)?;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    Ok(())
}

/// Where the string that begins at `at` ends.
fn string_end(bytes: &[u8], mut at: usize) -> Result<usize, JsonError> {
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return Ok(at + 1),
            b'\\' if bytes[at..].starts_with(b"\\u0000") => {
                return Err(invalid(format!("{}: U+0000 cannot be stored in a text", place(bytes, at))));
            }
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    Ok(bytes.len())
}

/// Where the number that begins at `at` ends.
fn number_end(text: &str, at: usize) -> Result<usize, JsonError> {
    let rest = &text.as_bytes()[at..];
    let of_number = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
    let length = rest.iter().position(|byte| !of_number(byte)).unwrap_or(rest.len());
    let token = &text[at..at + length];
    let integer = !token.contains(['.', 'e', 'E']);
    if integer && length >= SAFE_DIGITS && token.parse::<i64>().is_err() && token.parse::<u64>().is_err() {
        let place = place(text.as_bytes(), at);
        return Err(invalid(format!("{place}: the integer does not fit in 64 bits; send it as a text")));
    }
    Ok(at + length)
}

fn place(bytes: &[u8], at: usize) -> String {
    let before = &bytes[..at];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
    format!("line {line} column {column}")
}

/// Builds a value and refuses a key that stands twice; its path is noted from the inside out.
struct Strict<'a> {
    twice: &'a RefCell<Vec<String>>,
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        loop {
            let item = items.next_element_seed(Strict { twice: self.twice });
            match item.inspect_err(|_| self.note(|| array.len().to_string()))? {
                Some(item) => array.push(item),
                None => return Ok(Value::Array(array)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if map.contains_key(&key) {
                self.twice.borrow_mut().push(key);
                return Err(A::Error::custom("duplicate key"));
            }
            let value = entries.next_value_seed(Strict { twice: self.twice });
            let value = value.inspect_err(|_| self.note(|| key.clone()))?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

impl Strict<'_> {
    /// Notes one step of the path to a key that stands twice further in.
    fn note(&self, step: impl FnOnce() -> String) {
        let mut path = self.twice.borrow_mut();
        if !path.is_empty() {
            path.push(step());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn refused(text: &[u8]) -> (String, String) {
        let error = parse(text).unwrap_err();
        let text = error.to_string();
        (error.code().name().to_owned(), text.split(": this key").next().unwrap_or_default().to_owned())
    }

    #[test]
    fn a_key_that_stands_twice_is_named_by_its_pointer() {
        for (text, pointer) in [
            (r#"{"a":1,"a":1}"#, "/a"),
            (r#"{"a":{"b":[0,{"c~/d":1,"c~/d":2}]}}"#, "/a/b/1/c~0~1d"),
            (r#"{"a":1,"\u0061":1}"#, "/a"),
        ] {
            assert_eq!(refused(text.as_bytes()), ("duplicate_key".into(), pointer.into()), "{text}");
        }
        assert!(parse(br#"{"a":{"a":1},"b":{"a":1}}"#).is_ok());
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(parse(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert_eq!(refused(nested(MAX_DEPTH + 1).as_bytes()).0, "too_deep");
        assert_eq!(refused("{\"a\":".repeat(100_000).as_bytes()).0, "too_deep");
        assert!(
            parse(br#"{"a":"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["}"#)
                .is_ok()
        );
    }

    #[test]
    fn a_number_keeps_its_value_or_is_refused() {
        for text in ["18446744073709551615", "-9223372036854775808", "1e300", "0.1", "-0"] {
            assert!(parse(text.as_bytes()).is_ok(), "{text}");
        }
        let long = "9".repeat(1_000_000);
        for text in [
            "18446744073709551616",
            "-9223372036854775809",
            "1e999",
            "-1e999",
            "NaN",
            "Infinity",
            "01",
            "1.",
            &long,
        ] {
            assert_eq!(refused(text.as_bytes()).0, "invalid_json", "{}", &text[..text.len().min(30)]);
        }
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for text in [
            &b""[..],
            b" ",
            b"{",
            b"{}{}",
            b"{} x",
            b"{'a':1}",
            b"[1,]",
            b"\xff\xfe",
            b"{\"a\":\"\xc3\x28\"}",
            br#""\ud800""#,
            br#""\u0000""#,
            b"\"\x01\"",
            b"\xef\xbb\xbf{}",
            b"nul",
            br#"{"a"}"#,
            br#"{"a":1,}"#,
        ] {
            assert_eq!(refused(text).0, "invalid_json", "{}", String::from_utf8_lossy(text));
        }
    }

    proptest! {
        /// What is accepted is what serde_json reads.
        #[test]
        fn it_agrees_with_serde_json(text in r#"[\[\]{}",:a\\u0-9eE+\-. tnf]{0,24}"#) {
            if let Ok(value) = parse(text.as_bytes()) {
                prop_assert_eq!(Some(value), serde_json::from_str(&text).ok());
            }
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = parse(&bytes);
        }
    }
}
