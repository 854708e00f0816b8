from carboy.errors import ConflictError, NotFoundError


class JobNotFoundError(NotFoundError):
    code = "job_not_found"
    message = "There is no such job."


class JobStateError(ConflictError):
    code = "job_state"
    message = "The state of the job does not allow this."
