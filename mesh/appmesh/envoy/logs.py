"""Access logs where and as a node or gateway asks for them."""

from envoy_data_plane.envoy.config.accesslog import v3 as accesslog
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.extensions.access_loggers.file.v3 import FileAccessLog

from mesh.appmesh.schema.nodes import LogFormat, Logging
from mesh.resources.typed import packed, struct


def access_logs(logging: Logging | None) -> list[accesslog.AccessLog]:
    """Return the access logs that are asked for: none, or one in a file, as JSON, as text or as Envoy writes it."""
    file = logging.access_log.file if logging and logging.access_log else None
    if file is None:
        return []
    written = FileAccessLog(path=file.path, log_format=_format(file.format) if file.format else None)
    return [accesslog.AccessLog(name="envoy.access_loggers.file", typed_config=packed(written))]


def _format(stated: LogFormat) -> core.SubstitutionFormatString | None:
    if stated.json_fields:
        fields = {field.key: field.value for field in stated.json_fields}
        return core.SubstitutionFormatString(json_format=struct(fields))
    if stated.text is None:
        return None
    # App Mesh ended the line; Envoy does it only in JSON.
    return core.SubstitutionFormatString(text_format_source=core.DataSource(inline_string=f"{stated.text}\n"))
