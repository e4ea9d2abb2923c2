//! What goes wrong, in the words that a real kubectl was recorded with.

use crate::world::check;

#[test]
fn what_is_not_there_is_said() {
    check(
        r#"
$ kubectl get pod nope
Error from server (NotFound): pods "nope" not found
(exit 1)
$ kubectl get foo
error: the server doesn't have a resource type "foo"
(exit 1)
$ kubectl get deploy/nope svc/nope
Error from server (NotFound): deployments.apps "nope" not found
Error from server (NotFound): services "nope" not found
(exit 1)
$ kubectl describe pod nope
Error from server (NotFound): pods "nope" not found
(exit 1)
$ kubectl logs nope
error: error from server (NotFound): pods "nope" not found in namespace "default"
(exit 1)
$ kubectl delete pod nope
Error from server (NotFound): pods "nope" not found
(exit 1)
$ kubectl scale deploy nope --replicas=2
Error from server (NotFound): deployments.apps "nope" not found
(exit 1)
$ kubectl rollout status deploy/nope
Error from server (NotFound): deployments.apps "nope" not found
(exit 1)
$ kubectl exec nope -- ls
Error from server (NotFound): pods "nope" not found
(exit 1)
$ kubectl wait --for=condition=Ready pod/nope --timeout=2s
Error from server (NotFound): pods "nope" not found
(exit 1)
$ kubectl get pods -n ghost
No resources found in ghost namespace.
$ kubectl create cm c -n ghost
error: failed to create configmap: namespaces "ghost" not found
(exit 1)
$ kubectl top pods
error: Metrics API not available
(exit 1)"#,
    );
}

#[test]
fn manifests_are_refused_with_their_source() {
    check(
        r#"
$ kubectl apply -f missing.yaml
error: the path "missing.yaml" does not exist
(exit 1)
$ kubectl apply -f - <<EOF
metadata: {name: x}
apiVersion: v1
EOF
error: error validating "STDIN": error validating data: kind not set; if you choose to ignore these errors, turn validation off with --validate=false
(exit 1)
$ kubectl apply -f - <<EOF
{"apiVersion":"v1","kind":"Foo","metadata":{"name":"t"}}
EOF
error: resource mapping not found for name: "t" namespace: "" from "STDIN": no matches for kind "Foo" in version "v1"
ensure CRDs are installed first
(exit 1)
$ kubectl apply -f - <<EOF
apiVersion: apps/v1
kind: Deployment
metadata: {name: t}
spec:
  replics: 1
  selector: {matchLabels: {a: b}}
  template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: x, imagePullPolcy: Always}]}}
EOF
Error from server (BadRequest): error when creating "STDIN": Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: unknown field "spec.replics", unknown field "spec.template.spec.containers[0].imagePullPolcy"
(exit 1)
$ kubectl apply --validate=warn --dry-run=server -f - <<EOF
apiVersion: apps/v1
kind: Deployment
metadata: {name: t}
spec:
  replics: 1
  selector: {matchLabels: {a: b}}
  template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: x}]}}
EOF
Warning: unknown field "spec.replics"
deployment.apps/t created (server dry run)
$ kubectl apply -f - <<EOF
apiVersion: apps/v1
kind: Deployment
metadata: {name: t}
spec:
  selector: {matchLabels: {a: b}}
  template: {metadata: {labels: {a: c}}, spec: {containers: [{name: c, image: x}]}}
EOF
The Deployment "t" is invalid: spec.template.metadata.labels: Invalid value: {"a":"c"}: `selector` does not match template `labels`
(exit 1)
$ kubectl apply -f - <<EOF
apiVersion: v1
kind: [unclosed
EOF
error: error parsing STDIN: error converting YAML to JSON: yaml: line 2: did not find expected ',' or ']'
(exit 1)
$ kubectl apply
error: must specify one of -f and -k
(exit 1)
$ kubectl create
error: must specify one of -f and -k
(exit 1)"#,
    );
}

