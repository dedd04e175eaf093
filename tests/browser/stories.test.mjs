// What support staff do with the console, one story each: what they see, and through the API that it has really happened.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Person, launch } from "./browser.mjs";
import { House, until } from "./house.mjs";
import { account, patient, patientId } from "./left.mjs";

const NO_ACCOUNT = "患者在支付平台没有账号";
const house = House.around();
const { runs: halted } = house.left;
let browser;

before(async () => {
  browser = await launch();
});
after(() => browser.close());

const as = (role, context) => Person.as(role, browser, house, context);
const standsAt = (id, step) => until(`${id} at ${step}`, () => house.run(id), (run) => run.step === step);
const failures = async (id) => (await house.history(id)).filter((turn) => turn.error && turn.woke !== "staff").length;
const text = (page, selector = "main") => page.locator(selector).first().innerText();

/** The audit page tells it first of all. */
async function seenInAudit(person, verb, reason) {
  await person.page.goto("/audit");
  const newest = person.page.locator("tr[data-row]").first();
  const said = await newest.innerText();
  assert.ok(said.includes(verb) && said.includes(reason), said);
}

test("a wrong password opens nothing, the right one the workbench, and its session is a cookie of this browser", async () => {
  const person = await Person.at(browser, house);
  const { page } = person;
  await page.goto("/runs?status=suspended");
  assert.equal(new URL(page.url()).pathname, "/login", "whoever is not logged in is sent to do so");
  const logIn = async (password) => {
    await page.getByLabel("用户名").fill("operator");
    await page.getByLabel("密码").fill(password);
    await page.getByRole("button", { name: "登录", exact: true }).click();
  };
  await logIn("not the password");
  await page.getByRole("alert").waitFor();
  assert.equal(await person.session(), undefined);
  await logIn(house.password);
  await page.waitForURL("/runs?status=suspended");
  assert.equal(await page.locator("tr[data-row]").count(), halted.length, "and stands where it was going");
  const cookie = await person.session();
  assert.ok(cookie.httpOnly && ["Lax", "Strict"].includes(cookie.sameSite), JSON.stringify(cookie));
  // The browser complains of every answer that is no success; the first one was meant to be none.
  await person.leaves("401");
});

test("an application is found by its patient's number and by the end of a phone number", async () => {
  const person = await as("operator");
  const { page } = person;
  for (const asked of [patientId(0), patient(0).phone.slice(-4), halted[0]]) {
    await page.goto("/");
    await page.keyboard.press("/");
    await page.keyboard.type(asked);
    await page.keyboard.press("Enter");
    await page.waitForURL("**/runs?*");
    const link = page.locator(`a[href="/runs/${halted[0]}"]`);
    const row = await page.locator("tr[data-row]").filter({ has: link }).innerText();
    assert.ok(row.includes("陈*明") && !row.includes(patient(0).name), `${asked}: ${row}`);
  }
  await page.locator(`tr[data-row] a[href="/runs/${halted[0]}"]`).click();
  await page.getByRole("heading", { level: 1, name: "候补申请" }).waitFor();
  await person.leaves();
});

test("a run says in a sentence why it does not move, and where it could go", async () => {
  const person = await as("operator");
  const { page } = person;
  await page.goto(`/runs/${halted[0]}`);
  const stands = await text(page, "#live");
  assert.ok(stands.includes("已暂停") && stands.includes(NO_ACCOUNT), stands);
  assert.ok((await text(page, ".turns li.failed")).includes(NO_ACCOUNT), "its timeline tells the failure");
  assert.equal(await page.locator(".line-chart:not(.whole) .stop.now").count(), 1, "its chart shows where it is");

  const [waiting] = await house.runs({ status: "waiting", workflow: "waitlist_application", step: "Waiting" });
  await page.goto(`/runs/${waiting.runId}`);
  const waits = await text(page, "#live");
  assert.match(waits, /等待.*最晚至 2026-03-\d\d \d\d:\d\d/s);
  await person.leaves();
});

