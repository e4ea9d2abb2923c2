//! What was found out about nodes for the pods of one class, remembered as long as it holds.
//!
//! A plugin whose verdict and score depend only on the node and its pods is asked once for each
//! generation of the node. Results are the same as without the memory, as upstream's opportunistic
//! batching promises too, but every node of the sample takes part in every cycle.

use std::sync::Arc;

use base::{BTreeMap, HashMap, Str};

use crate::cache::{Cache, ClassId, NodeId};
use crate::decision::{Diagnosis, NodeReport};
use crate::plugins::{Incoming, Scope, State, Verdict};
use crate::preemption;
use crate::profile::Profile;

/// So many plugins can score a node by itself.
pub const LOCAL_MAX: usize = 6;
/// All memories together remember so many nodes.
const ENTRIES_MAX: usize = 400_000;

/// What is remembered for one class of pods.
#[derive(Clone, Default)]
pub struct Memo {
    /// What plugins count and follow.
    pub state: State,
    /// The generation of the node that was looked at, and of the images; zero for none.
    looked_at: Vec<(u64, u32)>,
    /// 0 where the node passed, else one more than the place in `rejections`.
    verdicts: Vec<u16>,
    scores: Vec<[i32; LOCAL_MAX]>,
    /// Different rejections: by which plugin, with which verdict.
    pub rejections: Vec<(&'static str, Verdict)>,
    /// How the last pod of the class failed.
    pub failure: Option<Failure>,
    last_used: u64,
}

/// How a pod failed, for other pods of its class as long as nothing changes.
#[derive(Clone)]
pub struct Failure {
    /// The generation of the cache, and the number of other changes.
    pub stamp: (u64, u64),
    /// Why no node would do.
    pub diagnosis: Arc<Diagnosis>,
    /// What came of preemption, if it was tried.
    pub preemption: Option<preemption::Outcome>,
    /// What was found on each node.
    pub reports: Vec<NodeReport>,
}

/// The memories of the classes used last.
#[derive(Default)]
pub struct Memos {
    by_class: HashMap<(ClassId, Str), Memo>,
    by_use: BTreeMap<u64, (ClassId, Str)>,
    numbering: u64,
    uses: u64,
}

impl Clone for Memos {
    /// A copy begins without memories, which changes nothing but the time it takes.
    fn clone(&self) -> Memos {
        Memos::default()
    }
}

impl Memos {
    /// Takes the memory of a class out, to be given back by [`Memos::give`]. `owner` parts pods of
    /// one class that are spread with different pods.
    pub fn take(&mut self, cache: &Cache, class: ClassId, owner: &Str) -> Memo {
        if self.numbering != cache.numbering {
            *self = Memos { numbering: cache.numbering, ..Memos::default() };
        }
        let memo = self.by_class.remove(&(class, owner.clone())).unwrap_or_default();
        self.by_use.remove(&memo.last_used);
        memo
    }

    /// Gives a memory back.
    pub fn give(&mut self, cache: &Cache, class: ClassId, owner: &Str, mut memo: Memo) {
        self.uses += 1;
        memo.last_used = self.uses;
        let key = (class, owner.clone());
        self.by_use.insert(self.uses, key.clone());
        self.by_class.insert(key, memo);
        let most = (ENTRIES_MAX / cache.nodes.len().max(100)).max(4);
        while self.by_class.len() > most {
            let Some((_, oldest)) = self.by_use.pop_first() else { break };
            self.by_class.remove(&oldest);
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.by_class.clear();
        self.by_use.clear();
    }
}

impl Memo {
    /// Makes room for every node.
    pub fn fit(&mut self, cache: &Cache) {
        let nodes = cache.nodes.len();
        self.looked_at.resize(nodes, (0, 0));
        self.verdicts.resize(nodes, 0);
        self.scores.resize(nodes, [0; LOCAL_MAX]);
    }

    /// The first rejection of a node by a plugin that needs to see no other node; 0 if none rejects
    /// it. `filters` are the active ones among those plugins.
    pub fn look(
        &mut self,
        cache: &Cache,
        profile: &Profile,
        filters: &[usize],
        pod: &Incoming,
        id: NodeId,
    ) -> u16 {
        let at = id as usize;
        let now = (cache.generations[at], self.state.images.version);
        let before = self.looked_at[at];
        if before == now {
            return self.verdicts[at];
        }
        self.looked_at[at] = now;
        if before.0 != now.0 {
            let rejection = filters.iter().find_map(|slot| {
                let plugin = &profile.slots[*slot].plugin;
                match plugin.filter(pod, cache, id, &self.state) {
                    Verdict::Pass => None,
                    verdict => Some((plugin.name(), verdict)),
                }
            });
            self.verdicts[at] = rejection.map_or(0, |rejection| self.number(rejection));
        }
        if self.verdicts[at] == 0 {
            for (place, slot) in profile.local_scorers.iter().enumerate() {
                let plugin = &profile.slots[*slot].plugin;
                if before.0 != now.0 || plugin.scope() == Scope::Images {
                    let score = plugin.score(pod, cache, id, &self.state);
                    self.scores[at][place] = score as i32;
                }
            }
        }
        self.verdicts[at]
    }

    /// One more than the place of a rejection in the list of different ones.
    pub fn number(&mut self, rejection: (&'static str, Verdict)) -> u16 {
        let known = self.rejections.iter().position(|r| *r == rejection);
        let at = known.unwrap_or_else(|| {
            self.rejections.push(rejection);
            self.rejections.len() - 1
        });
        at as u16 + 1
    }

    /// The score of a node that passed, by the plugin at a place in [`Profile::local_scorers`].
    pub fn score(&self, id: NodeId, place: usize) -> i64 {
        i64::from(self.scores[id as usize][place])
    }

    /// Forgets all nodes; for tests and for comparing with a plain evaluation.
    pub fn forget(&mut self) {
        *self = Memo::default();
    }
}
