"""The types of transformations that pipeline files may name, beside pySigma's own.

In YAML they are used like pySigma's (``type: split_user`` ...). A value that the target cannot say is
refused, never dropped. A pipeline that uses one of them cannot be used by stock ``sigma convert``. Each class
says what it does and which parameters it takes.
"""

from __future__ import annotations

from sigma.processing.transformations import transformations
from sigma.processing.transformations.base import Transformation

from converter.pipelines import left_out
from converter.pipelines.transformations.accounts import SplitUser, WellKnownAccounts
from converter.pipelines.transformations.addresses import (
    AddressFamilies,
    AddressRanges,
    MappedAddresses,
    UrlHost,
)
from converter.pipelines.transformations.by_case import ByCase
from converter.pipelines.transformations.by_event import ByEvent
from converter.pipelines.transformations.device_paths import BaseName, DevicePath
from converter.pipelines.transformations.fields import AnyField, RequireFields
from converter.pipelines.transformations.hashes import SplitHashes
from converter.pipelines.transformations.paths import FileNameOnly, FileWithBackslash, SplitPath
from converter.pipelines.transformations.registry_data import RegistryData, RegistryValueData
from converter.pipelines.transformations.registry_paths import (
    AsSysmon,
    ControlSets,
    RegistryClasses,
    RegistryDefaults,
    RegistryRoots,
)
from converter.pipelines.transformations.registry_values import RegistryKeyAndValue
from converter.pipelines.transformations.values import (
    HexNumber,
    JsonText,
    MapAlternatives,
    MapValues,
    NullText,
    OtherCase,
)
from converter.pipelines.transformations.whole_text import WholeText

TYPES: dict[str, type[Transformation]] = {
    "address_families": AddressFamilies,
    "address_ranges": AddressRanges,
    "any_field": AnyField,
    "as_sysmon": AsSysmon,
    "base_name": BaseName,
    "by_case": ByCase,
    "by_event": ByEvent,
    "control_sets": ControlSets,
    "device_path": DevicePath,
    "file_name_only": FileNameOnly,
    "file_with_backslash": FileWithBackslash,
    "hex_number": HexNumber,
    "json_text": JsonText,
    "map_alternatives": MapAlternatives,
    "map_values": MapValues,
    "mapped_addresses": MappedAddresses,
    "null_text": NullText,
    "other_case": OtherCase,
    "registry_classes": RegistryClasses,
    "registry_data": RegistryData,
    "registry_defaults": RegistryDefaults,
    "registry_key_and_value": RegistryKeyAndValue,
    "registry_roots": RegistryRoots,
    "registry_value_data": RegistryValueData,
    "require_fields": RequireFields,
    "split_hashes": SplitHashes,
    "split_path": SplitPath,
    "split_user": SplitUser,
    "url_host": UrlHost,
    "well_known_accounts": WellKnownAccounts,
    "whole_text": WholeText,
}


def register() -> None:
    """Make the types known to pySigma's pipelines; calling it again changes nothing."""
    transformations.update(TYPES | left_out.TYPES)
