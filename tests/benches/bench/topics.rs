//! Commands on Kafka with the public topics fed and not, and whether the publisher keeps up with them.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use sqlx::{Connection, Executor, PgConnection};

use crate::load::{self, Share};
use crate::report::{Pair, print};
use crate::systems::{Gesta, postgres, program};
use crate::{CONNECTIONS, PAIRS, STRETCH};

/// Time between two looks at the publisher.
const LOOK: Duration = Duration::from_millis(20);

/// A deployment of its own: a command service, and projections that feed the public topics or not.
struct Deployment {
    commands: Gesta,
    projectors: Gesta,
}

impl Deployment {
    async fn start(folder: &Path, feeding: bool) -> Self {
        let brokers = std::env::var("GESTA_KAFKA_BROKERS").expect("`make bench-kafka` names the brokers");
        let name = format!("bench-{}", uuid::Uuid::new_v4().simple());
        let settings = [
            ("GESTA__LOG", "kafka".to_owned()),
            ("GESTA_KAFKA_BROKERS", brokers),
            ("GESTA__KAFKA__TOPIC", format!("{name}.log")),
            ("GESTA__PUBLISHER__PREFIX", name.clone()),
            ("GESTA__PUBLISHER__ENABLED", feeding.to_string()),
            ("GESTA_POSTGRES_URL", database(&name.replace('-', "_")).await),
        ];
        let made = Command::new(program())
            .args(["log", "init"])
            .envs(settings.iter().map(|(name, value)| (name, value)))
            .output();
        let made = made.expect("the executable starts");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let folder = folder.join(name);
        let commands = Gesta::start_as("command-service", &folder.join("commands"), &settings).await;
        let projectors = Gesta::start_as("projectors", &folder.join("projectors"), &settings).await;
        Self { commands, projectors }
    }

    /// Waits until everything is published; 0 where nothing is.
    async fn drained(&self) -> Duration {
        let begun = Instant::now();
        while self.projectors.unpublished().await > 0.0 {
            tokio::time::sleep(LOOK).await;
        }
        begun.elapsed()
    }

    async fn stretch(&self, tasks: &mut Vec<Share>) -> (crate::Figures, f64, Duration) {
        let figures = load::run_on(self.commands.address(), tasks, STRETCH).await;
        let behind = self.projectors.unpublished().await;
        (figures, behind, self.drained().await)
    }
}

/// A fresh database on the bench's server.
async fn database(name: &str) -> String {
    let server = postgres();
    let mut connection = PgConnection::connect(&server).await.expect("Postgres answers");
    let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
    connection.execute(create).await.expect("a database is made");
    let (base, _) = server.rsplit_once('/').expect("an address with a database");
    format!("{base}/{name}")
}

/// Measures both in alternating stretches; the column `anchor` is Gesta without public topics.
pub(crate) async fn measure(folder: &Path) {
    let (on, off) = (Deployment::start(folder, true).await, Deployment::start(folder, false).await);
    for connections in CONNECTIONS {
        let mut fed = on.commands.running_tasks(connections).await;
        let mut unfed = off.commands.running_tasks(connections).await;
        on.drained().await;
        let (mut pairs, mut worst) = (Vec::new(), (0.0_f64, Duration::ZERO));
        for _ in 0..PAIRS {
            let (gesta, behind, took) = on.stretch(&mut fed).await;
            let (anchor, ..) = off.stretch(&mut unfed).await;
            worst = (worst.0.max(behind), worst.1.max(took));
            pairs.push(Pair { gesta, anchor });
        }
        println!(
            "\nHTTP commands on Kafka, {connections} connections: public topics fed (gesta) and not (anchor)"
        );
        print(&pairs, None);
        let (behind, took) = worst;
        println!(
            "after a stretch of {STRETCH:?} the publisher was at most {behind} records behind, for {took:?}"
        );
    }
}
