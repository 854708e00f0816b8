"""Prints the API's document with streams of events besides: ``python -m support.documents``, in a project."""

import sys

from support.streaming import StreamingContainer, create_streaming_app

from carboy.api.openapi.document import describe, spell

if __name__ == "__main__":
    sys.stdout.write(spell(describe(create_streaming_app(StreamingContainer()))))
