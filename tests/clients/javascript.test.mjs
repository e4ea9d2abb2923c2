// The official JavaScript client, which shares no code with us, against `orrery serve`.
//
// `cargo xtask test --only clients` builds the server and sets ORRERY to its path.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { PassThrough } from "node:stream";
import { after, before, test } from "node:test";
import * as k8s from "@kubernetes/client-node";

const WAIT_MS_MAX = 60_000;
const NAMESPACE = "default";

let server;
let config;

before(async () => {
  const program = process.env.ORRERY ?? "target/debug/orrery";
  server = spawn(program, ["serve", "--port", "0", "--speed", "20"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = await once(createInterface(server.stdout), "line");
  config = new k8s.KubeConfig();
  config.loadFromOptions({
    clusters: [{ name: "orrery", server: line.split(" ").at(-1), skipTLSVerify: true }],
    users: [{ name: "admin" }],
    contexts: [{ name: "orrery", cluster: "orrery", user: "admin" }],
    currentContext: "orrery",
  });
});

after(() => server?.kill());

/** Asks until `look` gives something, or a minute is over. */
async function until(what, look) {
  const end = Date.now() + WAIT_MS_MAX;
  for (;;) {
    const found = await look();
    if (found) return found;
    assert.ok(Date.now() < end, `${what}: not within a minute`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function deployment(name, replicas) {
  const labels = { app: name };
  const containers = [{ name: "nginx", image: "nginx:1.27", ports: [{ containerPort: 80 }] }];
  return {
    metadata: { name },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers } },
    },
  };
}

const patching = (type) => k8s.setHeaderOptions("Content-Type", type);

test("the server says its version and its resources", async () => {
  const version = await config.makeApiClient(k8s.VersionApi).getCode();
  assert.deepEqual([version.major, version.minor], ["1", "36"]);
  const resources = await config.makeApiClient(k8s.AppsV1Api).getAPIResources();
  assert.ok(resources.resources.some((resource) => resource.name === "deployments/scale"));
});

test("objects are created, listed, read, patched in each way and deleted", async () => {
  const api = config.makeApiClient(k8s.CoreV1Api);
  const name = "settings";
  const body = { metadata: { name, labels: { from: "javascript" } }, data: { colour: "blue" } };
  const made = await api.createNamespacedConfigMap({ namespace: NAMESPACE, body });
  assert.ok(made.metadata.uid);
  assert.ok(made.metadata.creationTimestamp instanceof Date);

  const found = await api.listNamespacedConfigMap({
    namespace: NAMESPACE,
    labelSelector: "from=javascript",
  });
  assert.deepEqual(found.items.map((item) => item.metadata.name), [name]);

  const patch = (type, body, more = {}) =>
    api.patchNamespacedConfigMap({ namespace: NAMESPACE, name, body, ...more }, patching(type));
  const merged = await patch(k8s.PatchStrategy.MergePatch, { data: { shape: "round" } });
  assert.deepEqual(merged.data, { colour: "blue", shape: "round" });
  const replaced = await patch(k8s.PatchStrategy.JsonPatch, [
    { op: "replace", path: "/data/colour", value: "green" },
  ]);
  assert.equal(replaced.data.colour, "green");
  const strategic = await patch(k8s.PatchStrategy.StrategicMergePatch, { data: { shape: null } });
  assert.deepEqual(strategic.data, { colour: "green" });
  const applied = await patch(
    k8s.PatchStrategy.ServerSideApply,
    { apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data: { size: "large" } },
    { fieldManager: "javascript" },
  );
  assert.deepEqual(applied.data, { colour: "green", size: "large" });
  assert.ok(applied.metadata.managedFields.some((entry) => entry.operation === "Apply"));

  const read = await api.readNamespacedConfigMap({ namespace: NAMESPACE, name });
  read.data = { colour: "red" };
  const updated = await api.replaceNamespacedConfigMap({ namespace: NAMESPACE, name, body: read });
  assert.deepEqual(updated.data, { colour: "red" });
  await assert.rejects(
    api.replaceNamespacedConfigMap({ namespace: NAMESPACE, name, body: read }),
    (error) => error.code === 409,
  );

  await api.deleteNamespacedConfigMap({ namespace: NAMESPACE, name });
  await assert.rejects(
    api.readNamespacedConfigMap({ namespace: NAMESPACE, name }),
    (error) => error.code === 404 && JSON.parse(error.body).reason === "NotFound",
  );
});

test("lists come in pages", async () => {
  const api = config.makeApiClient(k8s.RbacAuthorizationV1Api);
  const whole = await api.listClusterRole();
  const names = [];
  let next;
  do {
    const page = await api.listClusterRole({ limit: 7, _continue: next });
    assert.ok(page.items.length <= 7);
    names.push(...page.items.map((item) => item.metadata.name));
    next = page.metadata._continue;
  } while (next);
  assert.deepEqual(names, whole.items.map((item) => item.metadata.name));
});

test("a watch tells what happens in its order", async () => {
  const api = config.makeApiClient(k8s.CoreV1Api);
  const seen = [];
  const watch = new k8s.Watch(config);
  const request = await watch.watch(
    `/api/v1/namespaces/${NAMESPACE}/secrets`,
    { labelSelector: "watched=yes" },
    (phase, object) => seen.push(`${phase} ${object.metadata.name}`),
    () => {},
  );
  const body = { metadata: { name: "key", labels: { watched: "yes" } }, stringData: { a: "1" } };
  await api.createNamespacedSecret({ namespace: NAMESPACE, body });
  await api.patchNamespacedSecret(
    { namespace: NAMESPACE, name: "key", body: { stringData: { a: "2" } } },
    patching(k8s.PatchStrategy.MergePatch),
  );
  await api.deleteNamespacedSecret({ namespace: NAMESPACE, name: "key" });
  await until("three events", () => seen.length >= 3);
  request.abort();
  assert.deepEqual(seen, ["ADDED key", "MODIFIED key", "DELETED key"]);
});

test("an informer follows a Deployment until its pods run and are gone", async () => {
  const core = config.makeApiClient(k8s.CoreV1Api);
  const apps = config.makeApiClient(k8s.AppsV1Api);
  const labelSelector = "app=web";
  const informer = k8s.makeInformer(
    config,
    `/api/v1/namespaces/${NAMESPACE}/pods`,
    () => core.listNamespacedPod({ namespace: NAMESPACE, labelSelector }),
    labelSelector,
  );
  const counts = { add: 0, delete: 0 };
  informer.on("add", () => (counts.add += 1));
  informer.on("delete", () => (counts.delete += 1));
  let stopped = false;
  const failed = [];
  informer.on("error", (error) => stopped || failed.push(error));
  await informer.start();

  await apps.createNamespacedDeployment({ namespace: NAMESPACE, body: deployment("web", 2) });
  const runs = (pod) => pod.status?.phase === "Running";
  const both = () => informer.list(NAMESPACE)?.filter(runs).length === 2;
  await until("two pods Running", both);

  const scale = await apps.readNamespacedDeploymentScale({ namespace: NAMESPACE, name: "web" });
  scale.spec.replicas = 3;
  await apps.replaceNamespacedDeploymentScale({ namespace: NAMESPACE, name: "web", body: scale });
  await until("three pods", () => informer.list(NAMESPACE)?.length === 3);

  await apps.deleteNamespacedDeployment({
    namespace: NAMESPACE,
    name: "web",
    propagationPolicy: "Foreground",
  });
  await until("no pods", () => informer.list(NAMESPACE)?.length === 0);
  stopped = true;
  await informer.stop();
  assert.deepEqual(failed, []);
  assert.deepEqual(counts, { add: 3, delete: 3 });
});

test("the log of a container can be read, whole and followed", async () => {
  const core = config.makeApiClient(k8s.CoreV1Api);
  const name = "talker";
  const args = ["sh", "-c", "echo hello; echo world"];
  const containers = [{ name: "main", image: "busybox", command: args }];
  const body = { metadata: { name }, spec: { containers, restartPolicy: "Never" } };
  await core.createNamespacedPod({ namespace: NAMESPACE, body });
  await until("the pod ends", async () => {
    const pod = await core.readNamespacedPod({ namespace: NAMESPACE, name });
    return pod.status.phase === "Succeeded";
  });
  const whole = await core.readNamespacedPodLog({ namespace: NAMESPACE, name });
  assert.equal(whole, "hello\nworld\n");

  const stream = new PassThrough();
  const chunks = [];
  stream.on("data", (chunk) => chunks.push(chunk));
  const log = new k8s.Log(config);
  const options = { follow: true, tailLines: 1 };
  const request = await log.log(NAMESPACE, name, "main", stream, options);
  await until("the last line", () => Buffer.concat(chunks).toString() === "world\n");
  request.abort();
});

test("any kind can be handled by its apiVersion and kind alone", async () => {
  const objects = k8s.KubernetesObjectApi.makeApiClient(config);
  const made = await objects.create({
    apiVersion: "scheduling.k8s.io/v1",
    kind: "PriorityClass",
    metadata: { name: "urgent" },
    value: 1000,
  });
  assert.equal(made.preemptionPolicy, "PreemptLowerPriority");
  await objects.delete(made);
});
