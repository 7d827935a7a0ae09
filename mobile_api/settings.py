"""What a person has chosen."""

import msgspec
from litestar import get, patch
from litestar.di import NamedDependency
from litestar.params import JSONBody

from backend.identity import Language
from backend.services import Services
from mobile_api.caller import Caller


class Changes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    language: Language


class SettingsView(msgspec.Struct, frozen=True, kw_only=True):
    """language: of texts and messages, "zh-CN" or "en"."""

    object: str = "settings"
    id: str
    language: str


@get("/v1/settings")
async def settings(
    caller: NamedDependency[Caller], services: NamedDependency[Services]
) -> SettingsView:
    """What the person has chosen."""
    return SettingsView(id=caller.person.person_id, language=caller.person.language)


@patch("/v1/settings", status_code=200)
async def change(
    data: JSONBody[Changes], caller: NamedDependency[Caller], services: NamedDependency[Services]
) -> SettingsView:
    """Choose the language."""
    await services.identity.set_language(caller.person.person_id, data.language)
    return SettingsView(id=caller.person.person_id, language=data.language)


handlers = [settings, change]
