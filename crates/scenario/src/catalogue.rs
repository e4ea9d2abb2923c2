//! The lessons that are built in. To add one: its file in `lessons/`, and its line in [`LESSONS`].

use protocol::LessonCard;

use crate::file::Scenario;
use crate::session;

/// Every built-in lesson in the order of the course: its name and its file.
pub const LESSONS: &[(&str, &str)] = &[("self-heal", include_str!("../lessons/self-heal.yaml"))];

/// The built-in lesson with a name.
pub fn lesson(name: &str) -> Option<Scenario> {
    Scenario::parse(text(name)?).ok()
}

/// Its file.
pub fn text(name: &str) -> Option<&'static str> {
    LESSONS.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// The cards of all lessons.
pub fn cards() -> Vec<LessonCard> {
    LESSONS.iter().filter_map(|(name, _)| lesson(name)).map(|l| session::card(&l)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::Kind;

    #[test]
    fn every_lesson_can_be_read_and_is_called_like_its_file() {
        for (name, text) in LESSONS {
            let lesson = Scenario::parse(text).unwrap_or_else(|error| panic!("{name}:\n{error}"));
            assert_eq!(lesson.name, *name);
            assert_eq!(lesson.kind, Kind::Lesson, "{name}");
            assert!(!lesson.title.is_empty() && !lesson.concepts.is_empty(), "{name}");
        }
        assert_eq!(cards().len(), LESSONS.len());
    }

    #[test]
    fn every_step_asks_for_something_and_can_be_solved() {
        for (name, _) in LESSONS {
            let lesson = lesson(name).unwrap();
            let mut names: Vec<_> = lesson.steps.iter().map(|step| &step.name).collect();
            names.sort();
            names.dedup();
            assert_eq!(names.len(), lesson.steps.len(), "{name}: two steps have one name");
            for step in &lesson.steps {
                assert!(!step.checks.is_empty(), "{name}/{}: no check", step.name);
                assert!(!step.solution.is_empty(), "{name}/{}: no solution", step.name);
                for check in &step.checks {
                    assert!(!check.describe().is_empty());
                }
            }
        }
    }
}
