"""What the interop tests of the HIS side share."""

import contextlib
import socket
import subprocess
import threading
import time


def free_port():
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))
        return it.getsockname()[1]


@contextlib.contextmanager
def running(command, environment, folder, until, patience_s=60):
    """A process of ours; yields what it had printed once `until` was in it, and ends it afterwards."""
    process = subprocess.Popen(
        command, env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    lines = []
    reader = threading.Thread(target=lambda: lines.extend(iter(process.stdout.readline, "")), daemon=True)
    # `extend` of an iterator appends line by line.
    reader.start()
    try:
        give_up = time.monotonic() + patience_s
        while until not in "".join(lines):
            if process.poll() is not None or time.monotonic() > give_up:
                raise AssertionError(f"{command} did not say {until!r}:\n{''.join(lines)[-3000:]}")
            time.sleep(0.05)
        yield "".join(lines)
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
