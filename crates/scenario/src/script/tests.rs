//! Scripts that are read and played.

use super::*;

const SCRIPT: &str = "\
# A page

```yaml cluster
cluster: {nodes: 1}
seed: 3
```

Some prose.

```yaml settings.yaml
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
```

```console
$ kubectl apply -f settings.yaml
configmap/settings created
$ kubectl get nodes
NAME     STATUS   ROLES    AGE   VERSION
node-1   Ready    <none>   60s   v1.36.2
$ kubectl apply -f - <<EOF
apiVersion: v1
kind: ConfigMap
metadata: {name: other}
EOF
configmap/other created
$ kubectl get cm nothing
Error from server (NotFound): configmaps \"nothing\" not found
(exit 1)
```

The end.
";

fn check(text: &str) {
    let script = Script::parse("page", text).expect("it can be read");
    let played = script.play().expect("it can be played");
    assert_eq!(played.text, text);
}

fn check_wrong(text: &str, why: &str) {
    let error = Script::parse("page", text).expect_err("it is wrong");
    assert_eq!(error.to_string(), why);
}

#[test]
fn a_script_prints_itself_with_what_its_commands_print() {
    check(SCRIPT);
}

#[test]
fn what_was_recorded_wrong_is_put_right() {
    let script = Script::parse("page", &SCRIPT.replace("other created", "other: who knows"));
    assert_eq!(script.expect("it can be read").play().expect("it plays").text, SCRIPT);
}

#[test]
fn what_goes_on_in_the_background_prints_while_time_passes() {
    check(
        "\
```console
$ kubectl get cm -w &
NAME               DATA   AGE
kube-root-ca.crt   1      60s
$ kubectl create cm a
configmap/a created
$ run 1s
a                  0      0s
$ interrupt
^C
```
",
    );
}

#[test]
fn faults_take_effect_at_once() {
    check(
        "\
```console
$ stop scheduler
$ kubectl run web --image=nginx
pod/web created
$ run 10s
$ kubectl get pods
NAME   READY   STATUS    RESTARTS   AGE
web    0/1     Pending   0          10s
$ start scheduler
$ run 10s
$ kubectl get pods
NAME   READY   STATUS    RESTARTS   AGE
web    1/1     Running   0          20s
```
",
    );
}

#[test]
fn a_mistake_names_its_line() {
    check_wrong("a\n```console\n$ run fast\n```\n", "line 3: `run` is used as `run 30s`");
    check_wrong("```console\nhello\n```\n", "line 2: a console begins with a command after `$ `");
    check_wrong("\n```console\n$ run 1s\n", "line 2: this block does not end");
    check_wrong(
        "```yaml cluster\ncluster: {nodes: 1}\nseeds: 3\n```\n",
        "line 3: unknown field \"seeds\"; did you mean \"seed\"?",
    );
    let error = Script::parse("page", "```console\n$ stop everything\n```\n").unwrap_err();
    assert!(error.to_string().contains("there is no part called \"everything\""));
}
