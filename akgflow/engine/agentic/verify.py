"""Asks the judge about candidate.py, or about the file that is named: ./verify [FILE].

Exit status: 0 the judge found it right, 1 it did not, 2 it was not judged.
"""

# This text is copied into the agent's folder and run there by itself: it imports nothing but the standard library.
import json
import os
import socket
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SOCKET = "judge.sock"
PAUSES = (0.1, 0.3, 1.0)
"""Seconds after which it asks again: where too many connections are open, one is closed without an answer."""


def ask(source: str) -> tuple[int, str]:
    """The exit status and the judge's words."""
    os.chdir(HERE)  # the name of a socket must be short
    words = ""
    for pause in (0.0, *PAUSES):
        time.sleep(pause)
        try:
            with socket.socket(socket.AF_UNIX) as link:
                link.connect(SOCKET)
                link.sendall(json.dumps({"source": source}).encode() + b"\n")
                answer = json.loads(b"".join(iter(lambda: link.recv(1 << 16), b"")))
            return int(answer["status"]), str(answer["text"])
        except (OSError, ValueError) as failed:
            words = f"not judged: the judge cannot be reached ({failed})"
    return 2, words


def main() -> int:
    """Run the command."""
    name = sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "candidate.py")
    try:
        with open(name, encoding="utf-8", errors="replace") as file:
            source = file.read()
    except OSError as failed:
        status, text = 2, f"not judged: {name} cannot be read ({failed.strerror})"
    else:
        status, text = ask(source)
    sys.stdout.write(text + "\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
