//! Positions in the log and the consistency token made of them.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

/// The place of one event in the log: generation, shard, offset of its commit, index in the commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// Generation of the log; a migration to another number of shards opens the next one.
    pub generation: u32,
    /// Shard.
    pub shard: u16,
    /// Offset of the commit in its shard.
    pub offset: u64,
    /// 0-based index of the event in its commit.
    pub index: u16,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}.{}", self.generation, self.shard, self.offset, self.index)
    }
}

/// The text is not a position or not a token of this release.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PositionError {
    /// Not `generation.shard.offset.index`.
    #[error("{0:?} is not a position (generation.shard.offset.index)")]
    Position(String),
    /// Not a token that a Gesta of this format gave out.
    #[error("{0:?} is not a consistency token; pass the token of an answer unchanged")]
    Token(String),
}

impl FromStr for Position {
    type Err = PositionError;
    fn from_str(text: &str) -> Result<Self, PositionError> {
        let bad = || PositionError::Position(text.into());
        let mut parts = text.split('.');
        let mut next = || parts.next().ok_or_else(bad);
        let position = Self {
            generation: next()?.parse().map_err(|_| bad())?,
            shard: next()?.parse().map_err(|_| bad())?,
            offset: next()?.parse().map_err(|_| bad())?,
            index: next()?.parse().map_err(|_| bad())?,
        };
        if parts.next().is_some() { Err(bad()) } else { Ok(position) }
    }
}

impl TryFrom<String> for Position {
    type Error = PositionError;
    fn try_from(text: String) -> Result<Self, PositionError> {
        text.parse()
    }
}

impl Serialize for Position {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Position {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A consistency token: per shard, the offset of the last record that an answer includes.
///
/// Its text is opaque and versioned (`v1.` and base64url), one form for all backends. A reader
/// honours it when it has applied every shard *up to and including* the offset named here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Token {
    /// Generation of the log.
    pub generation: u32,
    /// Shard → offset of the last included record. A shard that is absent asks for nothing.
    pub marks: BTreeMap<u16, u64>,
}

/// Most shards that a token may name; more is refused as hostile.
pub const MAX_TOKEN_MARKS: usize = 1_024;

impl Token {
    /// The token of one commit.
    #[must_use]
    pub fn of(generation: u32, shard: u16, offset: u64) -> Self {
        Self { generation, marks: BTreeMap::from([(shard, offset)]) }
    }

    /// Raises the mark of `shard` to `offset`; never lowers it.
    pub fn raise(&mut self, shard: u16, offset: u64) {
        let mark = self.marks.entry(shard).or_insert(offset);
        *mark = (*mark).max(offset);
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut octets = Vec::with_capacity(4 + self.marks.len() * 10);
        octets.extend(self.generation.to_be_bytes());
        for (shard, offset) in &self.marks {
            octets.extend(shard.to_be_bytes());
            octets.extend(offset.to_be_bytes());
        }
        write!(f, "v1.{}", URL_SAFE_NO_PAD.encode(octets))
    }
}

impl FromStr for Token {
    type Err = PositionError;
    fn from_str(text: &str) -> Result<Self, PositionError> {
        let bad = || PositionError::Token(text.chars().take(80).collect());
        let octets = URL_SAFE_NO_PAD.decode(text.strip_prefix("v1.").ok_or_else(bad)?).map_err(|_| bad())?;
        let (generation, marks) = octets.split_first_chunk::<4>().ok_or_else(bad)?;
        let (marks, rest) = marks.as_chunks::<10>();
        if !rest.is_empty() || marks.len() > MAX_TOKEN_MARKS {
            return Err(bad());
        }
        let mark = |m: &[u8; 10]| {
            let [s0, s1, offset @ ..] = *m;
            (u16::from_be_bytes([s0, s1]), u64::from_be_bytes(offset))
        };
        Ok(Self { generation: u32::from_be_bytes(*generation), marks: marks.iter().map(mark).collect() })
    }
}

impl Serialize for Token {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_token_reads_back(generation: u32, marks in proptest::collection::btree_map(any::<u16>(), any::<u64>(), 0..20)) {
            let token = Token { generation, marks };
            prop_assert_eq!(token.to_string().parse::<Token>(), Ok(token));
        }

        #[test]
        fn a_position_reads_back(generation: u32, shard: u16, offset: u64, index: u16) {
            let position = Position { generation, shard, offset, index };
            prop_assert_eq!(position.to_string().parse::<Position>(), Ok(position));
        }

        #[test]
        fn no_text_panics(text in ".{0,60}") {
            let _ = text.parse::<Token>();
            let _ = text.parse::<Position>();
        }
    }

    #[test]
    fn a_cut_or_foreign_token_is_refused() {
        let token = Token::of(1, 3, 42).to_string();
        for bad in [&token[..token.len() - 2], "v2.AAAA", "", "v1.", "v1.AAAAAQAD"] {
            assert!(bad.parse::<Token>().is_err(), "{bad} was accepted");
        }
    }
}
