//! One cluster that runs, with everything that belongs to it alone.

use std::collections::VecDeque;

use base::BTreeMap;
use std::rc::Rc;

use base::{Duration, Instant, Str};
use cluster::{Cluster, Entry, read_log, write_log};
use protocol::{Key, Message, Moment, Start, Subscription, View};
use scenario::{Fragment, History, Origin, Scenario, Session, Share, ViewSpec, parse_fragment};
use view::Views;

use crate::feed::Feed;

/// The cluster the page opens on.
const DEFAULT: &str = include_str!("default.yaml");
/// How long a fresh cluster runs ahead, so that a visitor meets it running.
const HEAD_START: Duration = Duration::secs(20);
/// The span of virtual time a link may ask to be run through.
const REPLAY_MAX: Duration = Duration::secs(24 * 3600);

/// One cluster.
pub struct Run {
    /// The model.
    pub cluster: Cluster,
    /// What the page sees of it.
    pub views: Views,
    /// What happened to objects.
    pub history: History,
    /// The lesson that is followed.
    pub session: Option<Session>,
    /// Lines of the terminal that run, by the cluster's number of their session.
    pub typed: BTreeMap<usize, Typed>,
    /// Commands to repeat, oldest first.
    pub replay: VecDeque<Entry>,
    /// Runs as fast as it can up to here, before time follows the wall.
    pub ahead_until: Instant,
    /// A link is repeated up to `ahead_until`; what it says of its trace there.
    promised: Option<Option<u64>>,
    /// What the inspector shows.
    pub inspected: Option<Key>,
    /// The seed.
    pub seed: u64,
    /// What to show first.
    pub show: Option<Subscription>,
    feed: Feed,
    origin: Origin,
}

/// Who waits for a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typed {
    /// A line of the terminal.
    Line(u32),
    /// The editor: the text, and what was printed so far.
    Editor(Str, String),
}

/// What a scenario wants to be seen first; none if it names no diagram of the page.
fn show(spec: &ViewSpec) -> Option<Subscription> {
    let view = match spec.diagram.as_str() {
        "architecture" | "cluster" => View::Architecture,
        "deployment" => View::Deployment,
        "service" => View::Service,
        _ => return None,
    };
    let focus = spec.focus.as_ref().and_then(|focus| {
        let key = match focus.split('/').count() {
            // Without a namespace the default one is meant.
            2 => focus.replacen('/', "/default/", 1),
            _ => focus.to_string(),
        };
        view::reference(&key).map(|_| key)
    });
    Some(Subscription { view, focus })
}

/// Why a start cannot be had.
pub type Refused = String;

impl Run {
    /// Builds the cluster that is asked for.
    pub fn new(start: &Start) -> Result<Run, Refused> {
        match start {
            Start::Default | Start::Bench { .. } => Ok(Run::default_one()),
            Start::Lesson(name) => Run::lesson(name, 1),
            Start::Share(fragment) => match parse_fragment(fragment) {
                Ok(Fragment::Nothing) => Ok(Run::default_one()),
                Ok(Fragment::Lesson { name, step }) => Run::lesson(&name, step),
                Ok(Fragment::Share(share)) => Run::share(&share),
                Err(error) => Err(format!("This link cannot be opened: {error}.")),
            },
        }
    }

    /// The cluster the page opens on.
    pub fn default_one() -> Run {
        let scenario = Scenario::parse(DEFAULT).expect("the built-in scenario is read by a test");
        let origin = Origin::Bare {
            cluster: scenario.cluster.clone(),
            seed: scenario.seed,
            manifests: scenario.manifests.clone(),
        };
        let mut run =
            Run::of(&scenario, origin).expect("the built-in manifests are applied by a test");
        run.ahead_until = Instant::START + HEAD_START;
        run
    }

    fn lesson(name: &str, step: usize) -> Result<Run, Refused> {
        let lesson = scenario::catalogue::lesson(name)
            .ok_or_else(|| format!("There is no lesson {name:?}."))?;
        let mut run = Run::of(&lesson, Origin::Lesson(lesson.name.clone()))?;
        run.ahead_until = Instant::START + HEAD_START;
        run.begin(Rc::new(lesson), step.saturating_sub(1));
        Ok(run)
    }

