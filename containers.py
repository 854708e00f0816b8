"""The composition root: the one file that names every concrete class. `flask container graph` draws it."""

import os
from pathlib import Path

from dependency_injector import containers, providers

from app.accounts import jobs as account_jobs
from app.accounts.daos import (
    AccountDao,
    ApiKeyDao,
    CredentialDao,
    OneTimeTokenDao,
    RoleDao,
    SessionDao,
    SessionTokenDao,
)
from app.accounts.mails import Post
from app.accounts.personal_data import AccountData
from app.accounts.services.accounts import AccountService
from app.accounts.services.authentication import AccountAuthenticator
from app.accounts.services.emails import EmailService
from app.accounts.services.factors import FactorService, SecondFactors
from app.accounts.services.guarding import Guard
from app.accounts.services.guessing import Guessing
from app.accounts.services.keys import KeyService
from app.accounts.services.login import LoginService
from app.accounts.services.one_time_tokens import OneTimeTokens
from app.accounts.services.page_sessions import AccountPageSessions
from app.accounts.services.passwords import PasswordService
from app.accounts.services.people import PeoplesAccounts
from app.accounts.services.personal_data import PersonalDataService
from app.accounts.services.personal_data_parts import PersonalDataParts
from app.accounts.services.registration import RegistrationService
from app.accounts.services.roles import RoleService
from app.accounts.services.seen import LastSeen
from app.accounts.services.sessions import Sessions, SessionService
from app.audit.daos import AuditEventDao
from app.audit.personal_data import AuditTrail
from app.audit.services import Audit, AuditService
from app.operations.services import JobAdministration
from app.settings import Settings
from app.users.daos import UserDao
from app.users.personal_data import UserData
from app.users.services import UserService
from carboy.api.event_streams import EventStreams
from carboy.api.stream_collector import StreamCollector
from carboy.clients import HttpClient
from carboy.clients.breached_passwords import create_breached_passwords
from carboy.clients.collector import ClientCollector
from carboy.config import load_settings
from carboy.daos.kept import Kept
from carboy.db import Database, Notices, create_engines, create_migrations, create_session_factory
from carboy.health.services import HealthService
from carboy.idempotency.daos import IdempotencyKeyDao
from carboy.idempotency.personal_data import StoredAnswers
from carboy.idempotency.services import IdempotencyService
from carboy.jobs.collector import JobCollector
from carboy.jobs.creating import create_performer, create_worker
from carboy.jobs.daos import JobDao
from carboy.jobs.kinds import JobKinds, jobs_in
from carboy.jobs.metrics import JobMetrics
from carboy.jobs.personal_data import JobData
from carboy.jobs.schemas import State
from carboy.jobs.services import Jobs, seconds_since_boot, utc_now
from carboy.jobs.signals import JobSignals
from carboy.limits.daos import RateLimitCountDao
from carboy.limits.services import RateLimiter
from carboy.limits.storages import DatabaseStorage, create_storage
from carboy.mail import Mailer
from carboy.mail import jobs as mail_jobs
from carboy.mail.templating import MailTemplates
from carboy.mail.transports import MailFolder, create_transport
from carboy.retention.jobs import create_sweep
from carboy.retention.services import Sweeper
from carboy.security.encryption import create_cipher
from carboy.security.passwords import PasswordHasher, PasswordThreads
from carboy.security.strength import PasswordPolicy
from carboy.security.tokens import Tokens
from carboy.services import Channels, Cursors
from carboy.services.personal_data import OwnedRows
from carboy.telemetry.database_metrics import DatabaseMetrics
from carboy.telemetry.error_reports import ErrorReports
from carboy.telemetry.loop_metrics import LoopMetrics
from carboy.telemetry.metrics import Metrics
from carboy.telemetry.request_metrics import RequestMetrics
from carboy.telemetry.tracing import Tracing
from carboy.web.sessions import create_session_cookie

CONFIG_FILE = Path(__file__).with_name("config.yaml")


