//! The contract of the log, against every backend, and what each backend adds to it.

mod contract {
    mod common;
    mod support;
}
