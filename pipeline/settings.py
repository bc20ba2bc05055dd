"""Every setting, in one frozen object. Environment prefix `RB_`; units are in the names.

`python -m pipeline.settings` prints the README's table from these declarations.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from pipeline.api_keys.configured import configured
from pipeline.api_keys.scope import Scope
from pipeline.errors import ConfigurationError


def cuts(text: str) -> tuple[float, float, float, float]:
    """Where a score of 1 to 5 changes: four ascending numbers. Raises ValueError."""
    one, two, three, four = map(float, text.split(","))
    if not one < two < three < four:
        raise ValueError("four numbers with commas between them, each greater than the one before it")
    return one, two, three, four


def _checked(text: str) -> str:
    cuts(text)
    return text


Cuts = Annotated[str, AfterValidator(_checked)]


class Settings(BaseSettings):
    """Read from the environment once, at a process's start."""

    model_config = SettingsConfigDict(env_prefix="RB_", frozen=True, extra="ignore")

    # servers
    home: Annotated[Path, NoDecode] = Field(
        Path(".retail-brain"), description="Folder of the embedded stack: data, logs, sockets, keys."
    )
    kafka_bootstrap: str = Field("127.0.0.1:9092", description="Kafka bootstrap servers.")
    kafka_group_protocol: Literal["consumer", "classic"] = Field(
        "consumer",
        description="Group protocol: consumer (KIP-848; classic where the broker lacks it) or classic.",
    )
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT",
        description="Whether Kafka is spoken to encrypted (SSL), and whether clients log in (SASL).",
    )
    kafka_ssl_ca: Path | None = Field(
        None, description="PEM file of the authorities that sign Kafka's certificates; unset: the system's."
    )
    kafka_ssl_certificate: Path | None = Field(
        None, description="PEM file of our certificate, where Kafka asks for one."
    )
    kafka_ssl_key: Path | None = Field(None, description="PEM file of its key.")
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="How clients log in to Kafka."
    )
    kafka_sasl_username: str = Field("", description="The name they log in with.")
    kafka_sasl_password: SecretStr = Field(SecretStr(""), description="And the password.")
    postgres_dsn: SecretStr = Field(
        SecretStr("postgresql://postgres@127.0.0.1:5432/retail_brain"), description="Postgres DSN."
    )
    postgres_roles: bool = Field(
        True,
        description="Whether each connection takes the database role of what it is for (docs/security.md).",
    )
    redis_url: str = Field("redis://127.0.0.1:6379/0", description="Redis or Valkey URL.")
    topic_prefix: str = Field(
        "",
        max_length=64,
        pattern=r"^[A-Za-z0-9._-]*$",
        description="Put before topic and consumer group names.",
    )
    schema_registry_url: str | None = Field(
        None, description="Confluent schema registry; unset: ids derive from fingerprints."
    )

    # gateway
    gateway_host: str = Field("127.0.0.1", description="Address the gateway listens on.")
    gateway_port: int = Field(8080, ge=0, le=65535, description="Port the gateway listens on.")
    api_keys: SecretStr = Field(
        SecretStr(""),
        description="Comma-separated API keys beside those of the database: `key` holds every scope, "
        "`key:scope+scope` those named.",
    )
    api_key_patience_s: int = Field(
        900,
        ge=0,
        description="While Postgres is away: how long keys of the database still open as they were last read.",
    )
    rate_limit_per_minute: int = Field(
        100, ge=0, description="Requests a minute and API key that has no limit of its own; 0 is off."
    )
    address_limit_per_minute: int = Field(
        0, ge=0, description="Requests a minute and address, whatever their keys; 0 is off."
    )
    refused_limit_per_minute: int = Field(
        100, ge=0, description="Requests a minute and address without a known API key; 0 is off."
    )
    trusted_proxies: str = Field(
        "",
        description="Comma-separated addresses and networks of proxies whose X-Forwarded-For and "
        "X-Forwarded-Proto are believed.",
    )
    cors_origins: str = Field(
        "", description="Comma-separated origins whose pages may call the API from browsers; unset: none."
    )
    hsts_max_age_s: int = Field(
        0, ge=0, description="Strict-Transport-Security of every answer; 0 sends none. Set it where TLS ends."
    )
    max_header_bytes: int = Field(
        32_768, ge=1024, description="Largest head of an HTTP request, URL included."
    )
    header_timeout_ms: int = Field(10_000, ge=100, description="Longest wait for the head of a request.")
    keep_alive_s: int = Field(5, ge=1, description="How long a connection may be idle between requests.")
    produce_timeout_ms: int = Field(10_000, ge=100, description="Longest wait for an acknowledgement.")
    max_wait_s: int = Field(30, ge=0, description="Longest honoured `Prefer: wait=N`.")
    max_payload_bytes: int = Field(262_144, ge=1, description="Largest payload of an event.")
    max_identifiers: int = Field(100, ge=1, description="Most identifiers in one event.")
    max_body_bytes: int = Field(33_554_432, ge=1024, description="Largest HTTP body.")
    body_timeout_ms: int = Field(30_000, ge=100, description="Longest wait for a whole HTTP body.")
    max_under_way_bytes: int = Field(
        67_108_864,
        ge=1024,
        description="Most that requests to `/v1/` hold before they are answered; beyond it 503 with Retry-After.",
    )
    validate_values: bool = Field(
        True, description="Refuse over HTTP what cannot be a phone, an e-mail address or a date of birth."
    )

    # change feed
    feed_max_subscribers: int = Field(
        50,
        ge=1,
        le=1_000,
        description="Most subscribers of the change feed at one gateway; beyond it 503 with Retry-After.",
    )
    feed_ring_bytes: int = Field(
        16_777_216, ge=1024, description="Newest changes a gateway holds for its live subscribers, together."
    )
    feed_heartbeat_ms: int = Field(
        15_000, ge=100, description="A comment is sent to a subscriber that got nothing for so long."
    )
    feed_patience_ms: int = Field(
        30_000,
        ge=100,
        description="A subscriber that takes nothing of what is sent for so long is disconnected.",
    )

    # webhooks
    webhook_allow_private: bool = Field(
        False,
        description="Let webhooks go to private addresses and over http://: for tests and in-house use.",
    )
    webhook_max: int = Field(100, ge=1, le=1_000, description="Most webhooks.")
    webhook_in_flight: int = Field(
        6, ge=1, le=64, description="Most deliveries to one webhook at a time, each of other profiles."
    )
    webhook_timeout_ms: int = Field(
        10_000, ge=10, description="Longest wait for a webhook's whole answer, the connection included."
    )
    webhook_attempts: int = Field(8, ge=1, description="Attempts before a delivery is dead.")
    webhook_retry_initial_ms: int = Field(
        1_000, ge=1, description="Wait after the first failed attempt; four times as long each time."
    )
    webhook_retry_max_ms: int = Field(
        600_000, ge=1, description="Longest wait between attempts, and longest honoured Retry-After."
    )
    webhook_disable_after: int = Field(
        20, ge=1, description="Dead deliveries in a row after which a webhook is disabled."
    )
    webhook_keep_delivered_hours: int = Field(
        72, ge=1, description="For so long what was delivered can be replayed."
    )
    webhook_keep_dead_hours: int = Field(720, ge=1, description="For so long dead deliveries are kept.")

    # stages
    batch_max_events: int = Field(1_000, ge=1, description="Most events in one transaction.")
    batch_linger_ms: int = Field(20, ge=0, description="Wait for a batch to fill, at leisure.")
    batch_linger_max_ms: int = Field(
        100, ge=0, description="Longest wait for a batch to fill, while batches take long."
    )
    retry_initial_ms: int = Field(50, ge=1, description="First back-off after a failed transaction.")
    retry_max_ms: int = Field(10_000, ge=1, description="Longest back-off.")
    retry_attempts: int = Field(
        5,
        ge=1,
        description="Failures, servers being there, before a batch is split.",
    )
    dead_letter_ratio_max: float = Field(
        0.5, gt=0, le=1, description="Above this share of dead letters in the window the stage pauses."
    )
    dead_letter_window: int = Field(
        2_000, ge=10, description="Messages over which the dead-letter ratio is measured."
    )
    dead_letter_run_max: int = Field(
        20, ge=1, description="Messages in a row that may fail for an unknown reason before the stage pauses."
    )
    default_region: str = Field("US", min_length=2, max_length=2, description="Region of phones without +.")
    metrics_host: str = Field("127.0.0.1", description="Address the Prometheus port listens on.")
    metrics_port: int = Field(0, ge=0, le=65535, description="Prometheus port of a process; 0 is off.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Log level.")

    # identity
    auto_merge_threshold: float = Field(0.80, gt=0, lt=1, description="From here records are one.")
    review_threshold: float = Field(0.45, gt=0, lt=1, description="From here a steward is asked.")
    policy_file: Path | None = Field(None, description="Identifier policies; unset: shipped.")
    retention_file: Path | None = Field(
        None, description="How long events, their bodies and customers are kept; unset: for ever."
    )
    model_file: Path | None = Field(None, description="Match weights; unset: shipped.")
    record_cache_size: int = Field(
        30_000,
        ge=0,
        description="Customers a process remembers: as sent (gateway), as hashed (normalize), as stored (resolve).",
    )

    # customers
    rfm_recency_days: Cuts = Field(
        "30,90,180,365",
        description="Recency score 5, 4, 3, 2 up to so many days since the last order, 1 beyond.",
    )
    rfm_orders: Cuts = Field(
        "2,4,8,16", description="Frequency score 2, 3, 4, 5 from so many orders within 365 days on."
    )
    rfm_spent: Cuts = Field(
        "50,200,500,1000",
        description="Monetary score 2, 3, 4, 5 from so much spent within 365 days on, in the customer's main currency.",
    )

    # privacy
    key_ring_file: Path | None = Field(
        None, description="Key ring; unset: a development ring in RB_HOME/keys.json, said loudly."
    )
    key_ring: SecretStr | None = Field(
        None, description="Key ring as JSON, in place of a file: docs/keys.md. RB_KEY_RING_FILE outweighs it."
    )
    vault_url: str | None = Field(
        None, description="Vault whose transit engine seals the key ring's file; unset: it lies as it is."
    )
    vault_token: SecretStr = Field(SecretStr(""), description="The token that may encrypt and decrypt there.")
    vault_key: str = Field("retail-brain", description="The name of the key there.")
    audit_reads: Literal["clear", "revealed"] = Field(
        "clear",
        description="Which looks at one customer the audit log tells: clear (whatever shows a value as it is, names "
        "and places included) or revealed (only what `reveal=true` asks for). Searches are told in any case.",
    )
    environment: Literal["development", "production"] = Field(
        "development", description="production refuses a development key ring."
    )

    def topic(self, name: str) -> str:
        """The name on the broker of a topic of schemas/topics.yaml (or of a consumer group)."""
        return self.topic_prefix + name

    def api_key_list(self) -> tuple[str, ...]:
        """The API keys that are set, without their scopes. Raises ConfigurationError."""
        return tuple(one.key for one in configured(self.api_keys.get_secret_value()))

    def api_key_for(self, *needed: Scope) -> str:
        """The first API key that is set and holds these scopes. Raises ConfigurationError where none does."""
        for one in configured(self.api_keys.get_secret_value()):
            if one.scopes.issuperset(needed):
                return one.key
        raise ConfigurationError(
            f"RB_API_KEYS: no key of it holds {' and '.join(needed)}; add one, as key:{'+'.join(needed)}"
        )


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The process's settings, read at the first call."""
    return Settings()
