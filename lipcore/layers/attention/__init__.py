"""Attention layers."""

from .cosine import CosineAttention
from .dot_product import ScaledDotProductAttention
from .l2 import L2Attention
from .multi_head import MultiHeadAttention
from .options import QKNorm, Rotary

__all__ = ["CosineAttention", "L2Attention", "MultiHeadAttention", "QKNorm", "Rotary", "ScaledDotProductAttention"]
