"""Ids in paths beside acts: `/v1/webhooks/{webhook_id}` must not take `/v1/webhooks/{webhook_id}:rotate` for a webhook
of that name, or who sends the act by a wrong method is told that the id is wrong."""

from __future__ import annotations

from starlette.convertors import Convertor, register_url_convertor


class _BeforeAct(Convertor[str]):
    """One part of a path without a colon."""

    regex = "[^/:]+"

    def convert(self, value: str) -> str:
        """As it is."""
        return value

    def to_string(self, value: str) -> str:
        """As it is."""
        return value


register_url_convertor("before_act", _BeforeAct())


def before_act(name: str) -> str:
    """The part of a path that holds this parameter, which ends at a colon."""
    return f"{{{name}:before_act}}"
