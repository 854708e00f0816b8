"""Compressed answers under the server that operators run."""

from support.carboy_server import HYPERCORN, PRODUCTION, serve
from support.users import registration


def test_a_list_arrives_whole_in_each_coding(environment: dict[str, str]) -> None:
    with serve(HYPERCORN, environment | PRODUCTION) as server, server.client() as client:
        for number in range(20):
            client.post("/api/users", json=registration(f"user{number}"))
        plain = client.get("/api/users", headers={"Accept-Encoding": "identity"})
        assert len(plain.json()["items"]) == 20
        for coding in ("gzip", "br"):
            # httpx decodes it.
            answer = client.get("/api/users", headers={"Accept-Encoding": coding})
            assert answer.content == plain.content
            assert answer.headers["Content-Encoding"] == coding
            assert answer.headers["Vary"] == "Accept-Encoding"
            assert int(answer.headers["Content-Length"]) == answer.num_bytes_downloaded < len(plain.content) / 3
            assert len(answer.headers.get_list("Date")) == 1
