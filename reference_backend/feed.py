"""A paginated feed: the newest posts of those whom a reader follows, twenty a page, by keyset.

The posts lie in two tables that differ in one thing: ``posts`` has an index by author and time, ``posts_unindexed`` has
none. A reader is a key; each follows twenty authors, and is on one of five pages.
"""

from __future__ import annotations

from reference_backend.catalogue import Schema, Sizes, Statement

_FOLLOWED = 20
_PAGE = 20
_SECOND_US = 1_000_000
_FIRST_POST_US = 1_767_225_600 * _SECOND_US  # 2026-01-01, and a post every second from then on


def _create(sizes: Sizes) -> tuple[str, ...]:
    authors, posts = sizes.rows, sizes.posts
    columns = "(id bigint PRIMARY KEY, author bigint NOT NULL, created_us bigint NOT NULL, body text NOT NULL)"
    return (
        "CREATE TABLE authors (id bigint PRIMARY KEY, name text NOT NULL)",
        "CREATE TABLE follows (reader bigint, author bigint, PRIMARY KEY (reader, author))",
        f"CREATE TABLE posts {columns}",
        f"CREATE TABLE posts_unindexed {columns}",
        f"INSERT INTO authors SELECT id, 'author ' || id FROM generate_series(0, {authors} - 1) AS id",
        f"INSERT INTO follows SELECT DISTINCT reader, (reader * 7 + nth * 37) % {authors} "
        f"FROM generate_series(0, {authors} - 1) AS reader, generate_series(0, {_FOLLOWED} - 1) AS nth",
        f"INSERT INTO posts SELECT id, (id * 7919) % {authors}, {_FIRST_POST_US} + id * {_SECOND_US}, "
        f"repeat(md5(id::text), 4) FROM generate_series(0::bigint, {posts} - 1) AS id",
        "INSERT INTO posts_unindexed SELECT * FROM posts",
        "CREATE INDEX posts_by_author ON posts (author, created_us DESC, id DESC)",
    )


def _page(table: str, sizes: Sizes, *, with_names: bool) -> str:
    """Return the query of a page that begins below the newest post, or a tenth of all posts further down, and so on."""
    below = f"({sizes.posts} - (CAST(:key AS bigint) % 5) * {sizes.posts // 10})"
    names, join = (", a.name", "JOIN authors a ON a.id = p.author ") if with_names else ("", "")
    return (
        f"SELECT p.id, p.author, p.created_us, p.body{names} "
        f"FROM follows f JOIN {table} p ON p.author = f.author {join}"
        f"WHERE f.reader = CAST(:key AS bigint) AND (p.created_us, p.id) < ({_FIRST_POST_US} + {below} * {_SECOND_US}, "
        f"{below}) ORDER BY p.created_us DESC, p.id DESC LIMIT {_PAGE}"
    )


def _author(sizes: Sizes) -> str:
    """Return the query of the author whose turn it is, one of those whom the reader follows."""
    return (
        "SELECT name FROM authors WHERE id = "
        f"(CAST(:key AS bigint) * 7 + (CAST(:use AS bigint) % {_FOLLOWED}) * 37) % {sizes.rows}"
    )


FEED = Schema(
    tables=("authors", "follows", "posts", "posts_unindexed"),
    create=_create,
    reset=(),
    statements={
        "feed_page": Statement("select", lambda sizes: _page("posts", sizes, with_names=True)),
        "feed_page_unindexed": Statement("select", lambda sizes: _page("posts_unindexed", sizes, with_names=True)),
        "feed_ids": Statement("select", lambda sizes: _page("posts", sizes, with_names=False)),
        "feed_author": Statement("select", _author),
    },
)
