// A demo that has played its day and goes on serving, and its API as a backend service calls it.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { randomUUID } from "node:crypto";

const here = dirname(fileURLToPath(import.meta.url));
const PATIENCE_MS = 240_000;
const DAY = ["--size", "small", "--faults", "some", "--day", "2026-03-05", "--seed", "7"];

export class House {
  #process;
  #folder;

  /** Plays the day; resolves once the demo serves what is left of it. */
  static async open() {
    const house = await House.#begin(["demo", ...DAY]);
    const said = await house.#said(/Ctrl-C ends[\s\S]*\/metrics/);
    house.at = /goes on serving (http:\/\/\S+)/.exec(said)[1];
    house.password = /with the password (\S+)/.exec(said)[1];
    house.key = /Bearer (\S+?)'/.exec(said)[1];
    return house;
  }

  /** A house that nobody has come into yet: `link` is the first administrator's. */
  static async empty() {
    const house = await House.#begin(["serve"]);
    const [link] = /http:\/\/\S+\/welcome\/\S+/.exec(await house.#said(/\/welcome\/\S+\n/));
    house.at = new URL(link).origin;
    house.link = link;
    return house;
  }

  static async #begin(args) {
    const house = new House();
    house.#folder = await mkdtemp(join(tmpdir(), "houbu-browser-"));
    // Started by root, PostgreSQL runs as a user of its own, who has to reach its folder.
    await chmod(house.#folder, 0o755);
    const program = process.env.HOUBU ?? join(here, "../../target/debug/houbu");
    const env = {
      ...process.env,
      HOUBU_DATABASE__FOLDER: join(house.#folder, "pg"),
      HOUBU_LISTEN: "127.0.0.1:0",
      RUST_LOG: "warn",
    };
    const child = spawn(program, args, { cwd: house.#folder, env, stdio: ["ignore", "pipe", "pipe"] });
    house.#process = child;
    for (const signal of ["SIGINT", "SIGTERM"]) {
      process.once(signal, () => house.close().finally(() => process.exit(1)));
    }
    return house;
  }

  /** What the program has said once it has said this. */
  async #said(this_) {
    try {
      return await told(this.#process, this_);
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** The house that the parent process has opened. */
  static around() {
    return Object.assign(new House(), JSON.parse(process.env.HOUSE));
  }

  address() {
    return { at: this.at, password: this.password, key: this.key };
  }

  /** Asks the API; refuses any answer that is not a success. */
  async api(method, path, body) {
    const headers = { authorization: `Bearer ${this.key}`, "idempotency-key": randomUUID() };
    if (body) headers["content-type"] = "application/json";
    const answer = await fetch(this.at + path, { method, headers, body: body && JSON.stringify(body) });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text ? JSON.parse(text) : null;
  }

  run(id) {
    return this.api("GET", `/v1/runs/${id}`);
  }

  async history(id) {
    return (await this.api("GET", `/v1/runs/${id}/history`)).items;
  }

  async runs(query) {
    return (await this.api("GET", `/v1/runs?${new URLSearchParams(query)}`)).items;
  }

  /** What staff did last with this verb and reason, as the audit log has it. */
  async audited(verb, reason) {
    const all = (await this.api("GET", "/v1/audit?limit=50")).items;
    return all.filter((deed) => deed.verb === verb && deed.reason === reason);
  }

  async close() {
    if (this.#process && this.#process.exitCode === null) {
      this.#process.kill("SIGTERM");
      const gone = once(this.#process, "exit");
      const tired = setTimeout(() => this.#process.kill("SIGKILL"), 30_000);
      await gone;
      clearTimeout(tired);
    }
    if (this.#folder) await rm(this.#folder, { recursive: true, force: true });
  }
}

/** What the program has said once it has said this. */
function told(child, this_) {
  return new Promise((resolve, reject) => {
    let said = "";
    const late = setTimeout(() => reject(new Error(`the demo did not say ${this_}:\n${said.slice(-3000)}`)), PATIENCE_MS);
    const hear = (some) => {
      said += some;
      if (this_.test(said)) {
        clearTimeout(late);
        resolve(said);
      }
    };
    child.stdout.setEncoding("utf8").on("data", hear);
    child.stderr.setEncoding("utf8").on("data", hear);
    child.once("error", reject);
    child.once("exit", (code) => {
      clearTimeout(late);
      reject(new Error(`the demo ended with ${code}:\n${said.slice(-3000)}`));
    });
  });
}

/** Asks until the answer will do. The time is a limit, not a wait. */
export async function until(what, ask, fits, limitMs = 30_000) {
  const ends = Date.now() + limitMs;
  for (;;) {
    const answer = await ask();
    if (fits(answer)) return answer;
    if (Date.now() > ends) throw new Error(`${what} did not come to be; last: ${JSON.stringify(answer).slice(0, 800)}`);
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
}