class Container(containers.DeclarativeContainer):
    __self__ = providers.Self()
    settings = providers.Singleton(load_settings, Settings, config_file=CONFIG_FILE, environ=os.environ)
    engines = providers.Singleton(create_engines, settings=settings.provided.database)
    session_factory = providers.Singleton(create_session_factory)
    database = providers.Singleton(Database, engines=engines, session_factory=session_factory)
    notices = providers.Singleton(Notices, database=database, engines=engines)
    channels = providers.Singleton(Channels, unit_of_work=database, notices=notices)
    clock = providers.Object(utc_now)
    monotonic = providers.Object(seconds_since_boot)
    tracing = providers.Singleton(
        Tracing,
        settings=settings.provided.tracing,
        environment=settings.provided.environment,
        engines=engines,
        database=database,
    )
    error_reports = providers.Singleton(
        ErrorReports, settings=settings.provided.sentry, environment=settings.provided.environment
    )
    cursors = providers.Singleton(Cursors, secret_key=settings.provided.security.secret_key)

    # What comes with Carboy.
    migrations = providers.Singleton(
        create_migrations, database=database, package="app", required=settings.provided.database.require_migrated
    )
    http_client = providers.Singleton(HttpClient, settings=settings.provided.clients)
    breached_passwords = providers.Singleton(
        create_breached_passwords, http=http_client, is_enabled=settings.provided.security.breached_passwords
    )
    health_service = providers.Singleton(
        HealthService,
        dependencies=providers.Dict(database=database, migrations=migrations),
        optional=providers.Dict(breached_passwords=breached_passwords),
    )
    event_streams = providers.Singleton(
        EventStreams,
        health=health_service,
        heartbeat_seconds=settings.provided.http.event_heartbeat_seconds,
        stream_seconds=settings.provided.http.event_stream_seconds,
        drain_seconds=settings.provided.http.drain_seconds,
    )
    idempotency_key_dao = providers.Singleton(IdempotencyKeyDao, database=database)
    idempotency_service = providers.Singleton(
        IdempotencyService,
        unit_of_work=database,
        keys=idempotency_key_dao,
        lifetime_hours=settings.provided.http.idempotency_hours,
    )
    # A domain with jobs adds them: job_kinds.add_args(*jobs_in(its_jobs)).
    job_kinds = providers.Singleton(
        JobKinds,
        *jobs_in(mail_jobs),
        *jobs_in(account_jobs),
        providers.Singleton(create_sweep, schedule=settings.provided.retention.schedule),
    )
    job_signals = providers.Singleton(JobSignals, notices=notices)
    job_dao = providers.Singleton(JobDao, database=database)
    jobs = providers.Singleton(
        Jobs, unit_of_work=database, jobs=job_dao, kinds=job_kinds, signals=job_signals, clock=clock
    )
    job_metrics = providers.Singleton(JobMetrics)
    job_performer = providers.Singleton(
        create_performer,
        container=__self__,
        kinds=job_kinds,
        clock=clock,
        unknown_seconds=settings.provided.jobs.unknown_seconds,
    )
    job_worker = providers.Singleton(
        create_worker,
        performer=job_performer,
        database=database,
        dao=job_dao,
        jobs=jobs,
        signals=job_signals,
        metrics=job_metrics,
        settings=settings.provided.jobs,
        clock=clock,
        monotonic=monotonic,
        tracing=tracing,
    )

    password_threads = providers.Singleton(PasswordThreads, settings=settings.provided.passwords)
    password_hasher = providers.Singleton(
        PasswordHasher, settings=settings.provided.passwords, threads=password_threads
    )
    password_policy = providers.Singleton(
        PasswordPolicy,
        settings=settings.provided.passwords,
        threads=password_threads,
        breaches=breached_passwords,
    )
    tokens = providers.Singleton(Tokens, prefix="carboy")
    rate_limit_count_dao = providers.Singleton(RateLimitCountDao, database=database)
    rate_limiter = providers.Singleton(
        RateLimiter,
        strict=providers.Singleton(DatabaseStorage, unit_of_work=database, counts=rate_limit_count_dao),
        ordinary=providers.Singleton(create_storage, redis_url=settings.provided.limits.redis_url),
        rates=settings.provided.limits.rates,
        is_enabled=settings.provided.limits.enabled,
    )
    session_cookie = providers.Singleton(create_session_cookie, environment=settings.provided.environment)
    cipher = providers.Singleton(
        create_cipher,
        encryption_keys=settings.provided.security.encryption_keys,
        secret_key=settings.provided.security.secret_key,
    )

    # A domain whose rows are kept for some time adds them: sweeper.add_args(providers.Singleton(Kept, its_dao, ...)).
    sweeper = providers.Singleton(
        Sweeper,
        providers.Singleton(Kept, idempotency_key_dao, since="expires_at"),
        providers.Singleton(Kept, rate_limit_count_dao, since="expires_at"),
        providers.Singleton(
            Kept, job_dao, since="ended_at", age=settings.provided.jobs.keep_done, where={"state": State.DONE}
        ),
        providers.Singleton(
            Kept, job_dao, since="ended_at", age=settings.provided.jobs.keep_dead, where={"state": State.CANCELLED}
        ),
        providers.Singleton(
            Kept, job_dao, since="ended_at", age=settings.provided.jobs.keep_dead, where={"state": State.DEAD}
        ),
        unit_of_work=database,
        clock=clock,
        batch_rows=settings.provided.retention.batch_rows,
    )

    request_metrics = providers.Singleton(RequestMetrics, settings=settings.provided.metrics)
    database_metrics = providers.Singleton(DatabaseMetrics, settings=settings.provided.metrics, engines=engines)
    loop_metrics = providers.Singleton(LoopMetrics, settings=settings.provided.metrics)
    client_collector = providers.Singleton(ClientCollector, http=http_client)
    stream_collector = providers.Singleton(StreamCollector, streams=event_streams)
    job_collector = providers.Singleton(JobCollector, metrics=job_metrics, clock=clock)
    metrics = providers.Singleton(
        Metrics,
        settings=settings.provided.metrics,
        collectors=providers.List(
            request_metrics, database_metrics, loop_metrics, client_collector, stream_collector, job_collector
        ),
    )

    mail_folder = providers.Singleton(MailFolder, path=settings.provided.mail.folder)
    mail_transport = providers.Singleton(create_transport, settings=settings.provided.mail, folder=mail_folder)
    mail_templates = providers.Singleton(MailTemplates, package="app", public_url=settings.provided.http.public_url)
    mailer = providers.Singleton(
        Mailer,
        jobs=jobs,
        templates=mail_templates,
        cipher=cipher,
        transport=mail_transport,
        sender=settings.provided.mail.sender,
    )

    # One paragraph a domain.
    audit_event_dao = providers.Singleton(AuditEventDao, database=database)
    audit = providers.Singleton(Audit, events=audit_event_dao)
    audit_service = providers.Singleton(AuditService, unit_of_work=database, events=audit_event_dao, cursors=cursors)

    sweeper.add_args(providers.Singleton(Kept, audit_event_dao, since="created_at", age=settings.provided.audit.keep))

    job_administration = providers.Singleton(
        JobAdministration, unit_of_work=database, jobs=jobs, rows=job_dao, cursors=cursors, audit=audit
    )

    account_dao = providers.Singleton(AccountDao, database=database)
    credential_dao = providers.Singleton(CredentialDao, database=database)
    api_key_dao = providers.Singleton(ApiKeyDao, database=database)
    role_dao = providers.Singleton(RoleDao, database=database)
    session_dao = providers.Singleton(SessionDao, database=database)
    session_token_dao = providers.Singleton(SessionTokenDao, database=database)
    one_time_token_dao = providers.Singleton(OneTimeTokenDao, database=database)
    sweeper.add_args(
        providers.Singleton(Kept, session_dao, since="idle_expires_at"),
        providers.Singleton(Kept, session_token_dao, since="expires_at"),
        providers.Singleton(Kept, one_time_token_dao, since="expires_at"),
        # A key is shown to its owner for some time after it has expired.
        providers.Singleton(Kept, api_key_dao, since="expires_at", age=settings.provided.accounts.keep_expired_keys),
    )
    post = providers.Singleton(Post, mailer=mailer)
    guard = providers.Singleton(Guard, accounts=account_dao, roles=role_dao)
    one_time_tokens = providers.Singleton(OneTimeTokens, unit_of_work=database, rows=one_time_token_dao, tokens=tokens)
    last_seen = providers.Singleton(LastSeen, unit_of_work=database, sessions=session_dao, keys=api_key_dao)
    authenticator = providers.Singleton(
        AccountAuthenticator,
        unit_of_work=database,
        sessions=session_dao,
        keys=api_key_dao,
        tokens=tokens,
        last_seen=last_seen,
    )
    page_sessions = providers.Singleton(
        AccountPageSessions,
        unit_of_work=database,
        sessions=session_dao,
        session_tokens=session_token_dao,
        tokens=tokens,
        last_seen=last_seen,
        limiter=rate_limiter,
        settings=settings.provided.accounts,
    )
    user_dao = providers.Singleton(UserDao, database=database)
    # A domain that holds what belongs to people adds its part: personal_data_parts.add_args(...).
    personal_data_parts = providers.Singleton(
        PersonalDataParts,
        providers.Singleton(UserData, unit_of_work=database, users=user_dao),
        providers.Singleton(
            AccountData,
            unit_of_work=database,
            accounts=account_dao,
            credentials=credential_dao,
            one_time_tokens=one_time_token_dao,
        ),
        providers.Singleton(OwnedRows, unit_of_work=database, rows=session_dao),
        providers.Singleton(OwnedRows, unit_of_work=database, rows=api_key_dao),
        providers.Singleton(StoredAnswers, unit_of_work=database, keys=idempotency_key_dao),
        providers.Singleton(JobData, unit_of_work=database, jobs=job_dao),
        trail=providers.Singleton(AuditTrail, unit_of_work=database, events=audit_event_dao),
    )
    peoples_accounts = providers.Singleton(
        PeoplesAccounts,
        accounts=account_dao,
        sessions=session_dao,
        one_time_tokens=one_time_tokens,
        parts=personal_data_parts,
        guard=guard,
        audit=audit,
    )

    user_service = providers.Singleton(
        UserService,
        unit_of_work=database,
        users=user_dao,
        cursors=cursors,
        accounts=peoples_accounts,
        audit=audit,
    )

    second_factors = providers.Singleton(SecondFactors, credentials=credential_dao, cipher=cipher)
    sessions = providers.Singleton(
        Sessions,
        sessions=session_dao,
        session_tokens=session_token_dao,
        tokens=tokens,
        settings=settings.provided.accounts,
    )
    session_service = providers.Singleton(
        SessionService,
        unit_of_work=database,
        accounts=account_dao,
        sessions=session_dao,
        session_tokens=session_token_dao,
        starting=sessions,
        tokens=tokens,
        cursors=cursors,
        audit=audit,
    )
    guessing = providers.Singleton(
        Guessing, unit_of_work=database, sessions=session_dao, limiter=rate_limiter, audit=audit
    )
    login_service = providers.Singleton(
        LoginService,
        unit_of_work=database,
        accounts=account_dao,
        credentials=credential_dao,
        sessions=session_dao,
        session_tokens=session_token_dao,
        starting=sessions,
        second_factors=second_factors,
        hasher=password_hasher,
        tokens=tokens,
        guessing=guessing,
        audit=audit,
    )
    factor_service = providers.Singleton(
        FactorService,
        unit_of_work=database,
        accounts=account_dao,
        credentials=credential_dao,
        sessions=session_dao,
        second_factors=second_factors,
        audit=audit,
        mailer=post,
        settings=settings.provided.accounts,
    )
    password_service = providers.Singleton(
        PasswordService,
        unit_of_work=database,
        accounts=account_dao,
        credentials=credential_dao,
        sessions=session_dao,
        keys=api_key_dao,
        one_time_tokens=one_time_tokens,
        hasher=password_hasher,
        policy=password_policy,
        guessing=guessing,
        limiter=rate_limiter,
        audit=audit,
        mailer=post,
        jobs=jobs,
        settings=settings.provided.accounts,
    )
    email_service = providers.Singleton(
        EmailService,
        unit_of_work=database,
        accounts=account_dao,
        users=user_service,
        one_time_tokens=one_time_tokens,
        audit=audit,
        mailer=post,
        jobs=jobs,
        settings=settings.provided.accounts,
    )
    key_service = providers.Singleton(
        KeyService,
        unit_of_work=database,
        accounts=account_dao,
        keys=api_key_dao,
        tokens=tokens,
        guard=guard,
        cursors=cursors,
        audit=audit,
        settings=settings.provided.accounts,
    )
    role_service = providers.Singleton(
        RoleService,
        unit_of_work=database,
        roles=role_dao,
        accounts=account_dao,
        guard=guard,
        cursors=cursors,
        audit=audit,
    )
    account_service = providers.Singleton(
        AccountService,
        unit_of_work=database,
        accounts=account_dao,
        roles=role_dao,
        sessions=session_dao,
        users=user_service,
        guard=guard,
        cursors=cursors,
        audit=audit,
    )
    registration_service = providers.Singleton(
        RegistrationService,
        unit_of_work=database,
        accounts=account_dao,
        credentials=credential_dao,
        roles=role_dao,
        users=user_service,
        one_time_tokens=one_time_tokens,
        hasher=password_hasher,
        policy=password_policy,
        limiter=rate_limiter,
        audit=audit,
        mailer=post,
        jobs=jobs,
        settings=settings.provided.accounts,
    )
    personal_data_service = providers.Singleton(
        PersonalDataService,
        unit_of_work=database,
        accounts=account_dao,
        users=user_service,
        parts=personal_data_parts,
        audit=audit,
        settings=settings.provided.accounts,
    )
