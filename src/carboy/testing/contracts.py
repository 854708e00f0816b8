"""Contract types for import-linter, which projects name in their configuration. They need import-linter."""

from typing import Any

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class DomainsContract(Contract):
    """Keeps some rooms of each domain to that domain.

    Options:
        package: The package whose subpackages are the domains.
        private: The rooms, such as ``daos``, that no other domain may import from.
    """

    type_name = "domains"

    package = fields.StringField()
    private = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: ARG002, FBT001 - its signature is the library's.
        found = [
            (importer, imported)
            for importer in sorted(graph.modules)
            for imported in sorted(graph.find_modules_directly_imported_by(importer))
            if self._is_private(importer, imported)
        ]
        return ContractCheck(kept=not found, metadata={"found": found})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for importer, imported in check.metadata["found"]:
            output.print_error(f"{importer} imports {imported}, which is another domain's own.")

    def _is_private(self, importer: str, imported: str) -> bool:
        package, domain, room, *_ = (*imported.split("."), "", "")
        # Where the library declares fields, an instance has their values.
        options: Any = self
        is_private = package == options.package and room in options.private
        return is_private and importer != package and not f"{importer}.".startswith(f"{package}.{domain}.")
