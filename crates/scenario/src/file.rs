//! The file of a scenario or a lesson.

use api::json::Json;
use base::{Duration, Str};
use manifest::Document;

use cluster::{NodeGroup, Provider};

use crate::check::{Check, Goal};
use crate::read::{Fields, Invalid, Problem, Reader};
use crate::world::ChangeKind;

/// Whether a file has steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It has steps to follow.
    Lesson,
    /// It is a place to start from.
    Scenario,
}

/// Everything that a run starts from.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// Lesson or scenario.
    pub kind: Kind,
    /// Its name in links: lower-case words with dashes.
    pub name: Str,
    /// What people read.
    pub title: Str,
    /// How long it takes.
    pub minutes: u32,
    /// What it is about.
    pub concepts: Vec<Str>,
    /// The cluster before anything is applied.
    pub cluster: ClusterSpec,
    /// Where chance comes from.
    pub seed: u64,
    /// Images that the catalogue does not know.
    pub images: Vec<Image>,
    /// What is applied at the start, as written.
    pub manifests: Str,
    /// What happens by itself.
    pub timeline: Vec<Event>,
    /// What is shown first.
    pub view: Option<ViewSpec>,
    /// What a lesson asks for; empty for a scenario.
    pub steps: Vec<Step>,
    /// What must be true at the end of a headless run.
    pub checks: Vec<Check>,
}

/// A cluster before anything is applied.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterSpec {
    /// How many nodes.
    pub nodes: u32,
    /// Parts beside the control plane.
    pub addons: Vec<Addon>,
    /// CPU of a node in thousandths of a core; none for the usual.
    pub cpu_milli: Option<i64>,
    /// Memory of a node in bytes; none for the usual.
    pub memory: Option<i64>,
    /// Pods that a node takes; none for the usual.
    pub pods: Option<i64>,
    /// Zones over which the nodes are spread.
    pub zones: Vec<Str>,
    /// A KubeSchedulerConfiguration; none for the usual.
    pub scheduler: Option<Json>,
    /// Whose machines the nodes are.
    pub provider: Provider,
    /// The fewest and the most machines that the autoscaler may leave; none for the usual.
    pub autoscale: Option<(u32, u32)>,
    /// Groups of other machines beside the nodes.
    pub groups: Vec<NodeGroup>,
    /// How many controller managers and schedulers there are; of several one leads.
    pub control_plane_replicas: u32,
}

impl Default for ClusterSpec {
    fn default() -> ClusterSpec {
        ClusterSpec {
            nodes: 3,
            addons: vec![Addon::Dns],
            cpu_milli: None,
            memory: None,
            pods: None,
            zones: Vec::new(),
            scheduler: None,
            provider: Provider::None,
            autoscale: None,
            groups: Vec::new(),
            control_plane_replicas: 1,
        }
    }
}

/// A part that a cluster may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addon {
    /// Cluster DNS.
    Dns,
}

impl Addon {
    /// Every addon with its name in files.
    pub const ALL: &'static [(&'static str, Addon)] = &[("dns", Addon::Dns)];
}

/// How an image behaves.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    /// `shop/api:v2`
    pub name: Str,
    /// Ports it answers on.
    pub listens: Vec<u16>,
    /// How long it takes to start.
    pub starts_in: Option<Duration>,
    /// Memory it takes, in bytes.
    pub memory: Option<i64>,
    /// The share of its answers that are errors.
    pub error_rate: f64,
}

/// Something that happens by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// When, since the start.
    pub at: Duration,
    /// What.
    pub what: Happening,
}

/// What can happen by itself.
#[derive(Clone, Debug, PartialEq)]
pub enum Happening {
    /// Manifests are applied.
    Apply(Str),
    /// A command line runs.
    Run(Str),
    /// Something breaks.
    Fail(Fault),
    /// It is mended.
    Mend(Fault),
}