test("a suspended step is tried again: it fails as before, and goes on once its cause is put right", async () => {
  const person = await as("operator");
  const { page } = person;
  const [, run] = halted;
  const before = await failures(run);
  await page.goto(`/runs/${run}`);
  await person.does(`/runs/${run}/retry`, "再试一次");
  await page.getByRole("status").getByText("立即重试").waitFor();
  await until("one more failure", () => failures(run), (n) => n === before + 1);
  await until("it stands still again", () => house.run(run), (now) => now.status === "suspended" && now.attempt === 1);

  await house.api("PUT", `/v1/patients/${patientId(1)}`, { ...patient(1), ...account(1) });
  await page.goto(`/runs/${run}`);
  await person.does(`/runs/${run}/retry`, "患者已重新绑定微信");
  const now = await standsAt(run, "Prepayment");
  assert.ok(now.state.order.prepay_id, "the order is open at the provider");
  await page.goto(`/runs/${run}`);
  await page.getByRole("heading", { level: 1, name: "等待预付" }).waitFor();
  const [deed] = await house.audited("retry", "患者已重新绑定微信");
  assert.equal(deed.who, "operator");
  await seenInAudit(person, "立即重试", "患者已重新绑定微信");
  await person.leaves();
});

test("a step is answered for, and a page that stays open sees it", async () => {
  const [watcher, person] = [await as("viewer"), await as("operator")];
  const run = halted[2];
  await watcher.page.goto(`/runs/${run}`);
  await watcher.page.locator("#live").getByText("已暂停", { exact: true }).waitFor();
  await watcher.page.locator("#live").getByText(NO_ACCOUNT).waitFor();
  await person.page.goto(`/runs/${run}`);
  await person.does(`/runs/${run}/answer`, "支付平台已确认下单", async (form) => {
    const outcome = form.locator('input[type="radio"][value="Opened"]');
    const money = form.locator('[name="lack/Paid/order.paid.amount_fen"]');
    assert.equal(await money.isVisible(), false, "what another outcome needs is asked for with that one");
    await form.locator('input[type="radio"][value="Paid"]').check();
    assert.equal(await money.isVisible(), true, "nothing is known of money: whoever says that it came says which");
    await outcome.check();
  });
  const said = (await house.history(run)).find((turn) => turn.woke === "staff");
  assert.deepEqual([said.step, said.outcome, said.next], ["PrepayOrder", "Opened", "Prepayment"]);
  await watcher.page.locator("#live").getByText(NO_ACCOUNT).waitFor({ state: "detached" });
  // Not that card alone: the way that it went and what staff did stand beside it.
  await watcher.page.locator("#run-turns").getByText("预付下单").first().waitFor();
  await watcher.page.locator("#run-audit").getByText("支付平台已确认下单").waitFor();
  const [deed] = await house.audited("answer", "支付平台已确认下单");
  assert.equal(deed.runId, run);
  await seenInAudit(person, "补录结果", "支付平台已确认下单");
  await watcher.leaves();
  await person.leaves();
});

/** The money that was seen at the provider, typed as it stands there. */
async function money(form, amount) {
  const field = (name) => form.locator(`[name="lack/Paid/order.paid.${name}"]`);
  await form.locator('input[type="radio"][value="Paid"]').check();
  await field("transaction_id").fill("4200001234");
  await field("amount_fen").fill(amount);
  await field("paid_at").fill("2026-03-07T08:05");
}

