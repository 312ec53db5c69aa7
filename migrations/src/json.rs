//! JSON values of rows.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use sqlx::postgres::{PgTypeInfo, PgValueRef};
use sqlx::{Decode, Postgres, Type};

/// A JSON value as its text: on its way between events and columns nobody looks into it, and the
/// copies of a row share it. Two are equal when they say the same, however it is written.
#[derive(Debug, Clone)]
pub struct JsonText(Arc<RawValue>);

impl JsonText {
    /// The value that `value` serialises to.
    ///
    /// # Panics
    /// When it is none: a map with keys that are no texts.
    #[must_use]
    pub fn of(value: &impl Serialize) -> Self {
        Self(serde_json::value::to_raw_value(value).expect("what rows hold is JSON").into())
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        self.0.get()
    }

    /// The text as a part of another JSON text.
    #[must_use]
    pub fn raw(&self) -> &RawValue {
        &self.0
    }

    /// The value.
    ///
    /// # Panics
    /// Never: the text was read or written as JSON.
    #[must_use]
    pub fn value(&self) -> Value {
        serde_json::from_str(self.text()).expect("the text was checked to be JSON")
    }
}

impl PartialEq for JsonText {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text() || self.value() == other.value()
    }
}

impl PartialEq<Value> for JsonText {
    fn eq(&self, other: &Value) -> bool {
        self.value() == *other
    }
}

impl Type<Postgres> for JsonText {
    fn type_info() -> PgTypeInfo {
        <sqlx::types::Json<Box<RawValue>> as Type<Postgres>>::type_info()
    }

    fn compatible(ty: &PgTypeInfo) -> bool {
        <sqlx::types::Json<Box<RawValue>> as Type<Postgres>>::compatible(ty)
    }
}

impl<'r> Decode<'r, Postgres> for JsonText {
    fn decode(value: PgValueRef<'r>) -> Result<Self, sqlx::error::BoxDynError> {
        let sqlx::types::Json(text) = <sqlx::types::Json<Box<RawValue>>>::decode(value)?;
        Ok(Self(text.into()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn two_texts_of_one_value_are_equal() {
        let read = |text: &str| JsonText(RawValue::from_string(text.to_owned()).unwrap().into());
        assert_eq!(read(r#"{"a": 1, "b": [null]}"#), read(r#"{"b":[null],"a":1}"#));
        assert_ne!(read(r#"{"a": 1}"#), read(r#"{"a": 2}"#));
        assert_eq!(JsonText::of(&["x"]), json!(["x"]));
        assert_eq!(JsonText::of(&["x"]).text(), r#"["x"]"#);
    }
}