/// What can break.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// A machine loses its power.
    Node(Str),
    /// A node's link to the control plane is cut.
    Link(Str),
    /// A process stops; of which node, if it runs on nodes.
    Component(Str, Str),
    /// A node's cloud machine is stopped.
    Machine(Str),
    /// A node's cloud machine is terminated. Cannot be mended.
    MachineGone(Str),
    /// The cloud provider's API does not answer.
    Cloud,
    /// A container's main process dies. Cannot be mended: the kubelet does that.
    Pod {
        /// Its namespace.
        namespace: Str,
        /// Its name.
        name: Str,
        /// Its container; empty for the first.
        container: Str,
        /// The exit code.
        exit_code: i32,
    },
}

/// What is shown first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewSpec {
    /// The diagram.
    pub diagram: Str,
    /// The object it is about, such as `deployment/web`.
    pub focus: Option<Str>,
}

/// One step of a lesson.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Its name in links.
    pub name: Str,
    /// The prose, in Markdown.
    pub text: Str,
    /// What must come true.
    pub checks: Vec<Check>,
    /// Help for those who wait.
    pub hints: Vec<Hint>,
    /// The command lines that make the checks true.
    pub solution: Vec<Str>,
    /// A question.
    pub quiz: Option<Quiz>,
}

/// Help that appears after some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// When, since the step was opened.
    pub after: Duration,
    /// What it says.
    pub text: Str,
}

/// A question with one right answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quiz {
    /// The question.
    pub ask: Str,
    /// The answers to choose from.
    pub options: Vec<Str>,
    /// Which is right, counted from 0.
    pub answer: usize,
}

const KINDS: &[(&str, Kind)] = &[("Lesson", Kind::Lesson), ("Scenario", Kind::Scenario)];

/// A cluster has so many nodes at most.
const NODES_MAX: i64 = 5_000;
/// Everything later than this is never reached.
const AT_MAX: Duration = Duration::secs(7 * 24 * 3600);

impl Scenario {
    /// Reads a file; the error names every line that is wrong.
    pub fn parse(text: &str) -> Result<Scenario, Invalid> {
        let one = |position, message: String| Invalid(vec![Problem { position, message }]);
        let documents =
            manifest::parse(text).map_err(|e| one(e.position(), e.reason().to_owned()))?;
        let [document] = &documents[..] else {
            let count = documents.len();
            return Err(one(None, format!("a scenario file is one document, not {count}")));
        };
        if !document.value.is_object() {
            return Err(one(None, "a scenario file is an object with fields".to_owned()));
        }
        let reader = Reader::new(document);
        let scenario = scenario(reader.root(), document);
        reader.finish(scenario)
    }

    /// The bare scenario: a cluster and a seed.
    pub fn bare(cluster: ClusterSpec, seed: u64, manifests: Str) -> Scenario {
        Scenario {
            kind: Kind::Scenario,
            name: Str::default(),
            title: Str::default(),
            minutes: 0,
            concepts: Vec::new(),
            cluster,
            seed,
            images: Vec::new(),
            manifests,
            timeline: Vec::new(),
            view: None,
            steps: Vec::new(),
            checks: Vec::new(),
        }
    }
}

