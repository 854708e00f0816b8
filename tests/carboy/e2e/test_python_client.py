"""A Python client that is generated from the API's document works against a real server. It is not kept."""

import importlib
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime
from http import HTTPStatus
from typing import Any

import httpx
import pytest
from support.accounts import HEADERS, add_person
from support.carboy_server import PROJECT, SCRIPTS, database_file, migrated_copy
from support.larger import LargerProject
from support.server import PATIENCE
from support.users import registration

IF_MATCH = {"CARBOY_HTTP__REQUIRE_IF_MATCH": "true"}
CONFIG = PROJECT / "tests" / "clients" / "openapi-python-client.yaml"
PACKAGE = "carboy_client"
PASSWORD = "seven grey herons over the weir"


class Api:
    """Calls the functions of the generated package, which has one module for each operationId."""

    def __init__(self, url: str) -> None:
        self.models = importlib.import_module(f"{PACKAGE}.models")
        self._url = url
        self.client = self.new_client()

    def new_client(self, **headers: str) -> Any:
        return importlib.import_module(PACKAGE).Client(
            base_url=self._url,
            headers={**HEADERS, **headers},
            timeout=httpx.Timeout(PATIENCE),
            raise_on_unexpected_status=True,
            # A proxy of the developer's environment has no business here.
            httpx_args={"trust_env": False},
        )

    def call(self, operation: str, *arguments: Any, client: Any = None, of: str = "users", **options: Any) -> Any:
        module = importlib.import_module(f"{PACKAGE}.api.{of}.{operation}")
        return module.sync_detailed(*arguments, client=client or self.client, **options)

    def log_in(self, password: str) -> Any:
        module = importlib.import_module(f"{PACKAGE}.api.auth.log_in")
        return module.sync_detailed(client=self.client, body=self.models.Login(login="pat", password=password))

    def registration(self, **changes: Any) -> Any:
        name = f"py-{uuid.uuid4()}"
        return self.models.UserCreate(**registration(name) | changes)

    def created(self, **changes: Any) -> Any:
        answer = self.call("create_user", body=self.registration(**changes))
        assert answer.status_code == HTTPStatus.CREATED, answer.content
        return answer

    def change(self, user: Any, etag: str, **fields: Any) -> Any:
        return self.call("update_user", user.id, body=self.models.UserUpdate(**fields), if_match=etag)


def _with_pat(environment: dict[str, str]) -> dict[str, str]:
    add_person(database_file(environment), "pat", PASSWORD)
    return environment


