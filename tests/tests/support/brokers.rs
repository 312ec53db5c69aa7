//! Kafka of a test's own, whose brokers it may kill.

use std::process::Command;

/// Brokers, gone with the test.
pub(crate) struct Brokers {
    instance: String,
    /// `host:port,host:port`; they stay over a restart.
    pub(crate) addresses: String,
    nodes: u64,
}

impl Brokers {
    /// Starts one node, or three.
    pub(crate) fn start(name: &str, nodes: u64) -> Self {
        // Found by its process by `kafka.sh sweep test`, should this one be ended in the middle.
        let kind = if nodes == 3 { "three/" } else { "" };
        let instance = format!("{kind}test/{}/{name}", std::process::id());
        let addresses = run(&["start", &instance]);
        Self { instance, addresses, nodes }
    }

    /// SIGKILL for one of them, `choice` says which; then it is started again at its address.
    pub(crate) fn kill_one(&self, choice: u64) {
        run(&["kill", &self.instance, &(choice % self.nodes + 1).to_string()]);
        assert_eq!(run(&["start", &self.instance]), self.addresses);
    }
}

impl Drop for Brokers {
    fn drop(&mut self) {
        run(&["reset", &self.instance]);
    }
}

fn run(arguments: &[&str]) -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/local/kafka.sh");
    let output = Command::new(script).args(arguments).env_remove("GESTA_KAFKA_BROKERS").output();
    let output = output.expect("the script runs");
    assert!(output.status.success(), "kafka.sh {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("addresses are ASCII").trim().to_owned()
}
