//! Postgres stores no NUL character, neither in `text` nor in `jsonb`; JSON has one. It becomes the
//! replacement character, the same on every replay.

use std::borrow::Cow;

use serde_json::Value;

const INSTEAD: &str = "\u{fffd}";

/// The text as Postgres can store it.
pub(super) fn text(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', INSTEAD).into() } else { text.into() }
}

/// The value as Postgres can store it.
pub(super) fn json(value: &Value) -> Cow<'_, Value> {
    if is_clean(value) { Cow::Borrowed(value) } else { Cow::Owned(cleaned(value)) }
}

fn is_clean(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.contains('\0'),
        Value::Array(items) => items.iter().all(is_clean),
        Value::Object(fields) => fields.iter().all(|(name, value)| !name.contains('\0') && is_clean(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
    }
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
    use serde_json::json;

    #[test]
    fn nul_becomes_the_replacement_character() {
        assert_eq!(text("a\0b"), "a\u{fffd}b");
        assert_eq!(text("a\\u0000b"), "a\\u0000b");
        let value = json!({"a\0": ["\0", 1, null], "b": "plain"});
        assert_eq!(*json(&value), json!({"a\u{fffd}": ["\u{fffd}", 1, null], "b": "plain"}));
        assert!(matches!(json(&json!({"b": "plain"})), Cow::Borrowed(_)));
    }
}