@pytest.fixture(scope="module")
def api(larger_project: LargerProject, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder = tmp_path_factory.mktemp("python")
    command = [f"{SCRIPTS}/openapi-python-client", "generate", "--path", f"{larger_project.document}"]
    command += ["--config", f"{CONFIG}", "--meta", "none", "--output-path", f"{folder}/{PACKAGE}", "--fail-on-warning"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - the test names it all.
    assert result.returncode == 0, result.stdout + result.stderr
    with (
        pytest.MonkeyPatch.context() as patch,
        larger_project.serve(_with_pat(migrated_copy(larger_project.database, folder)) | IF_MATCH) as server,
    ):
        patch.syspath_prepend(folder)
        api = Api(server.url)
        with api.client:
            yield api
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


def assert_problem(api: Api, answer: Any, status: int, code: str) -> Any:
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.parsed
    assert isinstance(problem, api.models.Problem)
    assert (answer.status_code, problem.status, problem.code) == (status, status, code)
    assert problem.request_id == answer.headers["X-Request-ID"]
    return problem


def test_a_user_is_created_read_and_deleted(api: Api) -> None:
    created = api.created()
    user, etag = created.parsed, created.headers["ETag"]
    assert (user.full_name, user.active, user.version) == (None, True, 1)
    assert created.headers["Location"].endswith(f"/api/users/{user.id}")
    assert api.call("get_user", user.id).parsed == user
    assert api.call("get_user", user.id, if_none_match=etag).status_code == HTTPStatus.NOT_MODIFIED
    assert api.call("delete_user", user.id, if_match=etag).status_code == HTTPStatus.NO_CONTENT


def test_a_person_logs_in_and_sees_themselves(api: Api) -> None:
    wrong = api.log_in("wrong")
    assert_problem(api, wrong, 401, "wrong_credentials")
    tokens = api.log_in(PASSWORD).parsed
    module = importlib.import_module(f"{PACKAGE}.api.me.get_me")
    with api.new_client(Authorization=f"Bearer {tokens.access_token}") as client:
        assert module.sync_detailed(client=client).parsed.name == "pat"


def test_pages_lead_forward_to_the_end_and_back_to_the_beginning(api: Api) -> None:
    for _ in range(5):
        api.created()
    pages = [api.call("list_users", limit=2, sort="-id").parsed]
    while pages[-1].next_cursor is not None:
        pages.append(api.call("list_users", limit=2, sort="-id", cursor=pages[-1].next_cursor).parsed)
    back = [pages[-1]]
    while back[-1].previous_cursor is not None:
        back.append(api.call("list_users", limit=2, sort="-id", cursor=back[-1].previous_cursor).parsed)
    assert [page.items for page in reversed(back)] == [page.items for page in pages]
    assert sum(len(page.items) for page in pages) == api.call("list_users", limit=1, total=True).parsed.total


def test_a_list_is_searched_filtered_and_cut_to_some_fields(api: Api) -> None:
    user = api.created().parsed
    query = {"username": user.username, "email": user.email, "active": True, "q": user.username}
    page = api.call("list_users", **query).parsed
    assert isinstance(page, api.models.UserPage)
    assert page.items == [user]
    sparse = api.call("list_users", **query, fields="id,email").parsed
    assert isinstance(sparse, api.models.SparseUserPage)
    assert [item.to_dict() for item in sparse.items] == [{"id": user.id, "email": user.email}]


def test_in_a_change_null_clears_a_field_and_omission_keeps_it(api: Api) -> None:
    created = api.created(full_name="Ada Lovelace")
    left = api.change(created.parsed, created.headers["ETag"], active=False)
    assert (left.parsed.active, left.parsed.full_name) == (False, "Ada Lovelace")
    removed = api.change(left.parsed, left.headers["ETag"], full_name=None)
    assert (removed.parsed.active, removed.parsed.full_name) == (False, None)


def test_a_change_goes_by_post_too(api: Api) -> None:
    created = api.created()
    body, etag = api.models.UserUpdate(full_name="Ada"), created.headers["ETag"]
    assert api.call("update_user_by_post", created.parsed.id, body=body, if_match=etag).parsed.full_name == "Ada"


def test_a_change_of_a_stale_version_is_refused(api: Api) -> None:
    created = api.created()
    user, etag = created.parsed, created.headers["ETag"]
    assert api.change(user, etag, full_name="first").status_code == HTTPStatus.OK
    assert_problem(api, api.change(user, etag, full_name="second"), 412, "stale_version")


def test_a_change_without_if_match_is_refused_where_it_is_required(api: Api) -> None:
    answer = api.call("update_user", api.created().parsed.id, body=api.models.UserUpdate())
    assert_problem(api, answer, 428, "precondition_required")


def test_a_request_that_is_sent_again_with_its_key_is_answered_as_the_first_was(api: Api) -> None:
    body, key = api.registration(), str(uuid.uuid4())
    first, second = (api.call("create_user", body=body, idempotency_key=key) for _ in range(2))
    assert second.parsed == first.parsed
    assert [answer.headers.get("Idempotency-Replayed") for answer in (first, second)] == [None, "true"]


def test_a_cursor_that_was_tampered_with_is_refused(api: Api) -> None:
    for _ in range(2):
        api.created()
    cursor = api.call("list_users", limit=1).parsed.next_cursor
    assert_problem(api, api.call("list_users", cursor=f"{cursor}x"), 400, "invalid_cursor")


def test_a_user_that_is_not_there_is_not_found(api: Api) -> None:
    assert_problem(api, api.call("get_user", 2**40), 404, "user_not_found")


def test_an_answer_in_a_type_that_there_is_not_is_refused(api: Api) -> None:
    with api.new_client(Accept="text/csv") as client:
        assert_problem(api, api.call("list_users", client=client), 406, "not_acceptable")


def test_a_name_that_is_taken_is_refused(api: Api) -> None:
    taken = api.created().parsed.username
    answer = api.call("create_user", body=api.registration(username=taken))
    assert_problem(api, answer, 409, "username_taken")


def test_a_body_of_a_type_that_is_not_understood_is_refused(api: Api) -> None:
    # The client itself sends no other type, what lies beneath it does.
    answer = api.client.get_httpx_client().post("/api/users", content=b"{}", headers={"Content-Type": "text/plain"})
    problem = api.models.Problem.from_dict(answer.json())
    assert (answer.status_code, problem.code) == (415, "unsupported_media_type")


def test_a_field_that_is_not_valid_is_named(api: Api) -> None:
    answer = api.call("create_user", body=api.registration(username=""))
    problem = assert_problem(api, answer, 422, "invalid_input")
    assert [each.pointer for each in problem.errors] == ["#/username"]


def test_an_application_with_streams_has_a_client_that_knows_their_events(api: Api) -> None:
    assert importlib.import_module(f"{PACKAGE}.api.streams.follow_topic").sync_detailed
    told = api.models.FollowTopicResponse200
    assert told.from_dict({"data": "{}", "id": "1"}).id == "1"


def test_an_invoice_of_the_guide_is_created_found_changed_and_deleted(api: Api) -> None:
    owner, models = api.created().parsed, api.models
    lines = [models.LineCreate(text="A thing", price="10.00"), models.LineCreate(text="Another", price=2.5)]
    new = {"number": f"{uuid.uuid4()}"[:30], "owner_id": owner.id, "amount": "12.50", "due_on": date(2026, 12, 24)}
    created = api.call("create_invoice", of="invoices", body=models.InvoiceCreate(**new, lines=lines, tags=["red"]))
    invoice, etag = created.parsed, created.headers["ETag"]
    assert (invoice.owner.username, invoice.amount, invoice.due_on) == (owner.username, "12.50", date(2026, 12, 24))
    assert [(line.text, line.price) for line in invoice.lines] == [("A thing", "10.00"), ("Another", "2.50")]
    assert (invoice.status, invoice.remind_at, invoice.weight, invoice.tags) == ("draft", None, None, ["red"])
    query = {"owner": owner.username, "status": "draft,sent", "due_before": date(2026, 12, 25), "sort": "-remind,due"}
    assert api.call("list_invoices", of="invoices", **query, tag="red").parsed.items == [invoice]
    assert api.call("list_invoices", of="invoices", **query, tag="blue").parsed.items == []
    change = models.InvoiceUpdate(status="paid", remind_at=datetime(2026, 12, 1, tzinfo=UTC))
    changed = api.call("update_invoice", invoice.id, of="invoices", body=change, if_match=etag)
    assert (changed.parsed.status, changed.parsed.remind_at) == ("paid", datetime(2026, 12, 1, tzinfo=UTC))
    etag = changed.headers["ETag"]
    assert api.call("delete_invoice", invoice.id, of="invoices", if_match=etag).status_code == HTTPStatus.NO_CONTENT


def test_an_invoice_of_nobody_is_refused_with_the_field(api: Api) -> None:
    new = api.models.InvoiceCreate(number="nobody's", owner_id=2**40, amount=1, due_on=date(2026, 12, 24))
    problem = assert_problem(api, api.call("create_invoice", of="invoices", body=new), 422, "invalid_input")
    assert [each.pointer for each in problem.errors] == ["#/owner_id"]
