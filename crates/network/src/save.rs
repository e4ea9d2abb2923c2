//! Tables as text, in the form of `iptables-save`.

use base::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;

use base::Str;

use crate::tables::{Chain, Jump, Table, Target};

/// Writes fixed chains of a table, and every chain they lead to, as `iptables-save` does.
///
/// Fixed chains keep their order; the others follow by name.
pub fn save(table: Table, fixed: &[Arc<Chain>], out: &mut String) {
    let mut reached: base::BTreeMap<Str, Arc<Chain>> = Default::default();
    for chain in fixed {
        reach(chain, &mut reached);
    }
    let names: BTreeSet<&Str> = fixed.iter().map(|c| &c.name).collect();
    let others: Vec<_> = reached.values().filter(|c| !names.contains(&c.name)).collect();

    let _ = writeln!(out, "*{}", table.name());
    for chain in fixed.iter().chain(others.iter().copied()) {
        let builtin = !chain.name.starts_with("KUBE-");
        let _ = writeln!(out, ":{} {} [0:0]", chain.name, if builtin { "ACCEPT" } else { "-" });
    }
    for chain in fixed.iter().chain(others.iter().copied()) {
        for rule in &chain.rules {
            let _ = writeln!(out, "-A {} {rule}", chain.name);
        }
    }
    out.push_str("COMMIT\n");
}

fn reach(chain: &Arc<Chain>, reached: &mut base::BTreeMap<Str, Arc<Chain>>) {
    for rule in &chain.rules {
        if let Target::Jump(Jump::To(next)) = &rule.target
            && reached.insert(next.name.clone(), next.clone()).is_none()
        {
            reach(next, reached);
        }
    }
}
