//! Kafka of a test's own, whose brokers it may kill.

use std::net::SocketAddr;
use std::process::Command;

use tokio::task::block_in_place;

use super::proxy::Proxy;

/// Brokers, gone with the test.
pub(crate) struct Brokers {
    instance: String,
    /// `host:port,host:port`; they stay over a restart.
    pub(crate) addresses: String,
    nodes: u64,
    /// What the script is told: where the proxies are, and further properties.
    variables: Vec<(&'static str, String)>,
}

impl Brokers {
    /// Starts one node, or three.
    pub(crate) fn start(name: &str, nodes: u64) -> Self {
        Self::started(name, nodes, Vec::new())
    }

    /// Starts one node, and so many proxies in front of it: who begins at the address of one comes by it for ever.
    pub(crate) async fn with_detours(name: &str, detours: usize) -> (Self, Vec<Proxy>) {
        Self::with(name, detours, Vec::new()).await
    }

    /// The same, with more that the script is told.
    pub(crate) async fn with(
        name: &str,
        detours: usize,
        mut variables: Vec<(&'static str, String)>,
    ) -> (Self, Vec<Proxy>) {
        let mut listeners = Vec::new();
        for _ in 0..detours {
            listeners.push(Proxy::listener().await);
        }
        let addresses = listeners.iter().map(|listener| listener.local_addr().expect("it is bound"));
        let addresses: Vec<String> = addresses.map(|address: SocketAddr| address.to_string()).collect();
        variables.push(("GESTA_KAFKA_DETOURS", addresses.join(" ")));
        let brokers = block_in_place(|| Self::started(name, 1, variables));
        let targets = brokers.script(&["detours", &brokers.instance]);
        let proxies = listeners.into_iter().zip(targets.lines());
        let proxies = proxies.map(|(listener, target)| Proxy::at(listener, target.to_owned())).collect();
        (brokers, proxies)
    }

    fn started(name: &str, nodes: u64, variables: Vec<(&'static str, String)>) -> Self {
        // Found by its process by `kafka.sh sweep test`, should this one be ended in the middle.
        let kind = if nodes == 3 { "three/" } else { "" };
        let instance = format!("{kind}test/{}/{name}", std::process::id());
        let mut brokers = Self { instance, addresses: String::new(), nodes, variables };
        brokers.addresses = brokers.script(&["start", &brokers.instance]);
        brokers
    }

    /// SIGKILL for one of them, `choice` says which.
    pub(crate) fn kill(&self, choice: u64) {
        self.script(&["kill", &self.instance, &(choice % self.nodes + 1).to_string()]);
    }

    /// Stops one of them where it is: its connections stay open, and nothing comes from it.
    pub(crate) fn freeze(&self, choice: u64) {
        self.script(&["freeze", &self.instance, &(choice % self.nodes + 1).to_string()]);
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self, choice: u64) {
        self.script(&["thaw", &self.instance, &(choice % self.nodes + 1).to_string()]);
    }

    /// Starts what is dead, at the same addresses.
    pub(crate) fn restart(&self) {
        assert_eq!(self.script(&["start", &self.instance]), self.addresses);
    }

    /// Runs one of Kafka's own tools.
    pub(crate) fn tool(&self, class: &str, arguments: &[&str]) {
        self.script(&[&["tool", class, "--bootstrap-server", &self.addresses], arguments].concat());
    }

    fn script(&self, arguments: &[&str]) -> String {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/local/kafka.sh");
        let mut command = Command::new(script);
        command.args(arguments).env_remove("GESTA_KAFKA_BROKERS").envs(self.variables.iter().cloned());
        let output = command.output().expect("the script runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "kafka.sh {arguments:?}: {said}");
        String::from_utf8(output.stdout).expect("addresses are ASCII").trim().to_owned()
    }
}

impl Drop for Brokers {
    fn drop(&mut self) {
        self.script(&["reset", &self.instance]);
    }
}
