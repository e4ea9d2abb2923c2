//! Every lesson can be done as it says, and no step is done before somebody does something.

use std::rc::Rc;

use base::Duration;
use cluster::{Cluster, Command};
use scenario::catalogue::{LESSONS, lesson};
use scenario::{Follower, Looking, Progress, Scenario, Session, World as _};

/// Until what a lesson starts with, or what a step left behind, has come to rest.
const SETTLE: Duration = Duration::secs(60);
/// How long a step's solution may take.
const SOLVE_MAX: Duration = Duration::secs(300);
/// How often checks are looked at.
const LOOK_EVERY: Duration = Duration::millis(200);

/// Somebody who follows a lesson.
struct Learner {
    cluster: Cluster,
    follower: Follower,
    session: Session,
}

impl Learner {
    fn sit_down(name: &str) -> Learner {
        let scenario = lesson(name).unwrap_or_else(|| panic!("{name}: it cannot be read"));
        let mut cluster = Cluster::new(scenario.config());
        if let Err(why) = cluster.apply_start(&scenario.manifests) {
            panic!("{name}: its manifests are refused: {why}");
        }
        let mut follower = Follower::new(&mut cluster);
        cluster.run_for(SETTLE);
        follower.follow(&mut cluster);
        let session = Session::start(Rc::new(scenario), cluster.now())
            .unwrap_or_else(|| panic!("{name}: it has no steps"));
        Learner { cluster, follower, session }
    }

    fn scenario(&self) -> Rc<Scenario> {
        self.session.scenario().clone()
    }

    fn wait(&mut self, span: Duration) {
        self.cluster.run_for(span);
        self.follower.follow(&mut self.cluster);
        let world = Looking { cluster: &self.cluster, history: &self.follower.history };
        self.session.look(&world);
    }

    /// What the terminal printed for the commands of a step's solution.
    fn solve(&mut self) -> String {
        let step = &self.scenario().steps[self.session.at()];
        for line in &step.solution {
            self.cluster.command(Command::Terminal(line.clone()));
        }
        if let Some(quiz) = &step.quiz {
            assert!(self.session.answer(quiz.answer), "the right answer counts as right");
        }
        let end = self.cluster.now() + SOLVE_MAX;
        while !self.session.is_step_done() && self.cluster.now() < end {
            self.wait(LOOK_EVERY);
        }
        self.cluster.take_printed().into_iter().map(|printed| printed.text).collect()
    }

    /// The checks of the open step that are true although nobody did anything.
    fn true_already(&self) -> Vec<String> {
        let world = Looking { cluster: &self.cluster, history: &self.follower.history };
        let step = &self.scenario().steps[self.session.at()];
        let looked = step.checks.iter().map(|check| {
            let mut progress = Progress::default();
            progress.look(check, &world, world.now());
            (progress.is_true(), check.describe())
        });
        looked.filter(|(is_true, _)| *is_true).map(|(_, what)| what).collect()
    }
}

/// Runs through a lesson; says for each step what is wrong with it.
fn problems(name: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let mut learner = Learner::sit_down(name);
    let scenario = learner.scenario();
    for step in &scenario.steps {
        let already = learner.true_already();
        if already.len() == step.checks.len() {
            problems.push(format!("{name}/{}: true before: {already:?}", step.name));
        }
        learner.wait(Duration::secs(20));
        if learner.session.is_step_done() {
            problems.push(format!("{name}/{}: done by waiting", step.name));
        }
        let printed = learner.solve();
        if !learner.session.is_step_done() {
            let missing = learner.session.missing();
            problems.push(format!("{name}/{}: {missing:?} after:\n{printed}", step.name));
            return problems;
        }
        learner.wait(SETTLE);
        learner.session.next(learner.cluster.now());
    }
    if !learner.session.is_done() {
        problems.push(format!("{name}: not done at its end"));
    }
    problems
}

#[test]
fn every_lesson_can_be_done_as_it_says() {
    assert!(!LESSONS.is_empty());
    let problems: Vec<String> = LESSONS.iter().flat_map(|(name, _)| problems(name)).collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn a_wrong_answer_does_not_do_a_step() {
    let mut learner = Learner::sit_down("self-heal");
    learner.solve();
    assert!(learner.session.is_step_done());
    let right = learner.scenario().steps[0].quiz.as_ref().expect("it asks something").answer;
    assert!(!learner.session.answer(right + 1));
    assert!(!learner.session.is_step_done());
}

#[test]
fn a_step_that_is_not_done_keeps_the_next_one_closed() {
    let mut learner = Learner::sit_down("self-heal");
    learner.wait(LOOK_EVERY);
    assert!(!learner.session.next(learner.cluster.now()));
    assert_eq!(learner.session.at(), 0);
}

#[test]
fn every_solution_is_there_to_be_run_and_every_hint_comes_while_a_step_is_open() {
    for (name, _) in LESSONS {
        let scenario = lesson(name).expect("it can be read");
        for step in &scenario.steps {
            assert!(!step.solution.is_empty(), "{name}/{}: no solution", step.name);
            for hint in &step.hints {
                assert!(hint.after < SOLVE_MAX, "{name}/{}: a hint too late", step.name);
            }
        }
    }
}
