"""Chromium for tests: a real browser in which people sign in (`browser.mjs`)."""

import json
import os
import shutil
import subprocess

import node

ENVIRONMENT = "PORTCULLIS_E2E_CHROMIUM"


class Chromium:
    """One browser; every sign-in has a session of its own."""

    def __init__(self):
        program = os.environ.get(ENVIRONMENT) or shutil.which("chromium")
        assert program, f"there is no chromium: install it, or set {ENVIRONMENT} to the program"
        command = [node.program(), str(node.among_packages("browser.mjs")), program]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(command, env=node.environment(), text=True, **pipes)

    def visit(self, url: str, username: str | None = None, password: str | None = None, answer: str | None = "allow"):
        """Opens a page, signs in where a name is given, and answers; gives the pages that were seen."""
        asked = {"url": url, "username": username, "password": password, "answer": answer}
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        seen = json.loads(self.process.stdout.readline())
        assert "error" not in seen, seen["error"]
        return seen

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
