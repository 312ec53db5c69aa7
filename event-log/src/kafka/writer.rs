//! Appending: a batch at a time per shard, bounded in bytes, answered once every report came.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

use super::batch::{Answer, Batch};
use super::options::{KafkaError, KafkaOptions};
use super::producer::Producer;
use crate::handle::AppendError;
use crate::record::Record;

/// Most bytes of batches in flight, all shards together; further batches wait for room.
const MAX_IN_FLIGHT_BYTES: usize = 64 * 1024 * 1024;

/// The process's producer, made anew when an error killed it.
#[derive(Debug)]
pub(super) struct Writer {
    options: KafkaOptions,
    producer: Mutex<Arc<Producer>>,
    room: Arc<Semaphore>,
}

impl Writer {
    pub(super) fn new(options: &KafkaOptions) -> Result<Self, KafkaError> {
        let producer = Mutex::new(Arc::new(Producer::new(options)?));
        let room = Arc::new(Semaphore::new(MAX_IN_FLIGHT_BYTES));
        Ok(Self { options: options.clone(), producer, room })
    }

    pub(super) fn options(&self) -> &KafkaOptions {
        &self.options
    }

    /// The producer, a new one if the last one is dead.
    fn producer(&self) -> Result<Arc<Producer>, KafkaError> {
        let mut producer = self.producer.lock().unwrap_or_else(PoisonError::into_inner);
        if producer.is_dead() {
            tracing::warn!("the producer of the log is made anew; its shards claim again");
            metrics::counter!("gesta_log_new_producers_total").increment(1);
            *producer = Arc::new(Producer::new(&self.options)?);
        }
        Ok(Arc::clone(&producer))
    }

    /// Appends a batch whose size was checked; gives the place of every record.
    pub(super) async fn append(&self, shard: u16, records: &[Record]) -> Answer {
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let unconfirmed = |problem: String| AppendError::Unconfirmed { shard, problem };
        let bytes = records.iter().map(Record::size).sum::<usize>();
        let producer = self.producer().map_err(|error| unconfirmed(error.to_string()))?;
        let turn = producer.turn(shard).await;
        let wanted = u32::try_from(bytes.min(MAX_IN_FLIGHT_BYTES)).unwrap_or(u32::MAX);
        let share = Arc::clone(&self.room).acquire_many_owned(wanted).await;
        let share = share.map_err(|_| unconfirmed("the log is closed".to_owned()))?;
        let (batch, answered) = Batch::new(shard, records.len(), turn, share);
        let started = std::time::Instant::now();
        producer.send(shard, &batch, records).await.map_err(|error| unconfirmed(error.to_string()))?;
        drop(batch);
        let answer = match tokio::time::timeout(producer.longest, answered).await {
            Ok(answer) => answer
                .unwrap_or_else(|_| Err(unconfirmed("the producer ended before its reports".to_owned()))),
            Err(_) => {
                producer.kill();
                Err(unconfirmed("the client never reported the batch; it is made anew".to_owned()))
            }
        };
        metrics::histogram!("gesta_log_append_seconds").record(started.elapsed());
        if answer.is_err() {
            metrics::counter!("gesta_log_failed_appends_total").increment(1);
        }
        answer
    }
}
