//! Commands that change objects.

use crate::world::check;

#[test]
fn a_manifest_is_created_then_unchanged_then_configured() {
    check(
        r#"
$ kubectl apply -f - <<EOF
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
data: {k: "1"}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: nginx}]}
EOF
configmap/a created
deployment.apps/web created
$ kubectl apply -f - <<EOF
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
data: {k: "1"}
EOF
configmap/a unchanged
$ kubectl diff -f - <<EOF
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
data: {k: "1"}
EOF
$ kubectl apply -f - <<EOF
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
data: {j: "2"}
EOF
configmap/a configured
$ kubectl get cm a -o jsonpath={.data}
{"j":"2"}"#,
    );
}

#[test]
fn server_side_apply_keeps_what_others_own() {
    check(
        r#"
$ kubectl apply --server-side -f - <<EOF
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
data: {k: "1"}
EOF
configmap/a serverside-applied
$ kubectl patch cm a -p '{"data":{"other":"x"}}'
configmap/a patched
$ kubectl apply --server-side -f - <<EOF
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
data: {k: "2"}
EOF
configmap/a serverside-applied
$ kubectl get cm a -o jsonpath={.data}
{"k":"2","other":"x"}"#,
    );
}

#[test]
fn an_object_that_was_not_applied_gets_the_annotation_with_a_warning() {
    check(
        r#"
$ kubectl create configmap a --from-literal=k=1
configmap/a created
$ kubectl apply -f - <<EOF
{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"k":"2"}}
EOF
Warning: resource configmaps/a is missing the kubectl.kubernetes.io/last-applied-configuration annotation which is required by kubectl apply. kubectl apply should only be used on resources created declaratively by either kubectl create --save-config or kubectl apply. The missing annotation will be patched automatically.
configmap/a configured"#,
    );
}

#[test]
fn generators_create_what_they_are_named_after() {
    check(
        r#"
$ kubectl create ns blue
namespace/blue created
$ kubectl create deployment web --image=nginx:1.27 --replicas=3 --port=80
deployment.apps/web created
$ kubectl expose deployment web --port=8080 --target-port=80
service/web exposed
$ kubectl get svc web -o jsonpath='{.spec.selector} {.spec.ports[0].targetPort}'
{"app":"web"} 80
$ kubectl create secret generic s --from-literal=pw=hunter2 --from-file=app.conf
secret/s created
$ kubectl get secret s -o jsonpath='{.data.pw} {.data.app\.conf}'
aHVudGVyMg== bW9kZT1mYXN0Cg==
$ kubectl create job j --image=busybox -- echo hi
job.batch/j created
$ kubectl create cronjob c --image=busybox --schedule='*/5 * * * *' -- date
cronjob.batch/c created
$ kubectl create job k --from=cronjob/c
job.batch/k created
$ kubectl create ingress i --class=nginx --rule='foo.example/api*=web:8080'
ingress.networking.k8s.io/i created
$ kubectl get ing i -o jsonpath='{.spec.rules[0].http.paths[0].path} {.spec.rules[0].http.paths[0].pathType}'
/api Prefix
$ kubectl create priorityclass high --value=1000
priorityclass.scheduling.k8s.io/high created
$ kubectl create pdb b --selector=app=web --min-available=1
poddisruptionbudget.policy/b created
$ kubectl create quota q --hard=pods=9
resourcequota/q created
$ kubectl create role r --verb=get,list --resource=pods,deployments.apps
role.rbac.authorization.k8s.io/r created
$ kubectl create rolebinding rb --role=r --serviceaccount=default:default
rolebinding.rbac.authorization.k8s.io/rb created
$ kubectl autoscale deployment web --min=1 --max=4 --cpu=80%
horizontalpodautoscaler.autoscaling/web autoscaled
$ kubectl create service nodeport np --tcp=80:8080 --node-port=30080
service/np created
$ kubectl create sa builder -n blue
serviceaccount/builder created"#,
    );
}

