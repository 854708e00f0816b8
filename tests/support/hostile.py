"""Bodies of a megabyte that are JSON, but no user."""

MEGABYTE = 1_000_000


def many(item: bytes, size: int = MEGABYTE) -> bytes:
    return b"[" + b",".join([item] * ((size - 2) // (len(item) + 1))) + b"]"


UNKNOWN = b",".join(b'"%x":1' % number for number in range(95_000))
NESTED = many(b"[" * 100 + b"]" * 100, MEGABYTE - 20)
HOSTILE = {
    "unknown fields": b"{" + UNKNOWN + b"}",
    "known ones before unknown fields": b'{"username":"ada","email":"ada@example.org",' + UNKNOWN + b"}",
    "nested lists": NESTED,
    "nested lists in a field": b'{"username":' + NESTED + b"}",
    "nested lists in an unknown field": b'{"x":' + NESTED + b"}",
    "objects": many(b'{"":{}}'),
    "empty lists": b'{"email":' + many(b"[]") + b"}",
    "numbers": b'{"x":' + many(b"1") + b"}",
    "strings": many(b'""'),
    "strings with separators": b'{"x":' + many(b'",[{"') + b"}",
    "escaped quotes": many(rb'"\""'),
    "a long name": b'{"' + b"x" * MEGABYTE + b'":1}',
    "a long text": b'{"username":"' + b"x," * (MEGABYTE // 2) + b'"}',
}
