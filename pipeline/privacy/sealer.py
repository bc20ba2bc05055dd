"""What seals the key ring's document, so that its file alone opens nothing: a key management service, behind a port.

Processes ask it when they read the ring, never for an event: what the ring holds is derived once (keyring.py).
"""

from __future__ import annotations

import base64
from typing import Protocol

import httpx

from pipeline.errors import ConfigurationError, KeyServiceUnavailable
from pipeline.settings import Settings

_PATIENCE_S = 5.0


class Sealer(Protocol):
    """Seals and opens documents. Raises KeyServiceUnavailable, and ConfigurationError where it refuses."""

    def seal(self, plain: bytes) -> str:
        """A text that only `open` makes anything of."""

    def open(self, sealed: str) -> bytes:
        """What was sealed."""


class VaultTransit:
    """HashiCorp Vault's transit engine (OpenBao's is the same): the key never leaves it.

    https://developer.hashicorp.com/vault/api-docs/secret/transit, encrypt and decrypt data.
    """

    def __init__(self, client: httpx.Client, key: str) -> None:
        self._client = client
        self._key = key

    def seal(self, plain: bytes) -> str:
        """See `Sealer`: `vault:v1:...`, under the newest version of the key there."""
        return self._asked("encrypt", {"plaintext": base64.b64encode(plain).decode()}, "ciphertext")

    def open(self, sealed: str) -> bytes:
        """See `Sealer`."""
        return base64.b64decode(self._asked("decrypt", {"ciphertext": sealed}, "plaintext"))

    def _asked(self, act: str, body: dict[str, str], answer: str) -> str:
        try:
            response = self._client.post(f"/v1/transit/{act}/{self._key}", json=body)
        except httpx.TransportError as exc:
            raise KeyServiceUnavailable(f"Vault does not answer ({type(exc).__name__})") from None
        if response.is_server_error or response.status_code == 429:  # 503: sealed itself
            raise KeyServiceUnavailable(f"Vault answers {response.status_code}")
        try:
            return str(response.raise_for_status().json()["data"][answer])
        except (httpx.HTTPStatusError, ValueError, KeyError, TypeError):
            # not chained: the answer may hold what was to be kept
            raise ConfigurationError(
                f"Vault refuses to {act} the key ring ({response.status_code}): check RB_VAULT_URL, RB_VAULT_TOKEN and "
                f"its right to transit/{act}/{self._key}"
            ) from None


def sealer_of(settings: Settings) -> Sealer | None:
    """What the settings name; None where the ring's file is not sealed."""
    if settings.vault_url is None:
        return None
    token = settings.vault_token.get_secret_value()
    client = httpx.Client(
        base_url=settings.vault_url, headers={"X-Vault-Token": token}, timeout=_PATIENCE_S, trust_env=False
    )
    return VaultTransit(client, settings.vault_key)
