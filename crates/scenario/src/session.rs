//! A lesson that somebody follows.

use std::rc::Rc;

use base::{Duration, Instant};
use protocol::{CheckState, LessonCard, LessonState, Quiz, StepState};

use crate::check::Progress;
use crate::file::{Scenario, Step};
use crate::prose;
use crate::world::World;

/// How far somebody is in a lesson.
///
/// A step is done once all its checks were true at the same time, for as long as the longest of
/// them has to hold, and its question is answered right. A done step stays done whatever happens to
/// the cluster.
#[derive(Clone, Debug)]
pub struct Session {
    scenario: Rc<Scenario>,
    at: usize,
    steps: Vec<Steps>,
}

/// How far one opened step is.
#[derive(Clone, Debug)]
struct Steps {
    opened: Instant,
    progress: Vec<Progress>,
    all_true_since: Option<Instant>,
    checked: bool,
    answered: Option<usize>,
}

impl Steps {
    fn open(step: &Step, now: Instant) -> Steps {
        Steps {
            opened: now,
            progress: vec![Progress::default(); step.checks.len()],
            all_true_since: None,
            checked: false,
            answered: None,
        }
    }

    fn hold(step: &Step) -> Duration {
        step.checks.iter().map(|check| check.hold).max().unwrap_or(Duration::ZERO)
    }

    fn look(&mut self, step: &Step, world: &dyn World) {
        if self.checked {
            return;
        }
        for (progress, check) in self.progress.iter_mut().zip(&step.checks) {
            progress.look(check, world, self.opened);
        }
        let now = world.now();
        if !self.progress.iter().all(Progress::is_true) {
            self.all_true_since = None;
            return;
        }
        let since = *self.all_true_since.get_or_insert(now);
        self.checked = now.since(since) >= Steps::hold(step);
        if self.checked {
            self.progress.iter_mut().for_each(|p| p.done = true);
        }
    }

    fn is_done(&self, step: &Step) -> bool {
        let right = step.quiz.as_ref().is_none_or(|quiz| self.answered == Some(quiz.answer));
        self.checked && right
    }
}

impl Session {
    /// Opens the first step. `None` for a scenario without steps.
    pub fn start(scenario: Rc<Scenario>, now: Instant) -> Option<Session> {
        let first = Steps::open(scenario.steps.first()?, now);
        Some(Session { scenario, at: 0, steps: vec![first] })
    }

    /// Opens the step with this number at once, as a link to it does; the steps before it count as
    /// seen.
    pub fn open(&mut self, at: usize, now: Instant) {
        let at = at.min(self.scenario.steps.len() - 1);
        while self.steps.len() <= at {
            self.steps.push(Steps::open(&self.scenario.steps[self.steps.len()], now));
        }
        self.at = at;
    }

    /// The lesson.
    pub fn scenario(&self) -> &Rc<Scenario> {
        &self.scenario
    }

    /// The open step, counted from 0.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Looks at the cluster: to be called on every settled instant and at [`Session::next_look`].
    /// Tells whether anything that is shown changed.
    pub fn look(&mut self, world: &dyn World) -> bool {
        let before = self.steps[self.at].clone();
        self.steps[self.at].look(&self.scenario.steps[self.at], world);
        let after = &self.steps[self.at];
        before.progress != after.progress || before.checked != after.checked
    }

    /// When to look again although nothing happens: a hold ends, or a hint is due.
    pub fn next_look(&self, now: Instant) -> Option<Instant> {
        let (step, state) = (&self.scenario.steps[self.at], &self.steps[self.at]);
        let hold = state.all_true_since.filter(|_| !state.checked).map(|at| at + Steps::hold(step));
        let hints = step.hints.iter().map(|hint| state.opened + hint.after);
        hints.chain(hold).filter(|at| *at > now).min()
    }

    /// Whether the open step is done.
    pub fn is_step_done(&self) -> bool {
        self.steps[self.at].is_done(&self.scenario.steps[self.at])
    }

    /// Whether the last step is done.
    pub fn is_done(&self) -> bool {
        self.at + 1 == self.scenario.steps.len() && self.is_step_done()
    }

    /// Opens the next step if this one is done.
    pub fn next(&mut self, now: Instant) -> bool {
        let may = self.is_step_done() && self.at + 1 < self.scenario.steps.len();
        if may {
            self.open(self.at + 1, now);
        }
        may
    }

    /// Answers the question of the open step; tells whether that was right.
    pub fn answer(&mut self, option: usize) -> bool {
        let Some(quiz) = &self.scenario.steps[self.at].quiz else { return false };
        self.steps[self.at].answered = Some(option);
        option == quiz.answer
    }

    /// Why the checks of the open step are not done yet.
    pub fn missing(&self) -> Vec<String> {
        let checks = &self.scenario.steps[self.at].checks;
        let open = self.steps[self.at].progress.iter().zip(checks);
        open.filter(|(progress, _)| !progress.done)
            .map(|(progress, check)| format!("{}: {}", check.describe(), progress.why))
            .collect()
    }

    /// What the page shows.
    pub fn state(&self, now: Instant) -> LessonState {
        let shown = self.scenario.steps.iter().zip(&self.steps).take(self.at + 1);
        LessonState {
            card: card(&self.scenario),
            at: self.at as u32,
            steps: shown.map(|(step, state)| step_state(step, state, now)).collect(),
            count: self.scenario.steps.len() as u32,
            done: self.is_done(),
        }
    }
}

/// The card of a lesson.
pub(crate) fn card(scenario: &Scenario) -> LessonCard {
    LessonCard {
        name: scenario.name.to_string(),
        title: scenario.title.to_string(),
        minutes: scenario.minutes,
        concepts: scenario.concepts.iter().map(|c| c.to_string()).collect(),
    }
}

fn step_state(step: &Step, state: &Steps, now: Instant) -> StepState {
    let checks = step.checks.iter().zip(&state.progress).map(|(check, progress)| CheckState {
        text: check.describe(),
        done: progress.done,
        why: progress.why.clone(),
    });
    let due = step.hints.iter().filter(|hint| now >= state.opened + hint.after);
    StepState {
        name: step.name.to_string(),
        text: prose::blocks(&step.text),
        checks: checks.collect(),
        hints: due.map(|hint| hint.text.to_string()).collect(),
        solution: step.solution.iter().map(|line| line.to_string()).collect(),
        quiz: step.quiz.as_ref().map(|quiz| Quiz {
            ask: quiz.ask.to_string(),
            options: quiz.options.iter().map(|option| option.to_string()).collect(),
            answered: state.answered.map(|option| (option as u32, option == quiz.answer)),
        }),
        done: state.is_done(step),
    }
}

#[cfg(test)]
mod tests;
