"""What administrators and operators do by pages, and that nobody else does."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest
from flask import Flask
from support.accounts import ADMIN
from support.people import RecordedMails, add_person, headers_of, log_in
from support.visitor import Visitor

from app.accounts.schemas.roles import RoleCreate
from app.security import Permission
from carboy.jobs import job
from carboy.jobs.kinds import JobKinds
from carboy.jobs.schemas import State
from carboy.testing import override
from containers import Container


@job(name="tidy")
async def tidy(room: str) -> None:
    """Tidy a room up."""


@pytest.fixture
async def visitor(client: httpx.AsyncClient, container: Container) -> Visitor:
    """Root, an administrator, who has just logged in. Ada is user 2."""
    await add_person(container, "root", is_administrator=True)
    await add_person(container)
    visitor = Visitor(client)
    await visitor.log_in("root")
    return visitor


@pytest.fixture
async def jobs(container: Container) -> AsyncIterator[None]:
    with override(container, job_kinds=JobKinds(tidy)):
        for room in ("hall", "<b>attic</b>"):
            await container.jobs().enqueue(tidy, room)
        yield


async def give(container: Container, account_id: int, *permissions: Permission) -> None:
    new = RoleCreate(name="helper", permissions=[*permissions])
    await container.role_service().create_role(ADMIN, new)
    await container.role_service().assign(ADMIN, account_id, ["helper"])


async def log_ada_in(visitor: Visitor, client: httpx.AsyncClient) -> None:
    """Log ada in with another browser than root's."""
    client.cookies.clear()
    await visitor.log_in("ada")


def names(page: httpx.Response) -> list[str]:
    return re.findall(r'<a href="/admin/users/\d+">([^<]+)</a>', page.text)


async def test_a_member_gets_a_page_that_says_no(visitor: Visitor, client: httpx.AsyncClient, app: Flask) -> None:
    await log_ada_in(visitor, client)
    await visitor.open("/account")
    token = visitor.token
    tried = 0
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/admin"):
            path = re.sub("<[^>]+>", "1", rule.rule)
            method = "POST" if "POST" in (rule.methods or ()) else "GET"
            answer = await client.request(method, path, data={"csrf_token": token} if method == "POST" else None)
            assert answer.status_code == 403, path
            assert "Your account may not do this." in answer.text
            tried += 1
    assert tried == 12


async def test_users_are_looked_for_and_paged(visitor: Visitor, container: Container) -> None:
    await add_person(container, "bob")
    page = await visitor.open("/admin/users?limit=2&sort=username")
    assert names(page) == ["ada", "bob"]
    [following] = re.findall(r'href="(/admin/users\?[^"]+)">Next page', page.text)
    page = await visitor.open(following.replace("&amp;", "&"))
    assert names(page) == ["root"]
    assert "Previous page" in page.text
    assert names(await visitor.open("/admin/users?q=BO&active=&sort=id")) == ["bob"]
    page = await visitor.open("/admin/users?active=false&q=")
    assert names(page) == []
    assert '<option value="false" selected>' in page.text
    assert (await visitor.open("/admin/users?active=perhaps")).status_code == 422


async def test_a_user_is_disabled_and_enabled(visitor: Visitor, client: httpx.AsyncClient) -> None:
    ada = await headers_of(client)
    await visitor.open("/admin/users/2")
    page = await visitor.send("/admin/users/2/disable")
    assert visitor.path == "/admin/users/2"
    assert "Disabled." in page.text
    assert (await client.get("/api/me", headers=ada)).status_code == 401
    assert names(await visitor.open("/admin/users?active=false")) == ["ada"]
    await visitor.open("/admin/users/2")
    await visitor.send("/admin/users/2/enable")
    assert (await log_in(client)).status_code == 200


async def test_the_last_administrator_stays(visitor: Visitor) -> None:
    await visitor.open("/admin/users/1")
    version = re.findall(r'name="version" value="(\d+)"', visitor.text)[0]
    for path, fields in (("disable", {}), ("roles", {"roles": ["member"], "version": version})):
        page = await visitor.send(f"/admin/users/1/{path}", fields)
        assert "Somebody must be an administrator" in page.text
        assert 'role="alert"' in page.text
        assert "<dd>administrator, member</dd>" in page.text


async def test_roles_are_given_and_taken_and_nobodys_change_is_lost(visitor: Visitor, container: Container) -> None:
    page = await visitor.open("/admin/users/2")
    version = re.findall(r'name="version" value="(\d+)"', page.text)[0]
    fields = {"roles": ["member", "administrator"], "version": version}
    page = await visitor.send("/admin/users/2/roles", fields)
    assert "The roles are saved." in page.text
    assert (await container.account_service().get_account_of_user(2)).roles == ["administrator", "member"]
    page = await visitor.send("/admin/users/2/roles", {"version": version})
    assert "has been changed since it was read" in page.text, page.text
    page = await visitor.send("/admin/users/2/roles", {"roles": ["king"], "version": version})
    assert "These are no roles." in page.text
    assert (await container.account_service().get_account_of_user(2)).roles == ["administrator", "member"]


