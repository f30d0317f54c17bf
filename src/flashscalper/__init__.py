"""FlashScalper: scalp perpetual futures on decentralised exchanges, Paradex first."""

__version__ = "0.1.0"
