from carboy.errors import ConflictError, NotFoundError
from carboy.security.errors import ForbiddenError


class UserNotFoundError(NotFoundError):
    code = "user_not_found"
    message = "There is no such user."


class EmailTakenError(ConflictError):
    code = "email_taken"
    message = "Another user has this email address."


class UsernameTakenError(ConflictError):
    code = "username_taken"
    message = "Another user has this username."


class ForeignFieldError(ForbiddenError):
    code = "foreign_field"
    message = "You may change your own username and full name here; the email address at /api/me/email."
