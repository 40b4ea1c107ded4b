"""Runs a program in one process after the other, each killed at the first write that none before was killed at, until
one comes to its end.

    python cutting.py KIND PROGRAM ARGUMENTS…

KIND says when: `sent`, when the request has left; `unread`, when an answer has come and nobody has read it; `read`,
when it was read and nothing was done with it. The program knows nothing of it: what is changed is botocore below it.
Prints the writes that were cut, a line each, and ends as the last process ended.
"""

import functools
import os
import runpy
import select
import signal
import sys
import time

import boto3
import botocore.client
import urllib3.connection

WRITES = ("Create", "Put", "Update", "Add", "Attach")
SERVICES = ("iam", "sts", "lambda", "cognito-idp", "bedrock-agentcore-control")
# Seconds that a request which nobody waits for has to be done with, before the next process looks.
GRACE = 0.1
# And where nothing but its name tells what is made, and two may have the same: the first must be there to be found.
# It always is, unless the server saw at once that nobody waits.
PATIENCE = 10


class Cuts:
    """Where processes are killed, told by each to the one that started it."""

    def __init__(self, kind: str):
        self.kind, self.cut, self.write = kind, set(), None
        self.told = os.pipe()
        # Not one of those that the processes share: it has called somebody, and they have not.
        self.cognito = boto3.session.Session().client("cognito-idp", region_name=os.environ["AWS_REGION"])

    def now(self):
        os.write(self.told[1], f"{self.write}\n".encode())
        os.kill(os.getpid(), signal.SIGKILL)

    def below(self, send, answer):
        """botocore's way through a call and urllib3's to an answer, with the cuts in them."""

        def calling(client, operation, arguments):
            name = next((value for key, value in arguments.items() if key.lower().endswith("name")), "")
            write = f"{operation} {name}".strip()
            self.write = write if operation.startswith(WRITES) and write not in self.cut else None
            given = send(client, operation, arguments)
            if self.write and self.kind == "read":
                self.now()
            return given

        def answering(connection, *arguments, **keywords):
            if self.write and self.kind == "unread":
                select.select([connection.sock], [], [])
            if self.write and self.kind != "read":
                self.now()
            return answer(connection, *arguments, **keywords)

        return calling, answering

    def run(self, program: str) -> int:
        """Runs the program until it ends by itself; gives its status."""
        while True:
            child = os.fork()
            if child == 0:
                runpy.run_path(program, run_name="__main__")
                return 0
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            if status != -signal.SIGKILL:
                print("\n".join(sorted(self.cut)))
                return status
            write = os.read(self.told[0], 1000).decode().strip()
            self.cut.add(write)
            if self.kind == "sent":
                self.wait_for(write)

    def wait_for(self, write: str):
        """Waits until a write is done that was cut when it was sent."""
        time.sleep(GRACE)
        operation, _, name = write.partition(" ")
        look = {"CreateUserPool": self.pools, "CreateUserPoolClient": self.clients}.get(operation)
        deadline = time.monotonic() + PATIENCE
        while look and not look(name) and time.monotonic() < deadline:
            time.sleep(GRACE)

    def pools(self, name: str | None = None) -> list:
        """The pools of a name, or all."""
        pages = self.cognito.get_paginator("list_user_pools").paginate(MaxResults=60)
        return [it["Id"] for page in pages for it in page["UserPools"] if name in (None, it["Name"])]

    def clients(self, name: str) -> list:
        pages = self.cognito.get_paginator("list_user_pool_clients")
        found = (page for pool in self.pools() for page in pages.paginate(UserPoolId=pool))
        return [client for page in found for client in page["UserPoolClients"] if client["ClientName"] == name]


def main():
    kind, program, *arguments = sys.argv[1:]
    cuts = Cuts(kind)
    # What takes long at the start is done once, in the process that lives: its clients have called nobody yet.
    boto3.client = functools.cache(boto3.client)
    for service in SERVICES:
        boto3.client(service, region_name=os.environ["AWS_REGION"])
    client, connection = botocore.client.BaseClient, urllib3.connection.HTTPConnection
    client._make_api_call, connection.getresponse = cuts.below(client._make_api_call, connection.getresponse)
    sys.argv = [program, *arguments]
    sys.exit(cuts.run(program))


if __name__ == "__main__":
    main()
