"""Tells Prometheus of the streams of events."""

from collections.abc import Iterator

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from carboy.api.event_streams import EventStreams


class StreamCollector:
    """Makes series of the numbers of streams."""

    def __init__(self, streams: EventStreams) -> None:
        self._streams = streams

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("carboy_event_streams", "Streams of events that are open.", self._streams.count)
        yield CounterMetricFamily("carboy_event_streams_opened", "Streams of events that began.", self._streams.opened)
        yield CounterMetricFamily("carboy_events_sent", "Events that streams have sent.", self._streams.sent)