/// The file of a bare scenario.
pub(crate) fn bare_text(cluster: &ClusterSpec, seed: u64, manifests: &str) -> String {
    let text = |text: &str| Json::Str(text.into());
    let list = |words: Vec<&str>| Json::Array(words.into_iter().map(text).collect());
    let known = |addon: &Addon| Addon::ALL.iter().find(|(_, a)| a == addon).map(|(name, _)| *name);
    // Named one by one: a field that is added has to be written here as well.
    let ClusterSpec {
        nodes,
        addons,
        cpu_milli,
        memory,
        pods,
        zones,
        scheduler,
        provider,
        autoscale,
        groups,
        control_plane_replicas,
    } = cluster;
    let groups: Vec<Json> = groups.iter().map(NodeGroup::to_json).collect();
    let machines = |(min, max): (u32, u32)| {
        Json::Object(vec![
            ("min".into(), Json::Int(min.into())),
            ("max".into(), Json::Int(max.into())),
        ])
    };
    let fields = [
        ("nodes", Some(Json::Int((*nodes).into()))),
        ("addons", Some(list(addons.iter().filter_map(known).collect()))),
        ("cpu", cpu_milli.map(|milli| Json::Str(format!("{milli}m").into()))),
        ("memory", memory.map(Json::Int)),
        ("pods", pods.map(Json::Int)),
        ("zones", Some(list(zones.iter().map(|zone| &**zone).collect()))),
        ("scheduler", scheduler.clone()),
        ("provider", Some(text(provider.name()))),
        ("autoscale", autoscale.map(machines)),
        ("groups", (!groups.is_empty()).then_some(Json::Array(groups))),
        ("controlPlaneReplicas", Some(Json::Int((*control_plane_replicas).into()))),
    ];
    let spec = fields.into_iter().filter_map(|(name, value)| Some((name.into(), value?))).collect();
    manifest::to_yaml(&Json::Object(vec![
        ("apiVersion".into(), text("orrery.dev/v1")),
        ("kind".into(), text("Scenario")),
        ("metadata".into(), Json::Object(vec![("name".into(), text("shared"))])),
        ("cluster".into(), Json::Object(spec)),
        ("seed".into(), Json::Int(seed as i64)),
        ("manifests".into(), text(manifests)),
    ]))
}

fn scenario(root: Fields<'_>, document: &Document) -> Option<Scenario> {
    root.required_word("apiVersion", &[("orrery.dev/v1", ())]);
    let kind = root.required_word("kind", KINDS);
    let metadata = root.required_object("metadata");
    let head = metadata.map(head);
    let manifests = root.text("manifests").unwrap_or_default();
    check_manifests(&root, &manifests, document);
    let steps: Vec<Step> = root.objects("steps").into_iter().filter_map(step).collect();
    match kind {
        Some(Kind::Lesson) if !root.has("steps") => root.complain("", "a Lesson needs steps"),
        Some(Kind::Scenario) if root.has("steps") => {
            root.complain("steps", "a Scenario has no steps; make it a Lesson");
        }
        _ => {}
    }
    let cluster = root.object("cluster").map(cluster).unwrap_or_default();
    let seed = root.whole("seed", 0, i64::MAX).unwrap_or(1) as u64;
    let images = root.objects("images").into_iter().filter_map(image).collect();
    let timeline = root.objects("timeline").into_iter().filter_map(event).collect();
    let view = root.object("view").and_then(view);
    let checks = root.objects("checks").into_iter().filter_map(check).collect();
    root.finish();
    let (name, title, minutes, concepts) = head??;
    let kind = kind?;
    let scenario = Scenario {
        kind,
        name,
        title,
        minutes,
        concepts,
        cluster,
        seed,
        images,
        manifests,
        timeline,
        view,
        steps,
        checks,
    };
    Some(scenario)
}

/// Complains about manifests that cannot be read, at the line of the file.
fn check_manifests(root: &Fields<'_>, manifests: &Str, document: &Document) {
    let Err(error) = manifest::parse(manifests) else { return };
    let line = error.position().map_or(1, |at| at.line);
    let first = document.locate("manifests").map_or(0, |place| place.value.line);
    root.complain(
        "manifests",
        format!("manifests cannot be read: line {}: {}", first + line, error.reason()),
    );
}

type Head = (Str, Str, u32, Vec<Str>);

fn head(fields: Fields<'_>) -> Option<Head> {
    let name = fields.required_text("name");
    if let Some(name) = &name
        && !is_name(name)
    {
        fields.complain("name", format!("{:?} is no name: use a-z, 0-9 and dashes", &**name));
    }
    let title = fields.text("title");
    let minutes = fields.whole("minutes", 1, 600).unwrap_or(5) as u32;
    let concepts = fields.texts("concepts");
    fields.finish();
    let name = name?;
    Some((name.clone(), title.unwrap_or(name), minutes, concepts))
}

