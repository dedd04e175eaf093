// Every page, in both languages, by day and by night, on a desk and on a telephone: nothing keeps anybody out, nothing is cut
// off, and the browser has nothing to complain about.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";

import { Person, launch } from "./browser.mjs";
import { House } from "./house.mjs";
import { everyPage, opened } from "./tour.mjs";

const house = House.around();
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"];
const KEEPS_OUT = ["serious", "critical"];
let browser;
let axe;

before(async () => {
  browser = await launch();
  axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
});
after(() => browser.close());

/** What axe finds, one line each. It is put into the page past the page's content security policy, as the devtools would. */
async function found(devtools, options) {
  const ask = (expression) => devtools.send("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
  await ask(`void (globalThis.axe ?? (() => { ${axe} })())`);
  const { result, exceptionDetails } = await ask(`
    axe.run(document, ${JSON.stringify({ ...options, resultTypes: ["violations"] })}).then(({ violations }) =>
      violations.filter(({ impact }) => ${JSON.stringify(KEEPS_OUT)}.includes(impact)).flatMap(({ id, nodes }) =>
        nodes.map(({ target, failureSummary }) => id + " " + target.join(" ") + ": " + failureSummary.replace(/\\s+/g, " "))))`);
  assert.equal(exceptionDetails, undefined, JSON.stringify(exceptionDetails));
  return result.value;
}

/** What makes the page wider than its window, or is cut off within it. */
function tooWide(page) {
  return page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    // What is shortened on purpose ends in … and says all of it where a pointer rests.
    const shortened = (one) => getComputedStyle(one).textOverflow === "ellipsis" && one.title === one.textContent.trim() && innerWidth > 640;
    const cuts = (one) => getComputedStyle(one).overflowX === "hidden" && one.scrollWidth > one.clientWidth + 1 && !shortened(one);
    const cut = [...document.querySelectorAll("main *:not(.hidden, table.fold > thead, svg, svg *)")].filter(cuts);
    if (cut.length > 0) return cut.map((one) => `cut off: ${one.outerHTML.slice(0, 160)}`);
    if (scrollWidth <= clientWidth) return [];
    const scrolls = (at) => at && at !== document.body && (getComputedStyle(at).overflowX !== "visible" || scrolls(at.parentElement));
    const out = [...document.querySelectorAll("body *")].filter((one) => {
      return one.getBoundingClientRect().right > clientWidth + 1 && !scrolls(one.parentElement);
    });
    return [`${scrollWidth} > ${clientWidth}`, ...out.slice(0, 5).map((one) => one.outerHTML.slice(0, 160))];
  });
}

test("what keeps people out is found where it is", async () => {
  const person = await Person.at(browser, house);
  const { page } = person;
  const devtools = await person.context.newCDPSession(page);
  await page.goto("/login");
  await page.evaluate(() => {
    const wrong = document.createElement("p");
    wrong.innerHTML = "<button></button><img>";
    document.querySelector("main").append(wrong);
  });
  const names = (await found(devtools, { runOnly: RULES })).map((one) => one.split(" ")[0]);
  assert.deepEqual(names.sort(), ["button-name", "image-alt"]);
  await page.setViewportSize({ width: 200, height: 800 });
  await page.evaluate(() => document.querySelector("main").append("w".repeat(400)));
  assert.notDeepEqual(await tooWide(page), []);
  await person.leaves();
});

for (const language of ["zh-CN", "en"]) {
  test(`every page in ${language} can be read by everybody, by day and by night, on a desk and a telephone`, async (t) => {
    const person = await Person.as("administrator", browser, house);
    const { page } = person;
    const devtools = await person.context.newCDPSession(page);
    if ((await page.locator("html").getAttribute("lang")) !== language) {
      await page.locator(`button[name="language"][value="${language}"]`).click();
      await page.locator(`html[lang="${language}"]`).waitFor();
    }
    const tour = await everyPage(person, house);
    assert.ok(tour.length >= 30, `the tour has ${tour.length} pages`);
    const wrong = [];
    for (const stop of tour) {
      await page.setViewportSize({ width: 1280, height: 800 });
      await page.emulateMedia({ colorScheme: "light" });
      await opened(person, stop);
      assert.equal(await page.locator("html").getAttribute("lang"), language, stop.name);
      assert.equal(await page.locator("h1").count(), 1, `${stop.name} has one heading that names it`);
      const by = (when) => (what) => wrong.push(`${stop.name} (${when}): ${what}`);
      (await found(devtools, { runOnly: RULES })).forEach(by("by day"));
      await page.emulateMedia({ colorScheme: "dark" });
      (await found(devtools, { runOnly: { type: "rule", values: ["color-contrast"] } })).forEach(by("by night"));
      (await tooWide(page)).forEach(by("on a desk"));
      await page.setViewportSize({ width: 390, height: 844 });
      (await tooWide(page)).forEach(by("on a telephone"));
    }
    t.diagnostic(`${tour.length} pages`);
    assert.deepEqual(wrong, []);
    await person.leaves("404");
  });
}

test("whoever is not logged in finds a page that everybody can read", async () => {
  const person = await Person.at(browser, house);
  const { page } = person;
  const devtools = await person.context.newCDPSession(page);
  for (const [address, colorScheme] of [["/login", "light"], ["/login?lang=en", "dark"]]) {
    await page.emulateMedia({ colorScheme });
    await page.goto(address);
    assert.deepEqual(await found(devtools, { runOnly: RULES }), [], address);
    await page.setViewportSize({ width: 390, height: 844 });
    assert.deepEqual(await tooWide(page), [], address);
  }
  await person.leaves();
});

test("every page has a policy by which no script but the console's own runs", async () => {
  const person = await Person.as("viewer", browser, house);
  for (const address of ["/", "/runs", "/audit", "/patients", "/login"]) {
    const answer = await person.page.goto(address);
    const policy = answer.headers()["content-security-policy"] ?? "";
    assert.ok(policy.includes("default-src") && !policy.includes("unsafe"), `${address}: ${policy}`);
  }
  const refused = await person.page.evaluate(() => {
    const said = new Promise((resolve) => document.addEventListener("securitypolicyviolation", (event) => resolve(event.effectiveDirective)));
    const script = document.createElement("script");
    script.textContent = "globalThis.intruder = true";
    document.body.append(script);
    return said.then((directive) => [directive, globalThis.intruder ?? false]);
  });
  assert.deepEqual(refused, ["script-src-elem", false]);
  await person.leaves("Content Security Policy");
});
