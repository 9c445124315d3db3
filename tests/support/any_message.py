"""Hypothesis strategies for messages of any type, from their descriptors: valid by form, and mostly nonsense."""

from __future__ import annotations

from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import strategies as st

_DEPTH = 3
_WORDS = ["station", "top", "L-1", "bottle", "tiny", "Kim", "[model]\nthreshold = 0.3\n", "EJECTOR_LOST", "1"]
_TEXT = st.sampled_from(_WORDS) | st.text(max_size=40) | st.uuids(version=4).map(str) | st.just("")
_LARGE = st.integers(1, 3000).map(lambda count: "x" * count)
_F = FieldDescriptor


def _whole(bits: int, *, signed: bool) -> st.SearchStrategy[int]:
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return st.sampled_from([low, high, 0, 1]) | st.integers(max(low, -2), 50) | st.integers(low, high)


_BY_TYPE: dict[int, st.SearchStrategy[Any]] = {
    _F.CPPTYPE_INT32: _whole(32, signed=True),
    _F.CPPTYPE_INT64: _whole(64, signed=True),
    _F.CPPTYPE_UINT32: _whole(32, signed=False),
    _F.CPPTYPE_UINT64: _whole(64, signed=False),
    _F.CPPTYPE_DOUBLE: st.floats() | st.floats(0, 1),
    _F.CPPTYPE_FLOAT: st.floats(width=32),
    _F.CPPTYPE_BOOL: st.booleans(),
    _F.CPPTYPE_ENUM: st.integers(0, 8) | _whole(32, signed=True),
}


@st.composite
def any_message(draw: st.DrawFn, descriptor: Descriptor, depth: int = 0) -> Message:
    """Draw a message of a type."""
    message: Message = GetMessageClass(descriptor)()
    for field in descriptor.fields:
        if not draw(st.booleans()):
            continue
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            key, value = field.message_type.fields
            if value.message_type is None:
                getattr(message, field.name).update(draw(st.dictionaries(_plain(key), _plain(value), max_size=3)))
        elif field.message_type is not None:
            if depth < _DEPTH:
                inner = any_message(field.message_type, depth + 1)
                if field.is_repeated:
                    getattr(message, field.name).extend(draw(st.lists(inner, max_size=2)))
                else:
                    getattr(message, field.name).CopyFrom(draw(inner))
        elif field.is_repeated:
            getattr(message, field.name).extend(draw(st.lists(_plain(field), max_size=3)))
        else:
            setattr(message, field.name, draw(_plain(field)))
    return message


def _plain(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    if field.cpp_type == _F.CPPTYPE_STRING:
        return st.binary(max_size=60) if field.type == _F.TYPE_BYTES else _TEXT | _LARGE
    return _BY_TYPE[field.cpp_type]