for (const javaScriptEnabled of [true, false]) {
  test(`money that was seen is said without JSON, ${javaScriptEnabled ? "with" : "without"} the page's script`, async () => {
    const person = await as("operator", { javaScriptEnabled });
    const { page } = person;
    const run = halted[javaScriptEnabled ? 3 : 4];
    await page.goto(`/runs/${run}`);
    await person.does(`/runs/${run}/answer`, "平台后台已查到款项", (form) => money(form, "八十元"));
    await page.getByRole("alert").getByText("“已收金额（元）”须为金额").waitFor();
    const form = page.locator(`form[action="/runs/${run}/answer"]`);
    assert.equal(await form.locator("[name=reason]").inputValue(), "平台后台已查到款项", "what was typed is still there");
    assert.equal(await form.locator('[name="lack/Paid/order.paid.transaction_id"]').inputValue(), "4200001234");
    const { fee_fen: fee } = (await house.run(run)).state;
    await person.does(`/runs/${run}/answer`, "平台后台已查到款项", (form) => money(form, String(fee / 100)));
    await page.getByRole("status").getByText("补录结果").waitFor();
    const now = await standsAt(run, "Waiting");
    assert.deepEqual([now.state.order.paid.amount_fen, now.state.order.paid.paid_at], [fee, "2026-03-07T00:05:00Z"]);
    // The browser complains of every answer that is no success; the first one was meant to be none.
    await person.leaves("422");
  });

  test(`a bulk's outcome is chosen, ${javaScriptEnabled ? "with" : "without"} the page's script`, async () => {
    const person = await as("operator", { javaScriptEnabled });
    const { page } = person;
    await page.goto("/runs?workflow=waitlist_application&step=Waiting");
    const form = page.locator('form[action="/bulks/preview"]');
    const preview = () => form.getByRole("button", { name: "预览" }).click();
    await form.locator("[name=verb]").selectOption("answer");
    await form.locator("[name=reason]").fill("候补已截止");
    await preview();
    await form.getByRole("alert").getByText("请选择要补录的结果").waitFor();
    assert.equal(await form.locator("[name=reason]").inputValue(), "候补已截止", "what was typed is still there");
    assert.equal(await form.locator("[name=verb]").inputValue(), "answer");
    assert.equal(await page.locator(".filter [name=step]").inputValue(), "Waiting", "and the list is the same");
    await form.locator("[name=outcome]").selectOption({ label: "截止" });
    await preview();
    await page.getByRole("heading", { level: 1, name: "批量操作预览: 补录结果: 截止" }).waitFor();
    await person.leaves("422");
  });
}

test("older runs stay where they are while the list is drawn anew", async () => {
  const person = await as("viewer");
  const { page } = person;
  const drawn = () => page.locator("#live [data-row] a").evaluateAll((links) => links.map((link) => link.getAttribute("href")));
  await page.goto("/runs");
  const first = await drawn();
  const redrawn = () => page.waitForResponse((answer) => answer.url().includes("cursor=") && answer.request().headers()["hx-request"] === "true");
  await Promise.all([redrawn(), page.locator(".more a").last().click()]);
  await page.waitForFunction(() => document.querySelector("#live:not(.htmx-request, .htmx-swapping, .htmx-settling)"));
  const second = await drawn();
  assert.ok(second.length > 0 && !second.some((run) => first.includes(run)), "the second page is another one");
  await person.leaves();
});

test("a bulk is looked at before it begins, does that and no more, and tells how far it is", async () => {
  const person = await as("operator");
  const { page } = person;
  const query = { workflow: "waitlist_application", status: "suspended", step: "PrepayOrder" };
  const meant = (await house.runs(query)).map((run) => run.runId);
  assert.ok(meant.length >= 3 && meant.every((id) => halted.includes(id)));
  for (const id of meant) {
    const nth = halted.indexOf(id);
    await house.api("PUT", `/v1/patients/${patientId(nth)}`, { ...patient(nth), ...account(nth) });
  }
  await page.goto(`/runs?${new URLSearchParams(query)}`);
  const form = page.locator('form[action="/bulks/preview"]');
  await form.locator("[name=verb]").selectOption("retry");
  await form.locator("[name=reason]").fill("微信账户已恢复");
  await form.getByRole("button", { name: "预览" }).click();
  await page.getByRole("heading", { level: 1, name: "批量操作预览" }).waitFor();
  const would = page.locator(".tile", { hasText: "将被更改" }).locator("b");
  assert.equal(await would.innerText(), String(meant.length));
  assert.equal((await house.runs(query)).length, meant.length, "nothing has happened yet");
  const listed = await page.locator("tr[data-row] a").evaluateAll((links) => links.map((link) => link.pathname));
  assert.deepEqual(listed.sort(), meant.map((id) => `/runs/${id}`).sort(), "each of them is named, and no other");
  const byStep = page.locator('td[data-label="将被更改"]');
  assert.deepEqual(await byStep.allInnerTexts(), [String(meant.length)], "all stand at one step");

  await page.getByRole("button", { name: "确认执行批量操作" }).click();
  await page.waitForURL("**/bulks*");
  await page.locator("tr[data-row]").first().getByText(`已更改 ${meant.length} / ${meant.length}`).waitFor();
  for (const id of meant) await standsAt(id, "Prepayment");
  const [bulk] = (await house.api("GET", "/v1/runs/bulk")).items;
  assert.deepEqual([bulk.reason, bulk.who, bulk.done, bulk.total], ["微信账户已恢复", "operator", meant.length, meant.length]);
  await person.leaves();
});

