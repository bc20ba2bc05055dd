"""How clients of Kafka prove who they are, and whom they trust: for librdkafka, and as an SSL context."""

from __future__ import annotations

import ssl
from pathlib import Path

from pipeline.errors import ConfigurationError
from pipeline.settings import Settings


def encrypted(settings: Settings) -> bool:
    """Whether what goes to Kafka and comes from there is encrypted on its way."""
    return settings.kafka_security_protocol.endswith("SSL")


def authenticated(settings: Settings) -> bool:
    """Whether clients log in with a name and a password."""
    return settings.kafka_security_protocol.startswith("SASL")


def security_config(settings: Settings) -> dict[str, str | int | float | bool]:
    """What librdkafka is told. Raises ConfigurationError naming the setting that is missing or cannot be used."""
    _check(settings)
    config: dict[str, str | int | float | bool] = {"security.protocol": settings.kafka_security_protocol}
    if encrypted(settings):
        files = {
            "ssl.ca.location": settings.kafka_ssl_ca,
            "ssl.certificate.location": settings.kafka_ssl_certificate,
            "ssl.key.location": settings.kafka_ssl_key,
        }
        config |= {name: str(path) for name, path in files.items() if path is not None}
    if authenticated(settings):
        config |= {
            "sasl.mechanism": settings.kafka_sasl_mechanism,
            "sasl.username": settings.kafka_sasl_username,
            "sasl.password": settings.kafka_sasl_password.get_secret_value(),
        }
    return config


def ssl_context(settings: Settings) -> ssl.SSLContext | None:
    """The same for clients on Python's own TLS; None where nothing is encrypted. Raises ConfigurationError."""
    _check(settings)
    if not encrypted(settings):
        return None
    try:
        context = ssl.create_default_context(cafile=settings.kafka_ssl_ca)
        if settings.kafka_ssl_certificate is not None:
            context.load_cert_chain(settings.kafka_ssl_certificate, settings.kafka_ssl_key)
    except (OSError, ssl.SSLError) as exc:
        raise ConfigurationError(
            f"RB_KAFKA_SSL_CA, RB_KAFKA_SSL_CERTIFICATE, RB_KAFKA_SSL_KEY: {exc}; give files in PEM format"
        ) from exc
    return context


def _check(settings: Settings) -> None:
    if (settings.kafka_ssl_certificate is None) != (settings.kafka_ssl_key is None):
        raise ConfigurationError("set RB_KAFKA_SSL_CERTIFICATE and RB_KAFKA_SSL_KEY together, or neither")
    if authenticated(settings) and not (
        settings.kafka_sasl_username and settings.kafka_sasl_password.get_secret_value()
    ):
        raise ConfigurationError(
            f"RB_KAFKA_SECURITY_PROTOCOL={settings.kafka_security_protocol} needs RB_KAFKA_SASL_USERNAME and "
            "RB_KAFKA_SASL_PASSWORD"
        )
    if encrypted(settings):
        _readable("RB_KAFKA_SSL_CA", settings.kafka_ssl_ca)
        _readable("RB_KAFKA_SSL_CERTIFICATE", settings.kafka_ssl_certificate)
        _readable("RB_KAFKA_SSL_KEY", settings.kafka_ssl_key)


def _readable(name: str, path: Path | None) -> None:
    if path is None:
        return
    try:
        path.open("rb").close()
    except OSError as exc:
        raise ConfigurationError(f"{name}: {path} cannot be read ({exc.strerror})") from exc
