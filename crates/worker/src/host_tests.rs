//! The worker as the page meets it: commands in, messages out, on a clock of the test's own.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use base::Duration;
use protocol::{
    Clock, Command, Fault, Inspection, Item, Kind, LessonState, Message, Moment, Op, Outcome,
    Problem, Speed, Start, Subscription, Trace, View,
};
use scenario::{Fragment, Report, Scenario, Share, parse_fragment};

use crate::{Host, Next, Record};

/// A page without a screen: it keeps what it is told and acknowledges every frame.
struct Page {
    host: Host,
    wall: Cell<f64>,
    items: BTreeMap<View, BTreeMap<String, Item>>,
    terminal: String,
    code: Option<i32>,
    applied: (Vec<String>, Vec<Problem>),
    inspection: Option<Inspection>,
    trace: Option<Trace>,
    lesson: Option<LessonState>,
    fragment: String,
    moment: Option<Moment>,
    repeated: Option<(Moment, Option<bool>)>,
    record: Record,
    refused: String,
    at: u64,
    pulses: usize,
}

impl Page {
    fn open(start: Start) -> Page {
        let mut page = Page {
            host: Host::default(),
            wall: Cell::new(0.0),
            items: BTreeMap::new(),
            terminal: String::new(),
            code: None,
            applied: Default::default(),
            inspection: None,
            trace: None,
            lesson: None,
            fragment: String::new(),
            moment: None,
            repeated: None,
            record: Record::default(),
            refused: String::new(),
            at: 0,
            pulses: 0,
        };
        page.send(Command::Boot { start });
        page.look_at(View::Deployment);
        page
    }

    fn look_at(&mut self, view: View) {
        let views = [View::Architecture, view].map(|view| Subscription { view, focus: None });
        self.send(Command::Subscribe(views.to_vec()));
    }

    fn send(&mut self, command: Command) {
        self.record.before(&self.host, &command);
        self.host.handle(command, &|| self.wall.get(), &|| 0.0);
        self.record.after(&self.host);
        self.hear();
    }

    fn hear(&mut self) {
        for message in self.host.take() {
            match message {
                Message::Frame(frame) => {
                    self.at = frame.at;
                    for view in frame.views {
                        let items = self.items.entry(view.view).or_default();
                        if view.reset.is_some() {
                            items.clear();
                        }
                        for op in view.ops {
                            match op {
                                Op::Upsert(item) => {
                                    items.insert(item.key.clone(), *item);
                                }
                                Op::Remove(key) => {
                                    items.remove(&key);
                                }
                                Op::Move { key, parent } => {
                                    items.get_mut(&key).unwrap().parent = parent;
                                }
                                Op::Pulse(pulse) => {
                                    assert!(pulse.path.len() > 1);
                                    self.pulses += 1;
                                }
                            }
                        }
                    }
                    let ack = Command::Ack { seq: frame.seq };
                    self.host.handle(ack, &|| self.wall.get(), &|| 0.0);
                }
                Message::Terminal { text, code, .. } => {
                    self.terminal.push_str(&text);
                    self.code = code;
                }
                Message::Applied { lines, problems } => {
                    self.applied = (lines.into_iter().map(|line| line.text).collect(), problems);
                }
                Message::Inspection(seen) => self.inspection = Some(*seen),
                Message::Trace(trace) => self.trace = Some(*trace),
                Message::Lesson(lesson) => self.lesson = lesson.map(|lesson| *lesson),
                Message::Share { fragment, moment } => {
                    (self.fragment, self.moment) = (fragment, moment);
                }
                Message::Repeated { moment, same } => self.repeated = Some((moment, same)),
                Message::Refused { reason } => self.refused = reason,
                _ => {}
            }
        }
    }

    /// Lets so many milliseconds of the wall pass, in slices.
    fn pass(&mut self, ms: f64) {
        let end = self.wall.get() + ms;
        while self.wall.get() < end {
            self.wall.set(self.wall.get() + 10.0);
            self.host.slice(&|| self.wall.get());
            self.record.after(&self.host);
            self.hear();
        }
    }

    /// Lets time pass until something holds.
    fn until(&mut self, what: &str, holds: impl Fn(&Page) -> bool) {
        for _ in 0..600 {
            if holds(self) {
                return;
            }
            self.pass(100.0);
        }
        let items: Vec<String> = self
            .items
            .get(&View::Architecture)
            .map(|items| items.values().map(|i| format!("{} {:?}", i.key, i.state)).collect())
            .unwrap_or_default();
        for item in self.items.get(&View::Service).into_iter().flat_map(|items| items.values()) {
            println!("{:?} {} {:?}", item.kind, item.key, item.state);
        }
        panic!("not after a minute: {what}\n{}\n{}", items.join("\n"), self.terminal);
    }

