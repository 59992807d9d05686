"""What runs in place of the images that are not ours: Debian's programs, and moto for the S3 server.

Each function makes ready what the image's own entrypoint would, and returns the command. Needs nginx, openssl, curl,
Prometheus, PostgreSQL 15 or later with its contrib modules and psql from the system; the exporter where it is there.
"""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from channelscribe.errors import StackError
from channelscribe.local_stack.postgres import can_reach, hand_over, process_options, server_user
from deployments.containers.compose import Service
from deployments.containers.places import Places
from deployments.containers.programs import Skipped, main_configuration, needed, rendered

Command = tuple[list[str], dict[str, str], dict[str, Any]]
"""Arguments, what is over the environment, and options for `subprocess.Popen`."""

SCRAPE_SECONDS = 5


def postgres_programs() -> Path:
    """The folder of the newest PostgreSQL that Debian has here. Raises Skipped."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parent.parent.name))
    if not found:
        raise Skipped("there is no PostgreSQL here (Debian's package postgresql)")
    return found[-1].parent


def postgres(places: Places, service: Service, environment: dict[str, str]) -> Command:
    """A cluster like the image makes it, with the script that the image would run once."""
    programs, own = postgres_programs(), places.mounted(service)
    data, sockets = own["/var/lib/postgresql/data"], own["/var/run/postgresql"]
    user = server_user(data)
    options = process_options(user, Path("/"))
    for folder in (data, sockets):
        for parent in reversed(folder.parents):
            if not can_reach(user, parent / folder.name):
                parent.chmod(parent.stat().st_mode | stat.S_IXOTH)
        hand_over(folder, user)
    environment = environment | {"PATH": f"{programs}{os.pathsep}{environment['PATH']}", "PGDATA": str(data)}
    if not (data / "PG_VERSION").exists():
        initialize(places, service, programs, environment, options)
    words = [str(programs / "postgres"), *service.words("command")[1:], "-D", str(data), "-k", str(sockets)]
    words += ["-c", f"listen_addresses={places.address(service.name)}", "-c", "fsync=off"]
    return words, environment, options


def initialize(
    places: Places, service: Service, programs: Path, environment: dict[str, str], options: dict[str, Any]
) -> None:
    data, sockets = environment["PGDATA"], places.mounted(service)["/var/run/postgresql"]
    password = sockets / "password"
    password.write_text(environment["POSTGRES_PASSWORD"])
    hand_over(sockets, options.get("user"))

    def run(*words: str, script: bytes | None = None, **more: str) -> None:
        given = options if script is None else {k: v for k, v in options.items() if k != "stdin"} | {"input": script}
        with places.log(service.name).open("ab") as log:
            done = subprocess.run(words, env=environment | more, stdout=log, stderr=log, check=False, **given)
        if done.returncode:
            raise StackError(f"{Path(words[0]).name} failed.", remedy=f"See {places.log(service.name)}.")

    options_of_initdb = ["-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--auth-host=scram-sha-256"]
    run(str(programs / "initdb"), *options_of_initdb, f"--pwfile={password}", "-D", data)
    password.unlink()
    with (Path(data) / "pg_hba.conf").open("a") as rules:
        rules.write("host all all all scram-sha-256\n")
    server = str(programs / "pg_ctl"), "-D", data, "-w"
    run(*server, "-o", f"-c listen_addresses= -k {sockets}", "-l", f"{data}/first.log", "start")
    # Handed over, since its user may not be allowed to walk to the checkout.
    script = (places.tree.docker / "postgres/databases.sh").read_bytes()
    run(needed("bash"), "-s", script=script, PGHOST=str(sockets), POSTGRES_USER="postgres")
    run(*server, "-m", "fast", "stop")


def s3(places: Places, service: Service, environment: dict[str, str]) -> Command:
    words = [sys.executable, "-m", "moto.server", "-H", places.address(service.name), "-p", "8333"]
    return words, environment, {}


def nginx(places: Places, service: Service, environment: dict[str, str]) -> Command:
    """The template filled in, and a certificate made, as the image's entrypoint does."""
    folder, own = places.home(service.name), places.address(service.name)
    for name in ("LISTEN", "LISTEN_PLAIN"):
        environment[name] = f"{own}:{environment[name]}"
    with places.log(service.name).open("ab") as log:
        script = places.tree.docker / "nginx/certificate.sh"
        subprocess.run([needed("sh"), script], env=environment, stdout=log, stderr=log, check=True)
    template = (places.tree.docker / "nginx/channelscribe.conf.template").read_text(encoding="utf-8")
    (folder / "site.conf").write_text(rendered(template, environment))
    configuration = "user root;\n" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(configuration + main_configuration(folder))
    words = [needed("nginx"), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-g", "daemon off;"]
    return words, environment, {}


def prometheus(places: Places, service: Service, environment: dict[str, str]) -> Command:
    """Names are looked up beforehand: there is no name server for them here."""
    folder = places.home(service.name) / "configuration"
    folder.mkdir(exist_ok=True)
    content = dict(places.tree.prometheus)
    content["global"] = content["global"] | {
        "scrape_interval": f"{SCRAPE_SECONDS}s",
        "scrape_timeout": f"{SCRAPE_SECONDS}s",
    }
    content["scrape_configs"] = [asked(places, job) for job in content["scrape_configs"]]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(content))
    (folder / "rules.yml").write_text((places.tree.docker / "prometheus/rules.yml").read_text(encoding="utf-8"))
    environment |= {
        "CONFIGURATION": str(folder),
        "RENDERED": str(places.home(service.name) / "tmp/prometheus"),
        "PROMETHEUS": needed("prometheus"),
    }
    listening = f"--web.listen-address={places.address(service.name)}:9090"
    arguments = [places.here(service, word) for word in service.words("command")]
    return [needed("sh"), str(places.tree.docker / "prometheus/start.sh"), *arguments, listening], environment, {}