async def test_sessions_end_and_a_reset_is_sent(
    visitor: Visitor, client: httpx.AsyncClient, mails: RecordedMails
) -> None:
    ada = await headers_of(client)
    await visitor.open("/admin/users/2")
    await visitor.send("/admin/users/2/sessions/end")
    assert (await client.get("/api/me", headers=ada)).status_code == 401
    page = await visitor.send("/admin/users/2/password-reset")
    assert "is on its way" in page.text
    assert [(mail.to, type(mail).__name__) for mail in mails.mails] == [("ada@example.org", "ResetPassword")]


async def test_each_sees_the_forms_that_they_may_send_and_no_others(
    visitor: Visitor, client: httpx.AsyncClient, container: Container
) -> None:
    await give(container, (await container.account_service().get_account_of_user(2)).id, Permission.USERS_READ)
    await log_ada_in(visitor, client)
    page = await visitor.open("/admin/users/1")
    assert page.status_code == 200
    assert re.findall(r'action="(/[^"]+)"', page.text) == ["/logout"]
    assert "<dt>Roles</dt>" not in page.text, "The API does not tell them either."
    assert 'href="/admin/users"' in page.text
    assert 'href="/admin/jobs"' not in page.text
    assert (await visitor.send("/admin/users/1/disable")).status_code == 403


async def test_nobody_gets_at_an_account_that_may_do_more(
    visitor: Visitor, client: httpx.AsyncClient, container: Container
) -> None:
    ada = (await container.account_service().get_account_of_user(2)).id
    await give(container, ada, Permission.USERS_READ, Permission.USERS_WRITE)
    await log_ada_in(visitor, client)
    await visitor.open("/admin/users/1")
    page = await visitor.send("/admin/users/1/disable")
    assert "That account may do more than yours." in page.text


@pytest.mark.usefixtures("jobs")
async def test_jobs_are_counted_listed_and_shown(visitor: Visitor) -> None:
    page = await visitor.open("/admin/jobs")
    assert re.findall(r'href="/admin/jobs/(\d+)"', page.text) == ["2", "1"]
    assert 'href="/admin/jobs?kind=tidy&amp;state=waiting" aria-label="2 waiting of tidy">2<' in page.text
    page = await visitor.open("/admin/jobs?state=waiting&kind=tidy&limit=1")
    assert re.findall(r'href="/admin/jobs/(\d+)"', page.text) == ["2"]
    [following] = re.findall(r'href="(/admin/jobs\?[^"]+)">Next page', page.text)
    page = await visitor.open(following.replace("&amp;", "&"))
    assert re.findall(r'href="/admin/jobs/(\d+)"', page.text) == ["1"]
    assert "No jobs match." in (await visitor.open("/admin/jobs?state=dead")).text
    assert "&lt;b&gt;attic&lt;/b&gt;" in (await visitor.open("/admin/jobs/2")).text
    assert (await visitor.open("/admin/jobs/99")).status_code == 404


@pytest.mark.usefixtures("jobs")
async def test_a_job_is_cancelled_run_again_and_deleted(visitor: Visitor, container: Container) -> None:
    await visitor.open("/admin/jobs/1")
    page = await visitor.send("/admin/jobs/1/cancel")
    assert "Job 1 is cancelled" in page.text
    page = await visitor.send("/admin/jobs/1/cancel")
    assert "Job 1 is cancelled and cannot be cancelled." in page.text
    page = await visitor.send("/admin/jobs/1/retry")
    assert "Job 1 waits again." in page.text
    assert (await container.jobs().status(1)).state is State.WAITING
    page = await visitor.send("/admin/jobs/1/drop")
    assert visitor.path == "/admin/jobs"
    assert "Job 1 is deleted." in page.text


@pytest.mark.usefixtures("jobs")
async def test_who_may_only_look_at_jobs_changes_none(
    visitor: Visitor, client: httpx.AsyncClient, container: Container
) -> None:
    await give(container, (await container.account_service().get_account_of_user(2)).id, Permission.JOBS_READ)
    await log_ada_in(visitor, client)
    page = await visitor.open("/admin/jobs/1")
    assert re.findall(r'action="(/[^"]+)"', page.text) == ["/logout"]
    assert (await visitor.send("/admin/jobs/1/drop")).status_code == 403
    assert 'href="/admin/users"' not in page.text


async def test_no_other_site_sends_these_forms(visitor: Visitor, client: httpx.AsyncClient, app: Flask) -> None:
    await visitor.open("/account")
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/admin") and "POST" in (rule.methods or ()):
            path = re.sub("<[^>]+>", "1", rule.rule)
            for token, site in (("wrong", "same-origin"), (visitor.token, "cross-site")):
                answer = await client.post(path, data={"csrf_token": token}, headers={"Sec-Fetch-Site": site})
                assert answer.status_code == 403, path
                assert "sent from another site" in answer.text
