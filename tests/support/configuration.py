HTTP = (
    "{max_body_bytes: 1000, spool_bytes: 500, body_memory_bytes: 5000, body_bytes_per_second: 500,"
    " body_stall_seconds: 10, run_on: auto, view_threads: 4, stream_threads: 4, idempotency_hours: 24,"
    " require_if_match: false, special_use_domains: false, docs: true,"
    " compress_min_bytes: 0, cors_origins: [], trusted_hops: 0, public_url: null, event_heartbeat_seconds: 15,"
    " event_stream_seconds: 900, drain_seconds: 0, stop_seconds: 0}"
)
"""The section ``http`` of a configuration that is complete, for tests that are about something else."""

CLIENTS = (
    "{connect_timeout: 1, read_timeout: 1, total_timeout: 5, attempts: 3, retry_after_max: 1, max_calls: 3,"
    " breaker_failures: 3, breaker_open_seconds: 5, max_answer_bytes: 1000, user_agent: tests}"
)
"""The section ``clients``, likewise."""

JOBS = (
    "{embedded: false, queues: ['default:10'], lease_seconds: 60, poll_seconds: 1, grace_seconds: 10,"
    " unknown_seconds: 600, keep_done_hours: 24, keep_dead_days: 30}"
)
"""The section ``jobs`` likewise."""

RETENTION = "{schedule: null, batch_rows: 500}"
"""The section ``retention`` likewise."""

PASSWORDS = (
    "{memory_kib: 19456, iterations: 2, parallelism: 1, threads: 2, queue: 40, min_length: 15,"
    " min_length_with_second_factor: 8, max_length: 256, min_score: 3, own_words: [acme]}"
)
"""The same for the section ``passwords``."""
LIMITS = "{enabled: true, redis_url: null, rates: [login=5/minute]}"
"""The same for the section ``limits``."""

MAIL = (
    "{transport: null, sender: null, host: null, port: 587, security: starttls, user: null, password: null,"
    " connect_seconds: 10, total_seconds: 60, folder: var/mail}"
)
"""The same for the section ``mail``."""
METRICS = "{port: null, host: 127.0.0.1}"
"""The same for the section ``metrics``."""
TRACING = "{endpoint: null, service: tests, sample_ratio: 1.0}"
"""The same for the section ``tracing``."""
SENTRY = "{dsn: null, release: null}"
"""The same for the section ``sentry``."""
