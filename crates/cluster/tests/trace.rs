//! Runs repeat: the same configuration, seed and commands make the same writes at the same times.

mod runs;

use base::Duration;
use cluster::{Cluster, Command, Config, read_log, write_log};

fn whole(seed: u64) -> Cluster {
    let mut cluster = runs::served(seed);
    runs::lose_a_node(&mut cluster);
    cluster
}

/// A short run in which chance plays a part.
fn short(seed: u64) -> Cluster {
    let mut cluster = Cluster::new(Config { seed, ..Config::default() });
    cluster.command(Command::Terminal("kubectl create deployment web --image=nginx".into()));
    cluster.run_for(Duration::secs(20));
    cluster
}

#[test]
fn the_same_seed_and_commands_give_the_same_trace() {
    let (once, again) = (whole(7), whole(7));
    assert_eq!(once.trace_hash(), again.trace_hash());
    assert_eq!(once.events_done(), again.events_done());
}

#[test]
fn another_seed_gives_another_trace() {
    assert_ne!(short(7).trace_hash(), short(8).trace_hash());
}

#[test]
fn another_command_gives_another_trace() {
    let mut cluster = short(7);
    cluster.command(Command::Terminal("kubectl scale deployment web --replicas=2".into()));
    cluster.run_for(Duration::secs(5));
    let mut left_alone = short(7);
    left_alone.run_for(Duration::secs(5));
    assert_ne!(cluster.trace_hash(), left_alone.trace_hash());
}

#[test]
fn the_size_of_the_steps_does_not_matter() {
    let mut in_steps = Cluster::new(Config { seed: 7, ..Config::default() });
    in_steps.command(Command::Terminal("kubectl create deployment web --image=nginx".into()));
    for _ in 0..2_000 {
        in_steps.run_for(Duration::millis(10));
    }
    let whole = short(7);
    assert_eq!(in_steps.now(), whole.now());
    assert_eq!(in_steps.trace_hash(), whole.trace_hash());
}

#[test]
fn a_checkpoint_goes_on_like_the_run_it_was_taken_from() {
    let mut cluster = runs::served(7);
    let mut checkpoint = cluster.clone();
    runs::lose_a_node(&mut cluster);
    let before = checkpoint.trace_hash();
    assert_ne!(before, cluster.trace_hash(), "the checkpoint is left alone by the run");
    runs::lose_a_node(&mut checkpoint);
    assert_eq!(checkpoint.trace_hash(), cluster.trace_hash());
}

#[test]
fn a_log_repeats_its_run_on_a_fresh_cluster() {
    let cluster = whole(7);
    let log = read_log(&write_log(cluster.log())).expect("what was written can be read");
    let mut again = Cluster::new(cluster.config().clone());
    again.replay(&log);
    again.run_until(cluster.now());
    assert_eq!(again.log(), cluster.log());
    assert_eq!(again.trace_hash(), cluster.trace_hash());
}