test("a patient is seen in the clear for a reason, which is kept, and is masked again afterwards", async () => {
  const person = await as("operator");
  const { page } = person;
  const one = patient(3);
  await page.goto(`/patients/${patientId(3)}`);
  const personal = [one.name, one.phone, one.idNumber];
  const isShown = async () => {
    const all = await page.content();
    return personal.map((what) => all.includes(what));
  };
  assert.deepEqual(await isShown(), [false, false, false]);
  await person.does(`/patients/${patientId(3)}/unmask`, "患者来电核对证件");
  assert.deepEqual(await isShown(), [true, true, true]);
  await page.goto(`/patients/${patientId(3)}`);
  assert.deepEqual(await isShown(), [false, false, false]);
  const audit = (await house.api("GET", "/v1/audit?limit=50")).items;
  const deed = audit.find((deed) => deed.reason === "患者来电核对证件");
  assert.equal(deed.who, "operator");
  assert.ok(!personal.some((what) => JSON.stringify(deed).includes(what)), "the log says that it was seen, not what");
  await seenInAudit(person, patientId(3), "患者来电核对证件");
  await person.leaves();
});

test("a patient's page follows what happens, but while a form of it is filled in or somebody is seen in the clear", async () => {
  const [person, chief, watcher] = [await as("operator"), await as("administrator"), await as("viewer")];
  const id = patientId(5);
  const [address, why] = [`/patients/${id}`, "窗口多次爽约"];
  for (const { page } of [person, chief, watcher]) await page.goto(address);
  await person.does(`${address}/unmask`, "来电核对手机号");
  await person.page.getByText(patient(5).phone).waitFor();
  const fold = chief.page.locator(`details:has(form[action="${address}/ban"])`);
  await fold.locator("summary").click();
  await fold.locator("[name=reason]").fill("还没写完");

  await house.api("PUT", `/v1/blacklist/${id}`, { reason: why });
  await watcher.page.locator("#patient-bars").getByText(why).first().waitFor();
  await watcher.page.locator("#patient-head .chip").waitFor();
  // What was looked at stays, and is neither fetched nor audited once more.
  const seen = await text(person.page);
  assert.ok(seen.includes(patient(5).phone) && !seen.includes(why), seen);
  assert.equal((await house.audited("patient.unmask", "来电核对手机号")).length, 1);
  await person.page.getByRole("link", { name: "恢复脱敏" }).click();
  await person.page.waitForURL(`**${address}`);
  await person.page.locator("#patient-bars").getByText(why).first().waitFor();
  assert.ok(!(await person.page.content()).includes(patient(5).phone), "masked again");
  assert.equal(await fold.locator("[name=reason]").inputValue(), "还没写完", "a form that is filled in is left alone");
  assert.ok(!(await text(chief.page, "#patient-bars")).includes(why));
  await fold.locator("[name=reason]").fill("");
  await fold.locator("summary").click();
  await chief.page.locator("#patient-bars").getByText(why).first().waitFor();
  await house.api("POST", `/v1/blacklist/${id}/lift`, { reason: "登记有误" });
  await watcher.page.locator("#patient-head .chip").waitFor({ state: "detached" });
  for (const one of [person, chief, watcher]) await one.leaves();
});

