"""`channelscribe serve`: the read API and the reading room, until it is stopped; `serve passwd`: who may come in."""

from __future__ import annotations

import argparse
import getpass
import sys

from channelscribe.errors import UsageError
from flows.output import print_json, say, tell
from flows.session import assigned, database, read_settings


def run(options: argparse.Namespace) -> int:
    settings = read_settings(assigned(options))
    if options.action == "passwd":
        return passwd(options)
    from channelscribe.web.app import address, room_of, serve

    host, port = address(options.listen or settings.web.listen)

    def ready(url: str) -> None:
        if options.json:
            print_json({"url": url, "api": f"{url}api/v1"})
        else:
            say(f"The reading room is at {url}")
        sys.stdout.flush()

    with database(settings, "serve") as catalogue:
        room = room_of(settings, catalogue, host)
        room.access.require_a_way_in(host)
        serve(room, port, ready)
    return 0


def passwd(options: argparse.Namespace) -> int:
    from channelscribe.web.app import logins_of

    if not options.name:
        raise UsageError("`serve passwd` needs a name.", remedy="Such as `channelscribe serve passwd ada`.")
    logins = logins_of(read_settings(assigned(options)))
    if options.remove:
        gone = logins.remove(options.name)
        tell(f"{options.name} {'can no longer sign in' if gone else 'had no login'}.")
        return 0
    if options.token:
        token = logins.add_token(options.name, options.role)
        print_json({"name": options.name, "role": options.role, "token": token}) if options.json else say(token)
        return 0
    # A pipe gives the password as its first line.
    given = getpass.getpass("Password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    logins.set_password(options.name, given, options.role)
    tell(f"{options.name} can sign in as {options.role}.")
    return 0
