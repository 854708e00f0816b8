"""How an application declares a mail."""

import re
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from carboy.mail.letters import Recipient


class Mail(BaseModel):
    """A kind of mail: what its templates are given.

    ::

        class Welcome(Mail):
            username: str

    Its templates are ``mail/welcome.txt`` and ``mail/welcome.html`` in the application's folder ``templates``.

    Attributes:
        to: Who gets it.
        template: The name of its templates: that of the class, as ``PasswordReset`` is ``password_reset``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    to: Recipient
    template: ClassVar[str] = ""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if "template" not in vars(cls):
            cls.template = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()
