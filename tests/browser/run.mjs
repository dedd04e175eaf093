// The console in a browser: a demo's day is played, then staff work on what it has left.
//
//   npm ci && npm test [-- FILE]     the stories and the pages; FILE: only those of stories.test.mjs or pages.test.mjs
//   npm run pictures                 takes the pictures of docs/console anew (fonts with Chinese letters are needed)
//
// HOUBU: the program; otherwise target/debug/houbu. CHROMIUM: the browser; otherwise Debian's.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

import { House } from "./house.mjs";
import { leaveWork } from "./left.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const [asked] = process.argv.slice(2);
const files = asked === "pictures" ? ["pictures.mjs"] : [asked ?? ["stories.test.mjs", "pages.test.mjs"]].flat();

const house = await House.open();
let failed = false;
try {
  const left = await leaveWork(house);
  const env = { ...process.env, HOUSE: JSON.stringify({ ...house.address(), left }) };
  for (const file of files) {
    const how = file.endsWith(".test.mjs") ? ["--test"] : [];
    const child = spawn(process.execPath, [...how, file], { cwd: here, env, stdio: "inherit" });
    const [code] = await once(child, "exit");
    failed ||= code !== 0;
  }
} finally {
  await house.close();
}
process.exit(failed ? 1 : 0);
