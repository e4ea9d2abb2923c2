//! What containers do: scripts, environment, files, logs, and answers over the network.

use base::Duration;
use network::{HttpRequest, HttpResponse, Outcome, Payload, Place, Protocol, Reply, Response};

use super::bench::{Bench, pod, sh};
use crate::LogOptions;

/// Runs a script in busybox with more of a spec, and compares what it printed.
fn check_spec(container: &str, more: &str, want: &str) {
    let mut bench = Bench::new();
    bench.put(r#"{"kind":"ConfigMap","metadata":{"name":"cfg"},"data":{"color":"blue","page.html":"<b>hi</b>\n"}}"#);
    bench.put(r#"{"kind":"Secret","metadata":{"name":"key"},"data":{"password":"czNjcmV0"}}"#);
    bench.put(r#"{"kind":"Service","metadata":{"name":"my-db"},"spec":{"clusterIP":"10.96.0.7","ports":[{"port":5432,"name":"sql","protocol":"TCP"}]}}"#);
    bench.put(&pod("job", container, &format!(r#","restartPolicy":"Never"{more}"#)));
    bench.run(30.0);
    let log = bench.kubelet.logs("default", "job", "c", &LogOptions::default());
    assert_eq!(log.as_deref(), Ok(want), "{:#?}", bench.events("job"));
}

fn check(script: &str, want: &str) {
    check_spec(&sh("c", script), "", want);
}

#[test]
fn scripts_print_and_loop() {
    check("for i in 1 2 3; do echo $i; done", "1\n2\n3\n");
    check("i=0; while [ $i -lt 3 ]; do echo n$i; i=$((i+1)); sleep 1; done", "n0\nn1\nn2\n");
    check(
        "if [ -f /tmp/x ]; then echo yes; else echo no; fi; touch /tmp/x; test -f /tmp/x && echo now",
        "no\nnow\n",
    );
    check("echo one > /tmp/f; echo two >> /tmp/f; cat /tmp/f | wc -l", "2\n");
    check("echo out; echo err >&2", "out\nerr\n");
    check("x=$(echo hi | tr a-z A-Z); echo \\\"$x there\\\"", "HI there\n");
    check("f() { echo got $1; }; f a; f b", "got a\ngot b\n");
    check("case web-0 in web-*) echo web;; *) echo other;; esac", "web\n");
    check("false || echo rescued; true && echo done; ! false; echo $?", "rescued\ndone\n0\n");
    check("(sleep 2; echo late) & echo early; wait; echo end", "early\nlate\nend\n");
    check("echo $HOSTNAME; hostname", "job\njob\n");
    check("[[ `hostname` =~ x ]]; echo ${MISSING:-default} ${HOSTNAME%b}", "default jo\n");
    check("date -u +%Y-%m-%d", "2026-01-01\n");
    check("seq 3 | while read n; do echo line $n; done", "line 1\nline 2\nline 3\n");
    check("sh -c 'exit 7'; echo code $?", "code 7\n");
    check("nosuch; echo $?", "sh: nosuch: not found\n127\n");
    check("if then", "sh: syntax error: unexpected \"then\"\n");
}

#[test]
fn a_script_that_never_rests_does_not_hang_the_world() {
    check(
        "n=0; while true; do n=$((n+1)); if [ $n -gt 20000 ]; then echo $n; break; fi; done",
        "20001\n",
    );
}

#[test]
fn variables_come_from_everywhere() {
    let container = |env: &str, script: &str| {
        format!(r#"{{"name":"c","image":"busybox:1.36","command":["sh","-c","{script}"],{env}}}"#)
    };
    let from_map = r#""env":[{"name":"A","valueFrom":{"configMapKeyRef":{"name":"cfg","key":"color"}}},{"name":"B","value":"$(A)-$(NONE)"}]"#;
    check_spec(&container(from_map, "echo $A $B"), "", "blue blue-$(NONE)\n");
    let from_secret =
        r#""env":[{"name":"P","valueFrom":{"secretKeyRef":{"name":"key","key":"password"}}}]"#;
    check_spec(&container(from_secret, "echo $P"), "", "s3cret\n");
    let all = r#""envFrom":[{"prefix":"X_","configMapRef":{"name":"cfg"}}]"#;
    check_spec(&container(all, "echo $X_color"), "", "blue\n");
    let down = r#""env":[{"name":"N","valueFrom":{"fieldRef":{"fieldPath":"spec.nodeName"}}},{"name":"IP","valueFrom":{"fieldRef":{"fieldPath":"status.podIP"}}},{"name":"L","valueFrom":{"resourceFieldRef":{"resource":"limits.memory","divisor":"1Mi"}}}],"resources":{"limits":{"memory":"64Mi"}}"#;
    check_spec(&container(down, "echo $N $IP $L"), "", "node-1 10.244.1.2 64\n");
    let none = r#""env":[{"name":"A","valueFrom":{"configMapKeyRef":{"name":"gone","key":"x","optional":true}}}]"#;
    check_spec(
        &container(none, "echo [$A] $MY_DB_SERVICE_HOST:$MY_DB_SERVICE_PORT_SQL"),
        "",
        "[] 10.96.0.7:5432\n",
    );
}

#[test]
fn arguments_are_expanded_by_the_kubelet() {
    let container = r#"{"name":"c","image":"busybox:1.36","command":["echo"],"args":["$(GREETING)","$$(X)","$(Y)"],"env":[{"name":"GREETING","value":"hello"}]}"#;
    check_spec(container, "", "hello $(X) $(Y)\n");
}

#[test]
fn volumes_hold_what_they_should() {
    let container = r#"{"name":"c","image":"busybox:1.36","command":["sh","-c","cat /etc/cfg/color; echo; ls /etc/cfg; cat /etc/one; echo x > /etc/cfg/color"],
        "volumeMounts":[{"name":"v","mountPath":"/etc/cfg"},{"name":"v","mountPath":"/etc/one","subPath":"color"}]}"#;
    let more = r#","volumes":[{"name":"v","configMap":{"name":"cfg"}}]"#;
    check_spec(
        container,
        more,
        "blue\ncolor\npage.html\nbluesh: can't create /etc/cfg/color: Read-only file system\n",
    );
}

#[test]
fn a_server_serves_what_another_container_writes() {
    let more = r#","volumes":[{"name":"html","emptyDir":{}}]"#;
    let nginx = r#"{"name":"nginx","image":"nginx","volumeMounts":[{"name":"html","mountPath":"/usr/share/nginx/html"}]}"#;
    let debian = r#"{"name":"debian","image":"debian","command":["/bin/sh","-c","echo Hello from debian > /pod-data/index.html; sleep 3600"],"volumeMounts":[{"name":"html","mountPath":"/pod-data"}]}"#;
    let mut bench = Bench::new();
    bench.put(&pod("two", &format!("{nginx},{debian}"), more));
    bench.run(5.0);
    assert_eq!(body(get(&mut bench, 80, "/")), "200 Hello from debian\n");
    assert!(body(get(&mut bench, 80, "/x")).starts_with("404 "));
}

fn get(bench: &mut Bench, port: u16, path: &str) -> Reply {
    let at = (bench.kubelet.pods().next().expect("a pod").2, port).into();
    let place = Place { node: "node-1".into(), pod: None, at, protocol: Protocol::Tcp };
    let payload = Payload::Http(HttpRequest::get("web", path));
    let now = bench.now;
    bench.kubelet.answer(now, &place, "10.244.9.9".parse().unwrap(), &payload)
}

fn body(reply: Reply) -> String {
    match reply {
        Reply::Respond { response: Response::Http(response), .. } => {
            format!("{} {}", response.status, response.body)
        }
        other => format!("{other:?}"),
    }
}

#[test]
fn servers_answer_as_their_images_do() {
    let run = |container: &str, port: u16, path: &str| {
        let mut bench = Bench::new();
        bench.put(&pod("web-0", container, ""));
        bench.run(5.0);
        body(get(&mut bench, port, path))
    };
    assert!(run(r#"{"name":"c","image":"nginx"}"#, 80, "/").starts_with("200 <!DOCTYPE html>"));
    let echo = r#"{"name":"c","image":"hashicorp/http-echo","args":["-text=apple"]}"#;
    assert_eq!(run(echo, 5678, "/"), "200 apple\n");
    let netexec = r#"{"name":"c","image":"registry.k8s.io/e2e-test-images/agnhost:2.53","args":["netexec","--http-port=8080"]}"#;
    assert_eq!(run(netexec, 8080, "/hostname"), "200 web-0");
    let hello = r#"{"name":"c","image":"gcr.io/google-samples/hello-app:1.0"}"#;
    assert_eq!(run(hello, 8080, "/"), "200 Hello, world!\nVersion: 1.0.0\nHostname: web-0\n");
    let own = r#"{"name":"c","image":"acme/shop:3","ports":[{"containerPort":9000}]}"#;
    assert_eq!(run(own, 9000, "/"), "200 OK\n");
    assert_eq!(run(own, 80, "/"), "NotListening");
}

#[test]
fn clients_call_over_the_network() {
    let mut bench = Bench::new();
    bench.network = |call| match call.port {
        80 => Outcome::Answered(Response::Http(HttpResponse::new(200, "hello\n"))),
        _ => Outcome::Refused(("10.96.0.5".parse::<network::IpAddr>().unwrap(), call.port).into()),
    };
    let script = "wget -qO- http://web; wget -q -O- -T 2 10.96.0.5:81; curl -s -o /dev/null -w '%{http_code}\\\\n' web; curl web:81 || echo code $?";
    bench.put(&pod("job", &sh("c", script), r#","restartPolicy":"Never""#));
    bench.run(10.0);
    assert_eq!(
        bench.kubelet.logs("default", "job", "c", &LogOptions::default()).unwrap(),
        "hello\nwget: can't connect to remote host (10.96.0.5): Connection refused\n200\n\
         curl: (7) Failed to connect to web port 81 after 3 ms: Could not connect to server\ncode 7\n"
    );
}

#[test]
fn logs_say_why_there_are_none() {
    let mut bench = Bench::new();
    bench.put(&pod("bad", r#"{"name":"c","image":"nginx:bad"}"#, ""));
    bench.put(&pod("crash", &sh("c", "echo instance; exit 1"), ""));
    bench.run(5.0);
    let logs = |pod: &str, container: &str, previous: bool| {
        let options = LogOptions { previous, ..LogOptions::default() };
        bench.kubelet.logs("default", pod, container, &options)
    };
    let waiting =
        "container \"c\" in pod \"bad\" is waiting to start: trying and failing to pull image";
    assert_eq!(logs("bad", "c", false), Err(waiting.into()));
    assert_eq!(logs("bad", "x", false), Err("container x is not valid for pod bad".into()));
    let none = "previous terminated container \"c\" in pod \"bad\" not found";
    assert_eq!(logs("bad", "c", true), Err(none.into()));
    assert_eq!(logs("crash", "c", true), Ok("instance\n".into()));
}

#[test]
fn a_container_above_its_memory_limit_is_killed() {
    let container = r#"{"name":"c","image":"nginx","resources":{"limits":{"memory":"4Mi"},"requests":{"memory":"4Mi"}}}"#;
    let mut bench = Bench::new();
    bench.put(&pod("small", container, ""));
    bench.run(2.5);
    assert!(
        bench.story("small").iter().any(|line| line.contains("OOMKilled:137")),
        "{:?}",
        bench.story("small")
    );
}

#[test]
fn faults_end_containers() {
    let mut bench = Bench::new();
    bench.put(&pod("web", r#"{"name":"c","image":"nginx"}"#, ""));
    bench.run(5.0);
    let now = bench.now;
    assert!(bench.kubelet.crash(now, "default", "web", "c", 139));
    bench.run(3.0);
    assert_eq!(bench.story("web").last().unwrap(), "Running c+#1=running<Error:139 SICR");
    let now = bench.now + Duration::ZERO;
    assert!(bench.kubelet.oom(now, "default", "web", "c"));
    bench.run(3.0);
    assert!(bench.story("web").iter().any(|line| line.contains("c#1=OOMKilled:137")));
    bench.run(60.0);
    assert!(bench.kubelet.crash(bench.now, "default", "web", "", 1), "without a name, the first");
}

#[test]
fn a_termination_message_is_read_from_its_file_or_the_log() {
    let file = sh("c", "echo because > /dev/termination-log; exit 2");
    let mut bench = Bench::new();
    bench.put(&pod("a", &file, r#","restartPolicy":"Never""#));
    let log = sh("c", "echo last words; exit 2").trim_end_matches('}').to_string()
        + r#","terminationMessagePolicy":"FallbackToLogsOnError"}"#;
    bench.put(&pod("b", &log, r#","restartPolicy":"Never""#));
    bench.run(8.0);
    let message = |name: &str| {
        bench.pod(name).status.container_statuses[0]
            .state
            .terminated
            .as_ref()
            .unwrap()
            .message
            .clone()
    };
    assert_eq!(message("a"), "because\n");
    assert_eq!(message("b"), "last words\n");
}

/// Runs a command in a pod and compares its output and code.
fn check_exec(bench: &mut Bench, command: &[&str], want: &str, code: i32) {
    let command: Vec<base::Str> = command.iter().map(|word| base::Str::from(*word)).collect();
    let mut session = bench.kubelet.exec(bench.now, "default", "web", "c", &command).unwrap();
    let mut turn = bench.kubelet.exec_run(&mut session, None);
    while let crate::ExecTurn::Calls(id, call) = turn {
        let outcome = (bench.network)(&call);
        let latency = Duration::millis(3);
        let trace = network::Trace { hops: Vec::new(), outcome, latency, place: None };
        turn = bench.kubelet.exec_run(&mut session, Some((id, &trace)));
    }
    assert_eq!(session.output(), want);
    assert!(matches!(turn, crate::ExecTurn::Ends(got) if got == code), "{turn:?}");
}

#[test]
fn commands_run_beside_a_server() {
    let mut bench = Bench::new();
    bench.network = |_| Outcome::Answered(Response::Http(HttpResponse::new(200, "pong\n")));
    bench.put(&pod("web", r#"{"name":"c","image":"nginx","env":[{"name":"A","value":"1"}]}"#, ""));
    bench.run(5.0);
    check_exec(&mut bench, &["printenv", "A"], "1\n", 0);
    check_exec(&mut bench, &["sh", "-c", "exit 3"], "", 3);
    check_exec(&mut bench, &["curl", "-s", "http://db"], "pong\n", 0);
    check_exec(
        &mut bench,
        &["sh", "-c", "sleep 2; wget -qO- db; echo hi > /usr/share/nginx/html/index.html"],
        "pong\n",
        0,
    );
    assert_eq!(body(get(&mut bench, 80, "/")), "200 hi\n");
    let missing =
        bench.kubelet.exec(bench.now, "default", "web", "c", &["nosuch".into()]).unwrap_err();
    assert!(missing.ends_with("exec: \"nosuch\": executable file not found in $PATH"), "{missing}");
    let gone = bench.kubelet.exec(bench.now, "default", "web", "x", &["ls".into()]).unwrap_err();
    assert_eq!(gone, "unable to upgrade connection: container not found (\"x\")");
}

#[test]
fn requests_cost_processor_time() {
    let mut bench = Bench::new();
    bench.put(&pod("web", r#"{"name":"c","image":"registry.k8s.io/hpa-example"}"#, ""));
    bench.run(5.0);
    let before = bench.kubelet.stats(bench.now)[0].clone();
    for _ in 0..20 {
        assert_eq!(body(get(&mut bench, 80, "/")), "200 OK!");
    }
    let after = bench.kubelet.stats(bench.now)[0].clone();
    assert_eq!(after.cpu - before.cpu, Duration::millis(900));
    assert_eq!(&*after.pod, "web");
}

#[test]
fn a_volume_follows_its_config_map_within_two_minutes() {
    let container = r#"{"name":"c","image":"busybox","command":["sh","-c","while true; do cat /etc/cfg/sport; echo; sleep 10; done"],
        "volumeMounts":[{"name":"v","mountPath":"/etc/cfg"}]}"#;
    let mut bench = Bench::new();
    bench.put(r#"{"kind":"ConfigMap","metadata":{"name":"sport"},"data":{"sport":"football"}}"#);
    bench.put(&pod("web", container, r#","volumes":[{"name":"v","configMap":{"name":"sport"}}]"#));
    bench.run(15.0);
    bench.edit::<api::core::v1::ConfigMap>("sport", |map| {
        map.data.insert("sport", base::lit!("cricket"));
    });
    bench.run(120.0);
    let log = bench.kubelet.logs("default", "web", "c", &LogOptions::default()).unwrap();
    assert!(log.starts_with("football\nfootball\n") && log.ends_with("cricket\n"), "{log}");
}

#[test]
fn a_program_that_takes_more_memory_than_its_limit_is_killed_again_and_again() {
    let stress = |limit: &str| {
        format!(
            r#"{{"name":"c","image":"polinux/stress","command":["stress"],"args":["--vm","1","--vm-bytes","150M","--vm-hang","1"],
            "resources":{{"limits":{{"memory":"{limit}"}},"requests":{{"memory":"50Mi"}}}}}}"#
        )
    };
    let mut bench = Bench::new();
    bench.put(&pod("fits", &stress("200Mi"), ""));
    bench.put(&pod("bursts", &stress("100Mi"), ""));
    bench.run(20.0);
    assert_eq!(bench.story("fits").last().unwrap(), "Running c+=running SICR");
    assert!(
        bench
            .story("bursts")
            .contains(&"Running c#1=CrashLoopBackOff<OOMKilled:137 SI".to_string())
    );
    assert_eq!(bench.kubelet.stats(bench.now)[0].memory, 150 << 20);
}

#[test]
fn a_program_that_burns_processors_is_held_by_its_limit() {
    let container = r#"{"name":"c","image":"vish/stress","args":["-cpus","2"],"resources":{"limits":{"cpu":"1"},"requests":{"cpu":"500m"}}}"#;
    let mut bench = Bench::new();
    bench.put(&pod("web", container, ""));
    bench.run(5.0);
    let before = bench.kubelet.stats(bench.now)[0].cpu;
    bench.run(10.0);
    assert_eq!((bench.kubelet.stats(bench.now)[0].cpu - before).as_millis(), 10_010);
}

#[test]
fn clients_of_a_store_see_whether_it_listens() {
    let container = r#"{"name":"c","image":"postgres:17","env":[{"name":"POSTGRES_PASSWORD","value":"x"}],
        "readinessProbe":{"exec":{"command":["pg_isready","-U","postgres"]},"periodSeconds":1}}"#;
    let mut bench = Bench::new();
    bench.put(&pod("web", container, ""));
    bench.run(10.0);
    assert!(bench.story("web").contains(&"Running c=running SI".to_string()));
    assert_eq!(bench.story("web").last().unwrap(), "Running c+=running SICR");
    check_exec(&mut bench, &["psql", "-c", "select 1"], "", 0);
    check_exec(
        &mut bench,
        &["sh", "-c", "redis-cli -h cache ping || echo none"],
        "Could not connect to Redis at cache:6379: Connection refused\nnone\n",
        0,
    );
}
