"""A few rows times a matrix: what each new token asks of every weight.

torch's product of one row with a matrix moves some 11 GB of weights a second through one core, and
the memory could bring 25: its kernels are made for many rows. Here one sweep over the matrix serves
all rows, and reads it as it lies in memory.

    y[r, i] = scale[i] * sum over k of w[i, k] x[r, k]  +  bias[i]  (+ y[r, i])

A tile is a few rows of w against a few of x: each number of w that is loaded is multiplied with all
of the tile's rows of x while it is in a register, and each sum has a register of its own.

    up to 8 rows of x   tiles of 1 row of w: memory likes to be read as one stream
    more                tiles of 4 rows of w (2 where registers are few), so that rows of x, which
                        by now are the most of what is loaded, serve 4 products each; the next rows
                        of w are asked for in time

Whatever the tile, a sum is made in the same way: lane j of a vector adds up k = j, j + lanes, …,
then the lanes are added in pairs, and what is left over when the lanes don't divide k comes last.
So a row's result is the same to the last bit, whichever other rows there are.
"""

# mypy: ignore-errors
from __future__ import annotations

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from yocto.kernels.bits import float_at, put_float
from yocto.kernels.compiler import inlined, kernel, mark_cached

# With AVX-512 a processor has twice the registers, and they are twice as wide.
_LARGE = bool(binding.get_host_cpu_features().get("avx512f"))
# Numbers in a vector, by the bytes of a weight. Weights of 4 bytes come no faster in wider vectors,
# since the memory is slower than either; those of 1 byte do.
LANES = {4: 8, 1: 16 if _LARGE else 8}
TALL = 4 if _LARGE else 2  # rows of w in a tile for many rows of x
NARROW = 8  # up to so many rows of x, a tile has one row of w

_I8, _I32, _I64, _FLOAT = ir.IntType(8), ir.IntType(32), ir.IntType(64), ir.FloatType()


def _load(builder, base, offset, kind, align):
    value = builder.load(builder.inttoptr(builder.add(base, offset), kind.as_pointer()))
    value.align = align
    return value


