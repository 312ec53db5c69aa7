//! Postgres stores no NUL character, neither in `text` nor in `jsonb`; JSON has one. It becomes the
//! replacement character, the same on every replay.

use std::borrow::Cow;

use serde_json::Value;

const INSTEAD: &str = "\u{fffd}";

/// The text as Postgres can store it.
pub(super) fn text(text: &str) -> Cow<'_, str> {
    if text.as_bytes().contains(&0) { text.replace('\0', INSTEAD).into() } else { text.into() }
}

/// The JSON text as Postgres can store it. A NUL stands in it as its escape and in no other way.
pub(super) fn json(text: &str) -> Cow<'_, str> {
    if !text.contains("\\u0000") {
        return text.into();
    }
    let value: Value = serde_json::from_str(text).expect("the text of a row was checked to be JSON");
    cleaned(&value).to_string().into()
}

fn cleaned(value: &Value) -> Value {
    match value {
        Value::String(string) => Value::String(text(string).into_owned()),
        Value::Array(items) => items.iter().map(cleaned).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (text(name).into_owned(), cleaned(value))).collect()
        }
        same => same.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json as value_of;

    #[test]
    fn nul_becomes_the_replacement_character() {
        assert_eq!(text("a\0b"), "a\u{fffd}b");
        assert_eq!(text("a\\u0000b"), "a\\u0000b");
        let value = value_of!({"a\0": ["\0", 1, null], "b": "plain"}).to_string();
        assert_eq!(json(&value), value_of!({"a\u{fffd}": ["\u{fffd}", 1, null], "b": "plain"}).to_string());
        let escaped = value_of!({"b": "a\\u0000"}).to_string();
        assert_eq!(json(&escaped), escaped, "a backslash before u0000 is no NUL");
        assert!(matches!(json(r#"{"b":"plain"}"#), Cow::Borrowed(_)));
    }
}
