//! Code that is indexed (KNOW-7). Its files are aggregates of their own.

use chrono::{DateTime, Utc};
use schemas::repository::{RepositoryCommand, RepositoryEvent, RepositoryRegistered, RepositoryRetired};
use serde::{Deserialize, Serialize};

use super::{Aggregate, Context, Refusal};

/// The state of a repository; name and origin stay in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Repository {
    /// Its files are found.
    Registered,
    /// Its files are found no more.
    Retired,
}

impl Aggregate for Repository {
    type Command = RepositoryCommand;
    type Event = RepositoryEvent;

    const TYPE: &'static str = "repository";

    fn decide(
        state: Option<&Self>,
        command: &RepositoryCommand,
        _context: Context<'_>,
    ) -> Result<Vec<RepositoryEvent>, Refusal> {
        use RepositoryCommand as C;
        match (state, command) {
            (None, C::RegisterRepository(register)) => {
                let (name, origin) = (register.name.clone(), register.origin.clone());
                Ok(vec![RepositoryRegistered { name, origin }.into()])
            }
            (None, _) => Err(Refusal::NotFound { aggregate: Self::TYPE }),
            (Some(_), C::RegisterRepository(_)) => Err(Refusal::AlreadyExists { aggregate: Self::TYPE }),
            (Some(Self::Registered), C::RetireRepository(retire)) => {
                Ok(vec![RepositoryRetired { reason: retire.reason.clone() }.into()])
            }
            (Some(Self::Retired), C::RetireRepository(_)) => Ok(Vec::new()),
        }
    }

    fn evolve(state: Option<Self>, event: &RepositoryEvent) -> Option<Self> {
        match (state, event) {
            (None, RepositoryEvent::RepositoryRegistered(_)) => Some(Self::Registered),
            (Some(_), RepositoryEvent::RepositoryRetired(_)) => Some(Self::Retired),
            (state, _) => state,
        }
    }

    fn deadline(&self) -> Option<(DateTime<Utc>, RepositoryCommand)> {
        None
    }

    fn stage(&self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Retired => "retired",
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::aggregates::given::given;
    use crate::aggregates::model::Model;
    use crate::command::AnyCommand;
    use schemas::problem::Code;
    use schemas::repository::{RegisterRepository, RetireRepository};

    fn register() -> RegisterRepository {
        RegisterRepository { name: "gesta".into(), origin: Some("https://example.org/gesta.git".into()) }
    }

    /// Every command.
    pub(crate) fn commands() -> Vec<AnyCommand> {
        let commands: [RepositoryCommand; 2] = [register().into(), RetireRepository { reason: None }.into()];
        commands.into_iter().map(AnyCommand::Repository).collect()
    }

    /// KNOW-7: registered once, retired once; what the client says stands in the event.
    #[test]
    fn a_repository_is_registered_and_retired() {
        let registered = given::<Repository>(&[]).when(0, register());
        let RegisterRepository { name, origin } = register();
        let repository = registered.then("registered", &[RepositoryRegistered { name, origin }.into()]);
        repository.clone().when(1, register()).refused(Code::AlreadyExists, "exists already");
        let retired = repository.when(1, RetireRepository { reason: Some("moved".into()) });
        let retired = retired.then("retired", &[RepositoryRetired { reason: Some("moved".into()) }.into()]);
        retired.when(2, RetireRepository { reason: None }).then("retired", &[]);
        let nobody = given::<Repository>(&[]).when(0, RetireRepository { reason: None });
        nobody.refused(Code::NotFound, "no repository");
    }

    #[test]
    fn every_transition_is_listed_and_every_listed_one_happens() {
        let commands: [RepositoryCommand; 2] = [register().into(), RetireRepository { reason: None }.into()];
        let commands = commands.into_iter().map(AnyCommand::Repository).collect();
        let model = Model { aggregate: Repository::TYPE, commands, pauses: &[1], depth: 5, check: &|_| {} };
        model.walk().agrees_with_the_table(Repository::TYPE);
    }
}
