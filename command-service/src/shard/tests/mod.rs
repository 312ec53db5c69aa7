//! The shard by itself, without a runtime or a log.
