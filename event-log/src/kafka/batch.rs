//! A batch in flight: its records' reports, in whatever order they come, become one answer.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::DeliveryResult;
use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit, oneshot};

use super::message::appended_at;
use crate::handle::AppendError;

/// What becomes of a batch: the place of every record.
pub(super) type Answer = Result<Vec<Place>, AppendError>;

/// Where the log put a record, and when, by its clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) offset: u64,
    pub(super) appended_at: Option<DateTime<Utc>>,
}

/// One batch, shared by its records. The next batch of the shard goes when the last of them is done with.
#[derive(Debug)]
pub(super) struct Batch {
    shard: u16,
    reports: Mutex<Reports>,
    _turn: OwnedMutexGuard<()>,
    _share: OwnedSemaphorePermit,
}

#[derive(Debug)]
struct Reports {
    /// Per record, once reported.
    places: Vec<Option<Place>>,
    left: usize,
    problem: Option<AppendError>,
    answer: Option<oneshot::Sender<Answer>>,
}

/// One record's share of its batch; goes through librdkafka and comes back with the report.
#[derive(Debug)]
pub(super) struct Delivery {
    batch: Arc<Batch>,
    index: usize,
    bytes: usize,
}

impl Batch {
    pub(super) fn new(
        shard: u16,
        records: usize,
        turn: OwnedMutexGuard<()>,
        share: OwnedSemaphorePermit,
    ) -> (Arc<Self>, oneshot::Receiver<Answer>) {
        let (answer, answered) = oneshot::channel();
        let reports =
            Reports { places: vec![None; records], left: records, problem: None, answer: Some(answer) };
        let batch = Self { shard, reports: Mutex::new(reports), _turn: turn, _share: share };
        (Arc::new(batch), answered)
    }

    /// The share of record `index`, which has `bytes`.
    pub(super) fn delivery(self: &Arc<Self>, index: usize, bytes: usize) -> Box<Delivery> {
        Box::new(Delivery { batch: Arc::clone(self), index, bytes })
    }
}

impl Delivery {
    /// Takes the report of the record.
    pub(super) fn report(self, result: &DeliveryResult<'_>) {
        let outcome = match result {
            Ok(message) => match u64::try_from(message.offset()) {
                Ok(offset) => Ok(Place { offset, appended_at: appended_at(message) }),
                // The broker's answer to a duplicate, for example.
                Err(_) => Err(self.unconfirmed("the broker reported no offset".to_owned())),
            },
            Err((error, _)) => Err(self.refused(error)),
        };
        let mut reports = self.batch.reports.lock().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Ok(place) => reports.places[self.index] = Some(place),
            Err(problem) => reports.problem = reports.problem.take().or(Some(problem)),
        }
        reports.left -= 1;
        if reports.left > 0 {
            return;
        }
        let places = reports.places.iter().copied().flatten().collect();
        let answer = reports.problem.take().map_or(Ok(places), Err);
        if let Some(waiting) = reports.answer.take() {
            // The appender may have gone; what became of the records is in the log.
            let _ = waiting.send(answer);
        }
    }

    fn unconfirmed(&self, problem: String) -> AppendError {
        AppendError::Unconfirmed { shard: self.batch.shard, problem }
    }

    /// A record that is alone in its batch and too large for the topic was certainly not written.
    fn refused(&self, error: &ClientError) -> AppendError {
        let alone = self.batch.reports.lock().unwrap_or_else(PoisonError::into_inner).places.len() == 1;
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::MessageSizeTooLarge) if alone => AppendError::TooLarge {
                what: "a record for the topic's max.message.bytes",
                bytes: self.bytes,
                limit: super::settings::MAX_MESSAGE_BYTES,
            },
            _ => self.unconfirmed(error.to_string()),
        }
    }
}
