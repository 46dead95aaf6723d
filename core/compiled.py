"""Functions compiled to machine code: the one door to numba, which has no types of its own."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import numba
import numpy as np
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")
_njit: Any = numba.njit
_intrinsic: Any = intrinsic


def compiled(function: Callable[_Given, _Result]) -> Callable[_Given, _Result]:
    """The same function as machine code, kept on disk; it runs without holding the interpreter.

    It may not make arrays: that is what lets it do without counting references to them.
    """
    made: Callable[_Given, _Result] = _njit(
        cache=True, nogil=True, _nrt=False, error_model="numpy"
    )(function)
    return made


def _load_eight(typing_context: Any, array: Any, at: Any) -> Any:
    def make(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        word = context.get_value_type(types.uint64)
        data = context.make_array(array)(context, builder, given[0]).data
        pointer = builder.bitcast(builder.gep(data, [given[1]]), word.as_pointer())
        return builder.load(pointer, align=1)

    return types.uint64(array, types.int64), make


def _first_byte(typing_context: Any, word: Any) -> Any:
    def make(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        zeros = builder.cttz(given[0], context.get_constant(types.boolean, 0))
        return builder.lshr(zeros, context.get_constant(types.uint64, 3))

    return types.int64(types.uint64), make


load_eight: Callable[[NDArray[np.uint8], int], np.uint64] = _intrinsic(_load_eight)
"""Eight bytes of a uint8 array from an index on, the first one lowest; no bound is checked."""
first_byte: Callable[[np.uint64], int] = _intrinsic(_first_byte)
"""The index, 0 to 7, of the lowest byte of a word that is not zero; 8 if all are."""
