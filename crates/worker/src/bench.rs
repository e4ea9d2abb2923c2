//! The benchmark in the browser: the same as `orrery bench`, on the worker's thread.

use base::{Duration, Instant};
use cluster::bench::{Scale, fill};

/// How long the filled cluster is left to itself, in milliseconds of wall time.
const IDLE_MS: f64 = 500.0;

/// Fills a cluster and returns the figures as JSON. `clock` gives the wall time in milliseconds.
pub fn run(nodes: u32, pods: u32, clock: &dyn Fn() -> f64, memory: &dyn Fn() -> f64) -> String {
    let begun = clock();
    let mut scale = Scale::new(nodes as usize, pods as usize, 1);
    let built = clock();
    let result = fill(&mut scale);
    let wall_s = (clock() - built) / 1e3;
    let passed = (scale.cluster.now() - Instant::START).as_secs_f64();
    let outcome = match result {
        Ok(span) => format!(
            "\"virtual_s\":{:.3},\"pods_per_s\":{:.1},\"idle_speed\":{:.0}",
            span.as_secs_f64(),
            f64::from(pods) / wall_s.max(1e-9),
            idle_speed(&mut scale, clock)
        ),
        Err(why) => format!("\"error\":{}", quoted(&why)),
    };
    format!(
        "{{\"nodes\":{nodes},\"pods\":{pods},\"build_s\":{:.3},\"wall_s\":{wall_s:.3},\
         \"cluster_s\":{passed:.3},\"running\":{},\"events\":{},\"memory_bytes\":{:.0},{outcome}}}",
        (built - begun) / 1e3,
        scale.running(),
        scale.cluster.events_done(),
        memory(),
    )
}

/// Virtual seconds in one of wall time while nothing is asked of the cluster.
fn idle_speed(scale: &mut Scale, clock: &dyn Fn() -> f64) -> f64 {
    let (begun, mut span) = (clock(), Duration::ZERO);
    loop {
        scale.cluster.run_for(Duration::secs(10));
        span = span + Duration::secs(10);
        let passed = clock() - begun;
        if passed >= IDLE_MS {
            return span.as_secs_f64() / (passed / 1e3);
        }
    }
}

fn quoted(text: &str) -> String {
    let safe: String =
        text.chars().filter(|c| !c.is_control() && *c != '"' && *c != '\\').collect();
    format!("\"{safe}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_cluster_fills_up_and_the_figures_say_so() {
        let wall = std::cell::Cell::new(0.0);
        let clock = || {
            wall.set(wall.get() + 500.0);
            wall.get()
        };
        let json = run(3, 30, &clock, &|| 0.0);
        assert!(json.contains("\"running\":30"), "{json}");
        assert!(json.contains("\"pods_per_s\":60.0"), "{json}");
        assert!(json.contains("\"idle_speed\":20"), "{json}");
    }
}