    fn words(&self, kind: Kind, prefix: &str) -> Vec<String> {
        let all = self.items.get(&View::Architecture).into_iter().flat_map(|items| items.values());
        all.filter(|item| item.kind == kind && item.name.starts_with(prefix))
            .map(|item| item.state.word.clone())
            .collect()
    }

    fn pods(&self) -> Vec<String> {
        let all = self.items.get(&View::Architecture).into_iter().flat_map(|items| items.values());
        all.filter(|item| item.kind == Kind::Pod).map(|item| item.key.clone()).collect()
    }

    fn alive(&self) -> bool {
        self.words(Kind::Node, "node-") == ["Ready"; 3]
            && self.words(Kind::Pod, "web-") == ["Running"; 3]
    }

    fn run(&mut self, line: &str) {
        self.terminal.clear();
        self.code = None;
        self.send(Command::Terminal { id: 1, line: line.into() });
    }
}

fn running() -> Page {
    let mut page = Page::open(Start::Default);
    page.until("a running cluster", Page::alive);
    page
}

#[test]
fn a_visitor_meets_a_running_cluster_within_a_second() {
    let mut page = Page::open(Start::Default);
    page.pass(1_000.0);
    assert!(page.alive(), "{:?}", page.words(Kind::Pod, ""));
}

#[test]
fn a_deleted_pod_comes_back_and_the_frames_tell_it() {
    let mut page = running();
    let before = page.pods();
    page.run("kubectl delete pod -l app=web --wait=false");
    page.until("three new pods", |page| {
        page.alive() && !page.pods().iter().any(|pod| pod.contains("/web-") && before.contains(pod))
    });
    assert!(page.pulses > 0, "no ticket travelled");
    let deployment = page.items[&View::Deployment].values();
    assert_eq!(deployment.filter(|item| item.kind == Kind::Pod).count(), 3);
}

#[test]
fn a_held_clock_holds_and_a_step_moves_it() {
    let mut page = running();
    page.send(Command::Clock(Clock::Pause));
    page.pass(50.0);
    let held = page.at;
    page.pass(500.0);
    assert_eq!(page.at, held);
    page.send(Command::Clock(Clock::Step));
    page.pass(50.0);
    assert!(page.at > held);
    assert_eq!(page.host.slice(&|| page.wall.get()), Next::Never);
}

#[test]
fn time_passes_as_fast_as_the_timeline_says() {
    let mut page = running();
    page.send(Command::Clock(Clock::Speed(Speed::Times(8.0))));
    let from = page.at;
    page.pass(1_000.0);
    let passed = (page.at - from) as f64 / 1e6;
    assert!((7.0..9.0).contains(&passed), "{passed} s at 8×");
}

#[test]
fn the_terminal_answers_and_a_watch_is_interrupted() {
    let mut page = running();
    page.run("kubectl get nodes");
    page.until("an answer", |page| page.code.is_some());
    assert!(page.terminal.contains("node-2"), "{}", page.terminal);
    page.run("kubectl get pods -w");
    page.pass(200.0);
    assert_eq!(page.code, None);
    page.send(Command::Interrupt { id: 1 });
    assert_eq!(page.code, Some(130));
}

#[test]
fn the_editor_applies_and_places_what_is_wrong() {
    let mut page = running();
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  k: v\n";
    page.send(Command::Apply { yaml: map.into() });
    page.until("an answer", |page| !page.applied.0.is_empty());
    assert_eq!(page.applied.0, ["configmap/a created"]);
    page.send(Command::Apply { yaml: map.replace("\ndata:", "\ndato:") });
    page.until("a refusal", |page| !page.applied.1.is_empty());
    assert_eq!((page.applied.1[0].line, page.applied.1[0].column), (5, 1), "{:?}", page.applied.1);
    page.send(Command::Apply { yaml: "a: b\n  c: d\n".into() });
    page.pass(50.0);
    assert!(page.applied.1[0].line > 0);
}

#[test]
fn an_unplugged_scheduler_leaves_a_pod_waiting() {
    let mut page = running();
    page.send(Command::Fault(Fault::Unplug("part/kube-scheduler".into())));
    page.run("kubectl scale deployment web --replicas=4");
    page.until("a pod without a node", |page| {
        page.words(Kind::Pod, "web-").iter().any(|word| word == "Pending")
    });
    assert_eq!(page.words(Kind::Scheduler, ""), ["off"]);
    page.send(Command::Fault(Fault::Plug("part/kube-scheduler".into())));
    page.until("four running pods", |page| page.words(Kind::Pod, "web-") == ["Running"; 4]);
}

