"""`python -m inspection.api.document docs/api.md`: write the reference of the API from the protos and the roles."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from google.protobuf import descriptor_pb2

from inspection.api.proto_text import ToldError, described, descriptors, errors_of, errors_of_every_call
from inspection.api.roles import METHODS, Role
from inspection.api.v1 import PROTOS

_HEAD = """# The API

This page is generated from `proto/lineward/inspection/v1/*.proto` and `inspection/api/roles.py` by `python -m
inspection.api.document docs/api.md`; a test holds them together. Who may call from where: [security](security.md). What
the states mean: [states](states.md). Plain inference by the Open Inference Protocol: [inference](inference.md).

Every error is a `google.rpc.Status`: code, a text that says what happened, what is allowed and what to do next, and an
`ErrorInfo` of domain `lineward.inspection.v1` whose `reason` stays the same from version to version. A field that is at
fault is named in a `BadRequest`; what may be tried again says when in a `RetryInfo`.

"""
_FIELD = descriptor_pb2.FieldDescriptorProto
_TYPES = {
    number: name.removeprefix("TYPE_").lower() for name, number in _FIELD.Type.items()
}  # proto's own names of the plain types


def page() -> str:
    """Return the page as Markdown."""
    by_name = {file.name: file for file in descriptors()}
    ours = [by_name[proto.name] for proto in PROTOS]
    lines = [_HEAD, *_services(ours), *_every_call()]
    for file in sorted(ours, key=lambda file: not file.service):
        lines += _section(file)
    return "\n".join(lines).rstrip("\n") + "\n"


def _services(files: list[descriptor_pb2.FileDescriptorProto]) -> Iterator[str]:
    yield "| Service | What it is for | Methods |"
    yield "|---|---|---|"
    for file in files:
        for service in file.service:
            methods = ", ".join(f"[{method.name}](#{_anchor(service, method)})" for method in service.method)
            first = _first_sentence(described(f"{file.package}.{service.name}"))
            yield f"| [{service.name}](#{service.name.lower()}) | {_cell(first)} | {methods} |"
    yield ""


def _every_call() -> Iterator[str]:
    yield "## Errors of every call"
    yield ""
    yield from _errors(errors_of_every_call())


def _section(file: descriptor_pb2.FileDescriptorProto) -> Iterator[str]:
    for service in file.service:
        name = f"{file.package}.{service.name}"
        yield f"## {service.name}"
        yield ""
        yield f"`{name}`. {described(name)}"
        yield ""
        for method in service.method:
            yield from _method(name, service, method)
    if not file.service:
        yield "## Words that several services use"
        yield ""
        yield from (described(file.name), "")
    for message in file.message_type:
        if message.field:
            yield from _message(file.package, message)
    for enum in file.enum_type:
        yield from _enum(file.package, enum)


def _method(
    service: str, whole: descriptor_pb2.ServiceDescriptorProto, method: descriptor_pb2.MethodDescriptorProto
) -> Iterator[str]:
    access = METHODS[f"/{service}/{method.name}"]
    roles = ", ".join(str(role) for role in Role if role in access.roles) if access.roles else "everybody"
    kind = "read" if not access.is_command else "command, carried out in any case" if access.stops else "command"
    request, response = (
        f"{'stream of ' if stream else ''}{_reference(message)}"
        for message, stream in (
            (method.input_type, method.client_streaming),
            (method.output_type, method.server_streaming),
        )
    )
    yield f"### {whole.name}.{method.name}"
    yield ""
    yield described(f"{service}.{method.name}")
    yield ""
    yield f"{request} → {response} · {kind} · {'every role' if len(access.roles) == len(Role) else roles}"
    yield ""
    errors = errors_of(f"{service}.{method.name}")
    if errors:
        yield from _errors(errors)
    else:
        yield from ("No errors of its own.", "")


def _errors(errors: list[ToldError]) -> Iterator[str]:
    yield "| code | reason | when |"
    yield "|---|---|---|"
    told: dict[tuple[str, str], list[str]] = {}
    for error in errors:
        more = f" ({error.more})" if error.more else ""
        told.setdefault((error.code, error.reason), []).append(error.when + more)
    for (code, reason), when in told.items():
        yield f"| {code} | {f'`{reason}`' if reason else ''} | {_cell('; '.join(dict.fromkeys(when)))} |"
    yield ""


def _message(package: str, message: descriptor_pb2.DescriptorProto) -> Iterator[str]:
    name = f"{package}.{message.name}"
    yield f"#### {message.name}"
    yield ""
    if text := described(name):
        yield from (text, "")
    yield "| field | type | |"
    yield "|---|---|---|"
    for field in message.field:
        yield f"| `{field.name}` | {_type(message, field)} | {_cell(described(f'{name}.{field.name}'))} |"
    yield ""


def _enum(package: str, enum: descriptor_pb2.EnumDescriptorProto) -> Iterator[str]:
    name = f"{package}.{enum.name}"
    yield f"#### {enum.name}"
    yield ""
    if text := described(name):
        yield from (text, "")
    yield "| value | | |"
    yield "|---|---|---|"
    for value in enum.value:
        yield f"| `{value.name}` | {value.number} | {_cell(described(f'{name}.{value.name}'))} |"
    yield ""


def _type(message: descriptor_pb2.DescriptorProto, field: descriptor_pb2.FieldDescriptorProto) -> str:
    entry = next((one for one in message.nested_type if field.type_name.endswith(f".{message.name}.{one.name}")), None)
    if entry is not None and entry.options.map_entry:
        key, value = (_plain(one) for one in entry.field)
        return f"map of {key} to {value}"
    many = "repeated " if field.label == _FIELD.LABEL_REPEATED else "optional " if field.proto3_optional else ""
    one_of = field.HasField("oneof_index") and not field.proto3_optional
    return f"{many}{_plain(field)}{f', one of {message.oneof_decl[field.oneof_index].name}' if one_of else ''}"


def _plain(field: descriptor_pb2.FieldDescriptorProto) -> str:
    return _reference(field.type_name) if field.type_name else _TYPES[field.type]


def _reference(full_name: str) -> str:
    name = full_name.rpartition(".")[2]
    return f"[{name}](#{name.lower()})" if name in _with_a_table() else name


def _with_a_table() -> set[str]:
    messages = {one.name for file in descriptors() for one in file.message_type if one.field}
    return messages | {one.name for file in descriptors() for one in file.enum_type}


def _anchor(service: descriptor_pb2.ServiceDescriptorProto, method: descriptor_pb2.MethodDescriptorProto) -> str:
    return f"{service.name}{method.name}".lower()


def _first_sentence(text: str) -> str:
    return text.partition("\n")[0].partition(". ")[0].rstrip(".") + "."


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def main() -> None:
    """Write the page to the file that is named."""
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
