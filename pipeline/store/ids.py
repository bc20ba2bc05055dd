"""Ids as Postgres' uuid, both ways: the same 16 bytes."""

from __future__ import annotations

from psycopg.abc import AdaptContext, Buffer
from psycopg.adapt import Dumper, Loader
from psycopg.pq import Format

from pipeline.identity.ids import Id

UUID_OID, UUID_ARRAY_OID = 2950, 2951


class _IdDumper(Dumper):
    oid = UUID_OID
    format = Format.BINARY

    def dump(self, obj: Id) -> Id:
        return obj


class _IdBinaryLoader(Loader):
    format = Format.BINARY
    load = Id  # type: ignore[assignment]  # it takes the data alone, and is called with it from C


class _IdLoader(Loader):
    def load(self, data: Buffer) -> Id:
        return Id.parse(bytes(data).decode())


def adapt_ids(context: AdaptContext) -> None:
    """From now on a connection takes `Id` as uuid, and gives uuid as `Id`."""
    context.adapters.register_dumper(Id, _IdDumper)
    context.adapters.register_loader(UUID_OID, _IdLoader)
    context.adapters.register_loader(UUID_OID, _IdBinaryLoader)
