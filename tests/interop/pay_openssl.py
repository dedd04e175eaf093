"""WeChat Pay as OpenSSL understands it: `houbu check` against a platform that signs, verifies and issues certificates with the
openssl command, and seals with the AES-GCM of OpenSSL's library (by the package `cryptography`).

    pay_openssl.py PATH_OF_HOUBU

Every line is one exchange; the last says how many fitted. Exit status 1 where one did not.
"""

import base64
import http.server
import json
import os
import secrets
import subprocess
import sys
import tempfile
import threading
import time

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

API_V3_KEY = "interop-api-v3-key-of-32-bytes!!"
MERCHANT, APP = "1900000042", "wx0000000000000042"


def openssl(*arguments, given=None):
    done = subprocess.run(["openssl", *arguments], input=given, capture_output=True, timeout=30)
    if done.returncode != 0:
        raise RuntimeError(f"openssl {arguments[0]}: {done.stderr.decode()}")
    return done.stdout


class Pair:
    """An RSA pair made by openssl, with a certificate of its own."""

    def __init__(self, folder, name):
        self.private, self.public = f"{folder}/{name}.pem", f"{folder}/{name}.pub"
        self.certificate = f"{folder}/{name}.crt"
        openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", self.private)
        openssl("pkey", "-in", self.private, "-pubout", "-out", self.public)
        subject = f"/C=CN/O=Tenpay.com/CN=interop {name}"
        openssl("req", "-x509", "-new", "-key", self.private, "-subj", subject, "-days", "30", "-out", self.certificate)
        serial = openssl("x509", "-in", self.certificate, "-noout", "-serial").decode()
        self.serial = serial.strip().removeprefix("serial=")

    def sign(self, message):
        return base64.b64encode(openssl("dgst", "-sha256", "-sign", self.private, given=message)).decode()

    def verifies(self, message, signature):
        with tempfile.NamedTemporaryFile() as file:
            file.write(base64.b64decode(signature))
            file.flush()
            try:
                openssl("dgst", "-sha256", "-verify", self.public, "-signature", file.name, given=message)
                return True
            except RuntimeError:
                return False


def text(path):
    with open(path, encoding="ascii") as file:
        return file.read()


class Platform(http.server.BaseHTTPRequestHandler):
    """Verifies what it is asked, and signs what it answers."""

    def do_GET(self):
        world = self.server.world
        scheme, _, rest = self.headers["Authorization"].partition(" ")
        fields = dict(field.split("=", 1) for field in rest.split(","))
        fields = {name: value.strip('"') for name, value in fields.items()}
        asked = f"GET\n{self.path}\n{fields['timestamp']}\n{fields['nonce_str']}\n\n".encode()
        world.believed = scheme == "WECHATPAY2-SHA256-RSA2048" and fields["mchid"] == MERCHANT
        world.believed &= world.merchant.verifies(asked, fields["signature"])
        body = json.dumps(self.answer(world)).encode()
        timestamp, nonce = str(int(time.time())), secrets.token_hex(16).upper()
        self.send_response(200 if world.believed else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Wechatpay-Timestamp", timestamp)
        self.send_header("Wechatpay-Nonce", nonce)
        self.send_header("Wechatpay-Serial", world.serial)
        self.send_header("Wechatpay-Signature", world.signer.sign(f"{timestamp}\n{nonce}\n".encode() + body + b"\n"))
        self.end_headers()
        self.wfile.write(body)

    def answer(self, world):
        if self.path == "/v3/certificates":
            return {"data": [certificate(pair, world.sealed_with) for pair in world.handed_out]}
        number = self.path.removeprefix("/v3/pay/transactions/out-trade-no/").partition("?")[0]
        return {"appid": APP, "mchid": MERCHANT, "out_trade_no": number, "trade_state": "NOTPAY", "attach": "候补"}

    def log_message(self, *_):
        pass


def certificate(pair, key):
    nonce = secrets.token_hex(6)
    sealed = AESGCM(key.encode()).encrypt(nonce.encode(), text(pair.certificate).encode(), b"certificate")
    return {
        "serial_no": pair.serial,
        "effective_time": "2020-01-01T00:00:00+08:00",
        "expire_time": "2099-01-01T00:00:00+08:00",
        "encrypt_certificate": {
            "algorithm": "AEAD_AES_256_GCM",
            "nonce": nonce,
            "associated_data": "certificate",
            "ciphertext": base64.b64encode(sealed).decode(),
        },
    }


class World:
    def __init__(self, folder):
        self.merchant, self.platform, self.other = (Pair(folder, name) for name in ("merchant", "platform", "other"))
        self.folder = folder
        self.back()

    def back(self):
        self.signer, self.serial = self.platform, self.platform.serial
        self.handed_out, self.sealed_with, self.believed = [self.platform], API_V3_KEY, False

    def check(self, houbu, port, keys):
        """What `houbu check` says of WeChat Pay."""
        file = f"{self.folder}/houbu.toml"
        private = text(self.merchant.private)
        with open(file, "w", encoding="utf-8") as out:
            out.write(
                f'[keys]\nsealing = "{"5a" * 32}"\nlookup = "{"b7" * 32}"\n[database]\nfolder = "{self.folder}/none"\n'
                f'[wechat_pay]\nbase_url = "http://127.0.0.1:{port}"\napp_id = "{APP}"\nmch_id = "{MERCHANT}"\n'
                f'serial_no = "{self.merchant.serial}"\nprivate_key_pem = {json.dumps(private)}\n{keys}\n'
                f'api_v3_key = "{API_V3_KEY}"\ntimeout_ms = 20000\n'
            )
        environment = {"PATH": os.environ["PATH"], "HOME": self.folder}
        done = subprocess.run(
            [houbu, "--config", file, "check"], capture_output=True, timeout=60, env=environment, cwd=self.folder
        )
        said = done.stdout.decode() + done.stderr.decode()
        lines = [line for line in said.splitlines() if "WeChat Pay" in line]
        return lines[0] if lines else said


def main():
    houbu = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        world = World(folder)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Platform)
        server.world = world
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_address[1]
        public = f"platform_keys = {{ PUB_KEY_ID_0142 = {json.dumps(text(world.platform.public))} }}"
        certificates = "platform_certificates = true"

        def by_key_id():
            world.serial = "PUB_KEY_ID_0142"

        def rotated():
            world.handed_out = [world.other, world.platform]

        def forged():
            world.serial, world.signer = "PUB_KEY_ID_0142", world.other

        def sealed_by_another():
            world.sealed_with = "another-key-another-key-another-"

        def signed_by_another():
            world.signer = world.other

        cases = [
            ("a platform public key", public, by_key_id, True),
            ("a certificate", certificates, lambda: None, True),
            ("two certificates", certificates, rotated, True),
            ("a key by name, another signs", public, forged, False),
            ("a certificate that another sealed", certificates, sealed_by_another, False),
            ("a certificate, another signs", certificates, signed_by_another, False),
        ]
        fitted = 0
        for name, keys, prepare, well in cases:
            world.back()
            prepare()
            said = world.check(houbu, port, keys)
            fits = said.startswith("✓" if well else "✗") and world.believed
            fitted += fits
            print(f"{'ok  ' if fits else 'FAIL'} {name}: {said}; our signature was {'' if world.believed else 'NOT '}believed")
        version = openssl("version").decode().strip()
        print(f"interop pay: {fitted} of {len(cases)} exchanges fit {version}")
        return 0 if fitted == len(cases) else 1


if __name__ == "__main__":
    sys.exit(main())
