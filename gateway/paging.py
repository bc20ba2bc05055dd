"""Pages of lists."""

from __future__ import annotations

from typing import Annotated, TypeVar

from fastapi import Depends, Query

from gateway.models import Page, Pagination

Item = TypeVar("Item")

MAX_PAGE = 100_000
MAX_LIMIT = 100


class Paging:
    """The page a caller asks for."""

    def __init__(
        self,
        page: Annotated[int, Query(ge=1, le=MAX_PAGE, description="From 1.")] = 1,
        limit: Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Items a page.")] = 20,
    ) -> None:
        self.page = page
        self.limit = limit

    @property
    def offset(self) -> int:
        """How many items lie before the page."""
        return (self.page - 1) * self.limit

    @property
    def window(self) -> dict[str, object]:
        """The parameters `limit` and `offset` of a query."""
        return {"limit": self.limit, "offset": self.offset}

    def of(self, data: list[Item], total: int) -> Page[Item]:
        """The page with its place in the list."""
        pages = -(-total // self.limit)
        pagination = Pagination(page=self.page, limit=self.limit, total=total, total_pages=pages)
        return Page(data=data, pagination=pagination)


Paged = Annotated[Paging, Depends(Paging)]