for (const javaScriptEnabled of [true, false]) {
  test(`what goes with a signal is said without JSON, ${javaScriptEnabled ? "with" : "without"} the page's script`, async () => {
    const person = await as("operator", { javaScriptEnabled });
    const { page } = person;
    const waiting = await house.runs({ status: "waiting", workflow: "waitlist_application", step: "Waiting" });
    const run = waiting[javaScriptEnabled ? 2 : 3].runId;
    const field = (form, name) => form.locator(`[name="told/Consent/${name}"]`);
    await page.goto(`/runs/${run}`);
    await person.does(`/runs/${run}/signal`, "患者来电答复", async (form) => {
      assert.equal(await field(form, "keep").isVisible(), false, "what goes with a signal is asked for with that one");
      await form.locator('input[type="radio"][value="Consent"]').check();
      assert.equal(await form.locator("textarea:visible").count(), 0, "no JSON");
      await field(form, "keep").selectOption("false");
    });
    await page.getByRole("alert").getByText("请填写：所答问题的编号。").waitFor();
    const form = page.locator(`form[action="/runs/${run}/signal"]`);
    assert.equal(await field(form, "keep").inputValue(), "false", "what was typed is still there");
    await person.does(`/runs/${run}/signal`, "患者来电答复", (form) => field(form, "question").fill("change:1"));
    await page.getByRole("status").getByText("发送信号").waitFor();
    await page.locator("#run-inbox").getByText("患者答复").first().waitFor();
    const heard = (await house.run(run)).inbox.find((one) => one.name === "Consent");
    assert.deepEqual(heard.payload, { question: "change:1", keep: false });
    assert.equal((await house.audited("signal", "患者来电答复")).some((deed) => deed.runId === run), true);
    await person.leaves("422");
  });
}

test("what came with a signal is folded and masked, stays unfolded while the page is drawn anew, and is seen in the clear once", async () => {
  const [person, watcher] = [await as("operator"), await as("viewer")];
  const { page } = person;
  const [, waiting] = await house.runs({ status: "waiting", workflow: "waitlist_application", step: "Waiting" });
  const run = waiting.runId;
  const personal = [patient(4).name, patient(4).phone, patient(4).idNumber];
  const [name, phone, idNumber] = personal;
  const tell = (signalId) =>
    house.api("POST", `/v1/runs/${run}/signals/Confirm`, {
      signalId, payload: { until: "2020-01-01T00:00:00Z", name, phone, idNumber }, reason: "补送",
    });
  const shows = async (at, part = "main") => {
    const said = await text(at, part);
    return personal.map((what) => said.includes(what));
  };
  const none = [false, false, false];
  await tell("browser-told-1");
  for (const at of [page, watcher.page]) {
    await at.goto(`/runs/${run}`);
    const fold = at.locator('details[data-key="signal browser-told-1"]');
    assert.equal(await fold.locator("pre").isVisible(), false, "it is folded");
    await fold.locator("summary").click();
    await fold.getByText("139****8804").waitFor();
    assert.deepEqual(await shows(at), none);
  }
  assert.equal(await watcher.page.locator('form[action$="/unmask"]').count(), 0, "a viewer is not offered more");

  // Something else comes and the page is drawn anew: what was unfolded stays so, what was folded too, and the keyboard is where it was.
  await tell("browser-told-2");
  await page.locator('details[data-key="signal browser-told-2"]').waitFor();
  assert.equal(await page.locator('details[data-key="signal browser-told-1"] pre').isVisible(), true);
  assert.equal(await page.locator('details[data-key="signal browser-told-2"] pre').isVisible(), false);
  assert.equal(await page.locator('details[data-key="state"] pre').isVisible(), false);
  const focused = () => document.activeElement.closest("details")?.dataset.key;
  assert.equal(await page.evaluate(focused), "signal browser-told-1");

  await person.does(`/runs/${run}/unmask`, "核对来电信息", (form) => form.locator('input[value="signals"]').check());
  await page.locator("#run-clear").waitFor();
  assert.deepEqual(await shows(page, "#run-inbox"), [true, true, true]);
  // What is in the clear neither goes away nor grows by itself, although the run moves.
  await watcher.page.locator('details[data-key="signal browser-told-2"]').waitFor();
  await tell("browser-told-3");
  await watcher.page.locator('details[data-key="signal browser-told-3"]').waitFor();
  assert.equal(await watcher.page.locator('details[data-key="signal browser-told-1"] pre').isVisible(), true);
  assert.deepEqual([await shows(page, "#run-inbox"), await shows(watcher.page)], [[true, true, true], none]);
  assert.equal(await page.locator('details[data-key="signal browser-told-3"]').count(), 0);

  await page.getByRole("link", { name: "恢复脱敏" }).click();
  await page.waitForURL(`**/runs/${run}`);
  await page.locator('details[data-key="signal browser-told-3"]').waitFor();
  const whole = await page.content();
  assert.ok(!personal.some((what) => whole.includes(what)), "masked again");
  const [deed] = await house.audited("run.unmask", "核对来电信息");
  assert.deepEqual([deed.who, deed.runId, deed.after], ["operator", run, { shown: "signals" }]);
  assert.ok(!personal.some((what) => JSON.stringify(deed).includes(what)), "the log says that it was seen, not what");
  await page.goto("/audit?verb=run.unmask");
  const newest = await page.locator("tr[data-row]").first().innerText();
  assert.ok(newest.includes("查看流程完整内容") && newest.includes("核对来电信息"), newest);
  await watcher.leaves();
  await person.leaves();
});

