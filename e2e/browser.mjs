// A headless Chromium in which people sign in at the pages of a pool, with scripts switched off.
//
// Reads one JSON object a line from standard input: {"url", "username", "password", "answer": "allow"|"deny"}, and prints
// one a line: {"pages": [{"title", "text", "fields"}], "landed"}, or {"error"}. Runs beside the packages (node.py copies it
// there); the first argument is the program chromium.

import { createInterface } from "node:readline";
import puppeteer from "puppeteer-core";

const browser = await puppeteer.launch({
  executablePath: process.argv[2],
  // Where the tests run as root, Chromium has no sandbox; it only sees pages of the server under test.
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
});

async function look(page) {
  const tree = await page.accessibility.snapshot();
  const fields = [];
  const visit = (node) => {
    if (["textbox", "button", "alert"].includes(node.role)) fields.push(`${node.role}: ${node.name}`);
    node.children?.forEach(visit);
  };
  visit(tree);
  const text = await page.evaluate(() => document.body.innerText);
  return { title: await page.title(), text, fields };
}

async function signIn({ url, username, password, answer }) {
  const context = await browser.createBrowserContext();
  try {
    const page = await context.newPage();
    await page.setJavaScriptEnabled(false);
    const pages = [];
    const press = (value) => Promise.all([page.waitForNavigation(), page.click(`button[value="${value}"]`)]);
    await page.goto(url);
    pages.push(await look(page));
    if (username) {
      if (!(await page.$("#username"))) throw new Error(`there is nowhere to sign in: ${pages[0].text}`);
      await page.type("#username", username);
      await page.type("#password", password);
      await press("sign-in");
      pages.push(await look(page));
      if (answer) await press(answer);
    }
    return { pages, landed: page.url() };
  } finally {
    await context.close();
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const done = await signIn(JSON.parse(line)).catch((error) => ({ error: String(error) }));
  console.log(JSON.stringify(done));
}
await browser.close();
