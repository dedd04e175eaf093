// Takes the pictures of docs/console: every page at 1280 × 800 and, of a few, by night, in English and on a telephone.
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { Person, launch } from "./browser.mjs";
import { House } from "./house.mjs";
import { patientId } from "./left.mjs";
import { everyPage, opened } from "./tour.mjs";

const folder = process.env.PICTURES ?? join(dirname(fileURLToPath(import.meta.url)), "../../docs/console");
const SCREEN = { width: 1280, height: 800 };
/** A picture is cut at its lower edge until it is no larger than this. */
const BYTES = 150_000;
/** What looks like another page, or like none. */
const SKIPPED = ["run-hand-out", "runs-all-columns", "schedules-of-a-department", "policy-campus", "callbacks-unmatched"];

const house = House.around();
const browser = await launch();
await mkdir(folder, { recursive: true });

async function picture(person, name, { width, height } = SCREEN) {
  for (let tall = height; ; tall -= 40) {
    const path = join(folder, `${name}.png`);
    const taken = await person.page.screenshot({ path, clip: { x: 0, y: 0, width, height: tall } });
    if (taken.length <= BYTES) return console.log(`${name}.png ${taken.length}`);
  }
}

const person = await Person.as("administrator", browser, house);
const stops = await everyPage(person, house);
stops.push({ name: "patient-waiting", address: `/patients/${patientId(0)}` });
for (const stop of stops.filter(({ name }) => !SKIPPED.includes(name))) {
  await opened(person, stop, false);
  await picture(person, stop.name);
}
await person.context.close();

const door = await Person.at(browser, house);
await door.page.goto("/login");
await picture(door, "login");
await door.context.close();

const at = (name) => stops.find((stop) => stop.name === name);
const PHONE = { width: 390, height: 800 };
const others = [
  ["home-dark", "home", { colorScheme: "dark" }],
  ["run-dark", "run-booked", { colorScheme: "dark" }],
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

const english = await Person.as("viewer", browser, house, { locale: "en" });
await english.page.locator('button[name="language"][value="en"]').click();
await english.page.locator('html[lang="en"]').waitFor();
await opened(english, at("home"), false);
await picture(english, "home-en");
await english.page.locator('button[name="language"][value="zh-CN"]').click();
await browser.close();
