"""Keys and addresses: reading them, deriving Stark keys from Ethereum keys, and telling the two apart.

Paradex reference 2.1 to 2.3. No function here prints, keeps or repeats a private key: errors show `***`.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Final

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from flashscalper.exchanges.paradex.signing.backends import Backend, default_backend
from flashscalper.exchanges.paradex.signing.curve import CURVE_ORDER
from flashscalper.exchanges.paradex.signing.pedersen import hash_chain
from flashscalper.exchanges.paradex.signing.typed_data import HEX_DIGITS, keccak256, parse_hex, short_string, starknet_keccak
from flashscalper.model.errors import ConfigError
from flashscalper.model.secrets import Secret

L1_CHAIN_IDS: Final = {"prod": 1, "testnet": 11155111}
"""Ethereum mainnet and Sepolia: the chain id inside the message that an Ethereum key signs to become a Stark key."""

_SECP256K1_ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_ADDRESS_BOUND: Final = 2**251 - 256
_GRIND_LIMIT: Final = 2**256 - 2**256 % CURVE_ORDER


class AccountClasses(msgspec.Struct, frozen=True):
    """Class hashes from /v1/system/config, as 0x text. They decide an account's address."""

    paraclear_account_hash: str
    paraclear_account_proxy_hash: str
    paraclear_evm_account_hash: str = "0x0"


TESTNET_CLASSES: Final = AccountClasses(
    paraclear_account_hash="0x41cb0280ebadaa75f996d8d92c6f265f6d040bb3ba442e5f86a554f1765244e",
    paraclear_account_proxy_hash="0x3530cc4759d78042f1b543bf797f5f3d647cde0388c33734cf91b7f7b9314a9",
    paraclear_evm_account_hash="0x073414441639dcd11d1846f287650a00c60c416b9d3ba45d31c651672125b2c2",
)
"""The testnet's values, as the SDK's own tests have them. Read the live ones from /v1/system/config."""


class DerivedAccount(msgspec.Struct, frozen=True):
    """What an Ethereum key becomes on Paradex. `private_key` is the main Stark key."""

    eth_address: str
    private_key: Secret
    public_key: str
    address: str


class KeyRole(StrEnum):
    """What a private key is to an account."""

    MAIN = "main"
    """The account's own Stark key."""
    ETHEREUM = "ethereum"
    """Not a Stark key at all: the Ethereum key from which the account's Stark key is derived."""
    EVM_OWNER = "evm_owner"
    """The Ethereum key that owns an EVM account; orders there need a registered subkey."""
    OTHER = "other"
    """None of these: a subkey if the account registered it (ask the exchange), otherwise a stranger's key."""


def parse_private_key(field: str, key: Secret) -> int:
    """A Stark private key: 0x and 1 to 64 hexadecimal digits, or 60 to 64 digits without 0x; between 1 and the order - 1.

    ConfigError names the field and what is accepted, and shows the key as ***.
    """
    value = _hex_scalar(field, key)
    if value >= CURVE_ORDER:
        raise ConfigError(
            field,
            key,
            "a Stark private key, below 0x0800...4d2f; larger ones are Ethereum keys: derive the Stark key from it",
        )
    return value


def public_key_of(key: Secret, *, field: str = "private key", backend: Backend | None = None) -> str:
    """The public key (x coordinate) as unpadded 0x text."""
    engine = backend or default_backend()
    return f"{engine.ecdsa.public_key_of(parse_private_key(field, key)):#x}"


def derive_stark_key(eth_key: Secret, l1_chain_id: int, *, field: str = "ethereum private key") -> Secret:
    """The Stark private key of an Ethereum key: r of its signature over "STARK Key", ground into the curve's order."""
    digest = _stark_key_digest(l1_chain_id)
    signature = _ethereum_key(field, eth_key).sign(digest, ec.ECDSA(Prehashed(hashes.SHA256()), deterministic_signing=True))
    r, _ = decode_dss_signature(signature)
    return Secret(f"{_grind(_minimal_bytes(r)):#x}")


def derive_account(
    eth_key: Secret, l1_chain_id: int, classes: AccountClasses, *, backend: Backend | None = None
) -> DerivedAccount:
    """Everything that follows from an Ethereum key: addresses and the main Stark key."""
    private_key = derive_stark_key(eth_key, l1_chain_id)
    public_key = public_key_of(private_key, backend=backend)
    address = account_address(public_key, classes, backend=backend)
    return DerivedAccount(eth_address_of(eth_key), private_key, public_key, address)


def account_address(public_key: str, classes: AccountClasses, *, backend: Backend | None = None) -> str:
    """Address of the proxy account that a Stark public key owns, unpadded."""
    key = parse_hex("public key", public_key)
    implementation = parse_hex("paraclear_account_hash", classes.paraclear_account_hash)
    proxy = parse_hex("paraclear_account_proxy_hash", classes.paraclear_account_proxy_hash)
    return _contract_address(key, proxy, [implementation, starknet_keccak("initialize"), 2, key, 0], backend)


