"""TLS contexts. Certificates and trust are secrets by name, so that they rotate without touching a listener."""

import re
from collections.abc import Callable
from typing import Final

from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.extensions.transport_sockets.tls import v3 as tls
from envoy_data_plane.envoy.type.matcher import v3 as matcher

from mesh.resources.typed import exact, packed
from mesh.topology import TRUST_DOMAIN, spiffe_id

TRUST: Final = "trust"
"""The secret that holds the mesh's trust bundle. An identity's SVID is the secret of the identity's name."""
PUBLIC: Final = "public"
"""The secret that holds the edge's public certificate."""
TERMINALS_TRUST: Final = "terminals_trust"
"""The secret that holds the authority of the terminals and the list of what it has revoked."""

TERMINAL_ID: Final = rf"spiffe://{re.escape(TRUST_DOMAIN)}/terminal/[A-Za-z0-9_-]+/[A-Za-z0-9_-]+"
"""The identity of a terminal, as a regular expression: its merchant's id, and its own."""

Secrets = Callable[[str], tls.SdsSecretConfig]
"""Says where the secret of a name comes from."""

# With a minimum alone, an upstream context fails: BoringSSL's default maximum for clients is TLS 1.2.
TLS_1_3: Final = tls.TlsParameters(
    tls_minimum_protocol_version=tls.TlsParametersTlsProtocol.TLSv1_3,
    tls_maximum_protocol_version=tls.TlsParametersTlsProtocol.TLSv1_3,
)

FROM_OUTSIDE: Final = tls.TlsParameters(
    tls_minimum_protocol_version=tls.TlsParametersTlsProtocol.TLSv1_2,
    tls_maximum_protocol_version=tls.TlsParametersTlsProtocol.TLSv1_3,
    cipher_suites=[
        f"ECDHE-{signature}-{suite}"
        for suite in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")
        for signature in ("ECDSA", "RSA")
    ],
    ecdh_curves=["X25519MLKEM768", "X25519", "P-256", "P-384"],
)
"""Mozilla's intermediate profile, version 5.8: forward secrecy and authenticated encryption, or no connection."""


def taking(identity: str, secrets: Secrets) -> core.TransportSocket:
    """Return the server side of mutual TLS: any identity of the trust domain may connect, RBAC decides what it may."""
    anyone = matcher.StringMatcher(prefix=f"spiffe://{TRUST_DOMAIN}/")
    context = tls.DownstreamTlsContext(
        common_tls_context=_mutual(identity, anyone, secrets), require_client_certificate=True
    )
    return core.TransportSocket(name="envoy.transport_sockets.tls", typed_config=packed(context))


def calling(identity: str, callee: str, secrets: Secrets) -> core.TransportSocket:
    """Return the client side of mutual TLS: only the callee's own identity is accepted."""
    context = tls.UpstreamTlsContext(common_tls_context=_mutual(identity, exact(spiffe_id(callee)), secrets))
    return core.TransportSocket(name="envoy.transport_sockets.tls", typed_config=packed(context))


def public(secrets: Secrets) -> core.TransportSocket:
    """Return the server side of the public listener: TLS 1.2 or 1.3, HTTP/2 or 1.1, no client certificate.

    Sessions are resumed by tickets. BoringSSL makes their keys, changes them every other day and keeps them in memory
    only; a certificate that is renewed begins with new ones.
    """
    common = tls.CommonTlsContext(
        tls_params=FROM_OUTSIDE,
        tls_certificate_sds_secret_configs=[secrets(PUBLIC)],
        alpn_protocols=["h2", "http/1.1"],
    )
    context = tls.DownstreamTlsContext(common_tls_context=common)
    return core.TransportSocket(name="envoy.transport_sockets.tls", typed_config=packed(context))


def terminals(secrets: Secrets) -> core.TransportSocket:
    """Return the server side of the listener for terminals: no connection without a certificate of one, HTTP/2 alone.

    No session is resumed: that would let a terminal in without another look at its certificate.
    """
    names = matcher.StringMatcher(safe_regex=matcher.RegexMatcher(regex=TERMINAL_ID))
    san = tls.SubjectAltNameMatcher(san_type=tls.SubjectAltNameMatcherSanType.URI, matcher=names)
    common = tls.CommonTlsContext(
        tls_params=FROM_OUTSIDE,
        tls_certificate_sds_secret_configs=[secrets(PUBLIC)],
        combined_validation_context=tls.CommonTlsContextCombinedCertificateValidationContext(
            default_validation_context=tls.CertificateValidationContext(match_typed_subject_alt_names=[san]),
            validation_context_sds_secret_config=secrets(TERMINALS_TRUST),
        ),
        alpn_protocols=["h2"],
    )
    context = tls.DownstreamTlsContext(
        common_tls_context=common,
        require_client_certificate=True,
        disable_stateless_session_resumption=True,
        disable_stateful_session_resumption=True,
    )
    return core.TransportSocket(name="envoy.transport_sockets.tls", typed_config=packed(context))


def internet(host: str) -> core.TransportSocket:
    """Return the client side of TLS to a host outside, checked against the machine's own authorities."""
    context = tls.UpstreamTlsContext(
        sni=host,
        auto_sni_san_validation=True,
        common_tls_context=tls.CommonTlsContext(
            validation_context=tls.CertificateValidationContext(
                system_root_certs=tls.CertificateValidationContextSystemRootCerts()
            )
        ),
    )
    return core.TransportSocket(name="envoy.transport_sockets.tls", typed_config=packed(context))


def _mutual(identity: str, peer: matcher.StringMatcher, secrets: Secrets) -> tls.CommonTlsContext:
    san = tls.SubjectAltNameMatcher(san_type=tls.SubjectAltNameMatcherSanType.URI, matcher=peer)
    return tls.CommonTlsContext(
        tls_params=TLS_1_3,
        tls_certificate_sds_secret_configs=[secrets(identity)],
        combined_validation_context=tls.CommonTlsContextCombinedCertificateValidationContext(
            default_validation_context=tls.CertificateValidationContext(match_typed_subject_alt_names=[san]),
            validation_context_sds_secret_config=secrets(TRUST),
        ),
        alpn_protocols=["h2"],
    )
