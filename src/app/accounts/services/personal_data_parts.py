from carboy.services.personal_data import Person, PersonalData


class PersonalDataParts:
    """What each domain knows of a person.

    Args:
        *parts: Each domain's part.
        trail: What the audit log knows; it is erased last, as the erasure is written down too.
    """

    def __init__(self, *parts: PersonalData, trail: PersonalData) -> None:
        self.all = (*parts, trail)
        self._parts = parts
        self._trail = trail

    async def erase(self, person: Person) -> None:
        """Erase all but what the audit log knows, in the transaction that will delete the user."""
        for part in self._parts:
            await part.erase(person)

    async def erase_trail(self, person: Person) -> None:
        """Erase what the audit log knows, once all is written down."""
        await self._trail.erase(person)
