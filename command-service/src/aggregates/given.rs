//! Given events, when a command, then events or a refusal.

use chrono::{DateTime, TimeDelta, Utc};
use schemas::ids::Stream;
use schemas::problem::Code;

use super::{Aggregate, Context, Refusal};

/// Who issues the commands.
pub(crate) const ACTOR: &str = "user/tester";

/// The instant `seconds` after the start of every test.
pub(crate) fn second(seconds: i64) -> DateTime<Utc> {
    let start: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
    start + TimeDelta::seconds(seconds)
}

/// The stream of every test.
pub(crate) fn stream(aggregate: &str) -> Stream {
    format!("acme/{aggregate}/a-1").parse().unwrap()
}

/// An aggregate with a past.
#[derive(Debug, Clone)]
pub(crate) struct Given<A> {
    pub(crate) state: Option<A>,
}

/// The aggregate that these events made.
pub(crate) fn given<A: Aggregate>(events: &[A::Event]) -> Given<A> {
    Given { state: events.iter().fold(None, A::evolve) }
}

impl<A: Aggregate> Given<A> {
    /// Decides at `second(at)` and applies what was decided.
    pub(crate) fn when(self, at: i64, command: impl Into<A::Command>) -> Then<A> {
        let stream = stream(A::TYPE);
        let context = Context { stream: &stream, actor: ACTOR, at: second(at) };
        let decision = A::decide(self.state.as_ref(), &command.into(), context);
        let state = decision.as_ref().map_or(&[][..], Vec::as_slice).iter().fold(self.state, A::evolve);
        Then { decision, state }
    }

    /// The instant and the command that are due next.
    pub(crate) fn due(&self) -> Option<(DateTime<Utc>, A::Command)> {
        self.state.as_ref().and_then(A::deadline)
    }
}

/// What came of a command.
#[derive(Debug)]
pub(crate) struct Then<A: Aggregate> {
    pub(crate) decision: Result<Vec<A::Event>, Refusal>,
    pub(crate) state: Option<A>,
}

impl<A: Aggregate> Then<A>
where
    A::Event: PartialEq + std::fmt::Debug,
{
    /// These events and this stage.
    #[track_caller]
    pub(crate) fn then(self, stage: &str, events: &[A::Event]) -> Given<A> {
        assert_eq!(self.decision.as_deref(), Ok(events));
        assert_eq!(self.state.as_ref().map(A::stage), Some(stage));
        Given { state: self.state }
    }

    /// This stage, whatever the events.
    #[track_caller]
    pub(crate) fn is(self, stage: &str) -> Given<A> {
        assert!(self.decision.is_ok(), "{:?}", self.decision);
        assert_eq!(self.state.as_ref().map(A::stage), Some(stage));
        Given { state: self.state }
    }

    /// A refusal with this code, whose words contain `words`.
    #[track_caller]
    pub(crate) fn refused(self, code: Code, words: &str) -> Given<A> {
        let refusal = self.decision.expect_err("a refusal");
        assert_eq!(refusal.code(), code, "{refusal}");
        assert!(refusal.to_string().contains(words), "{refusal}");
        Given { state: self.state }
    }
}
