//! Replicas that start and end in any order.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use wake_buffer::{Buffers, State, WriteOptions};
use wake_model::{BufferId, Tags};
use wake_store::Store;

use crate::jobs::Jobs;
use crate::log_reader::LogReader;
use crate::record::{BY_USER, EngineName, JobRecord, SentJob, Status};
use crate::replica::{BegunReplica, OwnReplica, ReplicaRecord};
use crate::replicas::Replicas;
use crate::sent::keep_sent;

struct Bed {
    store: Store,
    _dir: tempfile::TempDir,
}

impl Bed {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        Bed { store, _dir: dir }
    }

    fn jobs(&self) -> Jobs<'_> {
        Jobs::new(&self.store)
    }

    fn buffers(&self) -> Buffers<'_> {
        Buffers::new(&self.store)
    }

    /// A job that was sent to an engine, with `count` replicas and two outputs.
    fn sent(&self, count: u32) -> (Replicas<'_>, [BufferId; 2], u64) {
        let outputs = [0; 2].map(|_| self.buffers().create(&Tags::default(), None, 0).unwrap());
        let record = |id| JobRecord {
            id,
            status: Status::Pending,
            status_reason: None,
            created: 1,
            started: None,
            finished: None,
            codespec: "c".to_owned(),
            content_id: "i".to_owned(),
            replicas: count,
            worker: None,
            buffers: BTreeMap::new(),
            tags: Tags::default(),
            timeout_seconds: 1,
            remembered: false,
            not_remembered: None,
        };
        let (own, record) = self.jobs().begin(record).unwrap();
        let engine = EngineName::Slurm;
        let sent = SentJob { engine, id: "1".to_owned(), outputs: outputs.to_vec(), apart: true };
        keep_sent(&self.store, &own, &sent).unwrap();
        drop(own);
        (Replicas::of(self.jobs(), record.id).unwrap().unwrap(), outputs, record.id)
    }

    fn leave(&self, id: &BufferId) {
        let mut writer = self.buffers().begin(id, WriteOptions::default(), 0).unwrap();
        writer.write(b"bytes").unwrap();
        writer.leave().unwrap();
    }

    fn states(&self, outputs: &[BufferId]) -> Vec<&'static str> {
        outputs.iter().map(|id| self.buffers().get(id).unwrap().state.as_str()).collect()
    }
}

#[track_caller]
fn begun(replicas: &Replicas<'_>, number: u32) -> OwnReplica {
    match replicas.begin(number, Some(format!("n{number}")), 2).unwrap() {
        BegunReplica::Own(own) => own,
        other => panic!("{other:?}"),
    }
}

fn failed(text: &str) -> (Status, Option<String>) {
    (Status::Failed, Some(text.to_owned()))
}

const WELL: (Status, Option<String>) = (Status::Succeeded, None);

fn statuses(replicas: &Replicas<'_>) -> Vec<Status> {
    replicas.all().unwrap().into_iter().map(|replica| replica.status).collect()
}

#[test]
fn the_last_replica_completes_the_job_and_its_outputs() {
    let bed = Bed::new();
    let (replicas, outputs, id) = bed.sent(3);
    let (zero, two) = (begun(&replicas, 0), begun(&replicas, 2));
    assert_eq!(bed.jobs().get(id).unwrap().status, Status::Running);
    assert!(replicas.is_held(0) && !replicas.is_held(1));
    assert!(matches!(replicas.begin(0, None, 3).unwrap(), BegunReplica::Taken));
    assert!(matches!(replicas.begin(3, None, 3).unwrap(), BegunReplica::Taken));
    bed.leave(&outputs[0]);
    assert!(replicas.end(two, WELL, None, 3, &mut |_| {}).unwrap().is_none());
    assert!(replicas.end(zero, WELL, None, 4, &mut |_| {}).unwrap().is_none());
    // A replica may start after others have ended, and one that has ended does not start again.
    assert!(matches!(replicas.begin(2, None, 5).unwrap(), BegunReplica::Taken));
    assert_eq!(bed.states(&outputs), ["writing", "unwritten"]);
    let one = begun(&replicas, 1);
    let mut told = 0;
    let mut succeeded = |all: &[ReplicaRecord]| {
        told = all.len();
        // The end is not recorded yet, and the outputs are complete.
        assert_eq!(bed.jobs().get(id).unwrap().status, Status::Running);
        assert_eq!(bed.states(&outputs), ["complete", "complete"]);
    };
    let job = replicas.end(one, WELL, None, 6, &mut succeeded).unwrap().unwrap();
    assert_eq!(told, 3);
    assert_eq!((job.status, job.started, job.finished), (Status::Succeeded, Some(2), Some(6)));
    assert_eq!(bed.states(&outputs), ["complete", "complete"]);
    let State::Complete(content) = bed.buffers().get(&outputs[1]).unwrap().state else { panic!() };
    assert_eq!(content.size, 0);
    assert_eq!(bed.jobs().get(id).unwrap().status, Status::Succeeded);
}

