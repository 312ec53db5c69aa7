//! Brokers that speak TLS and ask for a name and a password.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use tokio::task::block_in_place;

use crate::support::brokers::Brokers;
use crate::support::gesta::{Gesta, executable, free_address, run};
use crate::support::proxy::Proxy;

/// The user that the brokers know, and its first password.
const USER: &str = "gesta";
const PASSWORD: &str = "sesame";
/// What SCRAM users may be told next.
const NEXT_PASSWORD: &str = "open sesame";
/// Of the key stores.
const STORE_PASSWORD: &str = "changeit";
const CONFIGURATION: i32 = 5;
/// The write side asks for none.
const NO_DATABASE: &str = "postgres://nobody@127.0.0.1:9/none";
/// The second listener of the one broker, which only [`USER`] may use.
const PROPERTIES: &str = r#"
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,DETOUR1:SASL_SSL
sasl.enabled.mechanisms=SCRAM-SHA-512,PLAIN
listener.name.detour1.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.detour1.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_gesta="sesame";
ssl.keystore.type=PKCS12
"#;

/// The broker, the way to its secured listener, and a folder for the rest.
struct Secured {
    brokers: Brokers,
    proxy: Proxy,
    folder: tempfile::TempDir,
}

/// A key and its certificate in `folder`, which is its own authority: the store, and the certificate for clients.
fn certificate(folder: &Path, name: &str) -> (PathBuf, PathBuf) {
    let (store, authority) = (folder.join(format!("{name}.p12")), folder.join(format!("{name}.pem")));
    let keytool = |arguments: &[&str]| {
        let home = std::env::var("JAVA_HOME").map(|home| format!("{home}/bin/")).unwrap_or_default();
        let mut command = Command::new(format!("{home}keytool"));
        command.args(arguments).arg("-keystore").arg(&store).args([
            "-storepass",
            STORE_PASSWORD,
            "-alias",
            name,
        ]);
        let output = command.output().expect("keytool comes with the JVM that runs Kafka");
        assert!(
            output.status.success(),
            "keytool {arguments:?}: {}",
            String::from_utf8_lossy(&output.stdout)
        );
        output.stdout
    };
    let subject = ["-dname", "CN=127.0.0.1", "-ext", "san=ip:127.0.0.1", "-ext", "bc=ca:true"];
    keytool(&[&["-genkeypair", "-keyalg", "EC", "-storetype", "PKCS12"], &subject[..]].concat());
    std::fs::write(&authority, keytool(&["-exportcert", "-rfc"])).expect("a folder that takes files");
    (store, authority)
}

impl Secured {
    async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let (store, _) = certificate(folder.path(), "broker");
        certificate(folder.path(), "stranger");
        let (path, password) = (store.display(), STORE_PASSWORD);
        let properties =
            format!("{PROPERTIES}ssl.keystore.location={path}\nssl.keystore.password={password}\n");
        let scram = format!("SCRAM-SHA-512=[name={USER},password={PASSWORD}]");
        let variables = vec![("GESTA_KAFKA_PROPERTIES", properties), ("GESTA_KAFKA_SCRAM", scram)];
        let (brokers, mut proxies) = Brokers::with("secured", 1, variables).await;
        Self { brokers, proxy: proxies.remove(0), folder }
    }

    /// A configuration for the log on it.
    fn configured(&self, name: &str, mechanism: &str, password: &str, authority: &str) -> String {
        let path = self.folder.path().join(format!("{name}.toml"));
        let authority = self.folder.path().join(authority);
        let text = format!(
            r#"
            log = "kafka"
            [kafka.settings]
            "security.protocol" = "SASL_SSL"
            "sasl.mechanisms" = "{mechanism}"
            "sasl.username" = "{USER}"
            "sasl.password" = "{password}"
            "ssl.ca.location" = "{}"
            [data]
            shards = 2
            "#,
            authority.display()
        );
        std::fs::write(&path, text).expect("a folder that takes files");
        path.display().to_string()
    }

    /// The brokers too: the environment of the suite names others, and goes before a file.
    fn flags(&self, configuration: &str) -> Vec<String> {
        let address = self.proxy.address.to_string();
        ["--config", configuration, "--kafka-brokers", &address].map(str::to_owned).to_vec()
    }

    fn service(&self, name: &str, configuration: &str) -> Gesta {
        let mut command = Command::new(executable());
        command.arg("command-service").args(self.flags(configuration));
        let data = self.folder.path().join(name);
        Gesta::launch_role(command, &data, NO_DATABASE, free_address(), free_address())
    }

    /// Gives the user another password; connections that stand are not asked again.
    fn change_password(&self, password: &str) {
        let change = format!("SCRAM-SHA-512=[password={password}]");
        let user = ["--alter", "--entity-type", "users", "--entity-name", USER, "--add-config", &change];
        block_in_place(|| self.brokers.tool("kafka.admin.ConfigCommand", &user));
    }

    fn drop_connections(&self) {
        self.proxy.cut();
        self.proxy.mend();
    }
}

/// PLAT-1: the log over TLS, with a name and a password: initialised, claimed, written and read by whom the brokers know.
/// Whom they do not know is told so, and with which settings; a service says so and goes on by itself once the brokers know it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_whom_the_brokers_know_reaches_the_log() {
    let secured = Secured::start().await;
    let scram = secured.configured("scram", "SCRAM-SHA-512", PASSWORD, "broker.pem");
    let plain = secured.configured("plain", "PLAIN", PASSWORD, "broker.pem");
    let wrong = secured.configured("wrong", "SCRAM-SHA-512", NEXT_PASSWORD, "broker.pem");
    let stranger = secured.configured("stranger", "SCRAM-SHA-512", PASSWORD, "stranger.pem");
    let log = |what: &str, configuration: &str| {
        let words = ["log", what].map(str::to_owned).into_iter();
        block_in_place(|| run(&words.chain(secured.flags(configuration)).collect::<Vec<_>>()))
    };
    for (configuration, words) in [
        (&wrong, ["authentication refused by broker", "sasl.password"]),
        (&stranger, ["no TLS with broker", "ssl.ca.location"]),
    ] {
        for what in ["init", "check"] {
            let (code, _, error) = log(what, configuration);
            assert_eq!(code, Some(CONFIGURATION), "{error}");
            assert!(
                words.iter().all(|word| error.contains(word)) && !error.contains(NEXT_PASSWORD),
                "{error}"
            );
        }
    }
    for (what, configuration) in [("init", &scram), ("check", &plain)] {
        let (code, _, error) = log(what, configuration);
        assert_eq!(code, Some(0), "{error}");
    }
    let (mut known, mut unknown) = (secured.service("known", &scram), secured.service("unknown", &wrong));
    let refused =
        |status: u16, text: &str| status == 503 && text.contains("authentication refused by broker");
    let ready = |status: u16, _: &str| status == 200;
    known.wait_for("/readyz", ready).await;
    let task = json!({ "type": "test", "title": "a title", "queue": "secured" });
    known.api().done("tasks", task.clone()).await;
    unknown.wait_for("/readyz", refused).await;
    secured.change_password(NEXT_PASSWORD);
    unknown.wait_for("/readyz", ready).await;
    secured.drop_connections();
    known.wait_for("/readyz", refused).await;
    secured.change_password(PASSWORD);
    secured.drop_connections();
    known.wait_for("/readyz", ready).await;
    unknown.wait_for("/readyz", refused).await;
    known.api().done("tasks", task).await;
}
