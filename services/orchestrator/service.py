"""What merchants may ask the orchestrator: the whole story of a payment."""

from florin.orchestrator.v1.timeline_service_pb2 import GetTimelineRequest, GetTimelineResponse, TimelineEntry

from services.chassis import Call, Database, NotFound, mark, timestamp
from services.orchestrator import store


class TimelineService:
    """Tells what happened to payments."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def GetTimeline(self, request: GetTimelineRequest, call: Call) -> GetTimelineResponse:
        """Tell one payment's story, oldest first."""
        mark(request.payment_id)
        with self._database.connection() as connection:
            entries = store.story(connection, call.tenant, request.payment_id)
        if not entries:
            raise NotFound("PAYMENT_NOT_FOUND", "there is no such payment")
        return GetTimelineResponse(
            entries=[
                TimelineEntry(
                    at=timestamp(entry.at),
                    event=entry.event,
                    said_by=entry.said_by,
                    stage=entry.stage,
                    details=entry.details,
                )
                for entry in entries
            ]
        )
