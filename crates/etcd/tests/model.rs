//! The store against a naive model that keeps a full copy of the keys for each revision.

use base::{BTreeMap, Str};
use etcd::{
    Command, Compare, Error, Etcd, Event, LeaseId, Member, Op, OpResponse, Order, Range,
    RangeRequest, Response, Store, Target, Txn, WatchId, WatchMessage,
};
use proptest::prelude::*;

/// One key in the model: value, create revision, mod revision, version.
type Row = (u32, i64, i64, i64);
type Rows = BTreeMap<Str, Row>;
/// One change: key, the row put, the row before.
type Change = (Str, Option<Row>, Option<Row>);

/// Every revision from 1 on, with all its rows and the changes that led to it.
#[derive(Clone)]
struct Model {
    revisions: Vec<(Rows, Vec<Change>)>,
    compacted: i64,
}

#[derive(Clone, Debug)]
enum Step {
    Write(Vec<Op<u32>>),
    Txn {
        compares: Vec<Compare>,
        success: Vec<Op<u32>>,
        failure: Vec<Op<u32>>,
    },
    /// Revisions back from the newest; negative reaches into the future.
    Compact(i64),
    Read(RangeRequest),
    Watch {
        range: Range,
        back: Option<i64>,
    },
    Drain(usize),
    Close(usize),
    Checkpoint,
    Rewind,
}

impl Model {
    fn new() -> Model {
        Model { revisions: vec![(Rows::new(), Vec::new())], compacted: -1 }
    }

    fn revision(&self) -> i64 {
        self.revisions.len() as i64
    }

    fn head(&self) -> &Rows {
        &self.revisions.last().unwrap().0
    }

    fn at(&self, revision: i64) -> &(Rows, Vec<Change>) {
        &self.revisions[revision as usize - 1]
    }

    fn holds(&self, compare: &Compare) -> bool {
        let (_, create, modified, version) =
            self.head().get(&compare.key).copied().unwrap_or_default();
        let (has, wants) = match compare.target {
            Target::Version(n) => (version, n),
            Target::CreateRevision(n) => (create, n),
            Target::ModRevision(n) => (modified, n),
            Target::Lease(id) => (0, id.0),
        };
        match compare.order {
            Order::Equal => has == wants,
            Order::NotEqual => has != wants,
            Order::Less => has < wants,
            Order::Greater => has > wants,
        }
    }

    /// Whether etcd accepts the operations, in the branch that is taken.
    fn check_reads(&self, ops: &[Op<u32>]) -> Result<(), Error> {
        for op in ops {
            if let Op::Range(request) = op {
                self.rows_at(&self.head().clone(), request)?;
            }
        }
        Ok(())
    }

    fn rows_at<'a>(&'a self, head: &'a Rows, request: &RangeRequest) -> Result<&'a Rows, Error> {
        match request.revision.unwrap_or(0) {
            revision if revision <= 0 => Ok(head),
            revision if revision > self.revision() => Err(Error::FutureRevision),
            revision if revision < self.compacted => Err(Error::Compacted),
            revision => Ok(&self.at(revision).0),
        }
    }

    fn read(&self, head: &Rows, request: &RangeRequest) -> Result<String, Error> {
        let rows = self.rows_at(head, request)?;
        let found: Vec<_> = rows.iter().filter(|(key, _)| request.range.contains(key)).collect();
        let limit = match request.limit {
            _ if request.count_only => 0,
            None | Some(0) => usize::MAX,
            Some(limit) => limit,
        };
        let kvs: Vec<_> = found.iter().take(limit).map(|(k, row)| (*k, **row)).collect();
        let more = !request.count_only && kvs.len() < found.len();
        Ok(format!("{kvs:?} {} {more}", found.len()))
    }