#[test]
fn a_client_dry_run_prints_and_creates_nothing() {
    check(
        r#"
$ kubectl create deployment web --image=nginx --dry-run=client -o yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  labels:
    app: web
  name: web
spec:
  replicas: 1
  selector:
    matchLabels:
      app: web
  strategy: {}
  template:
    metadata:
      labels:
        app: web
    spec:
      containers:
      - image: nginx
        name: nginx
        resources: {}
$ kubectl run p --image=nginx --dry-run=client
pod/p created (dry run)
$ kubectl run p --image=nginx --dry-run=server
pod/p created (server dry run)
$ kubectl get deploy,pods
No resources found in default namespace."#,
    );
}

#[test]
fn deployments_are_scaled_patched_and_set() {
    check(
        r#"
$ kubectl create deployment web --image=nginx:1.26
deployment.apps/web created
$ kubectl scale deployment web --replicas=6
deployment.apps/web scaled
$ kubectl scale deploy/web --current-replicas=2 --replicas=3
error: Expected replicas to be 2, was 6
(exit 1)
$ kubectl set image deployment/web nginx=nginx:1.27
deployment.apps/web image updated
$ kubectl set env deployment/web A=b
deployment.apps/web env updated
$ kubectl set resources deployment/web --limits=cpu=200m,memory=64Mi
deployment.apps/web resource requirements updated
$ kubectl get deploy web -o jsonpath='{.spec.replicas} {.spec.template.spec.containers[0].image} {.spec.template.spec.containers[0].env} {.spec.template.spec.containers[0].resources.limits.cpu}'
6 nginx:1.27 [{"name":"A","value":"b"}] 200m
$ kubectl set env deployment/web A-
deployment.apps/web env updated
$ kubectl get deploy web -o jsonpath='{.spec.template.spec.containers[0].env}'
$ kubectl patch deploy web --type=json -p '[{"op":"replace","path":"/spec/replicas","value":1}]'
deployment.apps/web patched
$ kubectl patch deploy web -p 'spec: {replicas: 1}'
deployment.apps/web patched (no change)
$ kubectl rollout pause deployment/web
deployment.apps/web paused
$ kubectl rollout pause deployment/web
error: deployments.apps "web" is already paused
(exit 1)
$ kubectl rollout resume deployment/web
deployment.apps/web resumed
$ kubectl rollout restart deployment/web
deployment.apps/web restarted
$ kubectl get deploy web -o jsonpath='{.spec.template.metadata.annotations}'
{"kubectl.kubernetes.io/restartedAt":"2026-01-01T00:01:00Z"}"#,
    );
}

#[test]
fn labels_and_annotations_come_and_go() {
    check(
        r#"
$ kubectl run p --image=nginx
pod/p created
$ kubectl label pod p a=b
pod/p labeled
$ kubectl label pod p a=b
pod/p not labeled
$ kubectl label pod p a=c
error: 'a' already has a value (b), and --overwrite is false
(exit 1)
$ kubectl label pod -l run=p a=c --overwrite
pod/p labeled
$ kubectl label pod p a-
pod/p unlabeled
$ kubectl label pod p a-
label "a" not found.
pod/p not labeled
$ kubectl annotate pod p why="to see"
pod/p annotated
$ kubectl get pod p -o jsonpath='{.metadata.annotations.why}'
to see"#,
    );
}

#[test]
fn nodes_are_tainted_and_cordoned() {
    check(
        r#"
$ kubectl create -f - <<EOF
{"apiVersion":"v1","kind":"Node","metadata":{"name":"n1"}}
EOF
node/n1 created
$ kubectl taint node n1 a=b:NoSchedule
node/n1 tainted
$ kubectl taint node n1 a=c:NoSchedule
error: node n1 already has a taint(s) with same effect(s) and --overwrite is false
(exit 1)
$ kubectl taint node n1 a=c:NoSchedule --overwrite
node/n1 modified
$ kubectl taint node n1 a-
node/n1 untainted
$ kubectl taint node n1 a-
error: taint "a" not found
(exit 1)
$ kubectl cordon n1
node/n1 cordoned
$ kubectl cordon n1
node/n1 already cordoned
$ kubectl uncordon n1
node/n1 uncordoned"#,
    );
}

