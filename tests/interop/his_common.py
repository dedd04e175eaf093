"""What the interop tests of the HIS side share."""

import contextlib
import queue
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
    said, lines = queue.Queue(), []

    def read():
        for line in process.stdout:
            said.put(line)
        said.put(None)

    threading.Thread(target=read, daemon=True).start()
    try:
        give_up = time.monotonic() + patience_s
        while until not in "".join(lines):
            try:
                line = said.get(timeout=max(0, give_up - time.monotonic()))
            except queue.Empty:
                line = None
            if line is None:
                raise AssertionError(f"{command} did not say {until!r}:\n{''.join(lines)[-3000:]}")
            lines.append(line)
        yield "".join(lines)
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
