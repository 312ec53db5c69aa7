//! The one macro: it turns a list of commands and events into enums, and those enums into rows of
//! the registry. An aggregate's contract is then a list of structs and this table.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::value::RawValue;

/// One event type as the registry knows it.
#[derive(Debug, Clone, Copy)]
pub struct EventType {
    /// `gesta.<context>.<aggregate>.<past verb>.v<n>`.
    pub name: &'static str,
    /// Current revision of the payload's schema.
    pub v: u32,
    /// Aggregate type.
    pub aggregate: &'static str,
    /// Bounded context: the topic is `gesta.<context>.events`.
    pub context: &'static str,
    /// JSON Schema (2020-12) of the payload.
    pub schema: fn(&mut SchemaGenerator) -> Schema,
    /// Decodes a payload of the current revision, writes it again: the value that today's code sees.
    pub normalise: fn(&RawValue) -> Result<serde_json::Value, serde_json::Error>,
}

/// How a command is addressed over HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Address {
    /// `POST /api/v1/{collection}`; the stream's id derives from the command id.
    Create,
    /// `POST /api/v1/{collection}/{id}/{verb}`.
    Act(&'static str),
    /// `POST /api/v1/{collection}/{verb}`; the home stream is not one of this aggregate.
    Collection(&'static str),
    /// Issued by the shard alone, when a deadline is due; no client may send it.
    Internal,
}

/// One command type as the registry knows it.
#[derive(Debug, Clone, Copy)]
pub struct CommandType {
    /// `<aggregate>.<verb>`, for example `task.complete`.
    pub name: &'static str,
    /// Aggregate type.
    pub aggregate: &'static str,
    /// Collection in the path, for example `tasks`.
    pub collection: &'static str,
    /// Route.
    pub address: Address,
    /// What it does, first sentence of its description.
    pub summary: &'static str,
    /// JSON Schema (2020-12) of the body.
    pub schema: fn(&mut SchemaGenerator) -> Schema,
}

/// One row of an aggregate's transition table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transition {
    /// Stage before; `-` is the absent state.
    pub from: &'static str,
    /// Command type, for example `task.start`.
    pub command: &'static str,
    /// Event types that this row yields, in order.
    pub events: &'static [&'static str],
    /// Stage after.
    pub to: &'static str,
    /// Condition under which this row is taken; empty = always.
    pub when: &'static str,
}

/// A row as it stands in a table.
pub(crate) const fn transition(
    from: &'static str,
    command: &'static str,
    events: &'static [&'static str],
    to: &'static str,
    when: &'static str,
) -> Transition {
    Transition { from, command, events, to, when }
}

/// The payload's schema.
pub(crate) fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// Decodes and writes again.
pub(crate) fn normalise<T>(data: &RawValue) -> Result<serde_json::Value, serde_json::Error>
where
    T: serde::Serialize + serde::de::DeserializeOwned,
{
    serde_json::to_value(serde_json::from_str::<T>(data.get())?)
}

/// Declares the commands and events of one aggregate: two enums whose variants hold the struct of
/// the same name, and the two `const` tables that the registry joins.
macro_rules! contract {
    (
        aggregate $aggregate:literal in $context:literal at $collection:literal;
        commands $commands:ident { $( $command:ident = $command_name:literal $address:expr, $summary:literal; )* }
        events $events:ident { $( $event:ident = $event_name:literal rev $v:literal; )* }
    ) => {
        #[doc = concat!("Every command of `", $aggregate, "`.")]
        #[derive(Debug, Clone, PartialEq, serde::Serialize)]
        #[serde(untagged)]
        pub enum $commands { $( #[doc = $summary] $command($command), )* }

        #[doc = concat!("Every event of `", $aggregate, "`.")]
        #[derive(Debug, Clone, PartialEq, serde::Serialize)]
        #[serde(untagged)]
        pub enum $events { $( #[doc = concat!("`", $event_name, "`.")] $event($event), )* }

        $( impl From<$command> for $commands { fn from(body: $command) -> Self { Self::$command(body) } } )*
        $( impl From<$event> for $events { fn from(data: $event) -> Self { Self::$event(data) } } )*

        impl $commands {
            /// The aggregate's commands, in the order of its life.
            pub const TYPES: &'static [$crate::contract::CommandType] = &[ $( $crate::contract::CommandType {
                name: $command_name, aggregate: $aggregate, collection: $collection, address: $address,
                summary: $summary, schema: $crate::contract::schema_of::<$command>,
            }, )* ];

            /// The command's registered name.
            #[must_use]
            pub fn name(&self) -> &'static str { match self { $( Self::$command(_) => $command_name, )* } }

            /// Reads the body of the command type `name`; `None` when the name is not of this aggregate.
            #[must_use]
            pub fn decode(name: &str, body: &str) -> Option<Result<Self, serde_json::Error>> {
                match name {
                    $( $command_name => Some(serde_json::from_str::<$command>(body).map(Self::$command)), )*
                    _ => None,
                }
            }
        }

        impl $events {
            /// The aggregate's event types.
            pub const TYPES: &'static [$crate::contract::EventType] = &[ $( $crate::contract::EventType {
                name: $event_name, v: $v, aggregate: $aggregate, context: $context,
                schema: $crate::contract::schema_of::<$event>, normalise: $crate::contract::normalise::<$event>,
            }, )* ];

            /// The registered type name and the revision that is written.
            #[must_use]
            pub fn kind(&self) -> (&'static str, u32) { match self { $( Self::$event(_) => ($event_name, $v), )* } }

            /// Reads an event of the current revision, or of one from which steps of `reads` lead to it.
            ///
            /// # Errors
            /// [`DecodeError`] names the type and the field that could not be read.
            pub fn decode(
                reads: &[$crate::upcast::Step], kind: &str, v: u32, data: &serde_json::value::RawValue,
            ) -> Result<Self, $crate::upcast::DecodeError> {
                let current = $crate::upcast::through(reads, kind, v, data)?;
                match current.kind.as_ref() {
                    $( $event_name => current.read::<$event>($v).map(Self::$event), )*
                    _ => Err($crate::upcast::DecodeError::UnknownType { kind: kind.into() }),
                }
            }
        }
    };
}
pub(crate) use contract;
