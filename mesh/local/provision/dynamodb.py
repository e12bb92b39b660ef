"""The tables of the vault, the merchants and the routing."""

from typing import Any

import boto3

from mesh.local.estate import CREDENTIALS, EXPIRIES, REGION, ROUTING, TABLES


def provision(endpoint: str) -> None:
    """Make every table that is not there yet, paid per request as on AWS."""
    client = boto3.client("dynamodb", endpoint_url=endpoint, region_name=REGION, **CREDENTIALS)
    there = {name for page in client.get_paginator("list_tables").paginate() for name in page["TableNames"]}
    for table, key in TABLES.items():
        if table not in there:
            client.create_table(
                TableName=table,
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
                KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
                BillingMode="PAY_PER_REQUEST",
            )
    _put_missing(boto3.resource("dynamodb", endpoint_url=endpoint, region_name=REGION, **CREDENTIALS))
    for table, attribute in EXPIRIES.items():
        if client.describe_time_to_live(TableName=table)["TimeToLiveDescription"]["TimeToLiveStatus"] == "DISABLED":
            client.update_time_to_live(
                TableName=table, TimeToLiveSpecification={"AttributeName": attribute, "Enabled": True}
            )


def _put_missing(resource: Any) -> None:
    """Put the rows of the routing table that are not there; what somebody has changed stays as it is."""
    table = resource.Table("florin-routing")
    for row in ROUTING:
        if "Item" not in table.get_item(Key={"acquirer_rule": row["acquirer_rule"]}):
            table.put_item(Item=row)