def _sums_of_lanes(builder, vectors):
    """The sum of each vector's lanes, added in pairs: those of the upper half to those of the
    lower, again and again. As many vectors as a power of 2 are folded into each other, so that one
    addition serves several of them; each sum stays the same."""
    count, group = len(vectors), vectors[0].type.count
    if count & (count - 1):
        return [total for vector in vectors for total in _sums_of_lanes(builder, [vector])]
    while group > 1:
        pairs = list(zip(vectors[::2], vectors[1::2], strict=True)) if len(vectors) > 1 else None
        nothing = ir.Constant(vectors[0].type, ir.Undefined)
        vectors = [_fold(builder, *pair, group) for pair in pairs or [(vectors[0], nothing)]]
        if pairs is None:  # the other half is nothing
            half = ir.VectorType(_I32, vectors[0].type.count // 2)
            lower = ir.Constant(half, list(range(half.count)))
            vectors = [builder.shuffle_vector(vectors[0], vectors[0], lower)]
        group //= 2
    return [
        builder.extract_element(vector, _I32(lane))
        for vector in vectors
        for lane in range(vector.type.count)
    ]  # fmt: skip


def _fold(builder, one, other, group):
    """Two vectors as one of as many lanes: of each `group` of them, the upper half is added to the
    lower."""
    lower = [lane for lane in range(2 * one.type.count) if lane % group < group // 2]
    kind = ir.VectorType(_I32, len(lower))
    parts = [
        builder.shuffle_vector(one, other, ir.Constant(kind, [lane + more for lane in lower]))
        for more in (0, group // 2)
    ]
    return builder.fadd(*parts)


def _tile(w_rows: int, x_rows: int, size: int, ahead: bool = False):
    """A function of (w, x, k) that gives the w_rows * x_rows sums of a tile.

    w, x: addresses of the first rows, which others of k numbers follow. size: bytes of a number of
    w, 4 (float32) or 1 (int8). ahead: ask for the tile's next rows of w.
    """

    lanes = LANES[size]
    vector_of = ir.VectorType(_FLOAT, lanes)

    @intrinsic
    def tile(typingctx, w, x, k):
        def codegen(context, builder, signature, args):
            w, x, k = args
            fma = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(vector_of, [vector_of] * 3), f"llvm.fma.v{lanes}f32"
            )
            ask = cgutils.get_or_insert_function(
                builder.module,
                ir.FunctionType(ir.VoidType(), [_I8.as_pointer(), _I32, _I32, _I32]),
                "llvm.prefetch.p0i8",
            )
            w_stride, x_stride = builder.mul(k, _I64(size)), builder.mul(k, _I64(4))
            ws = [builder.add(w, builder.mul(w_stride, _I64(i))) for i in range(w_rows)]
            xs = [builder.add(x, builder.mul(x_stride, _I64(i))) for i in range(x_rows)]
            next_rows = builder.mul(w_stride, _I64(w_rows))
            zeros = ir.Constant(vector_of, [0.0] * lanes)
            vectors = [cgutils.alloca_once_value(builder, zeros) for _ in range(w_rows * x_rows)]
            whole = builder.and_(k, _I64(-lanes))
            loop = cgutils.for_range_slice(builder, _I64(0), whole, _I64(lanes), intp=_I64)
            with loop as (at, _):
                w_at, x_at = builder.mul(at, _I64(size)), builder.mul(at, _I64(4))
                from_x = [_load(builder, row, x_at, vector_of, 4) for row in xs]
                for i, row in enumerate(ws):
                    if ahead:
                        place = builder.add(row, builder.add(w_at, next_rows))
                        place = builder.inttoptr(place, _I8.as_pointer())
                        builder.call(ask, [place, _I32(0), _I32(3), _I32(1)])
                    weights = _load(builder, row, w_at, _kind(size, lanes), size)
                    if size == 1:
                        weights = builder.sext(weights, ir.VectorType(_I32, lanes))
                        weights = builder.sitofp(weights, vector_of)
                    for j, numbers in enumerate(from_x):
                        total = vectors[i * x_rows + j]
                        product = builder.call(fma, [weights, numbers, builder.load(total)])
                        builder.store(product, total)
            totals = _sums_of_lanes(builder, [builder.load(vector) for vector in vectors])
            sums = [cgutils.alloca_once_value(builder, total) for total in totals]
            rest = cgutils.for_range_slice(builder, whole, k, _I64(1), intp=_I64)
            with rest as (at, _):
                w_at, x_at = builder.mul(at, _I64(size)), builder.mul(at, _I64(4))
                for i, row in enumerate(ws):
                    weight = _load(builder, row, w_at, _kind(size), size)
                    weight = builder.sitofp(weight, _FLOAT) if size == 1 else weight
                    for j in range(x_rows):
                        total = sums[i * x_rows + j]
                        number = _load(builder, xs[j], x_at, _FLOAT, 4)
                        more = builder.fmul(weight, number)
                        builder.store(builder.fadd(builder.load(total), more), total)
            values = [builder.load(total) for total in sums]
            return context.make_tuple(builder, signature.return_type, values)

        result = types.UniTuple(types.float32, w_rows * x_rows)
        return result(types.int64, types.int64, types.int64), codegen

    return tile


def _kind(size, lanes=0):
    number = _I8 if size == 1 else _FLOAT
    return ir.VectorType(number, lanes) if lanes else number


def _product_for(size: int):
    """The product with weights of `size` bytes."""
    one, two, three, four = (_tile(1, rows, size) for rows in (1, 2, 3, 4))
    tall, tall_ahead = _tile(TALL, 4, size), _tile(TALL, 4, size, ahead=True)

    @inlined
    def store(y, index, total, scales, bias, i, onto):
        if scales != 0:
            total *= float_at(scales, i)
        if bias != 0:
            total += float_at(bias, i)
        if onto != 0:
            total += float_at(y, index)
        put_float(y, index, total)

    @inlined
    def product(w, scales, bias, x, y, n, k, rows, onto):
        w_row, x_row = k * size, k * 4
        first = 0
        if rows > NARROW:
            first = n - n % TALL
            for i in range(0, first, TALL):
                for r in range(0, rows - 3, 4):
                    if r == 0:
                        sums = tall_ahead(w + i * w_row, x, k)
                    else:
                        sums = tall(w + i * w_row, x + r * x_row, k)
                    for a in range(TALL):
                        for b in range(4):
                            at = (r + b) * n + i + a
                            store(y, at, sums[a * 4 + b], scales, bias, i + a, onto)
        for i in range(n):
            r = 0 if i >= first else rows - rows % 4
            while rows - r >= 4:
                sums = four(w + i * w_row, x + r * x_row, k)
                for b in range(4):
                    store(y, (r + b) * n + i, sums[b], scales, bias, i, onto)
                r += 4
            if rows - r == 1:
                sums = one(w + i * w_row, x + r * x_row, k)
                store(y, r * n + i, sums[0], scales, bias, i, onto)
            elif rows - r == 2:
                sums = two(w + i * w_row, x + r * x_row, k)
                for b in range(2):
                    store(y, (r + b) * n + i, sums[b], scales, bias, i, onto)
            elif rows - r == 3:
                sums = three(w + i * w_row, x + r * x_row, k)
                for b in range(3):
                    store(y, (r + b) * n + i, sums[b], scales, bias, i, onto)

    return product


product_float32, _product_int8 = _product_for(4), _product_for(1)
dot = _tile(1, 1, 4)  # of two addresses and a length: (sum,)
eight_dots = _tile(8, 1, 4)  # of 8 rows and one: 8 sums, each as `dot` gives it


def _blend(width: int):
    """A function of (shares, values, n, stride, y): y (width * 8,) = the sum of n rows of values,
    each times its share. All are addresses of float32; stride: bytes from row to row."""
    vector_of = ir.VectorType(_FLOAT, 8)

    @intrinsic
    def blend(typingctx, shares, values, n, stride, y):
        def codegen(context, builder, signature, args):
            shares, values, n, stride, y = args
            fma = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(vector_of, [vector_of] * 3), "llvm.fma.v8f32"
            )
            zeros = ir.Constant(vector_of, [0.0] * 8)
            sums = [cgutils.alloca_once_value(builder, zeros) for _ in range(width)]
            with cgutils.for_range_slice(builder, _I64(0), n, _I64(1), intp=_I64) as (at, _):
                share = _load(builder, shares, builder.mul(at, _I64(4)), _FLOAT, 4)
                share = builder.insert_element(zeros, share, _I32(0))
                lanes = ir.Constant(ir.VectorType(_I32, 8), [0] * 8)
                share = builder.shuffle_vector(share, share, lanes)
                row = builder.mul(at, stride)
                for part, total in enumerate(sums):
                    place = builder.add(row, _I64(32 * part))
                    numbers = _load(builder, values, place, vector_of, 4)
                    found = builder.call(fma, [share, numbers, builder.load(total)])
                    builder.store(found, total)
            for part, total in enumerate(sums):
                place = builder.add(y, _I64(32 * part))
                place = builder.inttoptr(place, vector_of.as_pointer())
                builder.store(builder.load(total), place).align = 4
            return context.get_dummy_value()

        return types.void(*[types.int64] * 5), codegen

    return blend


blend_8, blend_32 = _blend(1), _blend(4)


@kernel(types.void, *[types.int64] * 9)
def few_rows_float32(w, scales, bias, x, y, n, k, rows, onto):
    """y (rows, n) = x (rows, k) times w (n, k), transposed; float32, by their addresses.

    scales (n,), bias (n,): 0 where there are none. onto: whether it is added to what y holds.
    """
    product_float32(w, scales, bias, x, y, n, k, rows, onto)


@kernel(types.void, *[types.int64] * 9)
def few_rows_int8(w, scales, bias, x, y, n, k, rows, onto):
    """The same with w of int8."""
    _product_int8(w, scales, bias, x, y, n, k, rows, onto)


mark_cached("few_rows")