test("what somebody has unfolded stays so on every page that is drawn anew", async () => {
  const person = await as("viewer");
  const { page } = person;
  await page.goto("/system");
  const fold = page.locator("#payments details");
  await fold.locator("summary").click();
  await fold.locator("li").first().waitFor();
  await house.api("POST", "/v1/destinations/payments/pause", { reason: "核对账务" });
  await page.locator("#payments .heads-up").getByText("核对账务").waitFor();
  assert.equal(await fold.locator("li").first().isVisible(), true, "unfolded, with what has come meanwhile");
  await fold.getByText("核对账务").waitFor();
  await fold.locator("summary").click();
  await house.api("POST", "/v1/destinations/payments/resume", { reason: "核对完毕" });
  await page.locator("#payments .heads-up").waitFor({ state: "detached" });
  assert.equal(await fold.locator("li").first().isVisible(), false, "and folded");
  await person.leaves();
});

test("a department's setting is changed, and its doctors' pages say where it comes from", async () => {
  const person = await as("administrator");
  const { page } = person;
  const [doctor] = (await house.api("GET", "/v1/schedules?departmentId=K03")).items;
  const inEffect = () => page.locator("table.settings tr", { has: page.locator("#cap") }).innerText();
  const before = await house.api("GET", "/v1/policies/department/K03");
  await page.goto("/policies/department/K03");
  await page.locator("#cap").fill("77");
  await person.does("/policies/department/K03", "门诊扩容");
  await page.getByRole("status").waitFor();
  assert.equal(await page.locator("#cap").inputValue(), "77");
  assert.equal((await house.api("GET", "/v1/policies/department/K03")).cap, 77);

  await page.locator("form.undo button").click();
  await page.waitForURL(/done=undone/);
  assert.equal((await house.api("GET", "/v1/policies/department/K03")).cap, before.cap, "undone right away");
  await page.goto("/policies/department/K03");
  await page.locator("#cap").fill("77");
  await person.does("/policies/department/K03", "门诊扩容");
  await page.getByRole("status").waitFor();

  await page.goto(`/policies/doctor/${doctor.doctorId}`);
  assert.equal(await page.locator(".levels h2").count(), 3, "doctor, department, campus");
  await page.getByRole("link", { name: doctor.departmentName }).first().waitFor();
  assert.ok((await text(page, ".levels")).includes("/ 77"), await text(page, ".levels"));
  assert.ok((await inEffect()).length > 0);
  const [deed] = await house.audited("policy.put", "门诊扩容");
  assert.equal(deed.who, "admin");
  await seenInAudit(person, "admin", "门诊扩容");
  await person.leaves();
});

