"""The whole gateway in one process, on simulated time, network and crashes, all of it a function of a seed.

Real: the chassis' delivery, outbox, once and rpc; every service's wiring, handlers, decisions and SQL, on a PostgreSQL.
Simulated: time, Kafka, the mesh, acquirers, the PSP, KMS, DynamoDB, Redis, and the processes' lives.
"""
