"""The services of compose.yaml as plain processes, with the environment, order and health checks that stand there.

`python -m tests.containers.processes DIR` starts them, without Docker, on loopback and below DIR only, says where they
are in `DIR/services.json` and as one line of JSON, and stays until Ctrl-C or SIGTERM, which leaves no process.
`--again SERVICE` has one that ends run once more beside a stack that runs in DIR, as `docker compose run` would.

Each service has an address of its own on loopback (127.X.Y.N, Linux has all of 127/8), so that ports stay those of
compose.yaml; volumes, mounts and what is in memory are folders; every mention in commands and environments is replaced.
In place of images that are not ours run Debian's nginx and Prometheus, the PostgreSQL of the wheel, and moto for the S3
server; each function of STAND_INS makes ready what the image's own entrypoint would, and returns the command.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import re
import secrets
import shutil
import signal
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import psutil
import yaml

from channelscribe.local_stack.postgres import hand_over, installed, prepare
from tests.containers.compose_file import DOCKER, ROOT, Service, required, services

READY_SECONDS, LOOK_SECONDS, STOP_SECONDS = 240.0, 0.3, 20.0
SCRAPE_SECONDS = 5
NOT_HERE = {"grafana", "gpu-exporter", "speech-gpu", "backup"}
"""In neither Debian nor PyPI, or not started by `up`."""
OF_SYSTEMS = ("/", "/etc", "/var", "/var/lib", "/usr", "/usr/local/bin", "/opt")
PATHS = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin"))

LIBC, PR_SET_PDEATHSIG = ctypes.CDLL(None), 1

Command = tuple[list[str], dict[str, str], dict[str, Any]]
"""Arguments, environment, and options for `subprocess.Popen`."""


class NotHere(Exception):
    """A program is not; says which."""


def needed(*names: str) -> str:
    """The first of these programs that is here."""
    for name in names:
        if found := shutil.which(name, path=PATHS):
            return found
    raise NotHere(f"there is no {' or '.join(names)} here")


@dataclass(frozen=True)
class Host:
    """What the containers run, as commands of this machine: in `folder`, with `settings` for `settings.env`."""

    folder: Path
    settings: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def noted(self) -> dict[str, str]:
        """Addresses and passwords: made when the folder is new, and kept."""
        file = self.folder / "stack.json"
        if not file.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            block = f"{1 + secrets.randbelow(250)}.{secrets.randbelow(250)}"
            file.touch(mode=0o600)
            file.write_text(json.dumps({"block": block, "secret": secrets.token_hex(12)}))
        noted: dict[str, str] = json.loads(file.read_text())
        return noted

    @cached_property
    def everything(self) -> dict[str, Service]:
        names = required((DOCKER / "compose.yaml").read_text())
        known = {name: f"{self.noted['secret']}{number}" for number, name in enumerate(sorted(names))}
        return services(known | {"SERVER_NAME": self.address("nginx", sorted(services()))})

    @cached_property
    def services(self) -> dict[str, Service]:
        """Those that can run here."""
        away = set(NOT_HERE)
        try:
            needed("postgres_exporter", "prometheus-postgres-exporter")
        except NotHere:
            away.add("postgres-exporter")
        return {name: service for name, service in self.everything.items() if name not in away}

    def address(self, name: str, names: Sequence[str] | None = None) -> str:
        return f"127.{self.noted['block']}.{10 + (names or sorted(self.everything)).index(name)}"

    def home(self, name: str) -> Path:
        """What a service has to itself."""
        return self.folder / "services" / name

    def log(self, name: str) -> Path:
        return self.folder / "logs" / f"{name}.log"

    def mounted(self, service: Service) -> dict[str, Path]:
        """Container path: path here."""
        own = {"/tmp", *service.memory, *(service.image.folders if service.image else ())}
        found = {path: self.home(service.name) / path.strip("/") for path in own}
        found["/opt/channelscribe/project"] = ROOT
        for target, source in service.mounts.items():
            is_path = source.startswith((".", "/"))
            found[target] = DOCKER / source if is_path else self.folder / "volumes" / source
            # A folder of volumes, such as /tls, which a command may name, too.
            if not is_path and (above := str(Path(target).parent)) not in OF_SYSTEMS:
                found.setdefault(above, self.home(service.name) / above.strip("/"))
        return found

    def here(self, service: Service, text: str) -> str:
        """A word or a value as it is on this machine."""
        mounted = self.mounted(service)
        paths = "|".join(map(re.escape, sorted(mounted, key=len, reverse=True)))
        text = re.sub(rf"(?<![\w./:-])({paths})(?=[/\s\"':,]|$)", lambda found: str(mounted[found[1]]), text)
        names = "|".join(sorted(map(re.escape, self.everything), key=len, reverse=True))
        text = re.sub(rf"(?<![\w.-])({names})(?=:\d)", lambda found: self.address(found[1]), text)
        own = self.address(service.name)
        text = re.sub(r"(?<![\d.])(0\.0\.0\.0|127\.0\.0\.1|localhost)(?=[:\s/]|$)", own, text)
        return re.sub(r"(?<=--dashboard-address[= ]):(?=\d)", f"{own}:", text)

    def environment(self, service: Service) -> dict[str, str]:
        """Nothing of the caller's: what the image and compose.yaml give, and what a container has by itself."""
        given = {**(self.settings if service.own.get("env_file") else {}), **service.environment}
        path = [self.programs, Path(sys.executable).parent, installed(), os.defpath, "/usr/sbin", "/sbin"]
        return {
            "LANG": "C.UTF-8",
            **{name: self.here(service, value) for name, value in given.items()},
            "PATH": os.pathsep.join(map(str, path)),
            "HOME": str(self.home(service.name) / "tmp"),
            "HOSTNAME": service.name,
            # By which whatever is left of a stack can be found.
            "STARTED_IN": str(self.folder),
        }

    @cached_property
    def programs(self) -> Path:
        """Scripts of the images under the names that they have there; the health check looks at its own service."""
        folder = self.folder / "programs"
        folder.mkdir(exist_ok=True)
        for name, script in (("entrypoint", "entrypoint.sh"), ("dask-certificates", "dask-certificates.sh")):
            shutil.copy(DOCKER / script, folder / name)
        text = (DOCKER / "health.py").read_text().replace("socket.gethostname()", "os.environ['HOSTNAME']")
        for name in self.services:
            (folder / f"health-{name}").write_text(text.replace("127.0.0.1", self.address(name)))
        (folder / "health").write_text(f'#!/bin/sh\nexec {sys.executable} "{folder}/health-$HOSTNAME" "$@"\n')
        for path in folder.iterdir():
            path.chmod(0o755)
        return folder

    def words(self, service: Service) -> list[str]:
        """What listens on all addresses there does so on its own here."""
        words, own = [self.here(service, word) for word in service.start], ["--host", self.address(service.name)]
        if "dask scheduler" in " ".join(words):
            words += own
        return [word.replace("exec dask worker ", f"exec dask worker {' '.join(own)} ") for word in words]

    def health_check(self, service: Service) -> list[str]:
        return [self.here(service, word) for word in service.health_check]

    def command(self, service: Service) -> Command:
        """Makes ready what it needs, too."""
        for folder in (self.home(service.name), self.log(service.name).parent):
            folder.mkdir(parents=True, exist_ok=True)
        mounted = self.mounted(service)
        for path in mounted.values():
            if not path.exists():
                path.mkdir(parents=True)
        for target, path in mounted.items():
            above = mounted.get(str(Path(target).parent))
            if above is not None and not (link := above / Path(target).name).exists():
                link.symlink_to(path)
        environment = self.environment(service)
        if service.name in STAND_INS:
            return STAND_INS[service.name](self, service, environment)
        return self.words(service), environment, {}


