//! Opening the configured log.

use std::time::Duration;

use event_log::{EmbeddedOptions, KafkaOptions, Log, PublisherOptions};
use tokio_util::sync::CancellationToken;

use super::health::Health;
use crate::settings::{LogPlace, Settings};

/// Name of this part in `/readyz`.
pub(crate) const LOG: &str = "log";

/// Time between two looks at an open log.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Time before brokers that are away are asked again.
const ASK_AGAIN: Duration = Duration::from_secs(2);

/// Opens the log; waits for brokers as long as they are away, and lets `/readyz` say so. None when `stop` came first.
///
/// # Errors
/// When another process has the files, the log is damaged, or it is another one than is configured.
pub(crate) async fn open_log(
    settings: &Settings,
    health: &Health,
    stop: &CancellationToken,
) -> anyhow::Result<Option<Log>> {
    health.starting(LOG, "it is being opened");
    match settings.log {
        LogPlace::Embedded => open_files(settings).await.map(Some),
        LogPlace::Kafka => {
            let options = kafka(settings);
            tokio::select! {
                log = open_topic(&options, health) => log.map(Some),
                () = stop.cancelled() => Ok(None),
            }
        }
    }
}

/// Off the runtime: checking a long log takes time.
async fn open_files(settings: &Settings) -> anyhow::Result<Log> {
    let data = &settings.data;
    let options = EmbeddedOptions::new(data.log_dir(), &data.deployment, data.shards);
    std::fs::create_dir_all(&data.dir)
        .map_err(|error| anyhow::anyhow!("the data folder {} cannot be made: {error}", data.dir.display()))?;
    Ok(tokio::task::spawn_blocking(move || Log::open(options)).await??)
}

async fn open_topic(options: &KafkaOptions, health: &Health) -> anyhow::Result<Log> {
    loop {
        match Log::kafka(options.clone()).await {
            Ok(log) => return Ok(log),
            Err(error) if error.is_outage() => {
                tracing::warn!(%error, "waiting for the brokers");
                health.waiting(LOG, error.to_string());
            }
            Err(error) => return Err(error.into()),
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

/// Says in `/readyz` whether the brokers still know this process. They may not any more when its password was changed:
/// connections that stand go on, new ones are refused until one side is set right.
pub(crate) async fn watch(log: Log, health: Health, halt: CancellationToken) {
    loop {
        match log.refused() {
            Some(why) => health.waiting(LOG, why),
            None => health.ready(LOG),
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = halt.cancelled() => return,
        }
    }
}

/// How the configured topic is reached.
pub(crate) fn kafka(settings: &Settings) -> KafkaOptions {
    let (data, kafka) = (&settings.data, &settings.kafka);
    let brokers = kafka.brokers.clone().unwrap_or_default();
    KafkaOptions {
        topic: kafka.topic.clone(),
        settings: kafka.settings.clone(),
        ..KafkaOptions::new(&brokers, &data.deployment, data.shards)
    }
}

/// The public topics beside it, unless they are turned off.
pub(crate) fn public_topics(settings: &Settings) -> Option<PublisherOptions> {
    let publisher = &settings.publisher;
    publisher.enabled.then(|| PublisherOptions {
        prefix: publisher.prefix.clone(),
        partitions: publisher.partitions,
        ..PublisherOptions::new(kafka(settings))
    })
}
