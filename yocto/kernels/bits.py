"""What Numba has no words for: unaligned loads, bit counting, prefetching, 64 bytes compared at
once.

Each function here is one or a few instructions of the processor, written in LLVM's language.
"""

# mypy: ignore-errors
from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_I8, _I16, _I32, _I64 = map(ir.IntType, (8, 16, 32, 64))
_FLOAT = ir.FloatType()


@intrinsic
def address(typingctx, array):
    """Where an array's first item lies in memory. Helpers take addresses, not arrays: Numba counts
    the references to an array at each call, atomically, which takes longer than most helpers."""

    def codegen(context, builder, signature, args):
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        return builder.ptrtoint(data, _I64)

    return types.int64(array), codegen


def _pointer(builder, base, offset, pointee):
    return builder.inttoptr(builder.add(base, offset), pointee.as_pointer())


@intrinsic
def byte_at(typingctx, text, index):
    """The byte at a place of the text at an address."""

    def codegen(context, builder, signature, args):
        return builder.zext(builder.load(_pointer(builder, *args, _I8)), _I64)

    return types.int64(types.int64, types.int64), codegen


@intrinsic
def load64(typingctx, text, index):
    """The 8 bytes at a place of the text as a little-endian number; may be unaligned."""

    def codegen(context, builder, signature, args):
        word = builder.load(_pointer(builder, *args, _I64))
        word.align = 1
        return word

    return types.uint64(types.int64, types.int64), codegen


@intrinsic
def word_at(typingctx, table, index):
    """Number `index` of the uint64 numbers at an address."""

    def codegen(context, builder, signature, args):
        base = builder.inttoptr(args[0], _I64.as_pointer())
        return builder.load(builder.gep(base, [args[1]]))

    return types.uint64(types.int64, types.int64), codegen


@intrinsic
def put_word(typingctx, table, index, value):
    """Set number `index` of the uint64 numbers at an address."""

    def codegen(context, builder, signature, args):
        base = builder.inttoptr(args[0], _I64.as_pointer())
        builder.store(args[2], builder.gep(base, [args[1]]))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.uint64), codegen


@intrinsic
def put64(typingctx, text, index, value):
    """Set the 8 bytes at a place of the text at an address; may be unaligned."""

    def codegen(context, builder, signature, args):
        builder.store(args[2], _pointer(builder, args[0], args[1], _I64)).align = 1
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.uint64), codegen


@intrinsic
def int_at(typingctx, table, index):
    """Number `index` of the int32 numbers at an address."""

    def codegen(context, builder, signature, args):
        base = builder.inttoptr(args[0], _I32.as_pointer())
        return builder.sext(builder.load(builder.gep(base, [args[1]])), _I64)

    return types.int64(types.int64, types.int64), codegen


@intrinsic
def put_int(typingctx, table, index, value):
    """Set number `index` of the int32 numbers at an address."""

    def codegen(context, builder, signature, args):
        base = builder.inttoptr(args[0], _I32.as_pointer())
        builder.store(builder.trunc(args[2], _I32), builder.gep(base, [args[1]]))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), codegen


@intrinsic
def put_short(typingctx, table, index, value):
    """Set number `index` of the uint16 numbers at an address."""

    def codegen(context, builder, signature, args):
        base = builder.inttoptr(args[0], _I16.as_pointer())
        builder.store(builder.trunc(args[2], _I16), builder.gep(base, [args[1]]))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), codegen


@intrinsic
def float_at(typingctx, table, index):
    """Number `index` of the float32 numbers at an address."""

    def codegen(context, builder, signature, args):
        base = builder.inttoptr(args[0], _FLOAT.as_pointer())
        return builder.load(builder.gep(base, [args[1]]))

    return types.float32(types.int64, types.int64), codegen


@intrinsic
def put_float(typingctx, table, index, value):
    """Set number `index` of the float32 numbers at an address."""

    def codegen(context, builder, signature, args):
        base = builder.inttoptr(args[0], _FLOAT.as_pointer())
        builder.store(args[2], builder.gep(base, [args[1]]))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.float32), codegen


@intrinsic
def prefetch(typingctx, table, offset):
    """Ask for the memory at an address, so that it is near when it is needed."""

    def codegen(context, builder, signature, args):
        function = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(ir.VoidType(), [_I8.as_pointer(), _I32, _I32, _I32]),
            "llvm.prefetch.p0i8",
        )
        builder.call(function, [_pointer(builder, *args, _I8), _I32(0), _I32(3), _I32(1)])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


@intrinsic
def trailing_zeros(typingctx, word):
    """The place of the lowest bit that is set; 64 for none."""

    def codegen(context, builder, signature, args):
        return builder.cttz(args[0], ir.IntType(1)(0))

    return types.int64(types.uint64), codegen


@intrinsic
def bit_count(typingctx, word):
    """How many bits are set."""

    def codegen(context, builder, signature, args):
        return builder.ctpop(args[0])

    return types.int64(types.uint64), codegen


@intrinsic
def block_masks(typingctx, text, index):
    """64 bytes as six masks, a bit for each byte: letters, digits, white space, ' ', apostrophes,
    and bytes above ASCII."""

    def codegen(context, builder, signature, args):
        vector = ir.VectorType(_I8, 64)
        block = builder.load(_pointer(builder, *args, vector))
        block.align = 1

        def each(value):
            return ir.Constant(vector, [value] * 64)

        def within(block, first, count):
            return builder.icmp_unsigned("<", builder.sub(block, each(first)), each(count))

        def equal(value):
            return builder.icmp_unsigned("==", block, each(ord(value)))

        masks = [
            within(builder.or_(block, each(0x20)), ord("a"), 26),
            within(block, ord("0"), 10),
            builder.or_(equal(" "), within(block, 9, 5)),
            equal(" "),
            equal("'"),
            builder.icmp_signed("<", block, each(0)),
        ]
        words = [builder.bitcast(mask, _I64) for mask in masks]
        return context.make_tuple(builder, signature.return_type, words)

    return types.UniTuple(types.uint64, 6)(types.int64, types.int64), codegen


@intrinsic
def copy_bytes(typingctx, target, source, count):
    """Copy bytes from address to address; the two do not overlap."""

    def codegen(context, builder, signature, args):
        pointer = _I8.as_pointer()
        cgutils.raw_memcpy(
            builder, builder.inttoptr(args[0], pointer), builder.inttoptr(args[1], pointer),
            args[2], 1,
        )  # fmt: skip
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), codegen


TEXT = types.Array(types.uint8, 1, "C", readonly=True)  # bytes, from wherever they come
ONE, ZERO, ALL = np.uint64(1), np.uint64(0), np.uint64(0xFFFF_FFFF_FFFF_FFFF)
