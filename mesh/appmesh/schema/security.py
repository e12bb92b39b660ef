"""TLS as listeners and client policies ask for it."""

from typing import Annotated, Literal

from pydantic import Field

from mesh.appmesh.schema.base import Port, Strict, Text255

Mode = Literal["DISABLED", "PERMISSIVE", "STRICT"]


class AcmCertificate(Strict):
    """A certificate of AWS Certificate Manager."""

    certificate_arn: Annotated[str, Field(alias="certificateARN")]


class FileCertificate(Strict):
    """A certificate chain and its key as files beside the proxy."""

    certificate_chain: Text255
    private_key: Text255


class SdsSecret(Strict):
    """A secret by its name."""

    secret_name: str


class ClientCertificate(Strict):
    """What a client presents; exactly one of the fields."""

    file: FileCertificate | None = None
    sds: SdsSecret | None = None


class ListenerCertificate(ClientCertificate):
    """What a listener presents; exactly one of the fields."""

    acm: AcmCertificate | None = None


class AcmTrust(Strict):
    """Certificate authorities of AWS Private CA."""

    certificate_authority_arns: Annotated[
        tuple[str, ...], Field(alias="certificateAuthorityARNs", min_length=1, max_length=3)
    ]


class FileTrust(Strict):
    """Certificate authorities as a file beside the proxy."""

    certificate_chain: Text255


class ListenerTrust(Strict):
    """Whom a node's listener trusts; exactly one of the fields."""

    file: FileTrust | None = None
    sds: SdsSecret | None = None


class Trust(ListenerTrust):
    """Whom a client, or a gateway's listener, trusts; exactly one of the fields."""

    acm: AcmTrust | None = None


class NameMatch(Strict):
    """Subject alternative names, any of which will do."""

    exact: tuple[str, ...]


class AlternativeNames(Strict):
    """The names a peer's certificate must carry one of."""

    match: NameMatch


class ListenerValidation(Strict):
    """Asks a node's clients for a certificate."""

    trust: ListenerTrust
    subject_alternative_names: AlternativeNames | None = None


class Validation(Strict):
    """What a peer's certificate must be."""

    trust: Trust
    subject_alternative_names: AlternativeNames | None = None


class ListenerTls(Strict):
    """TLS of a node's listener. PERMISSIVE takes plain text too."""

    mode: Mode
    certificate: ListenerCertificate
    validation: ListenerValidation | None = None


class GatewayListenerTls(Strict):
    """TLS of a gateway's listener. PERMISSIVE takes plain text too."""

    mode: Mode
    certificate: ListenerCertificate
    validation: Validation | None = None


class ClientTls(Strict):
    """TLS towards backends, on all ports unless some are named."""

    validation: Validation
    enforce: bool | None = None
    ports: tuple[Port, ...] | None = None
    certificate: ClientCertificate | None = None


class ClientPolicy(Strict):
    """How backends are spoken to."""

    tls: ClientTls | None = None


class BackendDefaults(Strict):
    """How backends are spoken to that have no policy of their own."""

    client_policy: ClientPolicy | None = None
