//! A script from its first command to its last.

use base::{BTreeSet, Duration, Instant};
use cluster::{Cluster, Command};

use super::word::Act;
use super::{Block, Script};

/// How long a cluster has been up before the first command.
const AGE: Duration = Duration::secs(60);
/// A line that has not ended by itself after so long is ended by Ctrl-C.
const LINE_MAX: Duration = Duration::mins(10);

/// What came of a script.
#[derive(Clone)]
pub struct Played {
    /// The script, with what its commands printed now.
    pub text: String,
    /// The cluster at its end. Its log holds the commands.
    pub cluster: Cluster,
    /// When a `run` ended, and how long it was.
    pub runs: Vec<(Instant, Duration)>,
}

impl Script {
    /// The cluster as it is before the first command. The error says why its manifests were refused.
    pub fn start(&self) -> Result<Cluster, String> {
        let mut cluster = Cluster::new(self.scenario.config());
        cluster.apply_start(&self.scenario.manifests)?;
        cluster.run_until(Instant::START + AGE);
        for (name, text) in &self.files {
            cluster.command(Command::File { name: name.clone(), text: text.clone() });
        }
        cluster.take_printed();
        Ok(cluster)
    }

    /// Plays the script. The error says why its cluster could not be started.
    pub fn play(&self) -> Result<Played, String> {
        let mut player =
            Player { cluster: self.start()?, background: BTreeSet::new(), runs: Vec::new() };
        let mut text = String::new();
        for block in &self.blocks {
            match block {
                Block::Text(written) => text.push_str(written),
                Block::Console(turns) => {
                    text.push_str("```console\n");
                    for turn in turns {
                        text.push_str(&format!("$ {}\n", turn.command));
                        let told = player.act(&turn.act);
                        text.push_str(&told);
                        if !told.is_empty() && !told.ends_with('\n') {
                            text.push('\n');
                        }
                    }
                    text.push_str("```\n");
                }
            }
        }
        Ok(Played { text, cluster: player.cluster, runs: player.runs })
    }
}

struct Player {
    cluster: Cluster,
    /// Lines of the terminal that go on while others run.
    background: BTreeSet<usize>,
    runs: Vec<(Instant, Duration)>,
}

impl Player {
    /// Carries out a command and tells what was printed meanwhile.
    fn act(&mut self, act: &Act) -> String {
        match act {
            Act::Run(span) => {
                self.cluster.run_for(*span);
                self.runs.push((self.cluster.now(), *span));
            }
            Act::Faults(faults) => {
                for fault in faults {
                    self.cluster.command(Command::Fault(fault.clone()));
                }
            }
            Act::Request { from, url } => {
                let answered = self.cluster.ask(from, url);
                return self.printed() + &told(answered);
            }
            Act::Type { line, stays } => {
                let number = self.cluster.sessions();
                self.cluster.command(Command::Terminal(line.clone()));
                if *stays {
                    self.background.insert(number);
                } else {
                    return self.follow(number);
                }
            }
            Act::Interrupt => {
                for number in std::mem::take(&mut self.background) {
                    self.cluster.command(Command::Interrupt(number));
                }
            }
        }
        self.printed()
    }

    /// Waits until a line of the terminal has ended.
    fn follow(&mut self, number: usize) -> String {
        let end = self.cluster.now() + LINE_MAX;
        let mut text = String::new();
        loop {
            let mut code = None;
            for output in self.cluster.take_printed() {
                text.push_str(&output.text);
                if output.session == number {
                    code = output.done.or(code);
                }
            }
            match code {
                Some(0) => return text,
                Some(code) => {
                    if !text.is_empty() && !text.ends_with('\n') {
                        text.push('\n');
                    }
                    return text + &format!("(exit {code})\n");
                }
                None if self.cluster.step_before(end) => {}
                None => self.cluster.command(Command::Interrupt(number)),
            }
        }
    }

    fn printed(&mut self) -> String {
        self.cluster.take_printed().into_iter().map(|output| output.text).collect()
    }
}

/// The outcome of a request in a line.
fn told(answered: Result<network::Trace, String>) -> String {
    let trace = match answered {
        Ok(trace) => trace,
        Err(why) => return format!("{why}\n"),
    };
    let pod = trace.place.as_ref().and_then(|place| place.pod.as_ref());
    let by = pod.map(|(namespace, name)| format!(" from {namespace}/{name}")).unwrap_or_default();
    match (trace.http(), trace.outcome.error()) {
        (Some(http), _) => format!("{}{by}: {}\n", http.status, first_line(&http.body)),
        (None, Some(error)) => format!("{error}\n"),
        (None, None) => format!("connected{by}\n"),
    }
}

fn first_line(text: &str) -> &str {
    text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default()
}
