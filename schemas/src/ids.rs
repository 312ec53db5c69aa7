//! Tenants, streams, routes and the ids derived from them (log.md, "Ids and routing").

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Longest tenant name and longest id part of a stream, in characters.
pub const MAX_NAME_CHARS: usize = 64;

/// Namespace of every event id: `UUIDv5(EVENT_NAMESPACE, "<stream>#<version>")`.
pub const EVENT_NAMESPACE: Uuid = Uuid::from_u128(0x6765_7374_6100_8000_8000_6576_656e_7473);

/// Why a text is not a tenant, name or stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The tenant does not match `[a-z0-9-]{1,64}`.
    #[error("tenant {0:?} is not 1 to 64 characters of a-z, 0-9 and '-'")]
    Tenant(String),
    /// A stream part does not match `[A-Za-z0-9_-]{1,64}`.
    #[error("{0:?} is not 1 to 64 characters of A-Z, a-z, 0-9, '_' and '-'")]
    Part(String),
    /// A stream is not of the form `tenant/type/id`.
    #[error("stream {0:?} does not have the form tenant/type/id")]
    Stream(String),
}

/// A tenant: `[a-z0-9-]{1,64}`. No request of one tenant reads or writes another's data.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tenant(Arc<str>);

impl Tenant {
    /// Checks the form.
    ///
    /// # Errors
    /// [`NameError::Tenant`] for any other form.
    pub fn new(name: &str) -> Result<Self, NameError> {
        if is_tenant(name) { Ok(Self(name.into())) } else { Err(NameError::Tenant(name.into())) }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Tenant {
    type Error = NameError;
    fn try_from(name: String) -> Result<Self, NameError> {
        Self::new(&name)
    }
}

impl FromStr for Tenant {
    type Err = NameError;
    fn from_str(name: &str) -> Result<Self, NameError> {
        Self::new(name)
    }
}

impl Serialize for Tenant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Tenant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text::new("a tenant"))
    }
}

impl From<Tenant> for String {
    fn from(tenant: Tenant) -> Self {
        tenant.0.as_ref().to_owned()
    }
}

