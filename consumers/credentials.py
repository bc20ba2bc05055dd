"""How Faust proves to Kafka who it is."""

from __future__ import annotations

from faust.auth import SASLCredentials, SSLCredentials

from pipeline.settings import Settings
from pipeline.stream.security import authenticated, ssl_context


def credentials(settings: Settings) -> SASLCredentials | SSLCredentials | None:
    """By the same settings as every other client; None where Kafka asks for nothing. Raises ConfigurationError."""
    context = ssl_context(settings)
    if authenticated(settings):
        return SASLCredentials(
            username=settings.kafka_sasl_username,
            password=settings.kafka_sasl_password.get_secret_value(),
            ssl_context=context,
            mechanism=settings.kafka_sasl_mechanism,
        )
    return None if context is None else SSLCredentials(context)
