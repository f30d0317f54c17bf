"""Make `tests/exchanges/paradex/vectors_signing.json` with the cryptography of Paradex's official SDK.

Run it under Python 3.10, for which alone that cryptography has a wheel:

    python3.10 -m venv /somewhere/else
    /somewhere/else/bin/pip install --only-binary :all: "starknet-crypto-py>=0.2,<0.3" pycryptodome
    /somewhere/else/bin/python scripts/make_signing_vectors.py

Hashes, public keys and signatures come from starknet-crypto-py, the Rust wheel that paradex-py 0.8.2 signs with (seed 32,
as it does). The order of the hashed fields is written out again below, from the protocol page and not from our own code, so
that the vectors judge that code too.
"""

from __future__ import annotations

import json
from pathlib import Path

from Crypto.Hash import keccak
from starknet_crypto_py import get_public_key, pedersen_hash, sign, verify

OUT = Path(__file__).resolve().parents[1] / "tests" / "exchanges" / "paradex" / "vectors_signing.json"
SDK_SEED = 32
PRIME = 2**251 + 17 * 2**192 + 1
ACCOUNT = 0x129C135ED63DF9353885E292BE4426B8ED6122B13C6C0E1BB787288A1F5ADFA
CHAIN_ID = "PRIVATE_SN_POTC_SEPOLIA"
KEYS = (
    1,
    0x543B6CF6C91817A87174AAEA4FB370AC1C694E864D7740D728F8344D53E815,
    0x0800000000000010FFFFFFFFFFFFFFFFB781126DCAE7B2321E66A241ADC64D2E,
)
PAIRS = ((0, 0), (1, 2), (2**248, 2**248 - 1), (PRIME - 1, PRIME - 2), (KEYS[1], ACCOUNT))
ORDER_TYPE = "Order(timestamp:felt,market:felt,side:felt,orderType:felt,size:felt,price:felt)"
MODIFY_TYPE = "ModifyOrder(timestamp:felt,market:felt,side:felt,orderType:felt,size:felt,price:felt,id:felt)"
AUTH_TYPE = "Request(method:felt,path:felt,body:felt,timestamp:felt,expiration:felt)"
MESSAGES = (
    ("onboarding", "Constant(action:felt)", ["Onboarding"]),
    ("auth", AUTH_TYPE, ["POST", "/v1/auth", "", 1767225600, 1767227400]),
    ("limit buy", ORDER_TYPE, [1767225600123, "ETH-USD-PERP", 1, "LIMIT", 10000000, 300012345678]),
    ("market sell", ORDER_TYPE, [1767225600124, "kPEPE-USD-PERP", 2, "MARKET", 100000000000000, 0]),
    ("stop market", ORDER_TYPE, [1767225600125, "BTC-USD-PERP", 2, "STOP_MARKET", 1, 0]),
    (
        "modify",
        MODIFY_TYPE,
        [1767225600126, "BTC-USD-PERP", 2, "LIMIT", 1230000, 6543210000000, 1767225599123201704028870001],
    ),
)


def felt(value: str | int) -> int:
    return value if isinstance(value, int) else int.from_bytes(value.encode("ascii"), "big")


def name_hash(text: str) -> int:
    digest = keccak.new(digest_bits=256, data=text.encode("ascii")).digest()
    return int.from_bytes(digest, "big") % 2**250


def chain(elements: list[int]) -> int:
    state = 0
    for element in [*elements, len(elements)]:
        state = pedersen_hash(state, element)
    return state


def message_hash(type_text: str, fields: list[str | int]) -> int:
    domain_type = "StarkNetDomain(name:felt,chainId:felt,version:felt)"
    domain = chain([name_hash(domain_type), felt("Paradex"), felt(CHAIN_ID), 1])
    struct = chain([name_hash(type_text), *map(felt, fields)])
    return chain([felt("StarkNet Message"), domain, ACCOUNT, struct])


def signed(key: int, message: int) -> dict[str, object]:
    r, s = sign(key, message, SDK_SEED)
    assert verify(get_public_key(key), message, r, s)
    return {"private_key": hex(key), "signature": f'["{r}","{s}"]'}


def main() -> None:
    messages = []
    for label, type_text, fields in MESSAGES:
        message = message_hash(type_text, list(fields))
        entry = {
            "label": label,
            "fields": fields,
            "message_hash": hex(message),
            "signed": [signed(key, message) for key in KEYS],
        }
        messages.append(entry)
    vectors = {
        "made_with": "starknet-crypto-py 0.2, which paradex-py 0.8.2 signs with, under Python 3.10",
        "account": hex(ACCOUNT),
        "chain_id": CHAIN_ID,
        "pedersen": [[hex(left), hex(right), hex(pedersen_hash(left, right))] for left, right in PAIRS],
        "public_keys": [[hex(key), hex(get_public_key(key))] for key in KEYS],
        "messages": messages,
    }
    OUT.write_text(json.dumps(vectors, indent=1) + "\n")
    print(f"wrote {OUT}")


if __name__ == "__main__":
    main()