    /// Carries out the operations as one revision; returns what each read or deleted.
    fn write(&mut self, ops: &[Op<u32>]) -> Vec<String> {
        let (mut rows, mut changes) = (self.head().clone(), Vec::new());
        let revision = self.revision() + 1;
        let mut answers = Vec::new();
        for op in ops {
            answers.push(match op {
                Op::Range(request) => self.read(&rows, request).unwrap(),
                Op::Put { key, value, .. } => {
                    let prev = rows.get(key).copied();
                    let (create, version) = prev.map_or((revision, 1), |row| (row.1, row.3 + 1));
                    let row = (*value, create, revision, version);
                    rows.insert(key.clone(), row);
                    changes.push((key.clone(), Some(row), prev));
                    format!("{row:?} {prev:?}")
                }
                Op::Delete(range) => {
                    let mut gone = Vec::new();
                    for (key, row) in rows.clone() {
                        if range.contains(&key) {
                            rows.remove(&key);
                            changes.push((key.clone(), None, Some(row)));
                            gone.push((key, row));
                        }
                    }
                    format!("{gone:?}")
                }
            });
        }
        if !changes.is_empty() {
            self.revisions.push((rows, changes));
        }
        answers
    }

    /// What a watch of `range` hears of one revision.
    fn heard(&self, range: &Range, revision: i64) -> Vec<Change> {
        let changes = self.at(revision).1.iter();
        changes.filter(|change| range.contains(&change.0)).cloned().collect()
    }

    fn compact(&mut self, revision: i64) -> Result<(), Error> {
        if revision <= self.compacted {
            return Err(Error::Compacted);
        }
        if revision > self.revision() {
            return Err(Error::FutureRevision);
        }
        self.compacted = revision;
        Ok(())
    }
}

/// The system under test beside the model; `watches` remember what the model says they must hear.
#[derive(Clone)]
struct Pair {
    etcd: Etcd<u32>,
    model: Model,
    watches: Vec<Watch>,
}

#[derive(Clone)]
struct Watch {
    id: WatchId,
    range: Range,
    next: i64,
    cancelled_at: Option<i64>,
}

impl Pair {
    fn step(&mut self, step: &Step) {
        match step {
            Step::Write(ops) => self.txn(&[], ops, &[]),
            Step::Txn { compares, success, failure } => self.txn(compares, success, failure),
            Step::Compact(back) => {
                let revision = self.model.revision() - back;
                assert_eq!(self.etcd.compact(revision), self.model.compact(revision));
            }
            Step::Read(request) => {
                let request = self.absolute(request);
                let expected = self.model.read(self.model.head(), &request);
                assert_eq!(self.etcd.range(&request).map(|r| show(&r)), expected);
            }
            Step::Watch { range, back } => {
                let start = back.map(|back| self.model.revision() - back);
                let id = self.etcd.watch(range.clone(), start);
                let next = start.filter(|start| *start > 0).unwrap_or(self.model.revision() + 1);
                let lost = next < self.model.compacted;
                let cancelled_at = lost.then_some(self.model.compacted);
                self.watches.push(Watch { id, range: range.clone(), next, cancelled_at });
            }
            Step::Drain(index) if !self.watches.is_empty() => {
                self.drain(*index % self.watches.len());
            }
            Step::Close(index) if !self.watches.is_empty() => {
                let watch = self.watches.swap_remove(*index % self.watches.len());
                self.etcd.cancel_watch(watch.id);
                assert!(self.etcd.take_events(watch.id).is_empty());
            }
            _ => {}
        }
        assert_eq!(self.etcd.revision(), self.model.revision());
        assert_eq!(self.etcd.store().len(), self.model.head().len());
    }

    fn txn(&mut self, compares: &[Compare], success: &[Op<u32>], failure: &[Op<u32>]) {
        let absolute = |ops: &[Op<u32>]| -> Vec<Op<u32>> {
            let fix = |op: &Op<u32>| match op {
                Op::Range(request) => Op::Range(self.absolute(request)),
                op => op.clone(),
            };
            ops.iter().map(fix).collect()
        };
        let (success, failure) = (absolute(success), absolute(failure));
        let txn =
            Txn { compares: compares.to_vec(), success: success.clone(), failure: failure.clone() };
        let answer = self.etcd.txn(txn);
        let succeeded = compares.iter().all(|compare| self.model.holds(compare));
        let ops = if succeeded { &success } else { &failure };
        let refused = if repeats_key(&success) || repeats_key(&failure) {
            Err(Error::DuplicateKey)
        } else {
            self.model.check_reads(ops)
        };
        match refused {
            Err(error) => assert_eq!(answer, Err(error)),
            Ok(()) => {
                let answer = answer.unwrap();
                let expected = self.model.write(ops);
                assert_eq!(answer.succeeded, succeeded);
                assert_eq!(answer.revision, self.model.revision());
                let got: Vec<_> = answer.responses.iter().map(show_op).collect();
                assert_eq!(got, expected);
            }
        }
    }

