//! What etcd promises its clients, one promise per test.

use base::{Duration, Instant, Str};
use etcd::{
    Compare, Error, Etcd, Hooks, LeaseId, Op, Range, RangeRequest, Retention, Store, Txn, WatchId,
    WatchMessage,
};

/// Carries out `a=1 b=2 -a` on a fresh etcd; keys in parentheses are written by one transaction.
fn after(script: &str) -> Etcd<u32> {
    let mut etcd = Etcd::default();
    run(&mut etcd, script);
    etcd
}

fn run(etcd: &mut Etcd<u32>, script: &str) {
    let mut group: Option<Vec<Op<u32>>> = None;
    for word in script.split_whitespace() {
        let is_last = word.ends_with(')');
        if word.starts_with('(') {
            group = Some(Vec::new());
        }
        let op = match word.trim_matches(['(', ')']).split_once('=') {
            Some((key, value)) => Op::put(key, value.parse().unwrap()),
            None => Op::delete(word.trim_matches(['(', ')']).trim_start_matches('-')),
        };
        match group.as_mut() {
            Some(ops) => ops.push(op),
            None => txn(etcd, vec![op]).unwrap(),
        }
        if is_last {
            txn(etcd, group.take().unwrap()).unwrap();
        }
    }
}

fn txn(etcd: &mut Etcd<u32>, success: Vec<Op<u32>>) -> Result<(), Error> {
    etcd.txn(Txn { compares: Vec::new(), success, failure: Vec::new() }).map(|_| ())
}

/// What a read gives: `a=1 b=2`, with `+` if there is more, and the count.
fn read(etcd: &Etcd<u32>, request: RangeRequest) -> String {
    match etcd.range(&request) {
        Err(error) => error.to_string(),
        Ok(response) => {
            let kvs = response.kvs.iter().map(|kv| format!("{}={} ", kv.key, kv.value));
            let more = if response.more { "+ " } else { "" };
            format!("{}{more}of {}", kvs.collect::<String>(), response.count)
        }
    }
}

/// What a watch has been told: `3:a=1,-b 4:c=2`.
fn told(etcd: &mut Etcd<u32>, id: WatchId) -> String {
    let tell = |message: WatchMessage<u32>| match message {
        WatchMessage::Cancelled { compact_revision } => format!("compacted at {compact_revision}"),
        WatchMessage::Progress { revision } => format!("up to {revision}"),
        WatchMessage::Events { revision, events } => {
            let events = events.iter().map(|event| match (&event.kv, &event.prev_kv) {
                (Some(kv), None) => format!("{}={}", event.key, kv.value),
                (Some(kv), Some(prev)) => format!("{}={}<{}", event.key, kv.value, prev.value),
                (None, prev) => format!("-{}<{}", event.key, prev.as_ref().unwrap().value),
            });
            format!("{revision}:{}", events.collect::<Vec<_>>().join(","))
        }
    };
    etcd.take_events(id).into_iter().map(tell).collect::<Vec<_>>().join(" ")
}

fn check(script: &str, request: RangeRequest, expected: &str) {
    assert_eq!(read(&after(script), request), expected);
}

fn all() -> RangeRequest {
    RangeRequest::new(Range::all())
}

#[test]
fn a_range_is_in_bytewise_order_and_counts_past_its_limit() {
    check("b=1 a/b=2 a-b=3 a=4", all(), "a=4 a-b=3 a/b=2 b=1 of 4");
    check("a=1 b=2 c=3", all().limit(2), "a=1 b=2 + of 3");
    check("a=1 b=2 c=3", all().limit(3), "a=1 b=2 c=3 of 3");
    check("a=1 b=2 c=3", all().count_only(), "of 3");
    check("a=1 b=2 c=3", RangeRequest::new(Range::prefix("b")), "b=2 of 1");
}

#[test]
fn earlier_revisions_stay_readable() {
    let script = "a=1 b=2 a=3 -b b=4 (a=5 -b)";
    check(script, all().at(1), "of 0");
    check(script, all().at(3), "a=1 b=2 of 2");
    check(script, all().at(4).limit(1), "a=3 + of 2");
    check(script, all().at(5), "a=3 of 1");
    check(script, all().at(6), "a=3 b=4 of 2");
    check(script, all().at(7), "a=5 of 1");
}

#[test]
fn compaction_keeps_its_own_revision_and_forgets_what_came_before() {
    let mut etcd = after("a=1 b=2 a=3 -b b=4");
    etcd.compact(4).unwrap();
    assert_eq!(read(&etcd, all().at(3)), "etcdserver: mvcc: required revision has been compacted");
    assert_eq!(read(&etcd, all().at(4)), "a=3 b=2 of 2");
    assert_eq!(read(&etcd, all().at(5)), "a=3 of 1");
    assert_eq!(etcd.compact(4), Err(Error::Compacted));
    assert_eq!(etcd.compact(7), Err(Error::FutureRevision));
    etcd.compact(6).unwrap();
    assert_eq!(etcd.store().history_len(), 1);
}

