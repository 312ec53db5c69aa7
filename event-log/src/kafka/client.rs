//! What the clients of librdkafka tell: their log lines, that the brokers refuse them, and the error after which a
//! producer is dead.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};
use rdkafka::producer::{DeliveryResult, ProducerContext};

use super::batch::Delivery;

/// For how long a refusal is told of: the client tries again all the time, and reports the same failure every 30 s.
const REFUSED_FOR: Duration = Duration::from_secs(60);

/// One client's context.
#[derive(Debug, Default)]
pub(super) struct Context {
    dead: AtomicBool,
    /// When and why a broker refused this client, if none has answered it since then.
    refused: Mutex<Option<(Instant, String)>>,
}

/// A consumer of the log.
pub(super) type Consumer = BaseConsumer<Context>;

impl Context {
    /// Whether the client met an error that it never recovers from.
    pub(super) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Relaxed)
    }

    pub(super) fn kill(&self) {
        self.dead.store(true, Ordering::Relaxed);
    }

    /// Why the brokers refuse this client, if they do, and what to check.
    pub(super) fn refused(&self) -> Option<String> {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.as_ref().filter(|(at, _)| at.elapsed() < REFUSED_FOR).map(|(_, why)| why.clone())
    }

    /// A broker answered.
    pub(super) fn answered(&self) {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn refuse(&self, why: String) {
        tracing::error!(target: "librdkafka", "{why}; trying again");
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), why));
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        say(level, facility, message);
    }

    fn error(&self, error: ClientError, reason: &str) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal) {
            tracing::error!(target: "librdkafka", %reason, "the client is dead and is made anew");
            self.kill();
        } else if let Some(why) = refusal(&error, reason) {
            self.refuse(why);
        } else {
            trouble(&error, reason);
        }
    }
}

/// What to check, if the error is that one side does not trust the other.
fn refusal(error: &ClientError, reason: &str) -> Option<String> {
    let (what, settings) = match error.rdkafka_error_code()? {
        RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SaslAuthenticationFailed => {
            ("authentication refused by broker", "sasl.mechanisms, sasl.username and sasl.password")
        }
        RDKafkaErrorCode::SSL => ("no TLS with broker", "ssl.ca.location and security.protocol"),
        _ => return None,
    };
    Some(format!("{what} {reason}; check {settings} in kafka.settings"))
}

/// A log line of a client.
pub(super) fn say(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg
        | RDKafkaLogLevel::Alert
        | RDKafkaLogLevel::Critical
        | RDKafkaLogLevel::Error
        | RDKafkaLogLevel::Warning => tracing::warn!(target: "librdkafka", facility, "{message}"),
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
            tracing::info!(target: "librdkafka", facility, "{message}");
        }
        RDKafkaLogLevel::Debug => tracing::debug!(target: "librdkafka", facility, "{message}"),
    }
}

/// An outage: the client goes on by itself. That a shard ends is none: readers ask for it.
pub(super) fn trouble(error: &ClientError, reason: &str) {
    let end = matches!(error, ClientError::PartitionEOF(_))
        || error.rdkafka_error_code() == Some(RDKafkaErrorCode::PartitionEOF);
    if !end {
        tracing::warn!(target: "librdkafka", %error, %reason, "brokers trouble");
    }
}

impl ConsumerContext for Context {}

impl ProducerContext for Context {
    type DeliveryOpaque = Box<Delivery>;

    fn delivery(&self, result: &DeliveryResult<'_>, delivery: Self::DeliveryOpaque) {
        if let Err((error, _)) = result
            && error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal)
        {
            self.kill();
        }
        delivery.report(result);
    }
}