    fn drain(&mut self, index: usize) {
        let messages = self.etcd.take_events(self.watches[index].id);
        let watch = &mut self.watches[index];
        if let Some(compact_revision) = watch.cancelled_at {
            assert_eq!(messages, [WatchMessage::Cancelled { compact_revision }]);
            self.watches.swap_remove(index);
            return;
        }
        let mut expected = Vec::new();
        while watch.next <= self.model.revision() {
            let heard = self.model.heard(&watch.range, watch.next);
            if !heard.is_empty() {
                expected.push((watch.next, heard));
            }
            watch.next += 1;
        }
        let got: Vec<_> = messages
            .into_iter()
            .map(|message| match message {
                WatchMessage::Events { revision, events } => {
                    assert!(events.iter().all(|event| event.revision == revision));
                    (revision, events.iter().map(change).collect::<Vec<_>>())
                }
                other => panic!("unexpected {other:?}"),
            })
            .collect();
        assert_eq!(got, expected);
    }

    /// Generated requests count revisions back from the newest.
    fn absolute(&self, request: &RangeRequest) -> RangeRequest {
        let revision = request.revision.map(|back| self.model.revision() - back);
        RangeRequest { revision, ..request.clone() }
    }

    fn check_everything(&mut self) {
        for revision in self.model.compacted.max(1)..=self.model.revision() {
            let request = RangeRequest::new(Range::all()).at(revision);
            let expected = self.model.read(self.model.head(), &request);
            assert_eq!(self.etcd.range(&request).map(|r| show(&r)), expected);
        }
        for (key, row) in self.model.head() {
            assert_eq!(self.etcd.get(key).map(|kv| self::row(kv)), Some(*row));
        }
        while !self.watches.is_empty() {
            self.drain(0);
            if !self.watches.is_empty() {
                self.watches.swap_remove(0);
            }
        }
    }
}

fn row(kv: &etcd::KeyValue<u32>) -> Row {
    (kv.value, kv.create_revision, kv.mod_revision, kv.version)
}

fn change(event: &Event<u32>) -> Change {
    (event.key.clone(), event.kv.as_deref().map(row), event.prev_kv.as_deref().map(row))
}

fn show(response: &etcd::RangeResponse<u32>) -> String {
    let kvs: Vec<_> = response.kvs.iter().map(|kv| (&kv.key, row(kv))).collect();
    format!("{kvs:?} {} {}", response.count, response.more)
}

fn show_op(response: &OpResponse<u32>) -> String {
    match response {
        OpResponse::Range(response) => show(response),
        OpResponse::Put(put) => {
            format!("{:?} {:?}", row(&put.kv), put.prev_kv.as_deref().map(row))
        }
        OpResponse::Delete(deleted) => {
            let gone: Vec<_> = deleted.prev_kvs.iter().map(|kv| (&kv.key, row(kv))).collect();
            format!("{gone:?}")
        }
    }
}

fn repeats_key(ops: &[Op<u32>]) -> bool {
    (0..ops.len()).any(|i| {
        let Op::Put { key, .. } = &ops[i] else { return false };
        (0..ops.len()).any(|j| match &ops[j] {
            Op::Put { key: other, .. } => i != j && key == other,
            Op::Delete(range) => range.contains(key),
            Op::Range(_) => false,
        })
    })
}

fn key() -> impl Strategy<Value = Str> {
    let flat = (0u32..40).prop_map(|n| Str::from(format!("/r/{n:02}")));
    let deep = (0u32..4, 0u32..4).prop_map(|(a, b)| Str::from(format!("/r/{a}/{b}")));
    prop_oneof![flat, deep]
}

