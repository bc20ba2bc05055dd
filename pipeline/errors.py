"""All errors of Retail Brain.

RetailBrainError
├── RetryLater             the same call may succeed later: a server is away, a transaction lost a race
│   ├── BrokerUnavailable
│   │   └── BrokerRefuses    it does not let us in, or we do not trust it; names the settings to mend
│   ├── StoreUnavailable
│   │   └── RightsLacking    it refuses what our database role may not; names the mend
│   ├── AuditUnavailable     the audit log cannot be written: what it would tell of does not take place
│   ├── CacheUnavailable
│   ├── KeyServiceUnavailable what seals the key ring does not answer
│   ├── GatewayUnavailable   our own HTTP edge does not answer (seen by the CLI)
│   ├── PipelineStalled      accepted events are not being committed (seen by the CLI)
│   ├── RegistryUnavailable
│   ├── FeedFull             as many read the change feed of this gateway as may
│   ├── ReadersBusy          as many search, compare or export by this gateway as may
│   ├── TransactionConflict  serialisation failure, deadlock, or a neighbourhood that moved under our locks
│   └── PositionFenced       another worker owns the partition now; drop the batch
└── NeverRetry             the same call fails for ever: somebody must change something
    ├── BadMessage           a message that cannot be processed; carries its reason code
    ├── BadInput             a caller's input; names the field and the mend
    ├── RequestRefused       the gateway refused what a client of ours asked; carries what it said
    ├── NotFound
    ├── Forbidden            the caller has no right to it; names what is lacking
    ├── Conflict             what was asked contradicts what stands (a merge rolled back twice)
    ├── PositionGone         a place in the topics that they no longer hold; says how to start again
    ├── PreconditionFailed   what is to be changed is not what the caller had seen; says to read it again
    ├── ConfigurationError   a setting, policy or mapping file is wrong; names the mend
    ├── SealBroken           an encrypted value does not open: wrong key, wrong place, or tampered with
    ├── StagePaused          a stage must handle nothing until somebody lets it go on; says why
    ├── StageStopped         a stage cannot go on: its process ends; says why
    └── ServerFailed         an embedded server did not start; carries the last lines of its log

Driver errors are translated to these once, at the edge, with `raise ... from exc`.
"""

from __future__ import annotations

from pipeline.codes import ReasonCode


class RetailBrainError(Exception):
    """Head of the tree."""


class RetryLater(RetailBrainError):
    """The same call may succeed later."""


class BrokerUnavailable(RetryLater):
    """Kafka did not acknowledge."""


class BrokerRefuses(BrokerUnavailable):
    """Kafka does not let us in, or does not prove to be the one we trust; the text names the settings to mend."""


class StoreUnavailable(RetryLater):
    """Postgres is away or ended the connection."""


class RightsLacking(StoreUnavailable):
    """Postgres refuses what our database role may not: the house is not brought up to date, or one took rights away.
    It may be given at any time, and until then no message is to blame."""


class AuditUnavailable(RetryLater):
    """The audit log cannot be written, so that what it would tell of does not take place."""


class KeyServiceUnavailable(RetryLater):
    """The key management service that seals the key ring does not answer."""


class CacheUnavailable(RetryLater):
    """Redis is away."""


class GatewayUnavailable(RetryLater):
    """The gateway does not answer, or says for too long that it cannot."""


class RegistryUnavailable(RetryLater):
    """The schema registry is away."""


class FeedFull(RetryLater):
    """As many read the change feed of this gateway as may."""


class ReadersBusy(RetryLater):
    """As many search, compare or are given exports by this gateway, or wait for it, as may."""


class TransactionConflict(RetryLater):
    """Lost a race with another transaction; run it again from the start."""


class PipelineStalled(RetryLater):
    """Events that were accepted are not being committed; a process is behind or away."""


class PositionFenced(RetryLater):
    """The stored consumer position is not the one this worker started from."""


class NeverRetry(RetailBrainError):
    """The same call fails for ever."""


class BadMessage(NeverRetry):
    """A message that cannot be processed. `detail` names fields, never their values."""

    def __init__(self, reason: ReasonCode, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class BadInput(NeverRetry):
    """A caller's input is wrong. `field` is what to mend, `detail` how."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(f"{field}: {detail}")
        self.field = field
        self.detail = detail


class RequestRefused(NeverRetry):
    """The gateway refused a request. `code` is one of its error codes; it and `request_id` are None where something
    else answered."""

    def __init__(self, status: int, code: str | None, message: str, request_id: str | None) -> None:
        super().__init__(f"{code or f'HTTP {status}'}: {message}")
        self.status = status
        self.code = code
        self.request_id = request_id


class NotFound(NeverRetry):
    """No such thing."""


class Forbidden(NeverRetry):
    """The caller has no right to it; the text names what is lacking."""


class Conflict(NeverRetry):
    """What was asked contradicts what stands."""


class PositionGone(NeverRetry):
    """A position in the topics that they no longer hold; the text says how to start again."""


class PreconditionFailed(NeverRetry):
    """What is to be changed is not what the caller had seen; the text says to read it again."""


class ConfigurationError(NeverRetry):
    """A setting, policy or mapping file is wrong; the text names the mend."""


class SealBroken(NeverRetry):
    """An encrypted value does not open: wrong key, moved from its place, or tampered with."""


class StagePaused(NeverRetry):
    """A stage must handle nothing until somebody lets it go on; the text says why and what to mend."""


class StageStopped(NeverRetry):
    """A stage cannot go on and its process ends; the text says why."""


class ServerFailed(NeverRetry):
    """An embedded server did not start; the text holds the last lines of its log."""
