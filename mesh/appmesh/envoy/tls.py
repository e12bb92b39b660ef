"""TLS as App Mesh's listeners and client policies ask for it, from files beside the proxy or from secrets by name."""

from typing import Final

from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.extensions.transport_sockets.tls import v3 as tls

from mesh.appmesh.schema.listeners import Listener
from mesh.appmesh.schema.security import (
    AlternativeNames,
    ClientCertificate,
    ClientPolicy,
    ClientTls,
    GatewayListenerTls,
    ListenerTls,
    ListenerTrust,
)
from mesh.resources.ads import secret
from mesh.resources.typed import exact, packed

# With a minimum alone, an upstream context fails: BoringSSL's default maximum for clients is TLS 1.2.
VERSIONS: Final = tls.TlsParameters(
    tls_minimum_protocol_version=tls.TlsParametersTlsProtocol.TLSv1_2,
    tls_maximum_protocol_version=tls.TlsParametersTlsProtocol.TLSv1_3,
)
SOCKET: Final = "envoy.transport_sockets.tls"
HTTP2: Final = frozenset({"http2", "grpc"})


def taking(stated: ListenerTls | GatewayListenerTls) -> core.TransportSocket:
    """Return the server side of a listener; where it validates, clients must present a certificate."""
    common = _presenting(stated.certificate)
    common.alpn_protocols = ["h2", "http/1.1"]
    if stated.validation:
        _trusting(common, stated.validation.trust, stated.validation.subject_alternative_names)
    context = tls.DownstreamTlsContext(common_tls_context=common, require_client_certificate=bool(stated.validation))
    return core.TransportSocket(name=SOCKET, typed_config=packed(context))


def calling(policy: ClientPolicy | None, callee: Listener, host: str) -> core.TransportSocket | None:
    """Return the client side towards a node's listener, or None for plain text.

    A policy that is enforced on the listener's port validates the callee. Without one, a callee that takes TLS gets it,
    and is not validated.
    """
    stated, mapping = policy.tls if policy else None, callee.port_mapping
    on_port = stated and mapping.port in (stated.ports or (mapping.port,))
    enforced = stated if stated and on_port and stated.enforce is not False else None
    if enforced is None and (callee.tls is None or callee.tls.mode == "DISABLED"):
        return None
    common = _client(stated, enforced)
    common.alpn_protocols = ["h2"] if mapping.protocol in HTTP2 else ["http/1.1"]
    context = tls.UpstreamTlsContext(common_tls_context=common, sni=host)
    return core.TransportSocket(name=SOCKET, typed_config=packed(context))


def secret_names(*parts: ClientCertificate | ListenerTrust | None) -> set[str]:
    """Return the secrets that these parts ask for."""
    return {part.sds.secret_name for part in parts if part and part.sds}


def _client(stated: ClientTls | None, enforced: ClientTls | None) -> tls.CommonTlsContext:
    certificate = stated.certificate if stated else None
    common = _presenting(certificate) if certificate else tls.CommonTlsContext(tls_params=VERSIONS)
    if enforced:
        validation = enforced.validation
        _trusting(common, validation.trust, validation.subject_alternative_names)
    return common


def _presenting(certificate: ClientCertificate) -> tls.CommonTlsContext:
    if certificate.sds:
        return tls.CommonTlsContext(
            tls_params=VERSIONS, tls_certificate_sds_secret_configs=[secret(certificate.sds.secret_name)]
        )
    common = tls.CommonTlsContext(tls_params=VERSIONS)
    if certificate.file:
        common.tls_certificates = [
            tls.TlsCertificate(
                certificate_chain=core.DataSource(filename=certificate.file.certificate_chain),
                private_key=core.DataSource(filename=certificate.file.private_key),
            )
        ]
    return common


def _trusting(common: tls.CommonTlsContext, trust: ListenerTrust, alternative: AlternativeNames | None) -> None:
    """Make a context validate its peer."""
    context = tls.CertificateValidationContext(
        match_typed_subject_alt_names=[_named(name) for name in (alternative.match.exact if alternative else ())]
    )
    if trust.sds:
        common.combined_validation_context = tls.CommonTlsContextCombinedCertificateValidationContext(
            default_validation_context=context,
            validation_context_sds_secret_config=secret(trust.sds.secret_name),
        )
    elif trust.file:
        context.trusted_ca = core.DataSource(filename=trust.file.certificate_chain)
        common.validation_context = context


def _named(name: str) -> tls.SubjectAltNameMatcher:
    uri = "://" in name
    kind = tls.SubjectAltNameMatcherSanType.URI if uri else tls.SubjectAltNameMatcherSanType.DNS
    return tls.SubjectAltNameMatcher(san_type=kind, matcher=exact(name))