#[test]
fn a_node_without_power_is_not_ready_after_its_grace() {
    let mut page = running();
    page.send(Command::Fault(Fault::NodeOff("node/node-2".into())));
    page.send(Command::Clock(Clock::Speed(Speed::Times(16.0))));
    page.until("node-2 NotReady", |page| page.words(Kind::Node, "node-2") == ["NotReady"]);
    page.send(Command::Fault(Fault::NodeOn("node/node-2".into())));
    page.until("node-2 Ready", |page| page.words(Kind::Node, "node-2") == ["Ready"]);
}

#[test]
fn the_inspector_leads_from_a_pod_back_to_its_deployment() {
    let mut page = running();
    let pod = page.pods().into_iter().find(|pod| pod.contains("/web-")).unwrap();
    page.send(Command::Inspect(Some(pod)));
    page.until("an inspection", |page| page.inspection.is_some());
    let seen = page.inspection.clone().unwrap();
    assert!(seen.yaml.contains("kind: Pod") && !seen.yaml.contains("managedFields"));
    assert!(!seen.events.is_empty() && !seen.actions.is_empty());
    let causes: Vec<String> = seen.causes.iter().map(|c| format!("{} {}", c.who, c.what)).collect();
    let all = causes.join("\n");
    for part in
        ["kubelet", "default-scheduler", "created Pod", "created ReplicaSet", "created Deployment"]
    {
        assert!(all.contains(part), "{part} is not in\n{all}");
    }
}

#[test]
fn requests_travel_and_one_is_followed_to_its_pod() {
    let mut page = running();
    page.look_at(View::Service);
    page.until("the Service with its endpoints", |page| {
        let items = page.items.get(&View::Service);
        let count = |kind| items.map_or(0, |all| all.values().filter(|i| i.kind == kind).count());
        count(Kind::Endpoint) == 3 && count(Kind::Client) == 1 && count(Kind::Rule) > 3
    });
    let before = page.pulses;
    page.pass(3_000.0);
    assert!(page.pulses > before, "no request travelled");
    let from = page.pods().into_iter().find(|pod| pod.contains("/client-")).unwrap();
    page.send(Command::Request { from, url: "http://web/".into() });
    let trace = page.trace.clone().unwrap();
    assert!(trace.ok && trace.result.contains("from web-"), "{trace:?}");
    assert!(trace.hops.iter().any(|hop| hop.outcome == Outcome::Chosen && !hop.rules.is_empty()));
}

#[test]
fn a_link_opens_the_same_cluster_at_the_same_moment() {
    let mut page = running();
    page.run("kubectl create deployment shared --image=nginx:1.27 --replicas=2");
    page.until("five pods", |page| page.words(Kind::Pod, "shared-") == ["Running"; 2]);
    page.send(Command::Clock(Clock::Pause));
    page.pass(50.0);
    page.send(Command::Share { from_start: false });
    assert!(page.fragment.starts_with("#1") && page.fragment.len() < 1_900, "{}", page.fragment);
    let mut copy = Page::open(Start::Share(page.fragment.clone()));
    copy.send(Command::Clock(Clock::Pause));
    copy.until("the same moment", |copy| copy.at >= page.at);
    assert_eq!((copy.refused.as_str(), copy.at), ("", page.at));
    assert_eq!(copy.pods(), page.pods());
    let moment = page.moment.clone().expect("the link is about a moment");
    assert_eq!(copy.repeated, Some((moment, Some(true))));
}

#[test]
fn a_link_made_between_two_events_of_an_instant_opens_the_same() {
    let mut page = running();
    page.run("kubectl scale deployment web --replicas=5");
    page.send(Command::Clock(Clock::Pause));
    for step in 0..12 {
        page.send(Command::Clock(Clock::Step));
        page.pass(20.0);
        if step == 6 {
            page.run("kubectl create configmap a --from-literal=b=c");
        }
        page.send(Command::Share { from_start: false });
        let mut copy = Page::open(Start::Share(page.fragment.clone()));
        copy.until("the moment of the link", |copy| copy.repeated.is_some());
        assert_eq!(
            copy.repeated,
            page.moment.clone().map(|moment| (moment, Some(true))),
            "step {step}"
        );
    }
}

#[test]
fn what_ctrl_c_ended_ends_when_the_log_is_repeated() {
    let mut page = running();
    page.run("kubectl drain node-1 --ignore-daemonsets --force --delete-emptydir-data");
    page.pass(20.0);
    page.send(Command::Interrupt { id: 1 });
    page.pass(5_000.0);
    page.send(Command::Share { from_start: false });
    let mut copy = Page::open(Start::Share(page.fragment.clone()));
    copy.until("the moment of the link", |copy| copy.repeated.is_some());
    assert_eq!(copy.repeated, page.moment.clone().map(|moment| (moment, Some(true))));
}

