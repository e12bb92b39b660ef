"""The gateway orchestrator: one state machine per payment. It hears and tells facts and calls nobody."""
