"""What breaks the clients of an OpenAPI document."""