#[test]
fn a_drain_evicts_and_says_what_it_may_not_touch() {
    check(
        r#"
$ kubectl create -f - <<EOF
{"apiVersion":"v1","kind":"Node","metadata":{"name":"n1"}}
EOF
node/n1 created
$ kubectl run alone --image=nginx --overrides='{"spec":{"nodeName":"n1"}}'
pod/alone created
$ kubectl drain n1
node/n1 cordoned
error: unable to drain node "n1" due to error: cannot delete Pods that declare no controller (use --force to override): default/alone, continuing command...
There are pending nodes to be drained:
 n1
cannot delete Pods that declare no controller (use --force to override): default/alone
(exit 1)
$ kubectl drain n1 --force --grace-period=0
node/n1 already cordoned
Warning: deleting Pods that declare no controller: default/alone
evicting pod default/alone
pod/alone evicted
node/n1 drained"#,
    );
}

#[test]
fn deleting_names_the_namespace_and_waits_no_longer_than_asked() {
    check(
        r#"
$ kubectl create cm a --from-literal=k=v
configmap/a created
$ kubectl delete cm a
configmap "a" deleted from default namespace
$ kubectl create -f - <<EOF
{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"stays","finalizers":["example.com/wait"]}}
EOF
configmap/stays created
$ kubectl delete cm stays --timeout=5s
configmap "stays" deleted from default namespace
error: timed out waiting for the condition on configmaps/stays
(exit 1)
$ kubectl delete cm stays --wait=false
configmap "stays" deleted from default namespace
$ kubectl create ns blue
namespace/blue created
$ kubectl delete cm -l a=b
No resources found
$ kubectl delete cm nope --ignore-not-found
$ kubectl run p --image=nginx
pod/p created
$ kubectl delete pod p --force
Warning: Immediate deletion does not wait for confirmation that the running resource has been terminated. The resource may continue to run on the cluster indefinitely.
pod "p" force deleted from default namespace
$ kubectl delete cm --all --wait=false
configmap "stays" deleted from default namespace"#,
    );
}

#[test]
fn replace_needs_the_object_unless_forced() {
    check(
        r#"
$ kubectl replace -f - <<EOF
{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"k":"1"}}
EOF
Error from server (NotFound): error when replacing "STDIN": configmaps "a" not found
(exit 1)
$ kubectl create cm a --from-literal=k=0
configmap/a created
$ kubectl replace -f - <<EOF
{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"k":"1"}}
EOF
configmap/a replaced
$ kubectl replace --force -f - <<EOF
{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"k":"2"}}
EOF
configmap/a replaced"#,
    );
}

#[test]
fn custom_resources_are_applied_by_merge_patch() {
    check(
        r#"
$ kubectl apply -f - <<EOF
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: tabs.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: tabs, singular: tab, kind: Tab, shortNames: [tb]}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, x-kubernetes-preserve-unknown-fields: true}}}}
EOF
customresourcedefinition.apiextensions.k8s.io/tabs.example.com created
$ kubectl apply -f - <<EOF
{"apiVersion":"example.com/v1","kind":"Tab","metadata":{"name":"t"},"spec":{"a":1}}
EOF
tab.example.com/t created
$ kubectl apply -f - <<EOF
{"apiVersion":"example.com/v1","kind":"Tab","metadata":{"name":"t"},"spec":{"b":2}}
EOF
tab.example.com/t configured
$ kubectl get tb t -o jsonpath={.spec}
{"b":2}
$ kubectl delete tabs --all
tab.example.com "t" deleted from default namespace"#,
    );
}
