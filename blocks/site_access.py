"""How sites are reached: cookies, logins, a proxy, PO tokens."""

from __future__ import annotations

from prefect.blocks.core import Block
from pydantic import Field, SecretStr, ValidationError

from channelscribe.errors import InvalidSetting
from channelscribe.settings.access import AccessOptions
from channelscribe.settings.options import SourceOptions
from channelscribe.sources.canary import try_canary
from channelscribe.sources.cookies import checked_cookies


class SiteAccessBlock(Block):
    """How the workers of a deployment reach sites. `sources.access` names the document that a run uses."""

    _block_type_name = "channelscribe site access"
    _block_type_slug = "channelscribe-site-access"
    _description = "How channelscribe reaches sites: cookies, logins, a proxy, players, PO tokens."

    cookies: SecretStr | None = Field(
        None, title="Cookies", description="the text of a Netscape cookies file, of an account that you can lose"
    )
    cookies_file: str | None = Field(
        None, title="Cookies file", description="its path on the workers instead, with mode 0600"
    )
    proxy: SecretStr | None = Field(
        None, title="Proxy", description="http, https, socks4, socks5 or socks5h URL, with its password"
    )
    logins: SecretStr | None = Field(
        None, title="Logins", description="of feeds and files, one a line: feeds.example.org user:password"
    )
    player_clients: str | None = Field(
        None, title="Player clients", description="YouTube's players, such as default,web_embedded"
    )
    extractor_args: SecretStr | None = Field(
        None, title="Extractor arguments", description="yt-dlp's --extractor-args, one a line, as for PO tokens"
    )
    egress: str | None = Field(
        None,
        title="Outgoing address",
        description="a name for it; workers with the same name share its budget and its blocks",
    )
    canary_url: str | None = Field(None, title="Canary URL", description="a video that the check of this block tries")

    def options(self) -> AccessOptions:
        """The library's options. Raises InvalidSetting, naming the field and never its value."""
        secret = self.extractor_args.get_secret_value() if self.extractor_args else ""
        try:
            return AccessOptions(
                cookies=self.cookies,
                cookies_file=self.cookies_file or None,
                proxy=self.proxy,
                logins=self.logins.get_secret_value() if self.logins else {},
                player_clients=self.player_clients or "",
                extractor_args=secret,
                egress=self.egress or None,
                canary_url=self.canary_url or None,
            )
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            field = ".".join(str(part) for part in first["loc"])
            raise InvalidSetting(f"{field} of the block is wrong: {first['msg']}.", remedy="Edit the block.") from None

    def check(self) -> None:
        """Raises InvalidSetting or AccessUnusable when a field, or the cookies, cannot be right. Asks no site."""
        checked_cookies(self.options())

    def check_reachable(self) -> None:
        """`check`, then fetches the first seconds of the canary, if there is one. Raises what the site says."""
        self.check()
        options = self.options()
        if options.canary_url:
            try_canary(options.canary_url, SourceOptions(**options.model_dump()))
