//! Exit codes; `gesta --help` and docs/operations.md list them.

use event_log::{KafkaError, OpenError, ReadError as ReadProblem};

use crate::cli::act::ActError;
use crate::cli::demo::DemoError;
use crate::cli::events::EventsError;
use crate::cli::read::ReadError;
use crate::client::CallError;
use crate::feed::FeedError;
use crate::roles::ports::BindError;
use crate::settings::SettingsError;

const FAILED: u8 = 1;
const USAGE: u8 = 2;
const REFUSED: u8 = 3;
const UNREACHABLE: u8 = 4;
const CONFIGURATION: u8 = 5;
const PORT_IN_USE: u8 = 6;
const DATA_IN_USE: u8 = 7;
const DAMAGED: u8 = 8;

/// The exit code of a failure: that of the innermost error that has one.
pub(crate) fn code(error: &anyhow::Error) -> u8 {
    error.chain().filter_map(known).last().unwrap_or(FAILED)
}

fn known(error: &(dyn std::error::Error + 'static)) -> Option<u8> {
    let called = None
        .or_else(|| error.downcast_ref::<CallError>())
        .or_else(|| match error.downcast_ref()? {
            ActError::Call(error) => Some(error),
            ActError::Flag { .. } | ActError::Output(_) => None,
        })
        .or_else(|| match error.downcast_ref()? {
            ReadError::Call(error) => Some(error),
            ReadError::NotFound { .. } | ReadError::Output(_) => None,
        })
        .or_else(|| if let EventsError::Call(error) = error.downcast_ref()? { Some(error) } else { None })
        .or_else(|| if let DemoError::Call(error) = error.downcast_ref()? { Some(error) } else { None });
    called.map(call).or_else(|| local(error))
}

fn call(error: &CallError) -> u8 {
    match error {
        CallError::Refused(_) | CallError::Query(_) => REFUSED,
        CallError::Later { .. }
        | CallError::QueryLater(_)
        | CallError::Unreachable { .. }
        | CallError::Foreign { .. } => UNREACHABLE,
        CallError::Options { .. } => USAGE,
    }
}

fn local(error: &(dyn std::error::Error + 'static)) -> Option<u8> {
    if error.is::<SettingsError>() {
        return Some(CONFIGURATION);
    }
    if let Some(ActError::Flag { .. }) = error.downcast_ref() {
        return Some(USAGE);
    }
    if let Some(ReadError::NotFound { .. }) = error.downcast_ref() {
        return Some(REFUSED);
    }
    if let Some(error) = error.downcast_ref::<BindError>() {
        return Some(if matches!(error, BindError::Refused { .. }) { CONFIGURATION } else { PORT_IN_USE });
    }
    if let Some(error) = error.downcast_ref::<OpenError>() {
        return Some(match error {
            OpenError::InUse { .. } => DATA_IN_USE,
            OpenError::Option { .. } | OpenError::NoLog { .. } => CONFIGURATION,
            OpenError::Mismatch { .. } | OpenError::Damaged(_) => DAMAGED,
            OpenError::Io { .. } => FAILED,
        });
    }
    if let Some(error) = error.downcast_ref::<KafkaError>() {
        return Some(match error {
            KafkaError::Unreachable { .. } => UNREACHABLE,
            KafkaError::Option { .. }
            | KafkaError::Refused { .. }
            | KafkaError::NoTopic { .. }
            | KafkaError::NotInitialised { .. }
            | KafkaError::Setting { .. } => CONFIGURATION,
            KafkaError::Mismatch { .. } | KafkaError::OtherLog { .. } | KafkaError::Read(_) => DAMAGED,
            KafkaError::Append(_) => FAILED,
        });
    }
    (error.is::<FeedError>() || error.is::<ReadProblem>()).then_some(DAMAGED)
}