/// Whether a text can be a name in links.
pub(crate) fn is_name(text: &str) -> bool {
    let fine = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !text.is_empty() && text.len() <= 63 && text.bytes().all(fine)
}

/// The most replicas of the control plane.
pub(crate) const REPLICAS_MAX: u32 = 7;

fn cluster(fields: Fields<'_>) -> ClusterSpec {
    let usual = ClusterSpec::default();
    let nodes = fields.whole("nodes", 0, NODES_MAX).map_or(usual.nodes, |n| n as u32);
    let provider = fields.word("provider", Provider::ALL).unwrap_or_default();
    let autoscale = fields.object("autoscale").map(|limits| autoscale(limits, nodes));
    if autoscale.is_some() && provider == Provider::None {
        fields.complain("autoscale", "without a provider there are no machines to add");
    }
    let groups = fields.any("groups").map_or_else(Vec::new, |given| {
        groups_of(given, provider).unwrap_or_else(|why| {
            fields.complain("groups", why);
            Vec::new()
        })
    });
    let addons = if fields.has("addons") {
        let names = fields.texts("addons");
        let find = |name: &Str| {
            let addon = Addon::ALL.iter().find(|(known, _)| known == name);
            if addon.is_none() {
                let known: Vec<&str> = Addon::ALL.iter().map(|(name, _)| *name).collect();
                let message = format!("{:?} is no addon; known are {}", &**name, known.join(", "));
                fields.complain("addons", message);
            }
            addon.map(|(_, addon)| *addon)
        };
        names.iter().filter_map(find).collect()
    } else {
        usual.addons
    };
    let cpu_milli = fields.milli("cpu");
    let memory = fields.milli("memory").map(|milli| milli / 1_000);
    let pods = fields.whole("pods", 1, 10_000);
    let zones = fields.texts("zones");
    let scheduler = fields.any("scheduler").cloned();
    if let Some(given) = &scheduler
        && let Err(why) = cluster::SchedulerConfig::from_json(given)
    {
        fields.complain("scheduler", why);
    }
    let replicas = fields.whole("controlPlaneReplicas", 1, i64::from(REPLICAS_MAX));
    let control_plane_replicas = replicas.map_or(usual.control_plane_replicas, |n| n as u32);
    fields.finish();
    ClusterSpec {
        nodes,
        addons,
        cpu_milli,
        memory,
        pods,
        zones,
        scheduler,
        provider,
        autoscale,
        groups,
        control_plane_replicas,
    }
}

/// The groups of machines in a list of them.
pub(crate) fn groups_of(given: &Json, provider: Provider) -> Result<Vec<NodeGroup>, String> {
    let items = given.as_array().ok_or("\"groups\" is a list of groups of machines")?;
    let mut groups: Vec<NodeGroup> = Vec::new();
    for item in items {
        let group = NodeGroup::from_json(item, provider)?;
        if groups.iter().any(|known| known.name == group.name) {
            return Err(format!("there are two groups called {:?}", group.name));
        }
        groups.push(group);
    }
    Ok(groups)
}

fn autoscale(fields: Fields<'_>, nodes: u32) -> (u32, u32) {
    let min = fields.whole("min", 0, NODES_MAX).map_or(nodes, |n| n as u32);
    let max = fields.whole("max", 0, NODES_MAX).map_or(nodes.max(min), |n| n as u32);
    if max < min {
        fields.complain("max", format!("max is {max}, which is less than min, {min}"));
    }
    fields.finish();
    (min, max)
}

