// Every page that the navigation and the pages' own rows lead to.
import assert from "node:assert/strict";

/** The stops: a name and either an address or a way to come there. What the navigation gains comes with it. */
export async function everyPage(person, house) {
  const { page } = person;
  await page.goto("/");
  const shown = await page.locator("nav a[href^='/']").evaluateAll((links) => links.map((link) => link.getAttribute("href")));
  const stops = [...new Set(shown)].map((address) => ({ name: named(address), address }));
  const first = async (query) => (await house.runs(query))[0]?.runId;
  const [halted] = house.left.runs;
  const application = "waitlist_application";
  const booked = await first({ status: "waiting", workflow: application, step: "Visit" });
  const details = {
    "run-halted": `/runs/${halted}`,
    "run-waiting": `/runs/${await first({ status: "waiting", workflow: application, step: "Waiting" })}`,
    run: `/runs/${booked}`,
    "run-ended": `/runs/${await first({ status: "completed", workflow: application })}`,
    "run-hand-out": `/runs/${await first({ workflow: "slot_release" })}`,
    "runs-all-columns": "/runs?workflow=&status=waiting&key=1&due=1&attempts=1&created=1&last_error=1",
    "runs-none": "/runs?q=nothing-of-this-name",
    patient: `/patients/${(await house.run(booked)).state.patient_id}`,
    "patient-halted": await row(page, "/patients", "/patients/"),
    schedule: await longest(house),
    "schedule-drawn": await drawn(house),
    "schedule-places": await busiest(house),
    day: "/day/booked?day=2026-03-05",
    "schedules-of-a-department": "/schedules?department=K03&waiting=1",
    policy: "/policies/doctor/D001",
    "policy-department": "/policies/department/K01",
    "policy-campus": "/policies/campus/C1",
    text: await row(page, "/texts", "/texts/"),
    "cases-resolved": "/cases?state=resolved",
    "callbacks-unmatched": "/callbacks?fate=unmatched",
    account: "/account",
    keys: "/keys",
    "not-there": "/runs/0199b0c2-5a53-7c1e-8a55-3f6f0a0d6b11",
  };
  for (const [name, address] of Object.entries(details)) {
    assert.ok(address && !address.includes("undefined"), `there is no page for ${name}`);
    stops.push({ name, address });
  }
  const preview = async () => {
    await page.goto(`/runs?workflow=${application}&status=waiting&step=Waiting`);
    const form = page.locator('form[action="/bulks/preview"]');
    await form.locator("[name=verb]").selectOption("suspend");
    await form.locator("[name=reason]").fill("演练");
    await form.locator("button").last().click();
    await page.locator('form[action="/bulks"]').waitFor();
  };
  stops.push({ name: "bulk-preview", come: preview });
  return stops;
}

/** Goes there; what is folded is opened, so that it is looked at as well. */
export async function opened(person, stop, unfold = true) {
  const { page } = person;
  if (stop.come) await stop.come();
  else await page.goto(stop.address);
  if (unfold) {
    await page.evaluate(() => document.querySelectorAll("main details").forEach((one) => { one.open = true; }));
  }
}

const named = (address) => address.replace(/^\//, "").replaceAll("/", "-") || "home";

async function row(page, list, to) {
  await page.goto(list);
  return page.locator(`[data-row] a[href^="${to}"]`).first().getAttribute("href");
}

/** Schedules, the one with the longest queue first. */
async function schedules(house) {
  const { items: departments } = await house.api("GET", "/v1/departments");
  const all = [];
  for (const { departmentId } of departments) {
    all.push(...(await house.api("GET", `/v1/schedules?departmentId=${departmentId}`)).items);
  }
  return all.sort((one, other) => other.waitlist.length - one.waitlist.length);
}

async function longest(house) {
  const [most] = await schedules(house);
  return `/schedules/${most.scheduleId}`;
}

/** The longest queue whose order was drawn by lot; one that goes by arrival has no draw. */
async function drawn(house) {
  for (const { scheduleId } of (await schedules(house)).filter((one) => one.waitlist.length > 0)) {
    const draw = await house.api("GET", `/v1/schedules/${scheduleId}/draw`).catch(() => ({}));
    if (draw.stage === "drawn") return `/schedules/${scheduleId}`;
  }
}

/** The schedule that most of those who have a visit have it at. */
async function busiest(house) {
  const booked = await house.runs({ status: "waiting", workflow: "waitlist_application", step: "Visit", limit: 50 });
  const places = new Map();
  for (const { runId } of booked) {
    const { schedule_id: schedule } = (await house.run(runId)).state;
    places.set(schedule, (places.get(schedule) ?? 0) + 1);
  }
  const [[most]] = [...places].sort(([, one], [, other]) => other - one);
  return `/schedules/${most}`;
}
