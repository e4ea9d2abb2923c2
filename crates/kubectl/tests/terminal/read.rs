//! Commands that show objects.

use crate::world::check;

#[test]
fn lists_are_tables_of_the_server() {
    check(
        r#"
$ kubectl create cm a --from-literal=k=v
configmap/a created
$ kubectl create secret generic s --from-literal=k=v
secret/s created
@ 90
$ kubectl get cm,secret
NAME          DATA   AGE
configmap/a   1      90s

NAME       TYPE     DATA   AGE
secret/s   Opaque   1      90s
$ kubectl get cm
NAME   DATA   AGE
a      1      90s
$ kubectl get cm -A --no-headers
default   a     1     90s
$ kubectl get cm a --show-labels
NAME   DATA   AGE   LABELS
a      1      90s   <none>
$ kubectl get cm -o name
configmap/a
$ kubectl get cm/a secret/s -o name
configmap/a
secret/s
$ kubectl get cm -o custom-columns=NAME:.metadata.name,K:.data.k,NO:.data.no
NAME   K     NO
a      v     <none>
$ kubectl get pods
No resources found in default namespace.
$ kubectl get pods -A
No resources found
$ kubectl get cm a nope
NAME   DATA   AGE
a      1      90s
Error from server (NotFound): configmaps "nope" not found
(exit 1)"#,
    );
}

#[test]
fn documents_come_in_yaml_and_json_without_managed_fields() {
    check(
        r#"
$ kubectl create cm a --from-literal=k=v
configmap/a created
$ kubectl get cm a -o jsonpath='{.metadata.uid}' --ignore-not-found > /dev/null
sh: redirections are not part of this terminal; quote the text if '>' belongs to it
(exit 2)
$ kubectl create cm b --from-literal=k=v --dry-run=client -o json
{
    "apiVersion": "v1",
    "data": {
        "k": "v"
    },
    "kind": "ConfigMap",
    "metadata": {
        "name": "b"
    }
}
$ kubectl get cm -o jsonpath='{range .items[*]}{.kind} {.metadata.name}{"\n"}{end}'
ConfigMap a
$ kubectl get pods -o yaml
apiVersion: v1
items: []
kind: List
metadata:
  resourceVersion: ""
$ kubectl get cm a -o yaml --show-managed-fields=false -o jsonpath={.metadata.managedFields}"#,
    );
}

#[test]
fn lists_are_sorted_by_a_path() {
    check(
        r#"
$ kubectl create cm b --from-literal=k=10
configmap/b created
$ kubectl create cm c --from-literal=k=9
configmap/c created
$ kubectl get cm --sort-by=.data.k
NAME   DATA   AGE
c      1      0s
b      1      0s
$ kubectl get cm --sort-by=.data.k -o name
configmap/c
configmap/b
$ kubectl get cm --sort-by=.nope
error: couldn't find any field with path ".nope" in the list of objects
(exit 1)"#,
    );
}

#[test]
fn a_service_without_pods_is_described() {
    check(
        r#"
$ kubectl create service clusterip web --tcp=80:8080 --clusterip=10.96.0.77
service/web created
$ kubectl describe svc web
Name:                     web
Namespace:                default
Labels:                   app=web
Annotations:              <none>
Selector:                 app=web
Type:                     ClusterIP
IP Family Policy:         SingleStack
IP Families:              IPv4
IP:                       10.96.0.77
IPs:                      10.96.0.77
Port:                     80-8080  80/TCP
TargetPort:               8080/TCP
Endpoints:                <none>
Session Affinity:         None
Internal Traffic Policy:  Cluster
Events:                   <none>
$ kubectl get ep web
Error from server (NotFound): endpoints "web" not found
(exit 1)"#,
    );
}

#[test]
fn a_namespace_is_described_with_its_quotas() {
    check(
        r#"
$ kubectl create ns blue
namespace/blue created
$ kubectl describe ns blue
Name:         blue
Labels:       kubernetes.io/metadata.name=blue
Annotations:  <none>
Status:       Active

No resource quota.

No LimitRange resource.
$ kubectl create quota q --hard=pods=9 -n blue
resourcequota/q created
$ kubectl describe quota q -n blue
Name:       q
Namespace:  blue
Resource    Used  Hard
--------    ----  ----"#,
    );
}

#[test]
fn discovery_lists_resources_and_versions() {
    check(
        r#"
$ kubectl api-resources --api-group=apps
NAME                  SHORTNAMES   APIVERSION   NAMESPACED   KIND
controllerrevisions                apps/v1      true         ControllerRevision
daemonsets            ds           apps/v1      true         DaemonSet
deployments           deploy       apps/v1      true         Deployment
replicasets           rs           apps/v1      true         ReplicaSet
statefulsets          sts          apps/v1      true         StatefulSet
$ kubectl api-resources --api-group=batch -o name
cronjobs.batch
jobs.batch
$ kubectl auth can-i create pods
yes
$ kubectl explain deployment.spec.strategy
GROUP:      apps
KIND:       Deployment
VERSION:    v1

FIELD: strategy <DeploymentStrategy>

DESCRIPTION:
    <empty>
FIELDS:
  rollingUpdate	<RollingUpdateDeployment>
    <no description>

  type	<string>
    <no description>
$ kubectl explain svc.spec.ports --recursive
KIND:       Service
VERSION:    v1

FIELD: ports <[]ServicePort>

DESCRIPTION:
    <empty>
FIELDS:
  appProtocol	<string>
  name	<string>
  nodePort	<integer>
  port	<integer> -required-
  protocol	<string>
  targetPort	<IntOrString>"#,
    );
}

#[test]
fn logs_name_the_container_they_chose() {
    check(
        r#"
$ kubectl create -f - <<EOF
apiVersion: v1
kind: Pod
metadata: {name: p, labels: {app: x}}
spec:
  nodeName: n1
  initContainers: [{name: setup, image: busybox}]
  containers: [{name: a, image: nginx}, {name: b, image: nginx}]
EOF
pod/p created
$ kubectl logs p
Defaulted container "a" out of: a, b, setup (init)
log of default/p
$ kubectl logs p -c b --timestamps
2026-01-01T00:01:00.000000000Z log of default/p
$ kubectl logs -l app=x -c a --prefix
[pod/p/a] log of default/p
$ kubectl logs p -c z
error: container z is not valid for pod p
(exit 1)
$ kubectl logs -f p -c a
log of default/p"#,
    );
}
