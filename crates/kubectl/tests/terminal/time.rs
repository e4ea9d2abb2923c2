//! Commands that go on over time.

use crate::world::check;

#[test]
fn a_watch_prints_changes_below_its_list() {
    check(
        r#"
$ kubectl create cm a --from-literal=k=v
configmap/a created
$& kubectl get cm -w
NAME   DATA   AGE
a      1      0s
@ 5
$ kubectl create cm long-name --from-literal=k=v
configmap/long-name created
| long-name   1      0s
@ 5
$ kubectl patch cm a -p '{"data":{"j":"2"}}'
configmap/a patched
| a           2      10s
$ kubectl delete cm a
configmap "a" deleted from default namespace
| a           2      10s"#,
    );
}

#[test]
fn a_watch_can_print_names_and_event_types() {
    check(
        r#"
$& kubectl get cm -w -o name
$ kubectl create cm a --from-literal=k=v
configmap/a created
| configmap/a
$ kubectl create cm b --from-literal=k=v
configmap/b created
| configmap/b
$& kubectl get cm b -w --output-watch-events
EVENT   NAME   DATA   AGE
ADDED   b      1      0s
$ kubectl delete cm a
configmap "a" deleted from default namespace
$ kubectl delete cm b
configmap "b" deleted from default namespace
| DELETED   b      1      0s"#,
    );
}

#[test]
fn a_rollout_is_followed_until_it_is_done() {
    check(
        r#"
$ kubectl create deployment web --image=nginx --replicas=2
deployment.apps/web created
$ kubectl rollout status deploy/web --timeout=3s
Waiting for deployment spec update to be observed...
error: timed out waiting for the condition
(exit 1)
$& kubectl rollout status deploy/web
Waiting for deployment spec update to be observed...
$ kubectl patch deploy web --subresource=status --type=merge -p '{"status":{"observedGeneration":1,"replicas":2,"updatedReplicas":2,"readyReplicas":2,"availableReplicas":1}}'
deployment.apps/web patched
| Waiting for deployment "web" rollout to finish: 1 of 2 updated replicas are available...
$ kubectl patch deploy web --subresource=status --type=merge -p '{"status":{"availableReplicas":2}}'
deployment.apps/web patched
| deployment "web" successfully rolled out
$ kubectl rollout status deploy/web
deployment "web" successfully rolled out"#,
    );
}

#[test]
fn waiting_ends_with_the_condition_or_the_timeout() {
    check(
        r#"
$ kubectl run p --image=nginx
pod/p created
$ kubectl wait --for=condition=Ready pod/p --timeout=2s
error: timed out waiting for the condition on pods/p
(exit 1)
$& kubectl wait --for=condition=Ready pod/p
$ kubectl patch pod p --subresource=status --type=merge -p '{"status":{"conditions":[{"type":"Ready","status":"True"}]}}'
pod/p patched
| pod/p condition met
$ kubectl wait --for=jsonpath='{.spec.restartPolicy}'=Always pod/p
pod/p condition met
$ kubectl delete pod p --wait=false --grace-period=0 --force
Warning: Immediate deletion does not wait for confirmation that the running resource has been terminated. The resource may continue to run on the cluster indefinitely.
pod "p" force deleted from default namespace
$ kubectl wait --for=delete pod/p
pod/p condition met
$ kubectl wait --for=frob pod/p
error: unrecognized condition: "frob"
(exit 1)"#,
    );
}