test("what is refused is said where it was typed, and nothing of it is lost", async () => {
  const person = await as("administrator");
  const { page } = person;
  const before = await house.api("GET", "/v1/policies/department/K02");
  await page.goto("/policies/department/K02");
  await page.locator("#cap").fill("-1");
  await person.does("/policies/department/K02", "门诊限流");
  const refusal = page.locator('form[action="/policies/department/K02"] .refusal');
  await refusal.waitFor();
  assert.match(await refusal.innerText(), /\p{Script=Han}/u);
  assert.equal(new URL(page.url()).pathname, "/policies/department/K02");
  assert.deepEqual(
    [await page.locator("#cap").inputValue(), await page.locator('form[action="/policies/department/K02"] input[name=reason]').inputValue()],
    ["-1", "门诊限流"],
  );
  assert.deepEqual(await house.api("GET", "/v1/policies/department/K02"), before, "nothing was changed");

  // The server is away: nobody knows, and the page says so.
  await page.route("**/policies/department/K02", (route) => (route.request().method() === "POST" ? route.abort() : route.continue()));
  await page.locator("#cap").fill("78");
  await page.locator('form[action="/policies/department/K02"] button.primary').click();
  await page.getByText("没有收到服务器的答复").waitFor();
  assert.equal(await refusal.count(), 1, "said once");
  await page.unroute("**/policies/department/K02");

  // Two clicks are one deed.
  let asked = 0;
  page.on("request", (request) => { asked += request.method() === "POST" ? 1 : 0; });
  await page.locator('form[action="/policies/department/K02"] button.primary').dblclick();
  await page.getByRole("status").waitFor();
  assert.equal((await house.api("GET", "/v1/policies/department/K02")).cap, 78);
  assert.equal(asked, 1);
  await page.locator("form.undo button").click();
  await page.waitForURL(/done=undone/);

  // The session is over: the form says so and leads to where one logs in; once that is done elsewhere it is sent as it stands.
  await page.goto("/policies/department/K02");
  await person.context.clearCookies();
  await page.locator("#cap").fill("79");
  await person.does("/policies/department/K02", "门诊扩容");
  const [other] = await Promise.all([person.context.waitForEvent("page"), refusal.getByRole("link").click()]);
  await other.locator('button[name="role"][value="administrator"]').click();
  await other.waitForURL((at) => at.pathname !== "/login");
  await other.close();
  await page.locator('form[action="/policies/department/K02"] button.primary').click();
  await page.getByRole("status").waitFor();
  assert.equal((await house.api("GET", "/v1/policies/department/K02")).cap, 79);
  await page.locator("form.undo button").click();
  await page.waitForURL(/done=undone/);
  await person.leaves("401", "422", "ERR_FAILED");
});

test("the language is switched, is kept with the user, and is switched back", async () => {
  const person = await as("operator");
  const { page } = person;
  await page.goto("/deadlines");
  await page.getByRole("button", { name: "English" }).click();
  await page.getByRole("heading", { level: 1, name: "Deadlines" }).waitFor();
  assert.equal(await page.locator("html").getAttribute("lang"), "en");
  assert.equal(new URL(page.url()).pathname, "/deadlines", "on the page that was open");
  const elsewhere = await as("operator");
  await elsewhere.page.getByRole("heading", { level: 1, name: "Home" }).waitFor();
  await elsewhere.page.getByRole("button", { name: "中文" }).click();
  await elsewhere.page.getByRole("heading", { level: 1, name: "工作台" }).waitFor();
  await elsewhere.leaves();
  await person.leaves();
});

test("the keyboard finds, goes through rows and explains itself", async () => {
  const person = await as("operator");
  const { page } = person;
  await page.goto("/runs");
  const here = () => page.locator("[data-row]").evaluateAll((rows) => rows.findIndex((row) => row.classList.contains("here")));
  const moves = [["j", 0], ["j", 1], ["j", 2], ["k", 1], ["k", 0], ["k", 0]];
  for (const [key, row] of moves) {
    await page.keyboard.press(key);
    assert.equal(await here(), row, `after ${key}`);
  }
  await page.keyboard.press("j");
  const address = await page.locator("[data-row].here a").first().getAttribute("href");
  await page.keyboard.press("Enter");
  await page.waitForURL(`**${address}`);

  await page.keyboard.press("?");
  const help = page.getByRole("dialog", { name: "键盘" });
  await help.waitFor();
  await page.keyboard.press("Escape");
  await help.waitFor({ state: "hidden" });
  await page.goto("/patients");
  await page.keyboard.press("/");
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute("name")), "q");
  await page.keyboard.type("jk?");
  assert.equal(await page.locator("main input[name=q]").inputValue(), "jk?", "letters that are typed are letters");
  await person.leaves();
});

