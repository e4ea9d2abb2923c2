// The Play screen as a person uses it: by pointer, by keyboard, in the terminal, in the editor, by link.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { alive, assertQuiet, baseUrl, close, open, play, podsOf, press, type, waitForOutline, web } from "./harness.mjs";

after(close);

for (const [width, height] of [[1280, 720], [1366, 768], [1920, 1080]]) {
  test(`nothing scrolls, wraps or is too small at ${width} by ${height}`, async () => {
    const { page } = await play("", { width, height });
    for (const view of ["Cluster", "Deployment", "Service"]) {
      await press(page, view);
      await page.waitForTimeout(300);
      const seen = await page.evaluate(measure);
      assert.deepEqual(seen.scroll, [0, 0], `${view}: the page scrolls`);
      assert.ok(seen.header <= 48, `${view}: the header is ${seen.header} px high`);
      assert.deepEqual(seen.small, [], `${view}: text below 12 px`);
      assert.deepEqual(seen.outside, [], `${view}: text that leaves its box`);
    }
  });
}

function measure() {
  const root = document.documentElement;
  const small = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const { parentElement: element, data } = walker.currentNode;
    if (!data.trim() || ["SCRIPT", "STYLE", "NOSCRIPT"].includes(element.tagName)) continue;
    if (parseFloat(getComputedStyle(element).fontSize) < 12) small.push(data.trim());
  }
  const outside = [];
  for (const item of document.querySelectorAll(".canvas .item:not(.line)")) {
    const box = item.querySelector(".box").getBoundingClientRect();
    for (const text of item.querySelectorAll("text")) {
      const own = text.getBoundingClientRect();
      if (own.width && (own.left < box.left - 1 || own.right > box.right + 1)) outside.push(text.textContent);
    }
  }
  return {
    scroll: [root.scrollWidth - innerWidth, root.scrollHeight - innerHeight].map((n) => Math.max(0, n)),
    header: document.querySelector("header").offsetHeight,
    small,
    outside,
  };
}

test("a telephone shows one column that does not scroll sideways, below one line of buttons", async () => {
  const { page } = await play("", { width: 390, height: 844 });
  const header = await page.evaluate(() => document.querySelector("header").offsetHeight);
  assert.ok(header <= 48, `the header is ${header} px high`);
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(overflow <= 0, `${overflow} px too wide`);
});

test("a deleted pod comes back under another name", async () => {
  const opened = await play();
  const before = web(opened.items).map(({ name }) => name);
  await opened.page.locator(`[role=treeitem][data-key="pod/default/${before[0]}"]`).click();
  await opened.page.getByRole("button", { name: "Delete", exact: true }).click();
  await waitForOutline(
    opened.page,
    `${before[0]} gone and three pods of web Running`,
    (items) => alive(items) && !web(items).some(({ name }) => name === before[0]) && web(items).length === 3,
  );
  assertQuiet(opened);
});

test("the terminal answers, its names select, and the arrows bring lines back", async () => {
  const { page, items } = await play();
  const [{ name }] = web(items);
  await type(page, "kubectl get pods");
  await page.locator(".terminal pre button", { hasText: name }).click();
  await page.getByRole("heading", { name: new RegExp(`Pod default/${name}`) }).waitFor();
  await page.locator("#command").focus();
  await page.keyboard.press("ArrowUp");
  assert.equal(await page.locator("#command").inputValue(), "kubectl get pods");
});

test("the inspector tells why a pod is there, back to who asked for it", async () => {
  const { page, items } = await play();
  await page.locator(`[role=treeitem][data-key="pod/default/${web(items)[0].name}"]`).click();
  await press(page, "Why?");
  const causes = page.locator(".causes");
  for (const part of ["default-scheduler", "replicaset-controller"]) {
    await causes.getByText(part).first().waitFor();
  }
  await press(page, "YAML");
  await page.locator("pre.yaml", { hasText: "kind: Pod" }).waitFor();
});

test("the editor applies, and shows what is wrong at its place", async () => {
  const { page } = await play();
  await press(page, "Editor");
  await page.getByLabel("YAML", { exact: true }).fill("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  b: c\n");
  await press(page, "Apply");
  await page.getByText("configmap/a created").waitFor();
  await page.getByLabel("YAML", { exact: true }).fill("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n   data: b\n");
  await press(page, "Apply");
  await page.getByText(/Line \d+, column \d+/).waitFor();
});

test("an unplugged scheduler leaves a new pod without a node until it is plugged in", async () => {
  const { page } = await play();
  await page.getByText("Break", { exact: true }).click();
  await press(page, "Unplug kube-scheduler");
  await waitForOutline(page, "the scheduler is off", (items) => items.includes("kube-scheduler, off"));
  await type(page, "kubectl scale deployment web --replicas=4");
  await waitForOutline(page, "one pod is Pending", (items) => web(items).some(({ status }) => status === "Pending"));
  await page.getByText("Break", { exact: true }).click();
  await press(page, "Plug in kube-scheduler");
  await waitForOutline(page, "four pods are Running", (items) => web(items).filter(({ status }) => status === "Running").length === 4);
});