fn range() -> impl Strategy<Value = Range> {
    prop_oneof![
        3 => key().prop_map(Range::key),
        3 => (key(), 1usize..6).prop_map(|(key, len)| Range::prefix(&key[..len.min(key.len())])),
        2 => (key(), key()).prop_map(|(a, b)| Range::between(a, b)),
        1 => key().prop_map(Range::from),
        1 => Just(Range::all()),
    ]
}

fn request() -> impl Strategy<Value = RangeRequest> {
    let back = prop::option::weighted(0.7, -1i64..30);
    (range(), back, prop::option::of(0usize..12), prop::bool::weighted(0.2)).prop_map(
        |(range, revision, limit, count_only)| RangeRequest { range, revision, limit, count_only },
    )
}

fn op() -> impl Strategy<Value = Op<u32>> {
    prop_oneof![
        6 => (key(), any::<u32>()).prop_map(|(key, value)| Op::put(key, value)),
        2 => key().prop_map(Op::delete),
        1 => range().prop_map(Op::Delete),
        1 => request().prop_map(Op::Range),
    ]
}

fn compare() -> impl Strategy<Value = Compare> {
    let target = prop_oneof![
        (0i64..4).prop_map(Target::Version),
        (0i64..40).prop_map(Target::CreateRevision),
        (0i64..40).prop_map(Target::ModRevision),
    ];
    let order =
        prop::sample::select(vec![Order::Equal, Order::NotEqual, Order::Less, Order::Greater]);
    (key(), target, order).prop_map(|(key, target, order)| Compare { key, target, order })
}

fn step() -> impl Strategy<Value = Step> {
    let ops = |max| prop::collection::vec(op(), 0..max);
    prop_oneof![
        10 => op().prop_map(|op| Step::Write(vec![op])),
        4 => ops(6).prop_map(Step::Write),
        4 => (prop::collection::vec(compare(), 0..3), ops(4), ops(4))
            .prop_map(|(compares, success, failure)| Step::Txn { compares, success, failure }),
        2 => (-1i64..30).prop_map(Step::Compact),
        6 => request().prop_map(Step::Read),
        3 => (range(), prop::option::of(-3i64..30))
            .prop_map(|(range, back)| Step::Watch { range, back }),
        3 => any::<usize>().prop_map(Step::Drain),
        1 => any::<usize>().prop_map(Step::Close),
        1 => Just(Step::Checkpoint),
        1 => Just(Step::Rewind),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn etcd_does_what_the_naive_model_does(steps in prop::collection::vec(step(), 1..200)) {
        let (etcd, model) = (Etcd::default(), Model::new());
        let mut pair = Pair { etcd, model, watches: Vec::new() };
        let mut checkpoint = pair.clone();
        for step in &steps {
            match step {
                Step::Checkpoint => checkpoint = pair.clone(),
                Step::Rewind => std::mem::swap(&mut pair, &mut checkpoint),
                step => pair.step(step),
            }
        }
        pair.check_everything();
        checkpoint.check_everything();
    }

    #[test]
    fn members_that_apply_the_same_commands_agree(steps in prop::collection::vec(step(), 1..60)) {
        let mut members = [Member::new(Store::default()), Member::new(Store::default())];
        for step in steps {
            let command = match step {
                Step::Write(success) => {
                    Command::Txn(Txn { compares: Vec::new(), success, failure: Vec::new() })
                }
                Step::Txn { compares, success, failure } => {
                    Command::Txn(Txn { compares, success, failure })
                }
                Step::Compact(revision) => Command::Compact { revision },
                _ => Command::Put { key: Str::from("k"), value: 1, lease: LeaseId::NONE },
            };
            let [one, two] = members.each_mut().map(|member| {
                let response = member.apply(command.clone());
                response.map(|response| match response {
                    Response::Txn(txn) => format!("{txn:?}"),
                    other => format!("{other:?}"),
                })
            });
            prop_assert_eq!(one, two);
        }
        let [one, two] = members.each_ref().map(|member| {
            member.store().range(&RangeRequest::new(Range::all()))
        });
        prop_assert_eq!(one, two);
    }
}
