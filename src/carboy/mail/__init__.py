"""Mail: written from templates, sent if and only if the transaction commits."""
