"""The services of compose.yaml as plain processes, with the environment, order and health checks that stand there.

`python -m deployments.containers.processes DIR` starts them, without Docker, on loopback and below DIR only, says where
they are in `DIR/services.json` and as one line of JSON, and stays until Ctrl-C or SIGTERM, which leaves no process. In
place of images that are not ours run Debian's programs (`stand_ins`). `--again SERVICE` has one that ends run once more
beside a stack that runs in DIR, as `docker compose run` would. For trying, and for tests: Linux only.
"""

from __future__ import annotations

import argparse
import json
import secrets
import signal
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from channelscribe.errors import ChannelscribeError, StackError
from channelscribe.local_stack.supervisor import die_with_parent, stop
from deployments.containers.compose import Service
from deployments.containers.hosting import Host
from deployments.containers.places import Places
from deployments.containers.programs import Skipped
from deployments.containers.stand_ins import HEALTH
from deployments.containers.tree import ROOT, Tree

READY_SECONDS, STOP_SECONDS, LOOK_SECONDS = 240.0, 10.0, 0.3

Running = tuple[subprocess.Popen[bytes], int]
"""A service's process, and the signal that ends it."""


def places_of(folder: Path) -> Places:
    """Those of the stack in `folder`: its addresses and passwords are made when it is new, and kept."""
    file = folder / "stack.json"
    tree = Tree(ROOT / "docker")
    if not file.exists():
        block = f"{1 + secrets.randbelow(250)}.{secrets.randbelow(250)}"
        needed = {use.name for use in tree.uses if use.how.endswith("?")}
        folder.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(
            json.dumps({"block": block, "values": {name: secrets.token_hex(12) for name in sorted(needed)}})
        )
    noted = json.loads(file.read_text())
    name = {"SERVER_NAME": Places(tree, folder, noted["block"]).address("nginx")}
    return Places(Tree(ROOT / "docker", values=noted["values"] | name), folder, noted["block"])


@dataclass
class Stack:
    """The services of a folder, as far as they have come."""

    host: Host
    started: dict[str, Running] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    healthy: set[str] = field(default_factory=set)

    def start(self) -> None:
        """All, each when what it waits for is there. Raises StackError for one that ends, or is not well in time."""
        until = time.monotonic() + READY_SECONDS
        while waiting := [name for name in self.host.services if name not in self.healthy | self.ended]:
            for name in waiting:
                if name in self.started:
                    self.look(name)
                elif all(self.is_met(*need) for need in self.host.services[name].needs.items()):
                    self.started[name] = self.begin(name)
            if time.monotonic() > until:
                raise StackError(
                    f"Not well after {READY_SECONDS:.0f} s: {', '.join(waiting)}.",
                    remedy=f"See {self.host.places.folder}/logs.",
                )
            time.sleep(LOOK_SECONDS)

    def is_met(self, name: str, condition: str) -> bool:
        there: dict[str, Any] = {"service_healthy": self.healthy, "service_completed_successfully": self.ended}
        return name in there.get(condition, self.started)

    def look(self, name: str) -> None:
        service = self.host.services[name]
        code = self.started[name][0].poll()
        once = service.own.get("restart") == "no"
        if once and code == 0:
            self.ended.add(name)
        elif code is not None:
            raise StackError(f"{name} ended with {code}.", remedy=f"See {self.host.places.log(name)}.")
        elif not once and self.is_healthy(service):
            self.healthy.add(name)

    def is_healthy(self, service: Service) -> bool:
        if url := HEALTH.get(service.name):
            return answers(url.replace("127.0.0.1", self.host.places.address(service.name)))
        words, environment = self.host.health_check(service), self.host.environment(service)
        with self.host.places.log(f"{service.name}.health").open("ab") as log:
            try:
                done = subprocess.run(words, env=environment, stdout=log, stderr=log, check=False, timeout=60)
            except subprocess.TimeoutExpired:
                return False
        return done.returncode == 0

    def begin(self, name: str) -> Running:
        service = self.host.services[name]
        argv, environment, options = self.host.command(service)
        log, end = self.host.places.log(name), signal.SIGINT if name == "postgres" else signal.SIGTERM
        with log.open("ab") as opened:
            process = subprocess.Popen(
                argv,
                **{"cwd": self.host.places.home(name), "stdin": subprocess.DEVNULL, **options},
                stdout=opened,
                stderr=opened,
                env=environment,
                start_new_session=True,
                preexec_fn=die_with_parent(end),
            )
        return process, end

    def told(self) -> dict[str, Any]:
        """Where everything is, and how one gets in."""
        own = self.host.places.tree.compose.services
        home = self.host.places.mounted(own["nginx"])["/certificates"]
        return {
            "url": f"https://{self.host.places.address('nginx')}:8443",
            "auth": own["server"].environment["PREFECT_SERVER_API_AUTH_STRING"],
            "certificate": str(home / "certificate.pem"),
            "addresses": {name: self.host.places.address(name) for name in sorted(self.started)},
            "database": self.host.places.here(
                own["orchestrator"], own["orchestrator"].environment["CHANNELSCRIBE_DATABASE__URL"]
            ),
            "logs": str(self.host.places.folder / "logs"),
        }

    def stop(self) -> None:
        """Who asks before who is asked."""
        order = [name for name in self.started if name not in ("postgres", "s3", "server")]
        stop([self.started[name] for name in order], STOP_SECONDS)
        stop([self.started[name] for name in ("server", "s3", "postgres") if name in self.started], STOP_SECONDS)


def answers(url: str) -> bool:
    """Whether it says 200; whose certificate it has is not the question."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    handlers = [urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)]
    try:
        with urllib.request.build_opener(*handlers).open(url, timeout=10) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def run_again(host: Host, name: str) -> int:
    argv, environment, _ = host.command(host.services[name])
    return subprocess.run(argv, env=environment, cwd=host.places.home(name), check=False).returncode


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m deployments.containers.processes")
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--again", metavar="SERVICE", help="run a service that ends once more")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a line of settings.env")
    options = parser.parse_args(arguments)
    if not sys.platform.startswith("linux"):
        parser.error("needs Linux: each service has a loopback address of its own")
    if not (ROOT / "docker/compose.yaml").is_file():
        parser.error("there is no docker/compose.yaml: this runs from a checkout of channelscribe")
    folder = options.folder.resolve()
    host = Host(places_of(folder), dict(each.partition("=")[::2] for each in options.set))
    if options.again:
        return run_again(host, options.again)
    stack = Stack(host)

    def leave(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, leave)
    try:
        stack.start()
        (folder / "services.json").write_text(json.dumps(stack.told()))
        (folder / "services.json").chmod(0o600)
        sys.stdout.write(json.dumps({"url": stack.told()["url"], "services": str(folder / "services.json")}) + "\n")
        sys.stdout.flush()
        while True:
            signal.pause()
    except KeyboardInterrupt:
        return 0
    except (ChannelscribeError, Skipped) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        stack.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
