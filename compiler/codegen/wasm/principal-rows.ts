/**
 * Literal ATP's principal rows (Niu, Prakash, Avestimehr 2024, arXiv 2403.02352): U_r^T X of the singular value decomposition
 * X = U S V^T, in float64, by the eigenvectors of X X^T or of X^T X, whichever is smaller.
 */
import type { PrincipalRowsKernel } from '../../kernel/kernel.ts';
import { listTokens } from './mean-rows.ts';
import { addScaledF64, dotF64, eigenSymmetric, elementF64 } from './symmetric-eigen.ts';
import { defineFunction } from './wat-builder.ts';
import type { FunctionBuilder, KernelContext } from './wat-builder.ts';
import { f32, f64, i32, select } from './wat-code.ts';
import type { Code, Local } from './wat-code.ts';

/** gram [tokens][tokens] = X X^T, for X [tokens][size]. */
const rowProducts = defineFunction(
  'principal_row_products',
  [
    ['x', 'i32'],
    ['tokens', 'i32'],
    ['size', 'i32'],
    ['gram', 'i32'],
  ],
  null,
  (f, x, tokens, size, gram) => {
    const [a, b] = [f.local('a', 'i32'), f.local('b', 'i32')];
    const rowAt = (row: Local<'i32'>): Code<'i32'> => elementF64(x, i32.mul(row, size));
    f.for(a, 0, tokens, 1, () =>
      f.for(b, 0, i32.add(a, 1), 1, () => {
        const product = f.let('product', f.call(dotF64, rowAt(a), rowAt(b), size));
        f.store(elementF64(gram, i32.add(i32.mul(a, tokens), b)), product);
        f.store(elementF64(gram, i32.add(i32.mul(b, tokens), a)), product);
      }),
    );
  },
);

/** gram [size][size] = X^T X. */
const columnProducts = defineFunction(
  'principal_column_products',
  [
    ['x', 'i32'],
    ['tokens', 'i32'],
    ['size', 'i32'],
    ['gram', 'i32'],
  ],
  null,
  (f, x, tokens, size, gram) => {
    const [token, a, b] = [f.local('token', 'i32'), f.local('a', 'i32'), f.local('b', 'i32')];
    const at = (row: Local<'i32'>, column: Local<'i32'>): Code<'i32'> => elementF64(gram, i32.add(i32.mul(row, size), column));
    f.fillMemory(gram, 0, i32.shl(i32.mul(size, size), 3));
    f.for(token, 0, tokens, 1, () => {
      const row = f.let('row', elementF64(x, i32.mul(token, size)));
      f.for(a, 0, size, 1, () => {
        const from = f.let('from', elementF64(row, a));
        f.run(addScaledF64, at(a, a), f64.load(from), from, i32.sub(size, a));
      });
    });
    f.comment('the half below the diagonal');
    f.for(a, 0, size, 1, () => f.for(b, 0, a, 1, () => f.store(at(a, b), f64.load(at(b, a)))));
  },
);

/** The index of the largest of values[count], the lowest among equals. */
const largestIndex = defineFunction(
  'principal_largest_index',
  [
    ['values', 'i32'],
    ['count', 'i32'],
  ],
  'i32',
  (f, values, count) => {
    const [index, best] = [f.local('index', 'i32'), f.local('best', 'i32')];
    f.for(index, 1, count, 1, () => {
      const better = f64.gt(f64.load(elementF64(values, index)), f64.load(elementF64(values, best)));
      f.set(best, select(better, index, best));
    });
    return best;
  },
);

/** to[i] = f32(factor * from[i]). */
const storeRow = defineFunction(
  'principal_store_row',
  [
    ['from', 'i32'],
    ['factor', 'f64'],
    ['count', 'i32'],
    ['to', 'i32'],
  ],
  null,
  (f, from, factor, count, to) => {
    const index = f.local('index', 'i32');
    f.for(index, 0, count, 1, () =>
      f.store(f.element(to, index), f32.demote_f64(f64.mul(factor, f64.load(elementF64(from, index))))),
    );
  },
);