def asked(places: Places, job: dict[str, Any]) -> dict[str, Any]:
    """A job with addresses of the services that run here."""
    here = running(places)
    targets = [
        f"{places.address(name)}:{lookup['port']}"
        for lookup in job.get("dns_sd_configs") or []
        for name in lookup["names"]
        if name in here
    ]
    own = [target for static in job.get("static_configs") or [] for target in static["targets"]]
    targets += [target.replace("localhost", places.address("prometheus")) for target in own]
    kept = {
        key: value for key, value in job.items() if key not in ("dns_sd_configs", "scrape_interval", "scrape_timeout")
    }
    return {**kept, "static_configs": [{"targets": targets}]}


def exporter(places: Places, service: Service, environment: dict[str, str]) -> Command:
    program = needed("postgres_exporter", "prometheus-postgres-exporter")
    return [program, f"--web.listen-address={places.address(service.name)}:9187"], environment, {}


STAND_INS: dict[str, Callable[[Places, Service, dict[str, str]], Command]] = {
    "postgres": postgres,
    "s3": s3,
    "nginx": nginx,
    "prometheus": prometheus,
    "postgres-exporter": exporter,
}
HEALTH = {
    "s3": "http://127.0.0.1:8333/moto-api/",
    "nginx": "https://127.0.0.1:8443/healthz",
    "prometheus": "http://127.0.0.1:9090/-/ready",
    "postgres-exporter": "http://127.0.0.1:9187/metrics",
}
"""What is asked where the health check of the image cannot be run here."""

NOT_HERE = {"grafana", "gpu-exporter"}
"""Neither in Debian nor on PyPI."""


def running(places: Places) -> set[str]:
    """The services that can run here."""
    optional = set()
    try:
        needed("postgres_exporter", "prometheus-postgres-exporter")
    except Skipped:
        optional = {"postgres-exporter"}
    return set(places.tree.compose.running("cpu", "monitoring")) - NOT_HERE - optional
