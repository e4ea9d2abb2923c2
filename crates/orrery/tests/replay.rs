//! `orrery run --replay` with the report of a crash, as the page shows it to be copied.

use std::path::PathBuf;
use std::process::{Command, Output};

const REPORT: &str = "\
# Orrery stopped.
# build dev
# seed 5
# said boo
#| apiVersion: orrery.dev/v1
#| kind: Scenario
#| metadata: {name: shared}
#| cluster: {nodes: 2}
#| seed: 5
#| manifests: |
#|   apiVersion: v1
#|   kind: ConfigMap
#|   metadata: {name: at-the-start}
10000000 terminal \"kubectl create configmap by-hand --from-literal=a=b\"
";

fn run(name: &str, report: &str, flags: &[&str]) -> Output {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.log"));
    std::fs::write(&path, report).expect("the folder of tests can be written");
    let mut orrery = Command::new(env!("CARGO_BIN_EXE_orrery"));
    orrery.args(["run", "--replay"]).arg(path).args(flags).output().expect("orrery starts")
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_report_needs_no_file_besides() {
    let output = run("whole", REPORT, &["--until", "20s"]);
    let end = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", errors(&output));
    assert!(end.contains("name: at-the-start") && end.contains("name: by-hand"), "{end}");
}

#[test]
fn a_run_is_told_from_another() {
    let first = errors(&run("first", REPORT, &["--until", "20s"]));
    let trace = first.split_whitespace().nth(1).expect("the trace is printed").to_owned();
    for (done, verdict) in [("1", "as reported"), ("0", "not what was reported")] {
        let report = REPORT.replace("# said", &format!("# seen 20000000 {trace} {done}\n# said"));
        let output = run("seen", &report, &["--until", "20s"]);
        assert!(errors(&output).contains(verdict), "{done}: {}", errors(&output));
    }
}

#[test]
fn what_crashed_crashes_again() {
    let output = run("crash", &format!("{REPORT}12000000 panic \"boo\"\n"), &[]);
    assert_eq!(output.status.code(), Some(101));
    assert!(errors(&output).contains("boo"), "{}", errors(&output));
}

#[test]
fn a_log_without_its_scenario_asks_for_the_file() {
    let output = run("bare", "5 interrupt \"0\"\n", &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(errors(&output).contains("name the file"), "{}", errors(&output));
}