def evm_account_address(eth_address: str, classes: AccountClasses, *, backend: Backend | None = None) -> str:
    """Address of the account that an Ethereum address owns directly, unpadded."""
    owner = parse_hex("ethereum address", eth_address)
    evm_class = parse_hex("paraclear_evm_account_hash", classes.paraclear_evm_account_hash)
    return _contract_address(owner, evm_class, [3, owner, 1], backend)


def eth_address_of(eth_key: Secret, *, field: str = "ethereum private key") -> str:
    """The Ethereum address of a key, with EIP-55 capitals."""
    point = _ethereum_key(field, eth_key).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    digits = keccak256(point[1:])[-20:].hex()
    marks = keccak256(digits.encode()).hex()
    return "0x" + "".join(digit.upper() if mark >= "8" else digit for digit, mark in zip(digits, marks, strict=False))


def key_role(
    key: Secret,
    account: str,
    classes: AccountClasses,
    l1_chain_id: int,
    *,
    field: str = "private key",
    backend: Backend | None = None,
) -> KeyRole:
    """What this key is to this account, found by deriving addresses; nothing is asked of the exchange."""
    wanted = parse_hex("account", account)
    value = _hex_scalar(field, key)
    if (
        value < CURVE_ORDER
        and int(account_address(public_key_of(key, backend=backend), classes, backend=backend), 16) == wanted
    ):
        return KeyRole.MAIN
    if value < _SECP256K1_ORDER:
        derived = derive_account(key, l1_chain_id, classes, backend=backend)
        if int(derived.address, 16) == wanted:
            return KeyRole.ETHEREUM
        if int(evm_account_address(derived.eth_address, classes, backend=backend), 16) == wanted:
            return KeyRole.EVM_OWNER
    return KeyRole.OTHER


def new_private_key(entropy: bytes) -> Secret:
    """A private key for a new subkey from at least 32 bytes of the operating system's entropy, handed in."""
    if len(entropy) < 32:
        raise ConfigError("entropy", f"{len(entropy)} bytes", "at least 32 bytes from the operating system")
    return Secret(f"{_grind(entropy):#x}")


def _hex_scalar(field: str, key: Secret) -> int:
    text = key.reveal().strip()
    digits = text[2:] if text[:2] in ("0x", "0X") else text
    long_enough = len(digits) >= (60 if digits is text else 1)
    if not long_enough or len(digits) > 64 or not HEX_DIGITS.issuperset(digits):
        raise ConfigError(field, key, "a private key as 0x and up to 64 hexadecimal digits")
    value = int(digits, 16)
    if value == 0:
        raise ConfigError(field, key, "a private key other than zero")
    return value


def _ethereum_key(field: str, key: Secret) -> ec.EllipticCurvePrivateKey:
    value = _hex_scalar(field, key)
    if value >= _SECP256K1_ORDER:
        raise ConfigError(field, key, "an Ethereum private key, below the order of secp256k1")
    return ec.derive_private_key(value, ec.SECP256K1())


def _stark_key_digest(l1_chain_id: int) -> bytes:
    """EIP-712 digest of Constant(string action) = "STARK Key" in Paradex's domain."""
    domain_type = keccak256(b"EIP712Domain(string name,string version,uint256 chainId)")
    domain = keccak256(domain_type + keccak256(b"Paradex") + keccak256(b"1") + l1_chain_id.to_bytes(32, "big"))
    message = keccak256(keccak256(b"Constant(string action)") + keccak256(b"STARK Key"))
    return keccak256(b"\x19\x01" + domain + message)


def _minimal_bytes(value: int) -> bytes:
    """Big-endian without leading zero bytes; zero is one byte. Padding r would give one key in 256 wrong (reference 2.2)."""
    return value.to_bytes(max(1, -(-value.bit_length() // 8)), "big")


def _grind(seed: bytes) -> int:
    """Hash seed and a counter until the digest is below the largest multiple of the order, then reduce: no bias."""
    counter = 0
    while True:
        candidate = int.from_bytes(hashlib.sha256(seed + _minimal_bytes(counter)).digest(), "big")
        if candidate < _GRIND_LIMIT and candidate % CURVE_ORDER:
            return candidate % CURVE_ORDER
        counter += 1


def _contract_address(salt: int, class_hash: int, calldata: list[int], backend: Backend | None) -> str:
    engine = (backend or default_backend()).pedersen
    parts = [short_string("STARKNET_CONTRACT_ADDRESS"), 0, salt, class_hash, hash_chain(engine, calldata)]
    return f"{hash_chain(engine, parts) % _ADDRESS_BOUND:#x}"
