//! The contract of `dead_letter`: what people decide about an event that a projection could not apply (PLAT-13).

mod commands;
mod events;
mod transitions;

pub use commands::*;
pub use events::*;
pub use transitions::DEAD_LETTER_TRANSITIONS;

use crate::contract::Address::Act;
use crate::contract::contract;

contract! {
    aggregate "dead_letter" in "operations" at "dead-letters";
    commands DeadLetterCommand {
        DiscardDeadLetter = "dead_letter.discard" Act("discard"), "Gives an event up for one projection; those that wait behind it go on.";
    }
    events DeadLetterEvent {
        DeadLetterDiscarded = "gesta.operations.dead_letter.discarded.v1" rev 1;
    }
}
