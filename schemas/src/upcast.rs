//! Revisions of events: each step turns one revision of one type into another, purely. Steps are taken on
//! read, to the revision that the code has, and on write, when the deployment chose another one, because a
//! replica of the previous release must still read it. The log is never rewritten.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::registry::event_type;

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

/// Why a revision cannot be chosen for writing.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChoiceError {
    /// This release knows no such type.
    #[error("event type {kind} is unknown to this release; docs/events.md lists all")]
    UnknownType {
        /// The type as chosen.
        kind: String,
    },
    /// This release does not write that revision.
    #[error("this release does not write revision {v} of {kind}, only {known:?}")]
    UnknownRevision {
        /// The type.
        kind: String,
        /// The revision as chosen.
        v: u32,
        /// Those that it writes.
        known: Vec<u32>,
    },
}

/// One step: the payload of revision `from_v` of `from` becomes one of `to_v` of `to`.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// Type that is read.
    pub from: &'static str,
    /// Revision that is read.
    pub from_v: u32,
    /// Type that comes out.
    pub to: &'static str,
    /// Revision that comes out.
    pub to_v: u32,
    /// The change of the payload.
    pub change: fn(Value) -> Value,
}

/// Steps from the other published revisions to those of the code. None has changed yet.
pub const READS: &[Step] = &[];

/// Steps from the revisions of the code to those that may be written instead.
pub const WRITES: &[Step] = &[];

/// What a process knows of revisions that are not those of the code.
#[derive(Debug, Clone)]
pub struct Revisions {
    reads: &'static [Step],
    writes: Vec<Step>,
}

impl Default for Revisions {
    /// Those of this release; each type is written as the code has it.
    fn default() -> Self {
        Self { reads: READS, writes: Vec::new() }
    }
}

impl Revisions {
    /// Those of a release that takes `reads` on read and may take `writes` on write, with the revision that is
    /// written of each type in `chosen`. Others are written as the code has them.
    ///
    /// # Errors
    /// [`ChoiceError`] names the type, and the revision that this release does not write.
    pub fn choose(
        reads: &'static [Step],
        writes: &'static [Step],
        chosen: &BTreeMap<String, u32>,
    ) -> Result<Self, ChoiceError> {
        let mut taken = Vec::new();
        for (kind, &v) in chosen {
            let event = event_type(kind).ok_or_else(|| ChoiceError::UnknownType { kind: kind.clone() })?;
            if v == event.v {
                continue;
            }
            let others = || writes.iter().filter(|step| step.from == event.name && step.from_v == event.v);
            let step = others().find(|step| step.to_v == v).ok_or_else(|| {
                let known = others().map(|step| step.to_v).chain([event.v]).collect();
                ChoiceError::UnknownRevision { kind: kind.clone(), v, known }
            })?;
            taken.push(*step);
        }
        Ok(Self { reads, writes: taken })
    }

    /// The steps that are taken on read.
    #[must_use]
    pub fn reads(&self) -> &'static [Step] {
        self.reads
    }

    /// The step that is taken before an event of the type is written; none when it is written as the code has it.
    #[must_use]
    pub fn write(&self, kind: &str) -> Option<&Step> {
        self.writes.iter().find(|step| step.from == kind)
    }
}

/// An event on its way to the current revision.
#[derive(Debug)]
pub struct Current<'a> {
    /// Type after the steps taken.
    pub kind: Cow<'a, str>,
    v: u32,
    data: Cow<'a, str>,
    table: &'a [Step],
}

impl Current<'_> {
    /// Reads the payload, which must stand at revision `known`.
    ///
    /// # Errors
    /// [`DecodeError`] when it does not, or when a field cannot be read.
    pub fn read<T: DeserializeOwned>(&self, known: u32) -> Result<T, DecodeError> {
        if self.v != known {
            let others = self.table.iter().filter(|step| step.from == self.kind).map(|step| step.from_v);
            let known = others.fold(known, u32::max);
            return Err(DecodeError::UnknownRevision { kind: self.kind.to_string(), v: self.v, known });
        }
        serde_json::from_str(&self.data).map_err(|source| self.payload_error(source))
    }

    fn payload_error(&self, source: serde_json::Error) -> DecodeError {
        DecodeError::Payload { kind: self.kind.to_string(), v: self.v, source }
    }
}

/// Applies the steps of `table`, each at most once.
///
/// # Errors
/// [`DecodeError::Payload`] when a step is due and the payload is not JSON.
pub fn through<'a>(
    table: &'a [Step],
    kind: &'a str,
    v: u32,
    data: &'a RawValue,
) -> Result<Current<'a>, DecodeError> {
    let mut event = Current { kind: Cow::Borrowed(kind), v, data: Cow::Borrowed(data.get()), table };
    for _ in 0..table.len() {
        let Some(step) = table.iter().find(|u| u.from == event.kind && u.from_v == event.v) else { break };
        let old = serde_json::from_str(&event.data).map_err(|source| event.payload_error(source))?;
        let data = (step.change)(old).to_string().into();
        event = Current { kind: step.to.into(), v: step.to_v, data, table };
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
    const STEPS: &[Step] = &[Step {
        from: "gesta.test.rod.measured.v1",
        from_v: 1,
        to: "gesta.test.rod.measured.v2",
        to_v: 1,
        change: |old| json!({ "length_mm": old["length_cm"].as_u64().unwrap_or(0) * 10 }),
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

    /// PLAT-28: only what this release knows and can write is chosen; a refusal says what could be.
    #[test]
    fn an_unknown_type_or_revision_is_not_chosen() {
        const KIND: &str = "gesta.work.task.progressed.v1";
        const WRITES: &[Step] = &[Step { from: KIND, from_v: 1, to: KIND, to_v: 2, change: |new| new }];
        let choose = |kind: &str, v| Revisions::choose(&[], WRITES, &BTreeMap::from([(kind.to_owned(), v)]));
        assert_eq!(choose(KIND, 2).unwrap().write(KIND).map(|step| step.to_v), Some(2));
        assert!(choose(KIND, 1).unwrap().write(KIND).is_none(), "as the code has it");
        let error = choose(KIND, 3).unwrap_err().to_string();
        assert!(error.contains("revision 3") && error.contains(KIND) && error.contains("[2, 1]"), "{error}");
        let error = choose("gesta.work.task.sung.v1", 1).unwrap_err().to_string();
        assert!(error.contains("gesta.work.task.sung.v1 is unknown"), "{error}");
    }
}
