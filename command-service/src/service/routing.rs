//! The way of a command to the process that owns its shard, and the hand-over of shards.
//!
//! The log is the directory of owners: each claim carries the address of its process. A command goes there in one
//! hop. Whatever stands in the way (nobody owns the shard yet, its owner just changed or is gone), the command waits
//! here and is tried again with the same id until its time is up; an id that took effect is only answered again.

use std::sync::Arc;
use std::time::Duration;

use schemas::problem::Code;
use tokio::time::Instant;

use super::driver::Message;
use super::peers::Hop;
use super::{Handle, LOOK_EVERY, Service, ShardStatus};
use crate::command::{Answer, Submission};
use crate::shard::{Mode, Status};

/// First and longest wait before a command is tried again.
const TRY_AGAIN: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(250));
/// Time between two looks whether this process may still own shards.
const FIT_EVERY: Duration = Duration::from_millis(500);
/// How long shards may take to end what is under way.
const RELEASE: Duration = Duration::from_secs(2);
/// How long a process that ends waits for others to own its shards, so that it can still answer.
const HAND_OVER: Duration = Duration::from_millis(1_500);

/// Where a command goes.
enum Place {
    Here,
    There(Arc<str>),
    Nowhere,
}

impl Service {
    fn place(&self, shown: &ShardStatus) -> Place {
        let elsewhere = !shown.owner.is_empty() && *shown.owner != *self.0.peers.address();
        match shown.status {
            // Another release may read what stopped this process.
            Status::Following | Status::Stopped(_) if elsewhere => Place::There(Arc::clone(&shown.owner)),
            Status::Owner | Status::Claiming | Status::Stopped(_) => Place::Here,
            Status::Following | Status::Draining => Place::Nowhere,
        }
    }

    /// Asks the owner of the submission's shard, wherever it is.
    pub(super) async fn route(&self, mode: Mode, submission: Submission, deadline: Instant) -> Answer {
        let mut status = self.shard_of(&submission).status.clone();
        let (mut sent, mut pause) = (false, TRY_AGAIN.0);
        loop {
            let shown = status.borrow_and_update().clone();
            let mut answer = match self.place(&shown) {
                Place::Here => self.ask_here(mode, submission.clone(), deadline).await,
                Place::There(owner) => self.hop(&owner, mode, &submission, deadline).await,
                Place::Nowhere => not_ready("nobody owns the shard yet; nothing was written"),
            };
            if let (Status::Stopped(place), true) = (shown.status, is_not_ready(&answer)) {
                // It does not hear who owns the shard next.
                answer = Answer::Failed { code: Code::ShardStopped, detail: place };
            }
            match &answer {
                Answer::Unknown => sent = true,
                answer if is_not_ready(answer) => {}
                // Said before anyone looked up what became of the earlier try.
                Answer::Failed { code: Code::Busy | Code::ShardStopped, .. } if sent => {
                    return Answer::Unknown;
                }
                _ => return answer,
            }
            let again = Instant::now() + pause;
            if again >= deadline {
                return if sent { Answer::Unknown } else { answer };
            }
            tokio::select! {
                changed = status.changed() => if changed.is_err() { tokio::time::sleep_until(again).await },
                () = tokio::time::sleep_until(again) => {}
            }
            pause = (pause * 2).min(TRY_AGAIN.1);
        }
    }

    /// One hop. An owner that is replaced meanwhile is not waited for: it may be asleep.
    async fn hop(&self, owner: &Arc<str>, mode: Mode, submission: &Submission, deadline: Instant) -> Answer {
        let mut status = self.shard_of(submission).status.clone();
        let replaced = status.wait_for(|shown| shown.owner != *owner);
        let hop = tokio::select! {
            hop = self.0.peers.ask(owner, mode, submission, deadline) => hop,
            _ = replaced => Hop::Broken,
        };
        match hop {
            Hop::Answered(answer) => answer,
            Hop::NotSent(detail) => not_ready(&detail),
            Hop::Broken => Answer::Unknown,
        }
    }

    /// Lets this process own shards while it has read all of them nearly to their ends and trusts its clock.
    pub(super) async fn take_part(self) {
        let shown = |test: fn(&ShardStatus) -> bool| {
            let all = |shard: &Handle| test(&shard.status.borrow());
            self.0.shards.iter().all(all)
        };
        let readable = |shown: &ShardStatus| !matches!(shown.status, Status::Stopped(_));
        let look = async {
            loop {
                while !shown(ShardStatus::may_own) {
                    tokio::time::sleep(LOOK_EVERY).await;
                }
                self.0.membership.join();
                while shown(ShardStatus::may_own) {
                    tokio::time::sleep(FIT_EVERY).await;
                }
                if !self.0.exclusive {
                    let why = if shown(readable) {
                        "it is behind, or its clock is off"
                    } else {
                        "a shard cannot be read"
                    };
                    tracing::error!(why, "this process leaves the ownership of shards to others");
                }
                self.0.membership.leave().await;
            }
        };
        tokio::select! {
            () = look => {}
            () = self.0.closing.cancelled() => {}
        }
    }

    /// Ends what is under way, leaves the group, and waits for the others to claim. Commands go on meanwhile.
    pub(super) async fn hand_over(&self) {
        if self.0.exclusive {
            return;
        }
        for shard in &self.0.shards {
            // A task that has ended holds nothing.
            let _ = shard.inbox.send(Message::Release).await;
        }
        let released = async {
            while self.0.membership.holds_any() {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        let released = tokio::time::timeout(RELEASE, released).await.is_ok();
        tracing::info!(released, "the shards go to other processes");
        if !self.0.membership.leave().await {
            return;
        }
        let own = |shard: &Handle| *shard.status.borrow().owner == *self.0.peers.address();
        let taken = async {
            while self.0.shards.iter().any(own) {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        if tokio::time::timeout(HAND_OVER, taken).await.is_err() {
            tracing::warn!("not every shard has its next owner yet");
        }
    }
}

fn is_not_ready(answer: &Answer) -> bool {
    matches!(answer, Answer::Failed { code: Code::NotReady, .. })
}

fn not_ready(detail: &str) -> Answer {
    Answer::Failed { code: Code::NotReady, detail: detail.to_owned() }
}
