"""Which speech models there are beside the built-in ones, and the token that gated ones need."""

from __future__ import annotations

from prefect.blocks.core import Block
from pydantic import Field, SecretStr

from channelscribe.settings import SpeechModel, SpeechOptions
from channelscribe.speech.hub_check import check_models


class SpeechModelsBlock(Block):
    """The speech models of a deployment. `speech.block` names the document that its workers use."""

    _block_type_name = "channelscribe speech models"
    _block_type_slug = "channelscribe-speech-models"
    _description = "The registry of channelscribe's speech models, and the Hugging Face token of its workers."

    hub_token: SecretStr | None = Field(
        None,
        title="Hub token",
        description="Hugging Face token of an account that accepted the gated models' conditions",
    )
    models: dict[str, SpeechModel] = Field(
        default_factory=dict,
        title="Models",
        description='by name: {"mine": {"recognizer": "hub id or folder", "language": "de"}}',
    )

    def options(self, own: SpeechOptions | None = None) -> SpeechOptions:
        """`own` with the models of this block added, and its token where it has one."""
        own = own or SpeechOptions()
        return own.model_copy(
            update={"models": {**own.models, **self.models}, "hub_token": self.hub_token or own.hub_token}
        )

    def check_reachable(self) -> None:
        """Raises ModelUnavailable when a model is neither a folder here, nor cached, nor given by the hub."""
        check_models(self.options())
