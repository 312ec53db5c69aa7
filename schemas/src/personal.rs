//! Withholding the fields of payloads that may hold personal data, for readers outside.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use serde_json::value::RawValue;

use crate::contract::EventType;
use crate::json_schema::event_schema;
use crate::registry::event_types;

/// What stands in place of a personal text that is withheld.
pub const WITHHELD: &str = "[withheld]";

/// Per event type, the names of the fields that may hold personal data.
static FIELDS: LazyLock<HashMap<&'static str, Vec<String>>> =
    LazyLock::new(|| event_types().map(|event| (event.name, fields(event))).collect());

fn fields(event: &EventType) -> Vec<String> {
    let schema = event_schema(event);
    let properties = schema["properties"].as_object().into_iter().flatten();
    properties.filter(|(_, field)| field["x-personal"] == true).map(|(name, _)| name.clone()).collect()
}

/// The payload of an event type with [`WITHHELD`] in place of every personal text; everything else stays as
/// it is written. `None` for a type that this release does not know: nobody can say what it holds.
///
/// # Errors
/// Those of reading a payload that is no JSON object.
pub fn withhold<'a>(kind: &str, data: &'a RawValue) -> Result<Option<Cow<'a, RawValue>>, serde_json::Error> {
    let Some(personal) = FIELDS.get(kind) else { return Ok(None) };
    if personal.is_empty() {
        return Ok(Some(Cow::Borrowed(data)));
    }
    let mut fields: BTreeMap<Cow<'_, str>, Cow<'_, RawValue>> = serde_json::from_str(data.get())?;
    let mut changed = false;
    for name in personal {
        if let Some(field) = fields.get_mut(name.as_str())
            && field.get() != "null"
        {
            *field = Cow::Owned(serde_json::value::to_raw_value(WITHHELD)?);
            changed = true;
        }
    }
    if !changed {
        return Ok(Some(Cow::Borrowed(data)));
    }
    Ok(Some(Cow::Owned(serde_json::value::to_raw_value(&fields)?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn withheld(kind: &str, data: &Value) -> Value {
        let raw = serde_json::value::to_raw_value(data).unwrap();
        serde_json::from_str(withhold(kind, &raw).unwrap().unwrap().get()).unwrap()
    }

    #[test]
    fn personal_texts_are_withheld_and_nothing_else() {
        let data =
            json!({"title": "Call Ada", "queue": "q", "payload": {"title": "1e400"}, "description": null});
        let expected =
            json!({"title": WITHHELD, "queue": "q", "payload": {"title": "1e400"}, "description": null});
        assert_eq!(withheld("gesta.work.task.created.v1", &data), expected);
        let plain = json!({"because": "created"});
        assert_eq!(withheld("gesta.work.task.queued.v1", &plain), plain);
        let raw = serde_json::value::to_raw_value(&plain).unwrap();
        assert!(withhold("gesta.work.task.sung.v1", &raw).unwrap().is_none(), "nobody knows what it holds");
    }

    /// Only the top of a payload is looked at.
    #[test]
    fn no_personal_field_lies_deeper() {
        fn marks(schema: &Value) -> usize {
            match schema {
                Value::Object(map) => {
                    usize::from(map.get("x-personal") == Some(&json!(true)))
                        + map.values().map(marks).sum::<usize>()
                }
                Value::Array(items) => items.iter().map(marks).sum(),
                _ => 0,
            }
        }
        for event in event_types() {
            assert_eq!(marks(&event_schema(event)), fields(event).len(), "{}", event.name);
        }
    }

    /// What is withheld still fits the schema that `dataschema` names.
    #[test]
    fn withheld_payloads_fit_their_schemas() {
        for event in event_types() {
            let file = format!("published/{}.rev{}.json", event.name, event.v);
            let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
            let samples: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
            assert!(!samples.is_empty(), "{} has no sample", event.name);
            let validator = jsonschema::validator_for(&event_schema(event)).unwrap();
            for sample in samples {
                let shown = withheld(event.name, &sample["data"]);
                assert!(validator.is_valid(&shown), "{}: {shown}", event.name);
            }
        }
    }
}
