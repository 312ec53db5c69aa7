//! The contract of the log, against every backend, and what each backend adds to it.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod contract {
    mod child;
    mod common;
    mod crash;
    mod damage;
    mod disk;
    mod image;
    mod inspect;
    mod kafka;
    mod kafka_damage;
    mod kafka_writers;
    mod open;
    mod public;
    mod publish;
    mod scenarios;
    mod support;
    mod topic;
}
