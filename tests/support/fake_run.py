#!/usr/bin/python3
"""Stands in for hpc-proxy where job scripts are looked at: `run` starts the command, `--daemon`
says so. Writes its words, and what it is sent, into ~/said. With FAKE_SLOW it listens when ~/go is
there, FAKE_OLD knows no run, FAKE_BROKEN ends before it listens."""

import os
import pathlib
import signal
import subprocess
import sys
import time

HOME = pathlib.Path(os.environ["HOME"])
PORT = 41234


def say(text):
    with open(HOME / "said", "a", encoding="utf-8") as file:
        file.write(text + "\n")


def run(words):
    dashes = words.index("--")
    ready = int(words[words.index("--ready-fd") + 1])
    os.set_inheritable(ready, False)
    say(" ".join(words[:dashes]).replace(f"--ready-fd {ready}", "--ready-fd N"))
    if "FAKE_BROKEN" in os.environ:
        return 1
    while "FAKE_SLOW" in os.environ and not (HOME / "go").exists():
        time.sleep(0.01)
    signal.signal(signal.SIGUSR1, lambda *_: say("USR1"))
    with subprocess.Popen(words[dashes + 1:]) as command:
        signal.signal(signal.SIGTERM, lambda *_: command.terminate())
        os.write(ready, f"{PORT}\n".encode())
        os.close(ready)
        code = command.wait()
    return code if code >= 0 else 128 - code


def main(words):
    if words[0] == "run":
        if "FAKE_OLD" in os.environ:
            return 2
        return 0 if words[1:] == ["--help"] else run(words)
    say(" ".join(words))
    if words == ["env"]:
        print(f"export HPC_PROXY_PORT={PORT}")
    return 0


sys.exit(main(sys.argv[1:]))
