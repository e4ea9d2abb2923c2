//! The words of a script's commands.

use base::{Duration, Str};
use cluster::{Component, Fault};

use crate::parse_span;

/// What a command does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Act {
    /// Time passes.
    Run(Duration),
    /// Something breaks or is mended.
    Faults(Vec<Fault>),
    /// Somebody asks over the cluster's network: from a pod, or from outside where that is empty.
    Request { from: Str, url: Str },
    /// A line of the terminal.
    Type { line: Str, stays: bool },
    /// What goes on in the background is ended.
    Interrupt,
}

impl Act {
    /// What a command means, or what is wrong with it.
    pub fn of(command: &str) -> Result<Act, String> {
        let words: Vec<&str> = command.split_whitespace().collect();
        let (&word, args) = words.split_first().ok_or("a command is missing after `$ `")?;
        let usage = |form: &str| format!("`{word}` is used as `{word} {form}`");
        let node = || match args {
            [node] => Ok(Str::from(*node)),
            _ => Err(usage("NODE")),
        };
        Ok(match word {
            "run" => {
                let span = args.first().and_then(|span| parse_span(span));
                Act::Run(span.filter(|_| args.len() == 1).ok_or_else(|| usage("30s"))?)
            }
            "off" => Act::Faults(vec![Fault::NodeOff(node()?)]),
            "on" => Act::Faults(vec![Fault::NodeOn(node()?)]),
            "cut" => Act::Faults(vec![Fault::CutLink(node()?)]),
            "mend" => Act::Faults(vec![Fault::MendLink(node()?)]),
            "stop" | "start" | "restart" | "shutdown" => Act::Faults(process(word, args)?),
            "machine" => Act::Faults(vec![match args {
                ["stop", node] => Fault::StopMachine((*node).into()),
                ["start", node] => Fault::StartMachine((*node).into()),
                ["terminate", node] => Fault::TerminateMachine((*node).into()),
                _ => return Err(usage("stop|start|terminate NODE")),
            }]),
            "cloud" => Act::Faults(vec![match args {
                ["cut"] => Fault::CutCloud,
                ["mend"] => Fault::MendCloud,
                _ => return Err(usage("cut|mend")),
            }]),
            "crash" => {
                let pod = args.first().ok_or_else(|| usage("POD [CONTAINER [CODE]]"))?;
                let (namespace, pod) = pod.split_once('/').unwrap_or(("default", pod));
                let code = args.get(2).map_or(Ok(137), |code| code.parse());
                Act::Faults(vec![Fault::Crash {
                    namespace: namespace.into(),
                    pod: pod.into(),
                    container: args.get(1).copied().unwrap_or_default().into(),
                    code: code.map_err(|_| usage("POD [CONTAINER [CODE]]"))?,
                }])
            }
            "request" => match args {
                [url] => Act::Request { from: Str::new(), url: (*url).into() },
                [url, "from", pod] => Act::Request { from: (*pod).into(), url: (*url).into() },
                _ => return Err(usage("URL [from POD]")),
            },
            "interrupt" if args.is_empty() => Act::Interrupt,
            "interrupt" => return Err("`interrupt` takes nothing".into()),
            _ => {
                let stays = command.ends_with(" &");
                let line = command.strip_suffix(" &").unwrap_or(command);
                Act::Type { line: line.into(), stays }
            }
        })
    }
}

/// `stop`, `shutdown`, `start` or `restart` of a process.
fn process(word: &str, args: &[&str]) -> Result<Vec<Fault>, String> {
    let (name, host) = match args {
        [name] => (*name, Str::new()),
        [name, host] => (*name, Str::from(*host)),
        _ => return Err(format!("`{word}` is used as `{word} PART [HOST]`")),
    };
    let full = format!("kube-{name}");
    let Some(component) = Component::parse(name).or_else(|| Component::parse(&full)) else {
        let known: Vec<&str> = Component::ALL.iter().map(|(_, name)| *name).collect();
        return Err(format!("there is no part called {name:?}; there are {}", known.join(", ")));
    };
    let (stop, start) =
        (Fault::Unplug(component, host.clone()), Fault::Plug(component, host.clone()));
    Ok(match word {
        "stop" => vec![stop],
        "shutdown" => vec![Fault::ShutDown(component, host)],
        "start" => vec![start],
        _ => vec![stop, start],
    })
}