def postgres(host: Host, service: Service, environment: dict[str, str]) -> Command:
    """A cluster with the script of the image run once; passwords are asked for over TCP."""
    server = prepare(host.mounted(service)["/var/lib/postgresql/data"], durable=False)
    rules = server.folder / "pg_hba.conf"
    own_rules = "local all all trust\nhost all all all scram-sha-256\n"
    if rules.read_text() != own_rules:
        rules.write_text(own_rules)
        hand_over(server.folder, server.user)
        with host.log(service.name).open("ab") as log, running(server.argv, log, **server.popen_options):
            server.wait_ready()
            own = environment | {"PGHOST": str(server.socket_folder), "POSTGRES_USER": "postgres"}
            for user, statement in (
                ("channelscribe", "CREATE ROLE postgres SUPERUSER LOGIN"),
                ("postgres", "ALTER ROLE channelscribe RENAME TO bootstrap"),
            ):
                psql = ["psql", "-U", user, "-d", "postgres", "-c", statement]
                subprocess.run(psql, env=own, stdout=log, stderr=log, check=True)
            script = [needed("bash"), str(DOCKER / "postgres/databases.sh")]
            subprocess.run(script, env=own, stdout=log, stderr=log, check=True)
    listening = ["-c", f"listen_addresses={host.address(service.name)}", "-c", "max_connections=200"]
    return [*server.argv, *listening], environment, server.popen_options