/// Reads a text in the place where it stands: a reader of the log meets some of them in every record.
struct Text<T>(&'static str, PhantomData<T>);

impl<T> Text<T> {
    fn new(expected: &'static str) -> Self {
        Self(expected, PhantomData)
    }
}

impl<T: FromStr<Err: fmt::Display>> Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether `part` may stand in a stream as type or id: `[A-Za-z0-9_-]{1,64}`.
#[must_use]
pub fn is_stream_part(part: &str) -> bool {
    is_name(part, |b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

fn is_tenant(name: &str) -> bool {
    is_name(name, |b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn is_name(name: &str, allowed: impl Fn(u8) -> bool) -> bool {
    !name.is_empty() && name.len() <= MAX_NAME_CHARS && name.bytes().all(allowed)
}

/// A stream: `tenant/type/id`. Its events carry the versions 1..n without gap.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Stream(Arc<str>);

impl Stream {
    /// The stream of one aggregate.
    ///
    /// # Errors
    /// [`NameError::Part`] when the type or the id has a character that a stream may not have.
    pub fn new(tenant: &Tenant, aggregate_type: &str, id: &str) -> Result<Self, NameError> {
        for part in [aggregate_type, id] {
            if !is_stream_part(part) {
                return Err(NameError::Part(part.into()));
            }
        }
        Ok(Self(format!("{tenant}/{aggregate_type}/{id}").into()))
    }

    /// The stream of an aggregate with a derived id.
    #[must_use]
    pub fn of(tenant: &Tenant, aggregate_type: &'static str, id: AggregateId) -> Self {
        Self(format!("{tenant}/{aggregate_type}/{id}").into())
    }

    fn parts(&self) -> (&str, &str, &str) {
        let (tenant, rest) = self.0.split_once('/').expect("the constructors write two slashes");
        let (aggregate_type, id) = rest.split_once('/').expect("the constructors write two slashes");
        (tenant, aggregate_type, id)
    }

    /// The tenant's name.
    #[must_use]
    pub fn tenant(&self) -> &str {
        self.parts().0
    }

    /// The aggregate type, for example `task`.
    #[must_use]
    pub fn aggregate_type(&self) -> &str {
        self.parts().1
    }

    /// The aggregate id as text.
    #[must_use]
    pub fn id(&self) -> &str {
        self.parts().2
    }

    /// `tenant/type/id`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id of the event at `version`, the same in every store and topic.
    #[must_use]
    pub fn event_id(&self, version: u64) -> Uuid {
        // As `Uuid::new_v5` does it, which knows no processor with instructions for SHA-1.
        let mut hash = Sha1::new();
        for part in [EVENT_NAMESPACE.as_bytes(), self.0.as_bytes(), b"#", version.to_string().as_bytes()] {
            hash.update(part);
        }
        let digest: [u8; 20] = hash.finalize().into();
        let octets = *digest.first_chunk::<16>().expect("16 of 20 octets");
        uuid::Builder::from_sha1_bytes(octets).into_uuid()
    }
}

impl TryFrom<String> for Stream {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl FromStr for Stream {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let mut parts = text.splitn(3, '/');
        let (Some(tenant), Some(kind), Some(id)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NameError::Stream(text.into()));
        };
        if !is_tenant(tenant) {
            return Err(NameError::Tenant(tenant.into()));
        }
        match [kind, id].into_iter().find(|part| !is_stream_part(part)) {
            Some(part) => Err(NameError::Part(part.into())),
            None => Ok(Self(text.into())),
        }
    }
}

impl Serialize for Stream {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Stream {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text::new("a stream"))
    }
}

impl From<Stream> for String {
    fn from(stream: Stream) -> Self {
        stream.0.as_ref().to_owned()
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The first 16 bits of `SHA-256(tenant, routing key)`; `shard = route mod S`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Route(pub u16);

impl Route {
    /// The route of a routing key. A key that is an id of Gesta passes on its own route.
    #[must_use]
    pub fn of(tenant: &Tenant, routing_key: &str) -> Self {
        if let Ok(id) = routing_key.parse::<AggregateId>() {
            return id.route();
        }
        let digest = digest(&[tenant.as_str(), routing_key]);
        Self(u16::from_be_bytes([digest[0], digest[1]]))
    }

    /// The shard among `shards`.
    #[must_use]
    pub fn shard(self, shards: u16) -> u16 {
        self.0 % shards
    }
}

/// SHA-256 over the parts, each followed by a zero byte (no part may contain one).
fn digest(parts: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.finalize().into()
}

/// The id of an aggregate: a `UUIDv8` whose octets 0 and 1 are its route and whose other 106 free
/// bits come from `SHA-256(tenant, type, route, command id)` of the command that created it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Uuid", into = "Uuid")]
#[schemars(with = "Uuid", extend("pattern" = "^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"))]
pub struct AggregateId(Uuid);

impl AggregateId {
    /// The id that a creation gives to its aggregate: a retry of the creation meets the same stream.
    #[must_use]
    pub fn derive(tenant: &Tenant, aggregate_type: &str, route: Route, command_id: &str) -> Self {
        let digest = digest(&[tenant.as_str(), aggregate_type, &route.0.to_string(), command_id]);
        let mut octets = [0_u8; 16];
        octets[..2].copy_from_slice(&route.0.to_be_bytes());
        octets[2..].copy_from_slice(&digest[..14]);
        Self(uuid::Builder::from_custom_bytes(octets).into_uuid())
    }

    /// The route that the id carries.
    #[must_use]
    pub fn route(self) -> Route {
        let octets = self.0.as_bytes();
        Route(u16::from_be_bytes([octets[0], octets[1]]))
    }

    /// The id as a UUID.
    #[must_use]
    pub fn uuid(self) -> Uuid {
        self.0
    }
}

/// The text or UUID is not an id of Gesta.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an id of Gesta (a UUID of version 8)")]
pub struct NotAnId(String);

impl TryFrom<Uuid> for AggregateId {
    type Error = NotAnId;
    fn try_from(uuid: Uuid) -> Result<Self, NotAnId> {
        let rfc = uuid.get_variant() == uuid::Variant::RFC4122;
        if rfc && uuid.get_version_num() == 8 { Ok(Self(uuid)) } else { Err(NotAnId(uuid.to_string())) }
    }
}

impl FromStr for AggregateId {
    type Err = NotAnId;
    fn from_str(text: &str) -> Result<Self, NotAnId> {
        // Only the hyphenated lower-case form names a stream: one id, one spelling.
        let uuid = Uuid::try_parse(text).map_err(|_| NotAnId(text.into()))?;
        if uuid.hyphenated().encode_lower(&mut Uuid::encode_buffer()) == text {
            Self::try_from(uuid)
        } else {
            Err(NotAnId(text.into()))
        }
    }
}

impl From<AggregateId> for Uuid {
    fn from(id: AggregateId) -> Self {
        id.0
    }
}

impl fmt::Display for AggregateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_carries_its_route_and_is_a_version_8_uuid() {
        let tenant = Tenant::new("acme").unwrap();
        let route = Route::of(&tenant, "default");
        let id = AggregateId::derive(&tenant, "task", route, "c-1");
        assert_eq!(id.route(), route);
        assert_eq!(id.uuid().get_version_num(), 8);
        assert_eq!(id.to_string().parse::<AggregateId>(), Ok(id));
        assert_eq!(Route::of(&tenant, &id.to_string()), route, "an id as routing key passes on its route");
        assert_ne!(id, AggregateId::derive(&tenant, "task", route, "c-2"));
        assert_ne!(id, AggregateId::derive(&Tenant::new("other").unwrap(), "task", route, "c-1"));
    }

    /// The figures were computed apart from this code, in Python, from the words of the specification.
    #[test]
    fn ids_and_event_ids_never_change() {
        let tenant = Tenant::new("acme").unwrap();
        let route = Route::of(&tenant, "default");
        let id = AggregateId::derive(&tenant, "task", route, "c-1");
        let stream = Stream::of(&tenant, "task", id);
        assert_eq!(route, Route(36488));
        assert_eq!(stream.as_str(), "acme/task/8e88a6c9-40b0-87c7-a154-418b24b15ccd");
        assert_eq!(stream.event_id(1).to_string(), "dee03ac5-cce3-588b-8735-7cbd2f9da357");
        assert_eq!(stream.event_id(77), Uuid::new_v5(&EVENT_NAMESPACE, format!("{stream}#77").as_bytes()));
    }

    #[test]
    fn a_stream_has_three_parts_of_few_characters() {
        let stream: Stream = "acme/task/a-1".parse().unwrap();
        assert_eq!((stream.tenant(), stream.aggregate_type(), stream.id()), ("acme", "task", "a-1"));
        for bad in ["acme/task", "Acme/task/1", "acme/ta sk/1", "acme/task/a/b", "acme/task/", "/task/1"] {
            assert!(bad.parse::<Stream>().is_err(), "{bad} was accepted");
        }
    }
}
