"""What can go wrong with a mail after the transaction that caused it; no client is told."""


class MailError(Exception):
    """Base class: a mail was not handed over. The message says why, with the mail server's reply if there was one."""


class MailRefusedError(MailError):
    """It never will be: the mail server refused it for good (a 5xx reply, RFC 5321 section 4.2.1), or would."""


class MailUnavailableError(MailError):
    """It may be later: a 4xx reply, a lost connection, a time-out, or a login or certificate that is wrong."""


class MailNotConfiguredError(Exception):
    """Somebody sends a mail, but `mail.transport` is not set."""
