"""Functions compiled to machine code: the one door to numba, which has no types of its own."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from core.compiled_cache import own_folder

_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")
_njit: Any = numba.njit
_intrinsic: Any = intrinsic
_config: Any = numba.config

if not _config.CACHE_DIR and (_folder := own_folder()):
    _config.CACHE_DIR = str(_folder)


def compiled(function: Callable[_Given, _Result]) -> Callable[_Given, _Result]:
    """The same function as machine code, kept on disk if it can be; it holds no interpreter lock.

    It may not make arrays: that is what lets it do without counting references to them. It is
    inlined where another one calls it, because an array is handed over as seven arguments.
    """
    made: Callable[_Given, _Result] = _njit(
        cache=bool(_config.CACHE_DIR), nogil=True, forceinline=True, _nrt=False, error_model="numpy"
    )(function)
    return made


def _load_eight(typing_context: Any, array: Any, at: Any) -> Any:
    def make(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        word = context.get_value_type(types.uint64)
        data = context.make_array(array)(context, builder, given[0]).data
        pointer = builder.bitcast(builder.gep(data, [given[1]]), word.as_pointer())
        return builder.load(pointer, align=1)

    return types.uint64(array, types.int64), make


def _matches(typing_context: Any, array: Any, at: Any, byte: Any) -> Any:
    def make(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        bytes_64 = ir.VectorType(ir.IntType(8), 64)
        data = context.make_array(array)(context, builder, given[0]).data
        pointer = builder.bitcast(builder.gep(data, [given[1]]), bytes_64.as_pointer())
        wanted = ir.Constant(bytes_64, [byte.literal_value] * 64)
        hits = builder.icmp_unsigned("==", builder.load(pointer, align=1), wanted)
        return builder.bitcast(hits, ir.IntType(64))

    return types.uint64(array, types.int64, byte), make


def _lowest_bit(typing_context: Any, word: Any) -> Any:
    def make(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return builder.cttz(given[0], context.get_constant(types.boolean, 0))

    return types.int64(types.uint64), make


load_eight: Callable[[NDArray[np.uint8], int], np.uint64] = _intrinsic(_load_eight)
"""Eight bytes of a uint8 array from an index on, the first one lowest; no bound is checked."""
matches: Callable[[NDArray[np.uint8], int, int], np.uint64] = _intrinsic(prefer_literal=True)(
    _matches
)
"""A bit for each of the 64 bytes from an index on: is it this constant? No bound is checked."""
lowest_bit: Callable[[np.uint64], int] = _intrinsic(_lowest_bit)
"""The index, 0 to 63, of the lowest bit of a word that is not zero; 64 if all are."""