def s3(host: Host, service: Service, environment: dict[str, str]) -> Command:
    return [sys.executable, "-m", "moto.server", "-H", host.address(service.name), "-p", "8333"], environment, {}


def nginx(host: Host, service: Service, environment: dict[str, str]) -> Command:
    """The template filled in, and a certificate made, as the image's entrypoint does."""
    folder, own = host.home(service.name), host.address(service.name)
    environment |= {name: f"{own}:{environment[name]}" for name in ("LISTEN", "LISTEN_PLAIN")}
    with host.log(service.name).open("ab") as log:
        script = DOCKER / "nginx/certificate.sh"
        subprocess.run(["sh", script], env=environment, stdout=log, stderr=log, check=True)
    configuration = str(nginx_configuration(folder, environment))
    return [needed("nginx"), "-p", str(folder), "-c", configuration, "-g", "daemon off;"], environment, {}


def nginx_configuration(folder: Path, environment: Mapping[str, str]) -> Path:
    """An nginx.conf around the template, which is filled in as envsubst of the image's entrypoint does."""
    template = (DOCKER / "nginx/channelscribe.conf.template").read_text()
    filled = re.sub(r"\$\{(\w+)\}", lambda found: environment.get(found[1], found[0]), template)
    user = "user root;\n" if os.geteuid() == 0 else ""
    head = f"{user}worker_processes 1;\npid {folder}/nginx.pid;\nerror_log stderr;\nevents {{}}\n"
    (folder / "nginx.conf").write_text(f"{head}http {{\n{filled}\n}}\n")
    return folder / "nginx.conf"


def prometheus(host: Host, service: Service, environment: dict[str, str]) -> Command:
    """Names are looked up beforehand: there is no name server for them here."""
    folder = host.home(service.name) / "configuration"
    folder.mkdir(exist_ok=True)
    content = yaml.safe_load((DOCKER / "prometheus/prometheus.yml").read_text())
    content["global"] |= {"scrape_interval": f"{SCRAPE_SECONDS}s", "scrape_timeout": f"{SCRAPE_SECONDS}s"}
    for job in content["scrape_configs"]:
        targets = [target for static in job.get("static_configs") or [] for target in static["targets"]]
        targets = [target.replace("localhost", host.address("prometheus")) for target in targets]
        for lookup in job.pop("dns_sd_configs", []):
            targets += [f"{host.address(name)}:{lookup['port']}" for name in lookup["names"] if name in host.services]
        for name in ("scrape_interval", "scrape_timeout"):
            job.pop(name, None)
        job["static_configs"] = [{"targets": targets}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(content))
    shutil.copy(DOCKER / "prometheus/rules.yml", folder)
    environment |= {"CONFIGURATION": str(folder), "RENDERED": str(host.home(service.name) / "tmp/prometheus")}
    environment |= {"PROMETHEUS": needed("prometheus")}
    listening = f"--web.listen-address={host.address(service.name)}:9090"
    arguments = [host.here(service, word) for word in service.own["command"]]
    return ["sh", str(DOCKER / "prometheus/start.sh"), *arguments, listening], environment, {}


def exporter(host: Host, service: Service, environment: dict[str, str]) -> Command:
    program = needed("postgres_exporter", "prometheus-postgres-exporter")
    return [program, f"--web.listen-address={host.address(service.name)}:9187"], environment, {}


STAND_INS: dict[str, Callable[[Host, Service, dict[str, str]], Command]] = {
    "postgres": postgres,
    "s3": s3,
    "nginx": nginx,
    "prometheus": prometheus,
    "postgres-exporter": exporter,
}
HEALTH = {
    "s3": "http://{}:8333/moto-api/",
    "nginx": "https://{}:8443/healthz",
    "prometheus": "http://{}:9090/-/ready",
    "postgres-exporter": "http://{}:9187/metrics",
}
"""What is asked where the health check of the image cannot be run here."""


