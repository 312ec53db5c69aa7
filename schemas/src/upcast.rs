//! Reading old events: each step turns one revision of one type into the next, purely, on read.
//! The log is never rewritten.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

/// Why an event could not be read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// No release up to this one knows the type.
    #[error("event type {kind} is unknown to this release; upgrade the reader")]
    UnknownType {
        /// The type as written.
        kind: String,
    },
    /// The revision is newer than this release, or no step leads from it to the current one.
    #[error(
        "revision {v} of {kind} cannot be read by this release (it reads up to {known}); upgrade the reader"
    )]
    UnknownRevision {
        /// The type as written.
        kind: String,
        /// The revision as written.
        v: u32,
        /// The newest revision that this release reads.
        known: u32,
    },
    /// The payload is not what its type says.
    #[error("payload of {kind} revision {v}: {source}")]
    Payload {
        /// The type.
        kind: String,
        /// The revision.
        v: u32,
        /// Field and reason.
        source: serde_json::Error,
    },
}

/// One step: the payload of revision `from_v` of `from` becomes one of `to_v` of `to`.
#[derive(Debug, Clone, Copy)]
pub struct Upcaster {
    /// Type that is read.
    pub from: &'static str,
    /// Revision that is read.
    pub from_v: u32,
    /// Type that comes out.
    pub to: &'static str,
    /// Revision that comes out.
    pub to_v: u32,
    /// The change of the payload.
    pub step: fn(Value) -> Value,
}

/// Steps of the published events. None has changed yet.
pub const UPCASTERS: &[Upcaster] = &[];

/// An event on its way to the current revision.
#[derive(Debug)]
pub struct Current<'a> {
    /// Type after the steps taken.
    pub kind: Cow<'a, str>,
    v: u32,
    data: Cow<'a, str>,
}

impl Current<'_> {
    /// Reads the payload, which must stand at revision `known`.
    ///
    /// # Errors
    /// [`DecodeError`] when it does not, or when a field cannot be read.
    pub fn read<T: DeserializeOwned>(&self, known: u32) -> Result<T, DecodeError> {
        if self.v != known {
            return Err(DecodeError::UnknownRevision { kind: self.kind.to_string(), v: self.v, known });
        }
        serde_json::from_str(&self.data).map_err(|source| self.payload_error(source))
    }

    fn payload_error(&self, source: serde_json::Error) -> DecodeError {
        DecodeError::Payload { kind: self.kind.to_string(), v: self.v, source }
    }
}

/// Applies every published step that fits.
///
/// # Errors
/// [`DecodeError::Payload`] when a step is due and the payload is not JSON.
pub fn current<'a>(kind: &'a str, v: u32, data: &'a RawValue) -> Result<Current<'a>, DecodeError> {
    through(UPCASTERS, kind, v, data)
}

/// Applies the steps of `table`, each at most once.
///
/// # Errors
/// [`DecodeError::Payload`] when a step is due and the payload is not JSON.
pub fn through<'a>(
    table: &[Upcaster],
    kind: &'a str,
    v: u32,
    data: &'a RawValue,
) -> Result<Current<'a>, DecodeError> {
    let mut event = Current { kind: Cow::Borrowed(kind), v, data: Cow::Borrowed(data.get()) };
    for _ in 0..table.len() {
        let Some(step) = table.iter().find(|u| u.from == event.kind && u.from_v == event.v) else { break };
        let old = serde_json::from_str(&event.data).map_err(|source| event.payload_error(source))?;
        event = Current { kind: step.to.into(), v: step.to_v, data: (step.step)(old).to_string().into() };
    }
    Ok(event)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::json;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Measured {
        length_mm: u64,
    }

    /// The test-only event of two revisions: centimetres became millimetres.
    const STEPS: &[Upcaster] = &[Upcaster {
        from: "gesta.test.rod.measured.v1",
        from_v: 1,
        to: "gesta.test.rod.measured.v2",
        to_v: 1,
        step: |old| json!({ "length_mm": old["length_cm"].as_u64().unwrap_or(0) * 10 }),
    }];

    fn raw(value: &Value) -> Box<RawValue> {
        serde_json::value::to_raw_value(value).unwrap()
    }

    /// PLAT-28: the old revision is read to the same value as the new one.
    #[test]
    fn an_old_event_is_read_as_the_new_one() {
        let (old, new) = (raw(&json!({"length_cm": 12})), raw(&json!({"length_mm": 120})));
        for (kind, data) in [("gesta.test.rod.measured.v1", &old), ("gesta.test.rod.measured.v2", &new)] {
            let event = through(STEPS, kind, 1, data).unwrap();
            assert_eq!(event.kind, "gesta.test.rod.measured.v2");
            assert_eq!(event.read::<Measured>(1).unwrap(), Measured { length_mm: 120 });
        }
    }

    #[test]
    fn a_newer_revision_is_an_error_that_names_it() {
        let data = raw(&json!({"length_mm": 120}));
        let event = through(STEPS, "gesta.test.rod.measured.v2", 7, &data).unwrap();
        let error = event.read::<Measured>(1).unwrap_err().to_string();
        assert!(error.contains("revision 7") && error.contains("up to 1"), "{error}");
    }
}
