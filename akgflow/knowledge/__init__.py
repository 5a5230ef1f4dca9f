"""What verified kernels teach: a store that only judged kernels enter, and what of it helps with an operator."""

from akgflow.knowledge.entry import Entry, Lesson, Outline, Surface, model_text, operator_id, why_not
from akgflow.knowledge.retrieval import Found, HeardLesson, Query, examples, lessons, seeds
from akgflow.knowledge.shipped import Shipped
from akgflow.knowledge.similarity import FLOOR, likeness, structure
from akgflow.knowledge.store import KnowledgeError, Store, Stores, from_lines, store_path, to_lines

__all__ = [
    "FLOOR",
    "Entry",
    "Found",
    "HeardLesson",
    "KnowledgeError",
    "Lesson",
    "Outline",
    "Query",
    "Shipped",
    "Store",
    "Stores",
    "Surface",
    "examples",
    "from_lines",
    "lessons",
    "likeness",
    "model_text",
    "operator_id",
    "seeds",
    "store_path",
    "structure",
    "to_lines",
    "why_not",
]