    fn share(share: &Share) -> Result<Run, Refused> {
        let scenario =
            share.scenario().map_err(|error| format!("This link cannot be opened: {error}."))?;
        let log =
            read_log(&share.log).map_err(|error| format!("The link's log is damaged: {error}."))?;
        let mut run = Run::of(&scenario, share.origin.clone())?;
        if log.iter().any(|entry| matches!(entry.command, cluster::Command::Panic(_))) {
            return Err("The link is refused: it would stop the model on purpose.".into());
        }
        let moment = share.moment.unwrap_or(Duration::ZERO);
        let last =
            log.iter().map(|entry| entry.at - Instant::START).max().unwrap_or(Duration::ZERO);
        if moment.max(last) > REPLAY_MAX {
            return Err("The link asks for more than a day of virtual time.".into());
        }
        run.ahead_until = Instant::START + moment.max(last);
        run.replay = log.into();
        run.promised = share.moment.map(|_| share.trace);
        if !scenario.steps.is_empty() {
            run.begin(Rc::new(scenario), share.step.unwrap_or(1).saturating_sub(1) as usize);
        }
        Ok(run)
    }

    /// The scenario file that starts this run.
    pub fn scenario_text(&self) -> String {
        self.origin.file()
    }

    fn of(scenario: &Scenario, origin: Origin) -> Result<Run, Refused> {
        let mut cluster = Cluster::new(scenario.config());
        cluster
            .apply_start(&scenario.manifests)
            .map_err(|error| format!("Its manifests cannot be applied: {error}"))?;
        let feed = Feed::open(&mut cluster);
        Ok(Run {
            cluster,
            views: Views::default(),
            history: History::default(),
            session: None,
            typed: BTreeMap::new(),
            replay: VecDeque::new(),
            ahead_until: Instant::START,
            promised: None,
            inspected: None,
            seed: scenario.seed,
            show: scenario.view.as_ref().and_then(show),
            feed,
            origin,
        })
    }

    fn begin(&mut self, lesson: Rc<Scenario>, step: usize) {
        self.session = Session::start(lesson, self.cluster.now());
        if let Some(session) = &mut self.session
            && step > 0
        {
            session.open(step, self.cluster.now());
        }
    }

    /// Hands everything new to the views and the history.
    pub fn drain(&mut self) {
        self.feed.drain(&mut self.cluster, &mut self.views, &mut self.history);
    }

    /// The fragment of a link to this run.
    pub fn fragment(&self, from_start: bool) -> String {
        let moment = (!from_start).then(|| self.cluster.now() - Instant::START);
        let log = if from_start { String::new() } else { write_log(self.cluster.log()) };
        Share {
            origin: self.origin.clone(),
            log: log.into(),
            moment,
            view: None,
            step: self.session.as_ref().map(|session| session.at() as u32 + 1),
            trace: moment.map(|_| self.cluster.trace_hash()),
        }
        .to_fragment()
    }

    /// This moment of the run.
    pub fn moment(&self) -> Moment {
        let at = crate::feed::micros(self.cluster.now());
        Moment { at, trace: format!("{:016x}", self.cluster.trace_hash()) }
    }

    /// What to say once the moment of a link is reached.
    pub fn arrived(&mut self) -> Option<Message> {
        let same = self.promised.take()?.map(|trace| trace == self.cluster.trace_hash());
        Some(Message::Repeated { moment: self.moment(), same })
    }

    /// Something is done that the link does not know: its promise is void.
    pub fn leave_link(&mut self) {
        self.promised = None;
    }

    /// Carries out the next thing that is due by `until`: an event of the model or a command to
    /// repeat.
    pub fn step_before(&mut self, until: Instant) -> bool {
        if let Some(at) = self.replay.front().map(|entry| entry.at)
            && at <= until
        {
            if self.cluster.step_before(at) {
                return true;
            }
            self.cluster.run_until(at);
            if let Some(entry) = self.replay.pop_front() {
                self.cluster.command(entry.command);
            }
            return true;
        }
        self.cluster.step_before(until)
    }
}
