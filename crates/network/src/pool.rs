//! Who has which address: pods in a node's block, nodes' blocks in the cluster's.

use core::net::IpAddr;

use base::{BTreeMap, BTreeSet, Duration, Instant};

use crate::addr::{Cidr, Family};

/// How long a released pod address rests before it is handed out again.
pub const REUSE_DELAY: Duration = Duration::secs(10);

/// The pod addresses of one node: the lowest that is free and has rested.
///
/// Address 0 names the network, 1 is the node's bridge, and the last of an IPv4 block is broadcast.
#[derive(Clone, Debug)]
pub struct PodPool {
    block: Cidr,
    /// Every index from here on was never handed out, except those in `claimed`.
    fresh: u64,
    /// Indices at or above `fresh` that were claimed by name.
    claimed: BTreeSet<u64>,
    /// Free indices below `fresh`, with the moment from which they may be used.
    free: BTreeMap<u64, Instant>,
    used: usize,
}

impl PodPool {
    /// The pool of a node's pod block.
    pub fn new(block: Cidr) -> PodPool {
        PodPool { block, fresh: 2, claimed: BTreeSet::new(), free: BTreeMap::new(), used: 0 }
    }

    /// The block.
    pub fn block(&self) -> Cidr {
        self.block
    }

    /// How many addresses are in use.
    pub fn used(&self) -> usize {
        self.used
    }

    /// Takes the lowest address that is free. Where only resting ones are left, takes the longest rested.
    pub fn allocate(&mut self, now: Instant) -> Option<IpAddr> {
        let rested = self.free.iter().find(|(_, from)| **from <= now).map(|(n, _)| *n);
        let index = match rested.or_else(|| self.next_fresh()) {
            Some(index) => index,
            None => *self.free.iter().min_by_key(|(n, from)| (**from, **n))?.0,
        };
        self.free.remove(&index);
        self.used += 1;
        self.block.nth(index)
    }

    /// Marks an address as used, for a pod that already has it. False if it was taken or is not of the block.
    pub fn claim(&mut self, ip: IpAddr) -> bool {
        let Some(index) = self.block.index_of(ip) else { return false };
        let taken = if index < self.fresh {
            self.free.remove(&index).is_none()
        } else {
            !self.claimed.insert(index)
        };
        self.used += usize::from(!taken);
        !taken
    }

    /// Gives an address back; it rests for [`REUSE_DELAY`]. Unknown and free addresses are ignored.
    pub fn release(&mut self, ip: IpAddr, now: Instant) {
        let Some(index) = self.block.index_of(ip) else { return };
        let held = if index < self.fresh {
            index >= 2 && self.free.insert(index, now + REUSE_DELAY).is_none()
        } else {
            self.claimed.remove(&index)
        };
        self.used -= usize::from(held);
    }

    fn next_fresh(&mut self) -> Option<u64> {
        while self.claimed.remove(&self.fresh) {
            self.fresh += 1;
        }
        let spare = u64::from(self.block.family() == Family::V4);
        let index = self.fresh;
        (index < self.block.size() - spare).then(|| {
            self.fresh += 1;
            index
        })
    }
}

/// Equal blocks cut from a bigger one: a node's pod block from the cluster's.
#[derive(Clone, Debug)]
pub struct CidrPool {
    whole: Cidr,
    bits: u8,
    used: BTreeSet<u64>,
    lowest_free: u64,
}

impl CidrPool {
    /// Cuts `whole` into blocks with prefixes of `bits`.
    pub fn new(whole: Cidr, bits: u8) -> CidrPool {
        assert!(bits >= whole.bits(), "a part of {whole} has at least its prefix, not /{bits}");
        CidrPool { whole, bits, used: BTreeSet::new(), lowest_free: 0 }
    }

    /// Takes the lowest block that is free.
    pub fn allocate(&mut self) -> Option<Cidr> {
        while self.used.contains(&self.lowest_free) {
            self.lowest_free += 1;
        }
        let block = self.nth(self.lowest_free)?;
        self.used.insert(self.lowest_free);
        Some(block)
    }

    /// Marks a block as used. False if it was taken or is none of ours.
    pub fn claim(&mut self, block: Cidr) -> bool {
        self.index_of(block).is_some_and(|n| self.used.insert(n))
    }

    /// Gives a block back.
    pub fn release(&mut self, block: Cidr) {
        if let Some(n) = self.index_of(block)
            && self.used.remove(&n)
        {
            self.lowest_free = self.lowest_free.min(n);
        }
    }

    fn step(&self) -> u64 {
        Cidr::new(self.whole.base(), self.bits).size()
    }

    fn nth(&self, n: u64) -> Option<Cidr> {
        let base = self.whole.nth(n.checked_mul(self.step())?)?;
        Some(Cidr::new(base, self.bits))
    }

    fn index_of(&self, block: Cidr) -> Option<u64> {
        let ours = block.bits() == self.bits && block.family() == self.whole.family();
        ours.then(|| self.whole.index_of(block.base()).map(|n| n / self.step())).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs `+` (allocate), `-N` (release), `=N` (claim), `~` (11 seconds pass) on 10.244.1.0/29.
    fn check(script: &str, want: &str) {
        let mut pool = PodPool::new("10.244.1.0/29".parse().unwrap());
        let ip = |n: &str| format!("10.244.1.{n}").parse().unwrap();
        let (mut now, mut got) = (Instant::START, Vec::new());
        for word in script.split(' ') {
            match word.split_at(1) {
                ("+", _) => got.push(match pool.allocate(now) {
                    Some(ip) => ip.to_string().rsplit('.').next().unwrap().to_string(),
                    None => "none".to_string(),
                }),
                ("-", n) => pool.release(ip(n), now),
                ("=", n) => got.push(pool.claim(ip(n)).to_string()),
                _ => now += Duration::secs(11),
            }
        }
        assert_eq!(got.join(" "), want, "{script}");
    }

    #[test]
    fn pods_start_after_the_bridge_and_end_before_broadcast() {
        check("+ + + + + +", "2 3 4 5 6 none");
    }

    #[test]
    fn a_released_address_rests_before_it_comes_back() {
        check("+ + -2 + ~ +", "2 3 4 2");
    }

    #[test]
    fn a_full_block_gives_up_resting_addresses_rather_than_fail() {
        check("+ + + + + -4 -3 + +", "2 3 4 5 6 3 4");
    }

    #[test]
    fn a_claimed_address_is_skipped_and_cannot_be_claimed_twice() {
        check("=3 + + =3 =2", "true 2 4 false false");
    }

    #[test]
    fn node_blocks_are_cut_in_order_and_returned_ones_come_first() {
        let mut pool = CidrPool::new("10.244.0.0/16".parse().unwrap(), 24);
        let first = pool.allocate().unwrap();
        let second = pool.allocate().unwrap();
        assert_eq!(
            (first.to_string(), second.to_string()),
            ("10.244.0.0/24".into(), "10.244.1.0/24".into())
        );
        pool.release(first);
        assert!(pool.claim("10.244.2.0/24".parse().unwrap()));
        assert_eq!(pool.allocate(), Some(first));
        assert_eq!(pool.allocate().unwrap().to_string(), "10.244.3.0/24");
    }

    #[test]
    fn a_pool_of_node_blocks_ends() {
        let mut pool = CidrPool::new("10.244.0.0/23".parse().unwrap(), 24);
        assert!(pool.allocate().is_some() && pool.allocate().is_some());
        assert_eq!(pool.allocate(), None);
    }
}
