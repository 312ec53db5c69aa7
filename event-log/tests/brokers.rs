//! Tests that start and kill brokers of their own. Apart from the contract's, because a process that is about
//! to start another one holds its locks on files for a moment longer, and those tests open what they closed.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod contract {
    mod brokers;
    mod leaders;
    mod producer;
    #[expect(
        dead_code,
        clippy::expect_used,
        reason = "shared with the tests of the whole, which use the rest"
    )]
    #[path = "../../../tests/tests/support/proxy.rs"]
    mod proxy;
    #[expect(dead_code, reason = "shared with the contract's tests, which use the rest")]
    mod public;
    #[expect(dead_code, reason = "shared with the contract's tests, which use the rest")]
    mod support;
    #[expect(dead_code, reason = "shared with the contract's tests, which use the rest")]
    mod topic;
}
