"""Background jobs as operators see them."""

from typing import Annotated

from dependency_injector.wiring import Provide
from flask import Response

from app.operations.services import JobAdministration
from app.pages import actor, attempt, go_to, page_blueprint
from carboy.errors import ConflictError
from carboy.forms import sent_query
from carboy.jobs.schemas import JobQuery, State
from carboy.web.access import requires
from carboy.web.visits import render_page

jobs = page_blueprint("admin_jobs", __name__, "/admin/jobs")

Administration = Annotated[JobAdministration, Provide["job_administration"]]


@jobs.get("")
@requires("jobs:read")
async def list_jobs(service: Administration) -> Response:
    """Show how many jobs there are, and those that are looked for."""
    query = sent_query(JobQuery)
    return await render_page(
        "pages/admin/jobs.html",
        counts=await service.counts(),
        page=await service.list_jobs(query),
        query=query,
        states=[*State],
    )


@jobs.get("/<int:job_id>")
@requires("jobs:read")
async def show_job(job_id: int, service: Administration) -> Response:
    """Show all that is known of a job."""
    return await render_page("pages/admin/job.html", job=await service.get_job(job_id))


@jobs.post("/<int:job_id>/retry")
@requires("jobs:write")
async def retry_job(job_id: int, service: Administration) -> Response:
    """Let a dead or cancelled job be run again."""
    await attempt(service.retry(actor(), job_id), f"Job {job_id} waits again.", ConflictError)
    return go_to("admin_jobs.show_job", job_id=job_id)


@jobs.post("/<int:job_id>/cancel")
@requires("jobs:write")
async def cancel_job(job_id: int, service: Administration) -> Response:
    """Cancel a job."""
    await attempt(
        service.cancel(actor(), job_id),
        f"Job {job_id} is cancelled, or will be when its worker notices.",
        ConflictError,
    )
    return go_to("admin_jobs.show_job", job_id=job_id)


@jobs.post("/<int:job_id>/drop")
@requires("jobs:write")
async def drop_job(job_id: int, service: Administration) -> Response:
    """Delete a job that does not run."""
    is_done = await attempt(service.drop(actor(), job_id), f"Job {job_id} is deleted.", ConflictError)
    return go_to("admin_jobs.list_jobs") if is_done else go_to("admin_jobs.show_job", job_id=job_id)
