//! Tests of the whole: the architecture's rules, the requirement rows, and the system under kills.

mod architecture;
mod requirements;
