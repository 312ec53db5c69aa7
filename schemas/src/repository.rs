//! The contract of `repository`: code that is indexed, and under which its files are found (KNOW-7).

mod commands;
mod events;
mod transitions;

pub use commands::*;
pub use events::*;
pub use transitions::REPOSITORY_TRANSITIONS;

use crate::contract::Address::{Act, Create};
use crate::contract::contract;

contract! {
    aggregate "repository" in "knowledge" at "repositories";
    commands RepositoryCommand {
        RegisterRepository = "repository.register" Create, "Registers a repository whose files shall be indexed.";
        RetireRepository = "repository.retire" Act("retire"), "Takes a repository out of every search; its history stays.";
    }
    events RepositoryEvent {
        RepositoryRegistered = "gesta.knowledge.repository.registered.v1" rev 1;
        RepositoryRetired = "gesta.knowledge.repository.retired.v1" rev 1;
    }
}
