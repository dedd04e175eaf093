// A browser and whoever sits before it. Whatever the browser complains about on the way is kept, and asked for at the end.
import assert from "node:assert/strict";

import { chromium } from "playwright-core";

const QUIET = [
  "--no-sandbox", "--lang=zh-CN", "--disable-gpu", "--disable-quic", "--no-first-run", "--no-proxy-server",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

export function launch() {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: QUIET });
}

export class Person {
  complaints = [];

  /** Somebody before a window of their own; `context` as Playwright takes it. */
  static async at(browser, house, context = {}) {
    const person = new Person();
    person.house = house;
    const screen = { locale: "zh-CN", timezoneId: "Asia/Shanghai", viewport: { width: 1280, height: 800 }, reducedMotion: "reduce" };
    person.context = await browser.newContext({ baseURL: house.at, ...screen, ...context });
    person.context.setDefaultTimeout(20_000);
    person.page = await person.context.newPage();
    person.#listen();
    return person;
  }

  /** Somebody who has come into the demo by one click. */
  static async as(role, browser, house, context = {}) {
    const person = await Person.at(browser, house, context);
    await person.page.goto("/login");
    await person.page.locator(`button[name="role"][value="${role}"]`).click();
    await person.page.waitForURL("/");
    return person;
  }

  #listen() {
    const keep = (what) => this.complaints.push(`${new URL(this.page.url()).pathname}: ${what}`);
    // Chromium says in the console what a content security policy has refused.
    this.page.on("console", (said) => ["error", "warning"].includes(said.type()) && keep(said.text()));
    this.page.on("pageerror", (error) => keep(error.message));
    this.page.on("request", (asked) => asked.url().startsWith(this.house.at) || keep(`asked ${asked.url()}`));
    this.page.on("response", (answer) => answer.status() >= 500 && keep(`${answer.status()} ${answer.url()}`));
  }

  /** A deed of a page: opened if it is folded, its reason given, its fields filled in, and done. */
  async does(action, reason, fill = async () => {}) {
    // Not the one that undoes what was just done, whose reason is given.
    const form = this.page.locator(`form[action$="${action}"]:has([name=reason]:not([type=hidden]))`).first();
    const folded = this.page.locator("details", { has: form }).first();
    if ((await folded.count()) > 0 && (await folded.getAttribute("open")) === null) {
      await folded.locator("summary").first().click();
    }
    await fill(form);
    await form.locator("[name=reason]").fill(reason);
    // A refusal that stands there already is an earlier one's.
    await form.locator(".refusal").evaluateAll((all) => all.forEach((one) => one.remove()));
    const answered = Promise.any([this.page.waitForEvent("framenavigated"), form.locator(".refusal").waitFor()]);
    await form.locator("button").last().click();
    await answered;
    await this.page.waitForLoadState("load");
  }

  /** The cookie that opens the console. */
  async session() {
    return (await this.context.cookies()).find((cookie) => cookie.name === "houbu_session");
  }

  /** Goes, and nothing that was shown made the browser complain, but of what was `meant` to be refused. */
  async leaves(...meant) {
    await this.context.close();
    assert.deepEqual(this.complaints.filter((said) => !meant.some((one) => said.includes(one))), []);
  }
}