fn image(fields: Fields<'_>) -> Option<Image> {
    let name = fields.required_text("name");
    let listens = fields.ports("listens");
    let starts_in = fields.span("startsIn");
    let memory = fields.milli("memory").map(|milli| milli / 1_000);
    let error_rate = fields.fraction("errorRate").unwrap_or(0.0);
    fields.finish();
    Some(Image { name: name?, listens, starts_in, memory, error_rate })
}

fn event(fields: Fields<'_>) -> Option<Event> {
    let at = fields.required_span("at");
    if at.is_some_and(|at| at > AT_MAX) {
        fields.complain("at", "the timeline ends after seven days");
    }
    let kinds = ["apply", "run", "fail", "mend"];
    if kinds.iter().filter(|kind| fields.has(kind)).count() != 1 {
        fields.complain("", format!("one of {} is expected", kinds.join(", ")));
    }
    let apply = fields.text("apply").map(Happening::Apply);
    let run = fields.text("run").map(Happening::Run);
    let fail = fields.object("fail").and_then(|f| fault(f, false)).map(Happening::Fail);
    let mend = fields.object("mend").and_then(|f| fault(f, true)).map(Happening::Mend);
    fields.finish();
    Some(Event { at: at?, what: apply.or(run).or(fail).or(mend)? })
}

/// Names of processes that can be stopped.
const COMPONENTS: &[&str] = &[
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "cloud-controller-manager",
    "kubelet",
    "kube-proxy",
    "coredns",
];

fn fault(fields: Fields<'_>, mend: bool) -> Option<Fault> {
    let component = fields.text("component");
    let link = fields.text("link");
    let pod = if mend { None } else { fields.text("pod") };
    let container = if mend { None } else { fields.text("container") };
    let exit_code = if mend { None } else { fields.whole("exitCode", 0, 255) };
    let node = fields.text("node");
    if let Some(fault) = cloud_fault(&fields, mend) {
        fields.finish();
        return Some(fault);
    }
    let fault = match (component, link, pod, node) {
        (Some(name), None, None, node) => {
            if !COMPONENTS.contains(&&*name) {
                let known = COMPONENTS.join(", ");
                fields.complain("component", format!("{:?} is none of {known}", &*name));
            }
            Some(Fault::Component(name, node.unwrap_or_default()))
        }
        (None, Some(node), None, None) => Some(Fault::Link(node)),
        (None, None, Some(pod), None) => {
            let (namespace, name) = pod.split_once('/').unwrap_or(("default", &pod));
            Some(Fault::Pod {
                namespace: Str::from(namespace),
                name: Str::from(name),
                container: container.unwrap_or_default(),
                exit_code: exit_code.unwrap_or(137) as i32,
            })
        }
        (None, None, None, Some(node)) => Some(Fault::Node(node)),
        _ => {
            let pod = if mend { "" } else { " or pod" };
            let text = format!("one of node, link, component, machine, cloud{pod} is expected");
            fields.complain("", text);
            None
        }
    };
    fields.finish();
    fault
}

/// What breaks at the cloud provider: `machine: node-2`, `machine: node-2` with `how: terminate`, `cloud: api`.
fn cloud_fault(fields: &Fields<'_>, mend: bool) -> Option<Fault> {
    let machine = fields.text("machine");
    let cloud = fields.word("cloud", &[("api", ())]);
    let how = match mend {
        true => None,
        false => fields.word("how", &[("stop", false), ("terminate", true)]),
    };
    match (machine, cloud, how) {
        (Some(node), None, Some(true)) => Some(Fault::MachineGone(node)),
        (Some(node), None, _) => Some(Fault::Machine(node)),
        (None, Some(()), None) => Some(Fault::Cloud),
        _ => None,
    }
}

fn view(fields: Fields<'_>) -> Option<ViewSpec> {
    let diagram = fields.required_text("diagram");
    let focus = fields.text("focus");
    fields.finish();
    Some(ViewSpec { diagram: diagram?, focus })
}

