// What a day leaves for people, beside what the demo's own days end with: patients whose payment account went away while the
// payment provider was being looked after, an appeal, and a signal for a run that is not there.
import { until } from "./house.mjs";

/** Patients of whom each has an application that has come to a halt. */
export const HALTED = 8;
const NAMES = ["陈晓明", "林雨桐", "周建国", "许思远", "何佳怡", "郭子轩", "韩立春", "唐明月"];

export const patientId = (nth) => `browser-${nth}`;
export const patient = (nth) => ({
  name: NAMES[nth],
  idType: "5",
  idNumber: `E9988770${nth}`,
  phone: `1390000880${nth}`,
});
export const account = (nth) => ({ openid: `o-browser-${nth}` });

/** Brings it about through the API. The runs of the halted applications, in the order of their patients. */
export async function leaveWork(house) {
  const places = await prepaid(house);
  await house.api("POST", "/v1/destinations/payments/pause", { reason: "支付平台维护" });
  const runs = [];
  for (let nth = 0; nth < HALTED; nth += 1) {
    await house.api("PUT", `/v1/patients/${patientId(nth)}`, { ...patient(nth), ...account(nth) });
    const wanted = { scheduleId: places[nth % places.length], patientId: patientId(nth) };
    runs.push((await house.api("POST", "/v1/waitlist", wanted)).waitlistId);
  }
  for (let nth = 0; nth < HALTED; nth += 1) {
    await house.api("PUT", `/v1/patients/${patientId(nth)}`, patient(nth));
  }
  await house.api("POST", "/v1/destinations/payments/resume", { reason: "维护结束" });
  const halted = () => house.runs({ status: "suspended", step: "PrepayOrder" });
  await until("every application without an account halts", halted, (found) => found.length === HALTED);
  const barred = "browser-barred";
  await house.api("PUT", `/v1/patients/${barred}`, { ...patient(0), name: "孙明", idNumber: "E99887799", phone: "13900008899" });
  await house.api("PUT", `/v1/blacklist/${barred}`, { reason: "窗口多次爽约" });
  await house.api("POST", `/v1/blacklist/${barred}/appeals`, { said: "当日住院，已补交证明" });
  const nobody = "/v1/workflows/waitlist_application/runs/nobody-applied/signals/Withdrawal";
  await house.api("POST", nobody, { signalId: "browser-1" });
  return { runs };
}

/** Schedules that take the fee in advance and whose queue is open for days. */
async function prepaid(house) {
  const { items: departments } = await house.api("GET", "/v1/departments");
  for (const { departmentId } of departments) {
    const policy = await house.api("GET", `/v1/policies/department/${departmentId}`);
    if (policy.paymentMode !== "prepay") continue;
    const { items } = await house.api("GET", `/v1/schedules?departmentId=${departmentId}`);
    const open = items.filter((one) => one.waitlist.open && one.visitDate >= "2026-03-09");
    if (open.length > 0) return open.map((one) => one.scheduleId);
  }
  throw new Error("no department takes the fee in advance");
}