#[test]
fn arguments_are_refused_as_kubectl_does() {
    check(
        r#"
$ kubectl frobnicate
error: unknown command "frobnicate" for "kubectl"
(exit 1)
$ kubectl get
You must specify the type of resource to get. Use "kubectl api-resources" for a complete list of supported resources.

error: Required resource not specified.
Use "kubectl explain <resource>" for a detailed description of that resource (e.g. kubectl explain pods).
See 'kubectl get -h' for help and examples
(exit 1)
$ kubectl get pods --frob
error: unknown flag: --frob
See 'kubectl get --help' for usage.
(exit 1)
$ kubectl get pods -o frob
error: unable to match a printer suitable for the output format "frob", allowed formats are: custom-columns,custom-columns-file,go-template,go-template-file,json,jsonpath,jsonpath-as-json,jsonpath-file,name,template,templatefile,wide,yaml
(exit 1)
$ kubectl get pods -o jsonpath={.bad
error: error parsing jsonpath {.bad, unclosed action
(exit 1)
$ kubectl get pods -l "a in"
Error from server (BadRequest): Unable to find "/v1, Resource=pods" that match label selector "a in", field selector "": unable to parse requirement: found '' expected: '('
(exit 1)
$ kubectl get pods --field-selector=spec.foo=1
Error from server (BadRequest): Unable to find "/v1, Resource=pods" that match label selector "", field selector "spec.foo=1": field label not supported: spec.foo
(exit 1)
$ kubectl create deployment d --image=nginx
deployment.apps/d created
$ kubectl create deployment d --image=nginx
error: failed to create deployment: deployments.apps "d" already exists
(exit 1)
$ kubectl scale deploy d --replicas=-1
error: The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0
(exit 1)
$ kubectl set image deploy/d nope=nginx
error: unable to find container named "nope"
(exit 1)
$ kubectl rollout undo deploy/d
error: no rollout history found for deployment "d"
(exit 1)
$ kubectl patch deploy d -p "{"
Error from server (BadRequest): unexpected end of JSON input
(exit 1)
$ kubectl patch deploy d --type=json -p "[{\"op\":\"replace\",\"path\":\"/spec/selector/matchLabels/app\",\"value\":\"z\"}]"
The Deployment "d" is invalid:
* spec.template.metadata.labels: Invalid value: {"app":"d"}: `selector` does not match template `labels`
* spec.selector: Invalid value: {"matchLabels":{"app":"z"}}: field is immutable
(exit 1)
$ kubectl label deploy d "a b=c"
The Deployment "d" is invalid: metadata.labels: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')
(exit 1)
$ kubectl autoscale deploy d --min=5 --max=2
error: --max=MAXPODS must be larger or equal to --min=MINPODS, max: 2, min: 5
(exit 1)
$ kubectl run p --image=
error: --image is required
(exit 1)
$ kubectl taint node node-1 bad
error: at least one taint update is required
(exit 1)
$ kubectl taint node node-1 a=b:Never
error: invalid taint effect: Never, unsupported taint effect
See 'kubectl taint -h' for help and examples
(exit 1)
$ kubectl explain pod.spec.nope
KIND:       Pod
VERSION:    v1

error: field "nope" does not exist
(exit 1)
$ kubectl api-resources --api-group=nope
NAME   SHORTNAMES   APIVERSION   NAMESPACED   KIND
$ kubectl create service
error: must specify one of the service types: clusterip, externalname, loadbalancer, nodeport
(exit 1)"#,
    );
}

#[test]
fn the_terminal_itself_is_frank() {
    check(
        r#"
$ frob
sh: frob: command not found; try `help`
(exit 1)
$ kubectl get pods | wc
sh: pipes are not part of this terminal; quote the text if '|' belongs to it
(exit 2)
$ clear
(clear)
$ kubectl config set-context --current --namespace=blue
Context "orrery" modified.
(namespace blue)
$ kubectl get pods --as=bob
error: impersonation (--as) is not part of this terminal: everybody is the administrator
(exit 1)
$ curl -s web:80/path
http://web:80/path asked from ""
$ k version --client
Client Version: v1.36.2
Kustomize Version: v5.8.1"#,
    );
}
