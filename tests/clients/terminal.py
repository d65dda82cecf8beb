"""A terminal for clients that talk only to one: types as a human does and answers what they ask."""
import fcntl
import os
import pty
import signal
import struct
import subprocess
import termios
import threading
import time

# What programs ask a terminal for, and what a plain one says.
REPLIES = {b"\x1b[6n": b"\x1b[1;1R", b"\x1b[c": b"\x1b[?62;22c", b"\x1b]11;?": b"\x1b]11;rgb:0000/0000/0000\x1b\\",
           b"\x1b]10;?": b"\x1b]10;rgb:ffff/ffff/ffff\x1b\\", b"\x1b[?u": b"\x1b[?0u", b"\x1b[14t": b"\x1b[4;800;1200t"}


class Terminal:
    """Runs `command` until the `with` block ends; everything it prints goes to `log`."""

    def __init__(self, command, cwd, env, log):
        self.command, self.cwd, self.log = command, cwd, log
        self.env = env | {"TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"}

    def __enter__(self):
        self.side, child = pty.openpty()
        fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 1200, 800))
        self.process = subprocess.Popen(["timeout", "--foreground", "90", *self.command], cwd=self.cwd, env=self.env, stdin=child, stdout=child,
                                        stderr=child, start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(child)
        threading.Thread(target=self.drain, daemon=True).start()
        return self

    def drain(self):
        with open(self.log, "ab") as log:
            while True:
                try:
                    data = os.read(self.side, 65536)
                except OSError:
                    return
                if not data:
                    return
                log.write(data)
                log.flush()
                for question, reply in REPLIES.items():
                    if question in data:
                        self.send(reply)

    def send(self, data):
        try:
            os.write(self.side, data)
        except OSError:
            pass

    def type(self, text, pasted=""):
        """A line is typed, several are pasted; then Enter."""
        if "\n" in text:
            text, pasted = "", text
        for key in text:  # a burst would be taken for a paste
            self.send(key.encode())
            time.sleep(0.01)
        if pasted:
            self.send(b"\x1b[200~" + pasted.encode() + b"\x1b[201~")
        time.sleep(1)
        self.send(b"\r")

    def __exit__(self, *_):
        try:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        os.close(self.side)
