from carboy.errors import ConflictError, NotFoundError


class UserNotFoundError(NotFoundError):
    code = "user_not_found"
    message = "There is no such user."


class EmailTakenError(ConflictError):
    code = "email_taken"
    message = "Another user has this email address."


class UsernameTakenError(ConflictError):
    code = "username_taken"
    message = "Another user has this username."