test("light and dark follow the system until a person chooses", async () => {
  const person = await as("operator", { colorScheme: "dark" });
  const { page } = person;
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number));
  const isDark = async () => (await ground()).every((part) => part < 64);
  assert.equal(await isDark(), true);
  await page.getByRole("button", { name: "浅色或深色" }).click();
  assert.equal(await isDark(), false);
  await page.goto("/runs");
  assert.equal(await isDark(), false, "and the choice lasts");
  await person.leaves();
});

test("a viewer is offered no deed, and none is done by whoever asks without being offered", async () => {
  const person = await as("viewer");
  const { page } = person;
  const [run] = halted;
  // A run that asks for its money moves by itself: what counts is what staff did to it.
  const stands = async () => [(await house.run(run)).status, (await house.history(run)).filter((turn) => turn.woke === "staff").length];
  const before = await stands();
  await page.goto(`/runs/${run}`);
  assert.equal(await page.locator(`form[action^="/runs/${run}"]`).count(), 0);
  assert.equal(await page.getByText("您的角色只能查看。").count(), 1);
  await page.goto("/runs?status=waiting&workflow=waitlist_application");
  assert.equal(await page.locator('form[action^="/bulks"]').count(), 0);
  await page.goto("/policies/department/K01");
  assert.equal(await page.locator("table.settings :is(input, select):enabled").count(), 0);
  const post = (path, fields) =>
    page.evaluate(
      async ([to, form]) => {
        const csrf = document.querySelector("input[name=csrf]").value;
        const answer = await fetch(to, { method: "POST", body: new URLSearchParams({ csrf, reason: "试试", ...form }) });
        return answer.status;
      },
      [path, fields],
    );
  for (const [path, fields] of [
    [`/runs/${run}/suspend`, {}],
    [`/patients/${patientId(0)}/unmask`, {}],
    [`/patients/${patientId(0)}/ban`, {}],
    ["/policies/department/K01", { cap: "1" }],
    ["/bulks/preview", { workflow: "waitlist_application", status: "waiting", verb: "suspend" }],
    ["/system/his/pause", {}],
    ["/users", { name: "somebody", role: "administrator", reason: "a try" }],
  ]) {
    assert.equal(await post(path, fields), 403, path);
  }
  await page.goto("/users");
  assert.ok((await text(page, "body")).includes("管理员"), "who may look at it is said");
  assert.deepEqual(await stands(), before);
  await person.leaves("403");
});

test("a form of another session is refused", async () => {
  const [person, other] = [await as("operator"), await as("operator")];
  const foreign = await other.page.locator("input[name=csrf]").first().inputValue();
  const run = halted[0];
  const status = await person.page.evaluate(
    async ([to, csrf]) =>
      (await fetch(to, { method: "POST", body: new URLSearchParams({ csrf, reason: "不应发生" }) })).status,
    [`/runs/${run}/suspend`, foreign],
  );
  assert.equal(status, 403);
  assert.deepEqual(await house.audited("suspend", "不应发生"), []);
  await other.leaves();
  await person.leaves("403");
});

test("whoever logs out is out, and the session's cookie opens nothing any more", async () => {
  const person = await as("operator");
  const { page } = person;
  const cookie = await person.session();
  await page.getByRole("button", { name: "退出登录" }).click();
  await page.waitForURL("**/login*");
  assert.equal(await person.session(), undefined);
  await person.context.addCookies([cookie]);
  await page.goto("/patients");
  assert.equal(new URL(page.url()).pathname, "/login");
  await person.leaves();
});

test("without its script the console works as well", async () => {
  const person = await as("operator", { javaScriptEnabled: false });
  const { page } = person;
  const [waiting] = await house.runs({ status: "waiting", workflow: "waitlist_application", step: "Waiting" });
  const at = `/runs/${waiting.runId}`;
  await page.goto("/runs");
  await page.locator("main input[name=q]").fill(waiting.runId);
  await page.locator("main input[name=q]").press("Enter");
  await page.locator(`a[href="${at}"]`).click();
  await person.does(`${at}/suspend`, "核实中");
  await page.locator("#live").getByText("已暂停", { exact: true }).waitFor();
  await person.does(`${at}/resume`, "核实完毕");
  const now = await until("it waits again", () => house.run(waiting.runId), (run) => run.status === "waiting");
  assert.equal(now.step, "Waiting");
  await person.leaves();
});
