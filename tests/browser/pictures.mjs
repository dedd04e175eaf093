// Takes the pictures of docs/console: every page at 1280 × 800 and, of a few, by night, in English and on a telephone.
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { Person, launch } from "./browser.mjs";
import { House, until } from "./house.mjs";
import { HALTED } from "./left.mjs";
import { everyPage, opened } from "./tour.mjs";

const folder = process.env.PICTURES ?? join(dirname(fileURLToPath(import.meta.url)), "../../docs/console");
const SCREEN = { width: 1280, height: 800 };
/** A picture is cut at its lower edge until it is no larger than this. */
const BYTES = 150_000;
/** What looks like another page, or like none. */
const SKIPPED = [
  "run-waiting", "run-ended", "run-hand-out", "runs-all-columns", "runs-none", "schedules-of-a-department", "patient-halted",
  "policy-department", "policy-campus", "callbacks-unmatched", "schedule-places",
];

const house = House.around();
const browser = await launch();
await mkdir(folder, { recursive: true });

async function picture(person, name, { width, height } = SCREEN) {
  for (let tall = height; ; tall -= 40) {
    await person.page.mouse.move(0, 0);
    const path = join(folder, `${name}.png`);
    const taken = await person.page.screenshot({ path, clip: { x: 0, y: 0, width, height: tall } });
    if (taken.length <= BYTES) return console.log(`${name}.png ${taken.length}`);
  }
}

// A bulk to look at, which changes nothing for good: what is missing is missing still.
const again = { verb: "retry", filter: { status: "suspended", step: "PrepayOrder" }, reason: "维护结束后重试" };
await house.api("POST", "/v1/runs/bulk", again);
const halted = () => house.runs({ status: "suspended", step: "PrepayOrder" });
await until("the bulk is done", () => house.api("GET", "/v1/runs/bulk"), ({ items: [bulk] }) => bulk.done === HALTED && bulk.status === "done");
await until("all stand still again", halted, (found) => found.length === HALTED);

const person = await Person.as("administrator", browser, house);
const stops = await everyPage(person, house);
for (const stop of stops.filter(({ name }) => !SKIPPED.includes(name))) {
  await opened(person, stop, false);
  await picture(person, stop.name);
}
const at = (name) => stops.find((stop) => stop.name === name);
for (const [verb, name, choice] of [["answer", "run-halted", "Paid"], ["signal", "run-waiting", "Consent"]]) {
  await opened(person, at(name), false);
  const deed = person.page.locator(`details:has(form[action$="/${verb}"])`);
  await deed.locator("summary").first().click();
  await deed.locator(`input[value="${choice}"]`).check();
  await (verb === "answer" ? person.page.locator("section", { has: deed }) : deed).evaluate((part) => part.scrollIntoView());
  await picture(person, `run-${verb}`);
}
await opened(person, at("schedule-places"), false);
await person.page.locator("#places").evaluate((section) => section.scrollIntoView());
await picture(person, "schedule-places");
await opened(person, at("patient"), false);
await person.does("/unmask", "核对来电信息");
await person.page.getByRole("link", { name: "恢复脱敏" }).waitFor();
await picture(person, "patient-clear");
await opened(person, at("run"), false);
for (const part of ["#run-inbox", "#run-letters"]) {
  await person.page.locator(`${part} details.content`).first().locator("summary").click();
}
await person.page.locator("#run-inbox").evaluate((section) => section.scrollIntoView());
await picture(person, "run-content");
await person.does("/unmask", "核对来电信息", (form) => form.locator('input[value="signals"]').check());
await person.page.locator("#run-clear").waitFor();
await picture(person, "run-clear");
await person.context.close();

const door = await Person.at(browser, house);
await door.page.goto("/login");
await picture(door, "login");
await door.context.close();

const empty = await House.empty();
const first = await Person.at(browser, empty);
await first.page.goto(empty.link);
await picture(first, "welcome");
await first.context.close();
await empty.close();

const PHONE = { width: 390, height: 800 };
const others = [
  ["home-dark", "home", { colorScheme: "dark" }],
  ["run-dark", "run", { colorScheme: "dark" }],
  ["home-en", "home", { locale: "en" }],
  ["home-phone", "home", { viewport: PHONE }],
  ["runs-phone", "runs", { viewport: PHONE }],
  ["run-phone", "run-halted", { viewport: PHONE }],
];
for (const [name, page, context] of others) {
  const other = await Person.as("operator", browser, house, context);
  await opened(other, at(page), false);
  await picture(other, name, context.viewport);
  await other.context.close();
}

await browser.close();
