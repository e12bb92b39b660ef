"""The vault's keys, by alias."""

from typing import Any

import boto3

from mesh.local.estate import CREDENTIALS, KEYS, REGION


def provision(endpoint: str) -> None:
    """Make every key whose alias is not there yet."""
    client: Any = boto3.client("kms", endpoint_url=endpoint, region_name=REGION, **CREDENTIALS)
    there = {
        alias["AliasName"] for page in client.get_paginator("list_aliases").paginate() for alias in page["Aliases"]
    }
    for key in KEYS:
        if key.alias not in there:
            made = client.create_key(KeySpec=key.spec, KeyUsage=key.usage, Description=key.purpose)
            client.create_alias(AliasName=key.alias, TargetKeyId=made["KeyMetadata"]["KeyId"])