@dataclass
class Stack:
    """The services of a folder, as far as they have come."""

    host: Host
    started: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    healthy: set[str] = field(default_factory=set)

    def start(self) -> None:
        """All, each when what it waits for is there. Raises RuntimeError for one that ends, or is not well in time."""
        until = time.monotonic() + READY_SECONDS
        while waiting := [name for name in self.host.services if name not in self.healthy | self.ended]:
            for name in waiting:
                if name in self.started:
                    self.look(name)
                elif all(self.is_met(*need) for need in self.host.services[name].needs.items()):
                    self.started[name] = self.begin(name)
            if time.monotonic() > until:
                raise RuntimeError(f"Not well after {READY_SECONDS:.0f} s: {', '.join(waiting)}.")
            time.sleep(LOOK_SECONDS)

    def is_met(self, name: str, condition: str) -> bool:
        there: dict[str, Any] = {"service_healthy": self.healthy, "service_completed_successfully": self.ended}
        return name in there.get(condition, self.started)

    def look(self, name: str) -> None:
        service, code = self.host.services[name], self.started[name].poll()
        once = service.own.get("restart") == "no"
        if once and code == 0:
            self.ended.add(name)
        elif code is not None:
            raise RuntimeError(f"{name} ended with {code}: see {self.host.log(name)}.")
        elif not once and self.is_healthy(service):
            self.healthy.add(name)

    def is_healthy(self, service: Service) -> bool:
        if url := HEALTH.get(service.name):
            return answers(url.format(self.host.address(service.name)))
        words, environment = self.host.health_check(service), self.host.environment(service)
        with self.host.log(f"{service.name}.health").open("ab") as log, suppress(subprocess.TimeoutExpired):
            done = subprocess.run(words, env=environment, stdout=log, stderr=log, check=False, timeout=60)
            return done.returncode == 0
        return False

    def begin(self, name: str) -> subprocess.Popen[bytes]:
        argv, environment, options = self.host.command(self.host.services[name])
        with self.host.log(name).open("ab") as log:
            return subprocess.Popen(
                argv,
                **{"cwd": self.host.home(name), "stdin": subprocess.DEVNULL, **options},
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
                # Should this process be killed, they are told so.
                preexec_fn=lambda: LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0),
            )

    def told(self) -> dict[str, Any]:
        """Where everything is, and how one gets in."""
        host, own = self.host, self.host.everything
        return {
            "url": f"https://{host.address('nginx')}:8443",
            "auth": own["server"].environment["PREFECT_SERVER_API_AUTH_STRING"],
            "certificate": str(host.mounted(own["nginx"])["/certificates"] / "certificate.pem"),
            "addresses": {name: host.address(name) for name in sorted(self.started)},
            "database": host.here(own["orchestrator"], own["orchestrator"].environment["CHANNELSCRIBE_DATABASE__URL"]),
            "logs": str(host.folder / "logs"),
        }

    def stop(self) -> None:
        """Who asks before who is asked; then whatever they started."""
        offspring = [child for each in self.started.values() for child in children(each.pid)]
        last = [name for name in ("server", "s3", "postgres") if name in self.started]
        for names in ([name for name in self.started if name not in last], *([name] for name in last)):
            for name in names:
                self.started[name].send_signal(signal.SIGINT if name == "postgres" else signal.SIGTERM)
            for name in names:
                try:
                    self.started[name].wait(STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    self.started[name].kill()
        for child in offspring:
            with suppress(psutil.Error):
                child.kill()


def children(pid: int) -> list[psutil.Process]:
    with suppress(psutil.Error):
        return psutil.Process(pid).children(recursive=True)
    return []


@contextmanager
def running(argv: Sequence[str], log: Any, **options: Any) -> Iterator[None]:
    process = subprocess.Popen(argv, stdout=log, stderr=log, **options)
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(STOP_SECONDS)


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


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.containers.processes")
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--again", metavar="SERVICE", help="run a service that ends once more")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a line of settings.env")
    options = parser.parse_args(arguments)
    if not sys.platform.startswith("linux"):
        parser.error("needs Linux: each service has a loopback address of its own")
    host = Host(options.folder.resolve(), dict(each.partition("=")[::2] for each in options.set))
    if options.again:
        argv, environment, _ = host.command(host.services[options.again])
        return subprocess.run(argv, env=environment, cwd=host.home(options.again), check=False).returncode
    stack = Stack(host)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        stack.start()
        told = host.folder / "services.json"
        told.touch(mode=0o600)
        told.write_text(json.dumps(stack.told()))
        sys.stdout.write(json.dumps({"url": stack.told()["url"], "services": str(told)}) + "\n")
        sys.stdout.flush()
        while True:
            signal.pause()
    except KeyboardInterrupt:
        return 0
    except (RuntimeError, NotHere, subprocess.CalledProcessError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        stack.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
