//! What `session` promises, as tests.

use super::*;
use crate::check::tests::{Fake, json};
use crate::world::{Change, ChangeKind};
use api::json::Json;
use base::lit;

const LESSON: &str = "
apiVersion: orrery.dev/v1
kind: Lesson
metadata: {name: x, title: X, minutes: 2, concepts: [Deployment]}
steps:
- name: kill
  text: Delete `a`.
  checks:
  - history: {event: Deleted, kind: Pod}
  - expect: {apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, status: {readyReplicas: 3}}
    hold: 2s
  hints: [{after: 10s, text: help}]
  solution: [kubectl delete pod a]
  quiz: {ask: Who?, options: [a, b], answer: 1}
- name: rest
  text: Nothing.
  checks:
  - expect: {apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {paused: true}}
  solution: [kubectl rollout pause deployment web]
";

fn at(second: i64) -> Instant {
    Instant::START + Duration::secs(second)
}

fn world(second: i64, ready: i64, deleted: Option<i64>) -> Fake {
    let mut web: Json =
        json("{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: default}}");
    web.entry("status").set("readyReplicas", ready);
    let change = Change {
        event: ChangeKind::Deleted,
        kind: lit!("Pod"),
        namespace: lit!("default"),
        name: lit!("a"),
        labels: Vec::new(),
    };
    let changes = deleted.map(|second| (at(second), change)).into_iter().collect();
    Fake { now: at(second), objects: vec![web], changes, ..Fake::default() }
}

fn session() -> Session {
    Session::start(Rc::new(Scenario::parse(LESSON).unwrap()), at(0)).unwrap()
}

#[test]
fn a_step_is_not_done_by_what_was_true_before() {
    let mut session = session();
    for second in 0..10 {
        session.look(&world(second, 3, None));
    }
    assert!(!session.is_step_done());
    assert_eq!(session.missing(), ["A Pod is deleted: Seen 0 of 1."]);
    // The pod is gone, but the status does not know yet.
    session.look(&world(10, 3, Some(10)));
    assert!(!session.is_step_done());
    session.look(&world(11, 2, Some(10)));
    session.look(&world(13, 3, Some(10)));
    session.look(&world(14, 3, Some(10)));
    assert!(!session.is_step_done());
    session.look(&world(15, 3, Some(10)));
    assert!(session.answer(1) && session.is_step_done());
}

fn solved() -> Session {
    let mut session = session();
    session.look(&world(1, 3, Some(1)));
    assert_eq!(session.next_look(at(1)), Some(at(3)));
    assert!(session.look(&world(3, 3, Some(1))));
    session
}

#[test]
fn a_done_step_stays_done_and_the_question_counts() {
    let mut session = solved();
    assert!(!session.is_step_done() && !session.next(at(4)));
    assert!(!session.answer(0) && !session.is_step_done());
    assert!(session.answer(1));
    session.look(&world(4, 0, None));
    assert!(session.is_step_done());
    assert!(session.next(at(5)) && session.at() == 1 && !session.is_done());
    assert!(!session.next(at(5)));
    let mut world = world(6, 3, None);
    world.objects[0].entry("spec").set("paused", true);
    session.look(&world);
    assert!(session.is_done());
}

#[test]
fn hints_come_when_they_are_due() {
    let session = session();
    assert_eq!(session.next_look(at(0)), Some(at(10)));
    assert!(session.state(at(9)).steps[0].hints.is_empty());
    assert_eq!(session.state(at(10)).steps[0].hints, ["help"]);
    assert_eq!(session.next_look(at(10)), None);
}

#[test]
fn the_page_sees_the_steps_up_to_the_open_one() {
    let mut session = solved();
    session.answer(0);
    let state = session.state(at(3));
    assert_eq!((state.at, state.count, state.steps.len(), state.done), (0, 2, 1, false));
    let step = &state.steps[0];
    assert!(step.checks.iter().all(|check| check.done) && !step.done);
    assert_eq!(step.quiz.as_ref().and_then(|quiz| quiz.answered), Some((0, false)));
    session.open(7, at(4));
    assert_eq!(session.state(at(4)).steps.len(), 2);
    assert_eq!(session.state(at(4)).at, 1);
}

#[test]
fn a_scenario_without_steps_is_no_session() {
    let bare = Scenario::bare(Default::default(), 1, lit!(""));
    assert!(Session::start(Rc::new(bare), at(0)).is_none());
}
