"""The described API against what answers.

    api_schemathesis.py <houbu> [--seed N] [--max-time S] [schemathesis options...]

Schemathesis (PyPI) reads /openapi.json of a running `houbu serve` and asks every operation what its description allows and
what it does not: examples, edges of every field, wrong types, absent headers, other methods, and chains of operations. No
answer may be a fault of ours, and each has a status, a content type and a body that its operation documents.
"""

import json
import os
import secrets
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import urllib.error
import urllib.request

from his_common import free_port, running

# What is held. Left out, and why:
# - positive_data_acceptance: whether a request is taken is the state's affair (409 no such place, 404 no such run), and rules
#   between fields (a bulk needs a filter) are 422: a schema cannot say either.
# - ensure_resource_availability, use_after_free: a withdrawn application, a lifted entry and a version stay to be looked at.
# - object_level_authorization: a key is a hospital's service, for all of its patients.
# - missing_required_header, response_headers_conformance: no header is required, none is described but in words.
CHECKS = [
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance",
    "negative_data_rejection", "unsupported_method", "allow_header_conformance", "ignored_auth",
]


# What may be 200 although it is wrong: HIS reads RETURN_CODE in the body, of whatever it sends.
LENIENT = """
[[operations]]
include-name = "POST /callbacks/his"
checks.negative_data_rejection.enabled = false
"""


def ask(base, key, method, path, body=None):
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(base + path, data, headers, method=method), timeout=10) as answer:
        return json.loads(answer.read() or b"null")


def until(what, found, patience_s=60):
    give_up = time.monotonic() + patience_s
    while time.monotonic() < give_up:
        if it := found():
            return it
        time.sleep(0.2)
    raise AssertionError(f"there never was {what}")


def furnished(base, key):
    """Something to find behind every path, so that not everything is a 404: the names that are known, and their values."""
    tell = lambda method, path, body=None: ask(base, key, method, path, body)
    tell("PUT", "/v1/departments/K01", {"name": "心内科", "campusId": "C1", "campusName": "本部院区"})
    tell("PUT", "/v1/policies/campus/C1", {"switch": "on", "cap": 200, "paymentMode": "none", "liveEntriesPerPatient": 1000})
    tell("PUT", "/v1/blacklist-rules/no-shows", {
        "event": "noShow", "windowDays": 365, "threshold": 3, "penaltyDays": 90, "scope": "hospital", "appealDays": 2,
    })
    patients = [f"p-{nth}" for nth in range(1, 5)]
    for nth, patient in enumerate(patients):
        tell("PUT", f"/v1/patients/{patient}", {
            "name": "张三丰", "idType": "5", "idNumber": f"E1234567{nth}", "phone": "13800138000", "openid": f"o-{nth}",
        })
    tell("PUT", f"/v1/blacklist/{patients[3]}", {"reason": "三次爽约"})
    appeal = tell("POST", f"/v1/blacklist/{patients[3]}/appeals", {"said": "当日已到院"})["appealId"]
    schedules = until("a schedule", lambda: tell("GET", "/v1/schedules")["items"])
    full = [one["scheduleId"] for one in schedules if one["full"] and one["waitlist"]["open"]]
    entries = []
    for schedule in full[:6]:
        for patient in patients[:2]:
            try:
                entries.append(tell("POST", "/v1/waitlist", {"scheduleId": schedule, "patientId": patient})["waitlistId"])
            except urllib.error.HTTPError as refusal:
                assert refusal.code == 409, refusal.read()
    runs = [run["runId"] for run in tell("GET", "/v1/runs")["items"]]
    why = {"reason": "to see"}
    bulk = tell("POST", "/v1/runs/bulk", {"verb": "retry", "filter": {"q": "nothing"}, **why})["bulkId"]
    print(f"{len(schedules)} schedules, {len(entries)} applications, {len(runs)} runs to begin with", flush=True)
    return {
        "path.scheduleId": [one["scheduleId"] for one in schedules[:5]], "body.scheduleId": full[:5] or ["R1"],
        "path.patientId": patients, "query.patientId": patients, "body.patientId": patients,
        "path.waitlistId": entries or ["0199b0c2-5a53-7c1e-8a55-3f6f0a0d6b11"], "path.runId": runs, "query.runId": runs,
        "path.workflow": ["schedule_sync", "slot_release", "waitlist_application"], "path.key": ["K01"],
        "path.signal": ["PullNow", "Withdrawal"], "path.job": ["schedule_sync", "reconciliation", "breach_sync"],
        "path.bulkId": [bulk], "path.appealId": [appeal], "path.ruleId": ["no-shows"], "path.departmentId": ["K01"],
        "body.reason": ["HIS is back"], "query.reason": ["for the person"], "path.id": ["C1", "K01"],
        "query.from": ["2026-11-01"], "query.to": ["2026-11-30"],
    }


def configured(known):
    """Half of the cases are about what there is; the other half about whatever Schemathesis thinks of."""
    lines = ["[dictionaries]"]
    lines += [f'"{name}" = {{ values = {json.dumps(values)} }}' for name, values in known.items()]
    lines += ["[parameters]"]
    lines += [f'"{name}" = {{ dictionary = "{name}", probability = 0.5 }}' for name in known]
    return "\n".join(lines) + LENIENT


def main():
    houbu, options, folder = os.path.abspath(sys.argv[1]), sys.argv[2:], tempfile.mkdtemp()
    os.chmod(folder, 0o755)
    port, key = free_port(), secrets.token_hex(24)
    base = f"http://127.0.0.1:{port}"
    with open(f"{folder}/houbu.toml", "w", encoding="utf-8") as file:
        file.write(f'[[api_keys]]\nname = "described"\nkey = "{key}"\nscopes = ["waitlist", "runs", "admin"]\n')
    environment = {
        **os.environ, "HOUBU_CONFIG": f"{folder}/houbu.toml", "HOUBU_LISTEN": f"127.0.0.1:{port}",
        "HOUBU_DATABASE__FOLDER": f"{folder}/pg",
    }
    try:
        with running([houbu, "serve"], environment, folder, until="Houbu listens on", patience_s=120):
            with open(f"{folder}/schemathesis.toml", "w", encoding="utf-8") as file:
                file.write(configured(furnished(base, key)))
            command = [
                os.path.join(sysconfig.get_path("scripts"), "schemathesis"), "--no-color", "run", f"{base}/openapi.json",
                "--header", f"Authorization: Bearer {key}", "--checks", ",".join(CHECKS), "--continue-on-failure",
                "--request-timeout", "15", "--suppress-health-check", "all", "--warnings", "off", *options,
            ]
            status = subprocess.run(command, env={**os.environ, "PYTHONUTF8": "1"}, cwd=folder, check=False).returncode
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(status)


if __name__ == "__main__":
    main()
