// node tests/browser/screenshot.mjs URL out.png [--width N] [--height N] [--theme light|dark] [--wait MS]
// Opens a page, waits for its cluster (or MS), writes what is seen, and prints console errors. A URL that
// starts with `?` or `#`, or is `.`, means dist/ served here.

import { parseArgs } from "node:util";
import { close, open, outline } from "./harness.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    width: { type: "string", default: "1366" },
    height: { type: "string", default: "768" },
    theme: { type: "string", default: "light" },
    wait: { type: "string" },
  },
});
const [url, out] = positionals;
if (!url || !out) {
  console.error("node tests/browser/screenshot.mjs URL out.png [--width N] [--height N] [--theme light|dark] [--wait MS]");
  process.exit(2);
}

const target = /^https?:/.test(url) ? { url } : {};
const { page, errors } = await open(url === "." ? "" : url, {
  ...target,
  width: Number(values.width),
  height: Number(values.height),
  theme: values.theme,
});
if (values.wait === undefined) {
  const alive = page.getByRole("treeitem").filter({ visible: true }).first();
  await alive.waitFor({ timeout: 10_000 }).catch(() => console.error("no outline item after 10 s"));
  await page.waitForTimeout(500);
} else {
  await page.waitForTimeout(Number(values.wait));
}
await page.screenshot({ path: out });
console.log(`${out}: ${(await outline(page)).length} outline items`);
for (const error of errors) console.error(error);
await close();