#[test]
fn the_first_failed_replica_determines_the_end_and_the_last_records_it() {
    let bed = Bed::new();
    let (replicas, outputs, _) = bed.sent(4);
    let (zero, one, two) = (begun(&replicas, 0), begun(&replicas, 1), begun(&replicas, 2));
    assert_eq!(zero.why_ended(), None);
    bed.leave(&outputs[1]);
    assert!(
        replicas
            .end(one, failed("Main of replica 1 exited with code 3"), None, 3, &mut |_| {})
            .unwrap()
            .is_none()
    );
    assert_eq!(zero.why_ended().as_deref(), Some("another replica did not succeed"));
    assert!(matches!(replicas.begin(3, None, 4).unwrap(), BegunReplica::Over));
    // It may succeed nevertheless.
    assert!(replicas.end(two, WELL, None, 4, &mut |_| {}).unwrap().is_none());
    let job = replicas.end(zero, failed("later"), None, 5, &mut |_| {}).unwrap().unwrap();
    let reason = job.status_reason.as_deref();
    assert_eq!(
        (job.status, reason),
        (Status::Failed, Some("Main of replica 1 exited with code 3"))
    );
    let all = [Status::Failed, Status::Failed, Status::Succeeded, Status::Canceled];
    assert_eq!(statuses(&replicas), all);
    assert_eq!(bed.states(&outputs), ["failed", "failed"]);
    assert_eq!(replicas.settle(9).unwrap().unwrap().finished, Some(5));
}

#[test]
fn a_replica_without_a_process_is_concluded_unless_it_has_ended() {
    let bed = Bed::new();
    let (replicas, outputs, _) = bed.sent(2);
    let zero = begun(&replicas, 0);
    // Its process has disappeared.
    drop(begun(&replicas, 1));
    assert!(!replicas.is_held(1));
    let gone = (Status::Failed, "ended by Slurm on n1: NODE_FAIL".to_owned());
    assert!(replicas.conclude(1, gone.clone(), 3).unwrap().is_none());
    let job = replicas.end(zero, WELL, None, 4, &mut |_| {}).unwrap().unwrap();
    assert_eq!(
        (job.status, job.status_reason.as_deref()),
        (Status::Failed, Some("Replica 1: ended by Slurm on n1: NODE_FAIL"))
    );
    assert_eq!(bed.states(&outputs), ["failed", "failed"]);

    // What its process has recorded takes precedence.
    let (replicas, _, _) = bed.sent(1);
    let zero = begun(&replicas, 0);
    replicas.end(zero, WELL, None, 3, &mut |_| {}).unwrap();
    assert_eq!(replicas.conclude(0, gone, 4).unwrap().unwrap().status, Status::Succeeded);
}

#[test]
fn a_cancelled_job_has_ended_when_no_replica_runs() {
    let bed = Bed::new();
    let (replicas, outputs, id) = bed.sent(2);
    assert!(!replicas.are_ending());
    assert!(bed.jobs().cancel(id, BY_USER).unwrap());
    assert!(replicas.are_ending());
    let job = replicas.settle(3).unwrap().unwrap();
    assert_eq!((job.status, job.status_reason.as_deref()), (Status::Canceled, Some(BY_USER)));
    assert_eq!(statuses(&replicas), [Status::Canceled; 2]);
    assert_eq!(bed.states(&outputs), ["failed", "failed"]);

    let (replicas, _, id) = bed.sent(2);
    let zero = begun(&replicas, 0);
    bed.jobs().cancel(id, BY_USER).unwrap();
    assert_eq!(zero.why_ended().as_deref(), Some(BY_USER));
    assert!(replicas.settle(3).unwrap().is_none());
    let job =
        replicas.end(zero, (Status::Canceled, Some(BY_USER.to_owned())), None, 4, &mut |_| {});
    assert_eq!(job.unwrap().unwrap().status, Status::Canceled);
}

#[test]
fn logs_of_replicas_are_read_by_lines() {
    let bed = Bed::new();
    let (replicas, _, id) = bed.sent(2);
    let (zero, one) = (begun(&replicas, 0), begun(&replicas, 1));
    let (mut of_zero, mut of_one) = (zero.log().unwrap(), one.log().unwrap());
    let mut reader = LogReader::new(bed.jobs(), id).unwrap();
    let mut told = |expected: &str| {
        assert_eq!(String::from_utf8(reader.piece().unwrap()).unwrap(), expected);
    };
    told("");
    of_one.add(b"[job-1] x\n[job-1] be");
    of_zero.add(b"[job-0]");
    told("[job-1] x\n");
    told("");
    of_zero.add(b" y\n");
    of_one.add(b"gun\n");
    told("[job-0] y\n");
    told("[job-1] begun\n");
    told("");
}