test("a machine without power is NotReady after its grace", async () => {
  const { page } = await play();
  await page.getByLabel("Speed").selectOption("64×");
  await page.getByText("Break", { exact: true }).click();
  await press(page, "Switch node-2 off");
  await waitForOutline(page, "node-2 is NotReady", (items) => items.some((item) => /^node-2, NotReady/.test(item)));
});

test("a link opens the same run in another browser: the same pods and the same trace", async () => {
  const { page, items } = await play();
  await type(page, "kubectl create deployment shared --image=nginx:1.27 --replicas=2");
  await waitForOutline(page, "two pods of shared", (items) => podsOf(items).filter(({ name }) => name.startsWith("shared-")).length === 2);
  await press(page, "Pause");
  await press(page, "Share");
  const link = await page.getByLabel("Link").inputValue();
  assert.ok(link.startsWith(`${await baseUrl()}#1`), link);
  const trace = await page.locator("#share-trace").textContent();
  assert.match(trace, /^[0-9a-f]{16}$/);
  const again = await open(link.slice(link.indexOf("#")));
  const said = again.page.getByRole("status").getByText("as where the link was made");
  await said.waitFor();
  // The copy hashed its own run; that it agrees with the link is a second, separate comparison.
  assert.match(await said.textContent(), new RegExp(`Its trace is ${trace},`));
  const names = (items) => podsOf(items).map(({ namespace, name }) => `${namespace}/${name}`).sort();
  const all = names(items);
  const copy = names(await waitForOutline(again.page, "the pods of the first page", (found) => all.every((name) => names(found).includes(name))));
  assert.equal(copy.filter((name) => name.startsWith("default/shared-")).length, 2);
  assertQuiet(again);
});

test("a link to the start opens before anything was done", async () => {
  const { page } = await play();
  await type(page, "kubectl create deployment shared --image=nginx:1.27");
  await press(page, "Share");
  await page.getByLabel("at the start, before anything was done").check();
  const link = await page.getByLabel("Link").inputValue();
  const again = await open(link.slice(link.indexOf("#")));
  const items = await waitForOutline(again.page, "the pods of web", alive);
  assert.deepEqual(podsOf(items).filter(({ name }) => name.startsWith("shared-")), []);
});

test("a link that was cut or damaged is refused with a reason, and the default cluster runs", async () => {
  const { page } = await play();
  await press(page, "Share");
  const link = await page.getByLabel("Link").inputValue();
  const fragment = link.slice(link.indexOf("#"));
  const swapped = fragment[40] === "A" ? "B" : "A";
  for (const [text, reason] of [
    [fragment.slice(0, -30), /cut: \d+ of \d+ characters arrived/],
    [`${fragment.slice(0, 40)}${swapped}${fragment.slice(41)}`, /damaged on its way/],
    ["#lesson/self-heel", /did you mean self-heal/],
    ["#1junk", /no link of Orrery/],
  ]) {
    const damaged = await open(text);
    await damaged.page.getByRole("alert").getByText(reason).waitFor();
    await waitForOutline(damaged.page, "the default cluster", alive);
    assertQuiet(damaged);
    await damaged.context.close();
  }
});

test("a request is followed hop by hop", async () => {
  const { page } = await play();
  await press(page, "Traffic");
  await press(page, "Send");
  await page.locator(".hops").getByText("DNS", { exact: true }).waitFor();
  await page.locator(".traffic").getByText(/200 OK from web-/).first().waitFor();
});

test("the stage is worked by keyboard while it has the focus", async () => {
  const { page } = await play();
  await page.getByRole("application").focus();
  await page.keyboard.press("ArrowRight");
  assert.equal(await page.locator(".item.selected").count(), 1);
  await page.keyboard.press(" ");
  await page.getByRole("button", { name: "Play", exact: true }).nth(1).waitFor();
  await page.keyboard.press("3");
  await page.locator("button[aria-pressed=true]", { hasText: "Service" }).waitFor();
  await page.keyboard.press("Escape");
  assert.equal(await page.locator(".item.selected").count(), 0);
});

test("the lesson on self-healing starts, is solved, and goes on", async () => {
  const { page } = await open("#lesson/self-heal");
  await page.getByRole("heading", { name: "Self-healing" }).waitFor();
  await waitForOutline(page, "three pods of web Running", alive);
  assert.ok(await page.getByRole("button", { name: "Next step" }).isDisabled());
  await page.locator("button.command").first().click();
  await page.getByRole("button", { name: /ReplicaSet controller/ }).click();
  await page.waitForFunction(() => [...document.querySelectorAll("button")].some((b) => b.textContent === "Next step" && !b.disabled), undefined, { timeout: 30_000 });
});