#[test]
fn a_future_revision_cannot_be_read() {
    check("a=1", all().at(3), "etcdserver: mvcc: required revision is a future revision");
}

#[test]
fn versions_count_from_the_last_creation() {
    let etcd = after("a=1 a=2 -a a=3 a=4");
    let kv = etcd.get("a").unwrap();
    assert_eq!((kv.create_revision, kv.mod_revision, kv.version), (5, 6, 2));
}

#[test]
fn only_writes_raise_the_revision() {
    let mut etcd = after("a=1");
    etcd.delete(Range::key("b")).unwrap();
    txn(&mut etcd, vec![Op::get("a"), Op::delete("b")]).unwrap();
    assert_eq!(etcd.revision(), 2);
}

#[test]
fn of_two_updates_from_one_revision_the_second_fails() {
    let mut etcd = after("a=1");
    let update = |etcd: &mut Etcd<u32>, value| {
        let compares = vec![Compare::mod_revision("a", 2)];
        let (success, failure) = (vec![Op::put("a", value)], vec![Op::get("a")]);
        etcd.txn(Txn { compares, success, failure }).unwrap().succeeded
    };
    assert!(update(&mut etcd, 2));
    assert!(!update(&mut etcd, 3));
    assert_eq!(read(&etcd, all()), "a=2 of 1");
}

#[test]
fn a_refused_transaction_changes_nothing() {
    let mut etcd = after("a=1");
    let lost = |key: &str| Op::Put { key: Str::from(key), value: 9, lease: LeaseId(7) };
    for (ops, error) in [
        (vec![Op::put("b", 1), Op::put("b", 2)], Error::DuplicateKey),
        (vec![Op::put("b", 1), Op::Delete(Range::prefix("b"))], Error::DuplicateKey),
        (vec![Op::put("b", 1), lost("c")], Error::LeaseNotFound),
        (vec![Op::put("b", 1), Op::Range(all().at(9))], Error::FutureRevision),
        (vec![Op::put("b", 1), Op::put("", 1)], Error::EmptyKey),
        (vec![Op::get("b"); 129], Error::TooManyOps),
    ] {
        assert_eq!(txn(&mut etcd, ops), Err(error));
        assert_eq!(read(&etcd, all()), "a=1 of 1");
        assert_eq!(etcd.revision(), 2);
    }
}

#[test]
fn a_watch_hears_of_its_range_and_of_each_transaction_at_once() {
    let mut etcd = after("a=1");
    let id = etcd.watch(Range::prefix("a"), None);
    run(&mut etcd, "b=2 a=3 (a/x=4 b=5 -a) a/x=6 -a/x");
    assert_eq!(told(&mut etcd, id), "4:a=3<1 5:a/x=4,-a<3 6:a/x=6<4 7:-a/x<6");
    assert_eq!(told(&mut etcd, id), "");
}

#[test]
fn a_watch_from_the_past_replays_then_goes_on() {
    let mut etcd = after("a=1 b=2 (a=3 c=4) -b");
    let id = etcd.watch(Range::between("a", "c"), Some(3));
    run(&mut etcd, "a=5");
    assert_eq!(told(&mut etcd, id), "3:b=2 4:a=3<1 5:-b<2 6:a=5<3");
}

#[test]
fn a_watch_from_the_future_waits_for_its_revision() {
    let mut etcd = after("a=1");
    let id = etcd.watch(Range::key("a"), Some(4));
    run(&mut etcd, "a=2 a=3");
    assert_eq!(told(&mut etcd, id), "4:a=3<2");
}

#[test]
fn a_watch_from_a_compacted_revision_is_cancelled() {
    let mut etcd = after("a=1 a=2 -a");
    etcd.compact(4).unwrap();
    let (lost, kept) = (etcd.watch(Range::all(), Some(3)), etcd.watch(Range::all(), Some(4)));
    run(&mut etcd, "b=1");
    assert_eq!(told(&mut etcd, lost), "compacted at 4");
    assert_eq!(told(&mut etcd, kept), "4:-a<2 5:b=1");
    assert_eq!(etcd.poll_watch(), None);
}

#[test]
fn a_watch_that_falls_behind_catches_up_unless_history_is_gone() {
    let mut etcd = after("");
    let ids = [etcd.watch(Range::all(), None), etcd.watch(Range::all(), None)];
    let write = |etcd: &mut Etcd<u32>, count| {
        for n in 0..count {
            etcd.put("a", n).unwrap();
        }
    };
    write(&mut etcd, 3_000);
    assert_eq!(etcd.take_events(ids[0]).len(), 3_000);
    write(&mut etcd, 3_000);
    etcd.compact(6_000).unwrap();
    let messages = etcd.take_events(ids[1]);
    let (last, rest) = messages.split_last().unwrap();
    assert_eq!(*last, WatchMessage::Cancelled { compact_revision: 6_000 });
    assert!(rest.len() < 3_000);
}

#[test]
fn progress_comes_after_the_events_it_covers() {
    let mut etcd = after("");
    let id = etcd.watch(Range::key("a"), None);
    run(&mut etcd, "a=1 b=2");
    etcd.request_progress(id);
    assert_eq!(told(&mut etcd, id), "2:a=1 up to 3");
}

