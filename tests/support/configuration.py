HTTP = (
    "{max_body_bytes: 1000, spool_bytes: 500, body_memory_bytes: 5000, body_bytes_per_second: 500,"
    " body_stall_seconds: 10, run_on: auto, view_threads: 4, stream_threads: 4, idempotency_hours: 24,"
    " require_if_match: false, special_use_domains: false, docs: true,"
    " compress_min_bytes: 0, cors_origins: [], drain_seconds: 0, stop_seconds: 0}"
)
"""The section ``http`` of a configuration that is complete, for tests that are about something else."""

JOBS = (
    "{embedded: false, queues: ['default:10'], lease_seconds: 60, poll_seconds: 1, grace_seconds: 10,"
    " unknown_seconds: 600, keep_done_hours: 24, keep_dead_days: 30}"
)
"""The section ``jobs`` likewise."""
