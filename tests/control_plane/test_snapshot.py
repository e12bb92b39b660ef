"""A snapshot refuses what would be wrong at an Envoy, and says what it is."""

import pytest
from envoy_data_plane.envoy.config.cluster import v3 as cluster
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.endpoint import v3 as endpoint
from envoy_data_plane.envoy.config.listener import v3 as listener
from envoy_data_plane.envoy.config.route import v3 as route
from envoy_data_plane.envoy.extensions.filters.http.ext_authz.v3 import ExtAuthz
from envoy_data_plane.envoy.extensions.filters.http.jwt_authn import v3 as jwt
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager import v3 as manager
from envoy_data_plane.envoy.extensions.filters.network.tcp_proxy import v3 as tcp_proxy
from envoy_data_plane.envoy.extensions.transport_sockets.tls import v3 as tls
from google.protobuf.message import DecodeError

from mesh.control_plane.kinds import ASSIGNMENT, CLUSTER, LISTENER, ROUTES, SECRET
from mesh.control_plane.snapshot import Resource, SnapshotError, snapshot
from mesh.resources.typed import packed

ADS = core.ConfigSource(ads=core.AggregatedConfigSource())
EDS = cluster.ClusterDiscoveryType.EDS


def assignment(name: str) -> Resource:
    return Resource.of(ASSIGNMENT, bytes(endpoint.ClusterLoadAssignment(cluster_name=name)))


def of_cluster(made: cluster.Cluster) -> Resource:
    return Resource.of(CLUSTER, bytes(made))


def routes(action: route.RouteAction) -> Resource:
    hosts = [route.VirtualHost(name="all", domains=["*"], routes=[route.Route(route=action)])]
    return Resource.of(ROUTES, bytes(route.RouteConfiguration(name="outbound", virtual_hosts=hosts)))


def listening(*filters: listener.Filter, socket: core.TransportSocket | None = None) -> Resource:
    chain = listener.FilterChain(filters=list(filters), transport_socket=socket)
    return Resource.of(LISTENER, bytes(listener.Listener(name="inbound", filter_chains=[chain])))


def http(*filters: manager.HttpFilter, table: str = "") -> listener.Filter:
    rds = manager.Rds(config_source=ADS, route_config_name=table) if table else None
    return listener.Filter(
        name="hcm", typed_config=packed(manager.HttpConnectionManager(rds=rds, http_filters=list(filters)))
    )


def named(name: str) -> tls.SdsSecretConfig:
    return tls.SdsSecretConfig(name=name, sds_config=ADS)


COMMON = tls.CommonTlsContext(
    tls_certificate_sds_secret_configs=[named("payments")],
    combined_validation_context=tls.CommonTlsContextCombinedCertificateValidationContext(
        default_validation_context=tls.CertificateValidationContext(),
        validation_context_sds_secret_config=named("trust"),
    ),
)
SERVING = core.TransportSocket(name="tls", typed_config=packed(tls.DownstreamTlsContext(common_tls_context=COMMON)))
CALLING = core.TransportSocket(name="tls", typed_config=packed(tls.UpstreamTlsContext(common_tls_context=COMMON)))
WEIGHTED = route.WeightedCluster(clusters=[route.WeightedClusterClusterWeight(name="v2")])
ASKING = ExtAuthz(grpc_service=core.GrpcService(envoy_grpc=core.GrpcServiceEnvoyGrpc(cluster_name="authorizer")))
KEYS = jwt.JwtAuthentication(
    providers={"i": jwt.JwtProvider(remote_jwks=jwt.RemoteJwks(http_uri=core.HttpUri(uri="u", cluster="issuer")))}
)

DANGLING: list[tuple[list[Resource], str]] = [
    ([routes(route.RouteAction(cluster="risk"))], "the route table outbound names the cluster risk"),
    ([routes(route.RouteAction(weighted_clusters=WEIGHTED))], "the route table outbound names the cluster v2"),
    (
        [routes(route.RouteAction(request_mirror_policies=[route.RouteActionRequestMirrorPolicy(cluster="copy")]))],
        "the route table outbound names the cluster copy",
    ),
    ([listening(http(table="edge"))], "the listener inbound names the route table edge"),
    ([listening(socket=SERVING), secret := Resource.of(SECRET, bytes(tls.Secret(name="payments")))],
     "the listener inbound names the secret trust"),
    ([of_cluster(cluster.Cluster(name="risk", transport_socket=CALLING)), secret],
     "the cluster risk names the secret trust"),
    ([of_cluster(cluster.Cluster(name="risk", type=EDS))], "the cluster risk names the assignment risk"),
    (
        [
            of_cluster(
                cluster.Cluster(
                    name="risk", type=EDS, eds_cluster_config=cluster.ClusterEdsClusterConfig(service_name="pods")
                )
            ),
            assignment("risk"),
        ],
        "the cluster risk names the assignment pods",
    ),
    (
        [listening(http(manager.HttpFilter(name="a", typed_config=packed(ASKING))))],
        "the listener inbound names the cluster authorizer",
    ),
    (
        [listening(http(manager.HttpFilter(name="j", typed_config=packed(KEYS))))],
        "the listener inbound names the cluster issuer",
    ),
    (
        [listening(http(manager.HttpFilter(name="f", config_discovery=core.ExtensionConfigSource(config_source=ADS))))],
        "the listener inbound names the extension f",
    ),
    (
        [listening(listener.Filter(name="t", typed_config=packed(tcp_proxy.TcpProxy(cluster="db"))))],
        "the listener inbound names the cluster db",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("resources", "problem"), DANGLING, ids=[problem for _, problem in DANGLING])
def test_what_names_nothing_is_refused(resources: list[Resource], problem: str) -> None:
    with pytest.raises(SnapshotError) as refused:
        snapshot(resources)
    assert refused.value.problems == (f"{problem}, which is not there",)


def test_two_of_one_name_are_refused() -> None:
    with pytest.raises(SnapshotError, match="there are two assignments called a"):
        snapshot([assignment("a"), assignment("b"), assignment("a")])


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(SnapshotError) as refused:
        snapshot([routes(route.RouteAction(cluster="risk")), assignment("a"), assignment("a")])
    assert len(refused.value.problems) == 2


def test_what_belongs_together_is_accepted_and_so_is_the_way_here() -> None:
    made = snapshot(
        [
            of_cluster(cluster.Cluster(name="risk", type=EDS)),
            assignment("risk"),
            routes(route.RouteAction(cluster="risk")),
            listening(http(table="outbound"), http(manager.HttpFilter(name="x", typed_config=packed(here())))),
        ]
    )
    assert set(made.tables) == {CLUSTER, ASSIGNMENT, ROUTES, LISTENER}


def here() -> ExtAuthz:
    return ExtAuthz(grpc_service=core.GrpcService(envoy_grpc=core.GrpcServiceEnvoyGrpc(cluster_name="control_plane")))


def test_versions_are_of_content() -> None:
    one, again, other = (snapshot([assignment(name), assignment("z")]) for name in "aab")
    swapped = snapshot([assignment("z"), assignment("a")])
    assert one.table(ASSIGNMENT).version == again.table(ASSIGNMENT).version == swapped.table(ASSIGNMENT).version
    assert one.table(ASSIGNMENT).version != other.table(ASSIGNMENT).version


def test_what_is_no_message_is_refused() -> None:
    with pytest.raises(DecodeError):
        Resource.of(CLUSTER, b"\xff\xff")