#[test]
fn polling_goes_through_ready_watches_in_turn() {
    let mut etcd = after("");
    let [a, b, c] = ["a", "b", "c"].map(|key| etcd.watch(Range::key(key), None));
    run(&mut etcd, "b=1 a=1 c=1 b=2");
    etcd.cancel_watch(c);
    let mut order = Vec::new();
    while let Some((id, _)) = etcd.poll_watch() {
        order.push(id);
    }
    assert_eq!(order, [b, b, a]);
}

#[test]
fn an_expired_lease_takes_its_keys_along_in_one_revision() {
    let mut etcd = after("c=0");
    let (start, mut at) = (Instant::START, Instant::START);
    let (id, seconds) = etcd.lease_grant(LeaseId::NONE, 10, start).unwrap();
    assert_eq!(seconds, 10);
    for key in ["b", "a", "c"] {
        etcd.put_with_lease(key, 1, id).unwrap();
    }
    run(&mut etcd, "c=2");
    let watch = etcd.watch(Range::all(), None);
    at += Duration::secs(9);
    assert_eq!(etcd.tick(at), 0);
    assert_eq!(etcd.lease_keep_alive(id, at), Ok(10));
    assert_eq!(etcd.next_wake(), Some(start + Duration::secs(19)));
    assert_eq!(etcd.tick(start + Duration::secs(19)), 1);
    assert_eq!(told(&mut etcd, watch), "7:-a<1,-b<1");
    assert_eq!(etcd.next_wake(), None);
    assert_eq!(etcd.lease_keep_alive(id, at), Err(Error::LeaseNotFound));
}

#[test]
fn leases_are_refused_as_in_etcd() {
    let mut etcd = after("");
    let now = Instant::START;
    assert_eq!(etcd.lease_grant(LeaseId(5), 0, now), Ok((LeaseId(5), 2)));
    assert_eq!(etcd.lease_grant(LeaseId(5), 9, now), Err(Error::LeaseExists));
    assert_eq!(etcd.lease_grant(LeaseId(6), 9_000_000_001, now), Err(Error::LeaseTtlTooLarge));
    assert_eq!(etcd.put_with_lease("a", 1, LeaseId(6)), Err(Error::LeaseNotFound));
    let (late, id) = (now + Duration::secs(2), LeaseId(5));
    assert_eq!(etcd.lease_keep_alive(id, late), Err(Error::LeaseNotFound));
}

#[test]
fn values_learn_their_revision_and_large_ones_are_refused() {
    let hooks = Hooks::<(i64, usize)> { size: |value| value.1, stamp: |value, at| value.0 = at };
    let mut etcd = Etcd::new(Store::new(hooks), Retention::default());
    etcd.put("a", (0, 10)).unwrap();
    assert_eq!(etcd.put("a", (0, 20)).unwrap().kv.value, (3, 20));
    assert_eq!(etcd.store().history_bytes(), 10);
    assert_eq!(etcd.put("b", (0, 2_000_000)), Err(Error::RequestTooLarge));
    etcd.compact(3).unwrap();
    assert_eq!(etcd.store().history_bytes(), 10);
    etcd.delete(Range::all()).unwrap();
    etcd.compact(4).unwrap();
    assert_eq!(etcd.store().history_bytes(), 20);
}

#[test]
fn history_stays_within_its_limits() {
    let limits = |revisions, entries, bytes| Retention { revisions, entries, bytes };
    let hooks = Hooks::<usize> { size: |value| *value, stamp: |_, _| {} };
    for (retention, least, most) in [
        (limits(None, None, None), 1_000, 1_000),
        (limits(Some(80), None, None), 80, 92),
        (limits(None, Some(80), None), 69, 80),
        (limits(None, None, Some(800)), 70, 87),
        (limits(Some(500), Some(80), Some(1 << 20)), 69, 80),
    ] {
        let mut etcd = Etcd::new(Store::new(hooks.clone()), retention.clone());
        for n in 0..1_000 {
            etcd.put(format!("{:02}", n % 7), 10).unwrap();
            let len = etcd.store().history_len();
            let least = least.min(n + 1);
            assert!(least <= len && len <= most, "{retention:?}: {len} after {n}");
        }
        assert_eq!(etcd.range(&all().at(etcd.revision() - 50)).unwrap().count, 7);
    }
}

#[test]
fn a_checkpoint_is_untouched_by_what_follows() {
    let mut etcd = after("a=1 b=2");
    let id = etcd.watch(Range::all(), None);
    let mut checkpoint = etcd.clone();
    run(&mut etcd, "a=3 -b c=4");
    etcd.compact(4).unwrap();
    assert_eq!(read(&checkpoint, all()), "a=1 b=2 of 2");
    run(&mut checkpoint, "d=5");
    assert_eq!(told(&mut checkpoint, id), "4:d=5");
    assert_eq!(told(&mut etcd, id), "4:a=3<1 5:-b<2 6:c=4");
}