fn step(fields: Fields<'_>) -> Option<Step> {
    let name = fields.required_text("name");
    let text = fields.required_text("text");
    let checks = fields.objects("checks").into_iter().filter_map(check).collect();
    let hints = fields.objects("hints").into_iter().filter_map(hint).collect();
    let solution = fields.texts("solution");
    let quiz = fields.object("quiz").and_then(quiz);
    fields.finish();
    Some(Step { name: name?, text: text?, checks, hints, solution, quiz })
}

fn hint(fields: Fields<'_>) -> Option<Hint> {
    let after = fields.required_span("after");
    let text = fields.required_text("text");
    fields.finish();
    Some(Hint { after: after?, text: text? })
}

fn quiz(fields: Fields<'_>) -> Option<Quiz> {
    let ask = fields.required_text("ask");
    let options = fields.texts("options");
    let last = options.len().saturating_sub(1) as i64;
    if options.len() < 2 {
        fields.complain("options", "a question needs at least two options");
    }
    if !fields.has("answer") {
        fields.complain("", "\"answer\" is missing: the right option, counted from 0");
    }
    let answer = fields.whole("answer", 0, last);
    fields.finish();
    Some(Quiz { ask: ask?, options, answer: answer? as usize })
}

const CHANGES: &[(&str, ChangeKind)] = &[
    ("Added", ChangeKind::Added),
    ("Modified", ChangeKind::Modified),
    ("Deleted", ChangeKind::Deleted),
];

fn check(fields: Fields<'_>) -> Option<Check> {
    let kinds = ["expect", "history", "request"];
    if kinds.iter().filter(|kind| fields.has(kind)).count() != 1 {
        fields.complain("", format!("one of {} is expected", kinds.join(", ")));
    }
    let object = fields.object("expect").and_then(|inner| expected(inner, &fields));
    let expect = object.map(|object| Goal::Expect {
        object,
        at_least: fields.whole("atLeast", 0, 1_000_000).map_or(1, |n| n as u32),
        at_most: fields.whole("atMost", 0, 1_000_000).map(|n| n as u32),
    });
    let history = fields.object("history").and_then(history);
    let request = fields.object("request").and_then(request);
    let hold = fields.span("hold").unwrap_or(Duration::ZERO);
    let why = fields.text("why");
    let text = fields.text("text");
    fields.finish();
    Some(Check { goal: expect.or(history).or(request)?, hold, why, text })
}

/// The pattern of an `expect`: any fields, but it must say what it is about.
fn expected(inner: Fields<'_>, check: &Fields<'_>) -> Option<Json> {
    inner.required_text("apiVersion");
    inner.required_text("kind");
    check.any("expect").cloned()
}

fn history(fields: Fields<'_>) -> Option<Goal> {
    let event = fields.required_word("event", CHANGES);
    let kind = fields.required_text("kind");
    let selector = fields.text("selector").unwrap_or_default();
    if let Err(error) = api::selector::Selector::parse(&selector) {
        fields.complain("selector", error.to_string());
    }
    let namespace = fields.text("namespace").unwrap_or_else(|| Str::from("default"));
    let name = fields.text("name");
    let at_least = fields.whole("atLeast", 1, 1_000_000).map_or(1, |n| n as u32);
    fields.finish();
    Some(Goal::History { event: event?, kind: kind?, selector, namespace, name, at_least })
}

fn request(fields: Fields<'_>) -> Option<Goal> {
    let url = fields.required_text("get");
    let from = fields.text("from").unwrap_or_default();
    let times = fields.whole("times", 1, 100).map_or(1, |n| n as u32);
    let status = fields.whole("status", 100, 599).map_or(200, |n| n as u16);
    let distinct_pods = fields.whole("distinctPods", 1, 100).map_or(0, |n| n as u32);
    fields.finish();
    Some(Goal::Request { url: url?, from, times, status, distinct_pods })
}

#[cfg(test)]
mod tests;