#[test]
fn a_link_from_another_build_says_that_it_differs() {
    let mut page = running();
    page.send(Command::Share { from_start: false });
    let Ok(Fragment::Share(share)) = parse_fragment(&page.fragment) else { panic!("a link") };
    let other = Share { trace: share.trace.map(|trace| trace ^ 1), ..*share };
    let mut copy = Page::open(Start::Share(other.to_fragment()));
    copy.until("the moment of the link", |copy| copy.repeated.is_some());
    assert_eq!(copy.repeated.unwrap().1, Some(false));
}

/// Lets the page crash and returns what it would show.
fn crash(page: &mut Page) -> String {
    let command = Command::Terminal { id: 9, line: "orrery crash".into() };
    page.record.before(&page.host, &command);
    let host = &mut page.host;
    let crashed = catch_unwind(AssertUnwindSafe(|| host.handle(command, &|| 0.0, &|| 0.0)));
    let said = crashed.expect_err("the model stops").downcast::<String>().expect("a sentence");
    page.record.report(&said).write()
}

fn check_report(mut page: Page) {
    let report = crash(&mut page);
    let (scenario, seen) = Report::read(&report);
    let (scenario, seen) = (Scenario::parse(&scenario.unwrap()).unwrap(), seen.unwrap());
    let log = cluster::read_log(&report).unwrap();
    assert_eq!(log.len(), seen.done + 1, "the last line is what crashed\n{report}");
    let outcome = scenario::run(&scenario, &log[..seen.done], seen.at).unwrap();
    assert_eq!(outcome.trace, seen.trace, "{report}");
    let again = catch_unwind(|| scenario::run(&scenario, &log, seen.at + Duration::secs(1)));
    let said = again.expect_err("it crashes again").downcast::<String>().unwrap();
    assert!(report.contains(&format!("# said {said}")), "{said}\n{report}");
}

#[test]
fn the_report_of_a_crash_repeats_the_run_natively() {
    let mut page = running();
    page.run("kubectl create deployment more --image=nginx:1.27 --replicas=2");
    page.pass(3_000.0);
    page.send(Command::Fault(Fault::NodeOff("node/node-3".into())));
    let from = page.pods().into_iter().find(|pod| pod.contains("/client-")).unwrap();
    page.send(Command::Request { from, url: "http://web/".into() });
    page.pass(3_000.0);
    check_report(page);
}

#[test]
fn so_does_that_of_a_lesson_and_of_a_link() {
    let mut page = Page::open(Start::Lesson("self-heal".into()));
    page.until("a running cluster", Page::alive);
    page.run("kubectl delete pod -l app=web --wait=false");
    page.pass(2_000.0);
    page.send(Command::Share { from_start: false });
    let fragment = page.fragment.clone();
    check_report(page);
    let mut copy = Page::open(Start::Share(fragment));
    copy.until("the moment of the link", |copy| copy.repeated.is_some());
    check_report(copy);
}

#[test]
fn a_link_that_would_stop_the_model_is_refused() {
    let mut page = running();
    page.send(Command::Share { from_start: false });
    let Ok(Fragment::Share(share)) = parse_fragment(&page.fragment) else { panic!("a link") };
    let log = "21000000 panic \"boo\"\n";
    let page = Page::open(Start::Share(Share { log: log.into(), ..*share }.to_fragment()));
    assert!(page.refused.contains("on purpose"), "{}", page.refused);
}

#[test]
fn a_damaged_link_is_refused_with_a_reason_and_the_default_cluster_runs() {
    let mut page = Page::open(Start::Share("#112.abcdefghijkl.AAAAAA".into()));
    assert!(page.refused.contains("damaged"), "{}", page.refused);
    page.until("the default cluster", Page::alive);
}

#[test]
fn the_first_step_of_the_lesson_is_solved_by_its_solution() {
    let mut page = Page::open(Start::Lesson("self-heal".into()));
    page.until("a running cluster", Page::alive);
    let step = |page: &Page| page.lesson.as_ref().unwrap().steps.last().cloned().unwrap();
    assert!(!step(&page).done && page.lesson.as_ref().unwrap().at == 0);
    let solution = step(&page).solution[0].clone();
    page.run(&solution);
    page.send(Command::Lesson(protocol::LessonCommand::Answer(1)));
    page.until("a done step", |page| step(page).done);
    page.send(Command::Lesson(protocol::LessonCommand::Next));
    assert_eq!(page.lesson.as_ref().unwrap().at, 1);
}
