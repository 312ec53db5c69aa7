//! Tests of the whole: the architecture's rules, the requirement rows, the system as its clients see it,
//! and the system under kills.

mod architecture;
mod chaos;
mod kills;
mod load;
mod public_topics;
mod requirements;
mod support;
mod system;