export function renderPrincipalRows(kernel: PrincipalRowsKernel, { module, name }: KernelContext): void {
  const parameters = {
    operands: ['x', 'mask', 'rows', 'column_sums', 'bias'],
    integers: ['batches', 'keys', 'size', 'capacity'],
  };
  module.kernel(name, parameters, (f, k) => {
    const [keys, size, capacity] = [k.integer('keys'), k.integer('size'), k.integer('capacity')];
    const smaller = f.let('smaller', f.minimum(keys, size));
    const x = k.scratch;
    const gram = f.let('gram', elementF64(x, i32.mul(keys, size)));
    const basis = f.let('basis', elementF64(gram, i32.mul(smaller, smaller)));
    const values = f.let('values', elementF64(basis, i32.mul(smaller, smaller)));
    const work = f.let('work', elementF64(values, smaller));
    const row = f.let('row', elementF64(work, i32.mul(smaller, 3)));
    const totals = f.let('totals', elementF64(row, size));
    const positions = f.let('positions', elementF64(totals, size));
    const batch = f.local('batch', 'i32');
    f.for(batch, k.begin, k.end, 1, () => {
      const mask = f.element(k.operand('mask'), i32.mul(batch, keys));
      const tokens = f.let('tokens', f.call(listTokens, mask, keys, positions));
      emitMatrix(f, f.element(k.operand('x'), i32.mul(i32.mul(batch, keys), size)), { x, tokens, size, positions, totals });
      const fewTokens = f.let('few_tokens', i32.le_s(tokens, size));
      const rank = f.let('rank', f.minimum(tokens, size));
      f.if(
        fewTokens,
        () => f.run(rowProducts, x, tokens, size, gram),
        () => f.run(columnProducts, x, tokens, size, gram),
      );
      f.run(eigenSymmetric, gram, rank, values, basis, work);
      const wanted = f.let('wanted', f.minimum(f.minimum(capacity, rank), f.size(kernel.count, { tokens })));
      const first = f.let('first', i32.mul(batch, capacity));
      const smallest = f.let('smallest', f64.const(0));
      const kept = f.local('kept', 'i32');
      f.set(kept, 0);
      f.block((leave) =>
        f.while(
          () => i32.lt_s(kept, wanted),
          () => {
            const best = f.let('best', f.call(largestIndex, values, rank));
            const value = f.let('value', f64.load(elementF64(values, best)));
            f.store(elementF64(values, best), f64.const(-Infinity));
            f.comment('beyond the rank of X there are no more rows');
            const tolerance = f64.mul(f64.mul(value, Number.EPSILON), f64.convert_i32_s(f.maximum(tokens, size)));
            f.if(i32.eqz(kept), () => f.set(smallest, tolerance));
            leave(i32.eqz(f64.gt(value, smallest)));
            const vector = f.let('vector', elementF64(basis, i32.mul(best, rank)));
            const index = f.let('index', i32.add(first, kept));
            const to = f.let('to', f.element(k.operand('rows'), i32.mul(index, size)));
            const sum = f.local('sum', 'f64');
            f.if(
              fewTokens,
              () => {
                f.comment('U^T X and U^T 1');
                const token = f.local('token', 'i32');
                f.fillMemory(row, 0, i32.shl(size, 3));
                f.set(sum, 0);
                f.for(token, 0, tokens, 1, () => {
                  const weight = f.let('weight', f64.load(elementF64(vector, token)));
                  f.set(sum, f64.add(sum, weight));
                  f.run(addScaledF64, row, weight, elementF64(x, i32.mul(token, size)), size);
                });
                f.run(storeRow, row, f64.copysign(1, sum), size, to);
              },
              () => {
                f.comment('U = X V / S, hence U^T X = S V^T');
                const singular = f.let('singular', f64.sqrt(value));
                f.set(sum, f64.div(f.call(dotF64, totals, vector, size), singular));
                f.run(storeRow, vector, f64.copysign(singular, sum), size, to);
              },
            );
            f.store(f.element(k.operand('column_sums'), index), f32.demote_f64(f64.abs(sum)));
            f.store(f.element(k.operand('bias'), index), f32.const(0));
            f.increment(kept, 1);
          },
        ),
      );
      f.for(kept, kept, capacity, 1, () => {
        const index = f.let('unused', i32.add(first, kept));
        f.fillMemory(f.element(k.operand('rows'), i32.mul(index, size)), 0, i32.shl(size, 2));
        f.store(f.element(k.operand('column_sums'), index), f32.const(0));
        f.store(f.element(k.operand('bias'), index), f32.const(-Infinity));
      });
    });
  });
}

/** x [tokens][size] in float64 from the listed rows, and the sums of its columns. */
function emitMatrix(
  f: FunctionBuilder,
  from: Code<'i32'>,
  to: { readonly [K in 'x' | 'tokens' | 'size' | 'positions' | 'totals']: Local<'i32'> },
): void {
  const { x, tokens, size, positions, totals } = to;
  const [token, column] = [f.local('token', 'i32'), f.local('column', 'i32')];
  const source = f.let('source', from);
  f.fillMemory(totals, 0, i32.shl(size, 3));
  f.for(token, 0, tokens, 1, () => {
    const rowFrom = f.let('row_from', f.element(source, i32.mul(i32.load(f.element(positions, token)), size)));
    const rowTo = f.let('row_to', elementF64(x, i32.mul(token, size)));
    f.for(column, 0, size, 1, () => f.store(elementF64(rowTo, column), f64.promote_f32(f32.load(f.element(rowFrom, column)))));
    f.run(addScaledF64, totals, f64.const(1), rowTo, size);
  });
}
