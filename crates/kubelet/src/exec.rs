//! Commands that run beside the process of a container: `kubectl exec`, hooks and probes.
//!
//! Known deviations:
//! - There is no terminal and no standard input; a command that waits for either would never end.
//! - What a command starts in the background ends with it.

use api::object::Key;
use base::{Duration, Instant, Str};
use network::Trace;

use crate::kubelet::Kubelet;
use crate::runtime::container::{Exec, ExecTurn};
use crate::runtime::images;
use crate::runtime::shell::is_tool;

/// A command of a user in a container.
///
/// Drive it with [`Kubelet::exec_run`]; where it makes a call, make it and hand in the outcome.
#[derive(Clone, Debug)]
pub struct ExecSession {
    uid: Str,
    index: usize,
    exec: Exec,
}

impl ExecSession {
    /// What the command has printed so far.
    pub fn output(&self) -> String {
        self.exec.output()
    }

    /// How long it has taken so far.
    pub fn took(&self) -> Duration {
        self.exec.took()
    }
}

impl Kubelet {
    /// Begins a command in a container; or says why it cannot run, in the words of `kubectl exec`.
    pub fn exec(
        &self,
        now: Instant,
        namespace: &str,
        pod: &str,
        container: &str,
        command: &[Str],
    ) -> Result<ExecSession, String> {
        let missing =
            || format!("unable to upgrade connection: container not found (\"{container}\")");
        let uid = self.agent.uids.get(&Key::new(namespace, pod)).ok_or_else(missing)?;
        let worker = self.agent.workers.get(uid).ok_or_else(missing)?;
        let index = worker.index_of(container).ok_or_else(missing)?;
        let target =
            self.machine.container(uid, index).filter(|c| c.running()).ok_or_else(missing)?;
        let words: Vec<String> = command.iter().map(Str::to_string).collect();
        let first = words.first().map(String::as_str).unwrap_or_default();
        let name = first.rsplit('/').next().unwrap_or_default();
        let reference = crate::runtime::image::Reference::parse(&worker.spec(index).image);
        let shell =
            reference.map_or(true, |reference| self.machine.catalogue.find(&reference).shell);
        let known = (images::is_userland(name) || is_tool(name)) && shell;
        if !known && images::server(&words, &target.env, "").is_none() {
            let why = if first.contains('/') {
                format!("stat {first}: no such file or directory")
            } else {
                "executable file not found in $PATH".to_string()
            };
            return Err(format!(
                "Internal error occurred: error executing command in container: failed to exec in container: \
                 failed to start exec: OCI runtime exec failed: exec failed: unable to start container \
                 process: exec: \"{first}\": {why}"
            ));
        }
        let exec = Exec::new(command, target.env.clone(), now);
        Ok(ExecSession { uid: uid.clone(), index, exec })
    }

    /// Lets the command go on, with the outcome of the call for which it waited.
    pub fn exec_run(
        &mut self,
        session: &mut ExecSession,
        answer: Option<(u64, &Trace)>,
    ) -> ExecTurn {
        if let Some((_, trace)) = answer {
            session.exec.wait(trace.latency);
        }
        let turn =
            self.machine.exec(&session.uid, session.index, &mut session.exec, answer, self.now);
        self.wake_probes(&session.uid.clone());
        turn.unwrap_or(ExecTurn::Ends(137))
    }

    /// Runs a command of the kubelet itself to its end: output, code and time. What the command would wait for
    /// (a network call, an endless wait) is cut off; there is no code then.
    pub(crate) fn run_command(
        &mut self,
        uid: &Str,
        index: usize,
        command: &[Str],
    ) -> Option<(String, Option<i32>, Duration)> {
        let env = self.machine.container(uid, index)?.env.clone();
        let mut exec = Exec::new(command, env, self.now);
        let turn = self.machine.exec(uid, index, &mut exec, None, self.now)?;
        let code = match turn {
            ExecTurn::Ends(code) => Some(code),
            ExecTurn::Calls(..) | ExecTurn::Endless => None,
        };
        Some((exec.output(), code, exec.took()))
    }
}
