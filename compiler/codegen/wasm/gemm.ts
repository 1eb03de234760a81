/**
 * gemm over packed panels: result[M, N] = epilogue(left[M, K] x right[N, K]^T).
 *
 * A tile of rows x columns sums stays in vector registers while k runs over K; each step loads one row of each panel and splats
 * one element of every left row (the table `tiles` below). The loop over k is not unrolled: at 512 x 1536 x 384 under Node 20
 * one, two, four and eight steps a round gave 39, 33, 30 and 27 GFLOP/s on a core whose peak of separate multiplies and adds
 * is 42.
 *
 * Around it are the loops of Goto and van de Geijn (2008, doi 10.1145/1356052.1356053): a group of left rows that fits into the
 * second-level cache (schedule.leftBytes) meets the panels of one column tile; a panel (K * panelWidth * 4 bytes, 12 KiB for
 * K = 384) stays in the first-level cache over the rows of the group. K is not cut.
 *
 * Each sum is one chain over k in order, whatever the shape of its tile: a row does not depend on its neighbours, nor on how
 * the items are split. So an item may be any rectangle (schedule.rowTile x columnTile), and tiles are laid over the rows of all
 * items at hand. Column tiles are what several lanes share where rows are few.
 */
import type { Size } from '../../../ir/size.ts';
import type { EpilogueStep, GemmKernel, PanelSchedule } from '../../kernel/kernel.ts';
import { scalarFunctions, vectorFunctions } from './elementwise.ts';
import { defineFunction } from './wat-builder.ts';
import type { FunctionBuilder, InternalFunction, KernelContext } from './wat-builder.ts';
import { f32, f32x4, i32, select, v128 } from './wat-code.ts';
import type { Code, Local } from './wat-code.ts';

type WithEpilogue = Pick<GemmKernel, 'epilogue'>;
/** The place of a vector, or of an element, in an operand of the epilogue. */
export interface EpilogueOperand {
  readonly step: 'bias' | 'residual';
  readonly address: Code<'i32'>;
}

function readsMemory(step: EpilogueStep): step is Extract<EpilogueStep, { step: 'bias' | 'residual' }> {
  return step.step !== 'activation';
}
/** Names of the operands and integers of the epilogue: bias, residual, residual_1, ... in order of the steps. */
export function epilogueNames({
  epilogue,
}: WithEpilogue): readonly { readonly step: 'bias' | 'residual'; readonly name: string }[] {
  return epilogue.filter(readsMemory).map(({ step }, position) => ({ step, name: `${step}_${position}` }));
}

export const gemmSchedule: PanelSchedule = { rowTile: 12, columnTile: 64, panelWidth: 8, leftBytes: 256 * 1024 };

interface TileShape {
  readonly rows: number;
  /** Neighbouring panels. */
  readonly panels: number;
}
/**
 * Shapes of tiles, most rows first; a rest of rows is made up of the later ones, down to one row. All have at least eight
 * vectors of sums, as many as multiply-adds are under way at a time (two a cycle, each ready after four): a row over one
 * panel alone has two, and ran at a quarter of the speed. Sums, a row of the panels and a multiplier fill the sixteen registers
 * of x86; with a multiply-add in one instruction no register holds the product, and six rows fit.
 */
const tiles: { readonly [Build in 'plain' | 'relaxed']: readonly TileShape[] } = {
  plain: [
    { rows: 4, panels: 1 },
    { rows: 2, panels: 2 },
    { rows: 1, panels: 4 },
  ],
  relaxed: [
    { rows: 6, panels: 1 },
    { rows: 4, panels: 1 },
    { rows: 2, panels: 2 },
    { rows: 1, panels: 4 },
  ],
};
const mostTileSums = Math.max(...Object.values(tiles).flatMap((shapes) => shapes.map(({ rows, panels }) => rows * panels)));

const tileParameters = [
  ['left', 'i32'],
  ['left_bytes', 'i32'],
  ['panel', 'i32'],
  ['panel_bytes', 'i32'],
  ['count', 'i32'],
  ['result', 'i32'],
] as const;
type TileFunction = InternalFunction<typeof tileParameters, null>;
type TileEpilogue = InternalFunction<readonly (readonly [string, 'i32'])[], null>;
/** By name, since all gemm kernels of a module share them. */
const tileFunctions = new Map<string, TileFunction>();
/**
 * The function of one tile: result[rows][panels * panelWidth] = sums over `count` (K). Strides in bytes, from row to row of the
 * left side and from panel to panel; where the latter is 0, one panel is computed several times over.
 */
function tileFunction({ rows, panels }: TileShape, panelWidth: number): TileFunction {
  const name = `gemm_tile_${rows}_x_${panels}_x_${panelWidth}`;
  const panelRowBytes = panelWidth * 4;
  const known = tileFunctions.get(name);
  if (known) return known;
  const vectors = Array.from({ length: panelWidth / 4 }, (_, v) => v);
  const made = defineFunction(name, tileParameters, null, (f, left, leftBytes, panel, panelBytes, count, result) => {
    const last = f.let('last', i32.add(panel, i32.mul(count, panelRowBytes)));
    const row = Array.from({ length: rows }, (_, r) => f.let(`row_${r}`, i32.add(left, i32.mul(leftBytes, r))));
    const right = Array.from({ length: panels }, (_panel, p) => ({
      address: p === 0 ? panel : f.let(`panel_${p}`, i32.add(panel, i32.mul(panelBytes, p))),
      loaded: vectors.map((v) => f.local(`right_${p}_${v}`, 'v128')),
    }));
    const sums = row.map((_, r) => right.map((_panel, p) => vectors.map((v) => f.local(`sum_${r}_${p}_${v}`, 'v128'))));
    const multiplier = f.local('multiplier', 'v128');
    f.while(
      () => i32.ne(panel, last),
      () => {
        for (const { address, loaded } of right) loaded.forEach((local, v) => f.set(local, v128.load(address, v * 16)));
        const rightVectors = right.flatMap(({ loaded }) => loaded);
        row.forEach((address, r) => {
          f.set(multiplier, v128.load32_splat(address));
          sums[r]?.flat().forEach((sum, v) => f.set(sum, f32x4.multiplyAdd(multiplier, rightVectors[v] as Local<'v128'>, sum)));
          f.increment(address, 4);
        });
        for (const { address } of right) f.increment(address, panelRowBytes);
      },
    );
    sums.flat(2).forEach((sum, v) => f.store(result, sum, v * 16));
  });
  tileFunctions.set(name, made);
  return made;
}

/** The steps on one vector (or, as scalars, on one element), in place. */
export function emitEpilogue(
  f: FunctionBuilder,
  kernel: WithEpilogue,
  operands: readonly EpilogueOperand[],
  value: Local<'v128'> | Local<'f32'>,
): void {
  let next = 0;
  for (const step of kernel.epilogue) {
    if (step.step === 'activation') {
      if (value.type === 'v128') f.set(value, vectorFunctions[step.op](f, [value]));
      else f.set(value, scalarFunctions[step.op](f, [value], f32Types) as Code<'f32'>);
      continue;
    }
    const operand = operands[next++];
    if (operand === undefined) throw new RangeError('The epilogue has more operands than were declared.');
    f.comment(`+ ${step.step}`);
    if (value.type === 'v128') f.set(value, f32x4.add(value, v128.load(operand.address)));
    else f.set(value, f32.add(value, f32.load(operand.address)));
  }
}
const f32Types = { operand: 'f32', result: 'f32' } as const;

/**
 * The function that takes a tile of sums to its place: parameters are sums, sums_bytes (from row to row), rows, columns, result,
 * result_bytes, then address and row bytes of each epilogue operand.
 */
function epilogueFunction(kernel: GemmKernel, kernelName: string): TileEpilogue {
  const names = epilogueNames(kernel);
  const parameters: (readonly [string, 'i32'])[] = [
    ...['sums', 'sums_bytes', 'rows', 'columns', 'result', 'result_bytes'].map((name) => [name, 'i32'] as const),
    ...names.flatMap(({ name }) => [[name, 'i32'] as const, [`${name}_bytes`, 'i32'] as const]),
  ];
  const emit = (f: FunctionBuilder): void => {
    const locals = parameters.map(([name, type]) => f.parameter(name, type));
    const [sums, sumsBytes, rows, columns, result, resultBytes] = locals as [
      Local<'i32'>, Local<'i32'>, Local<'i32'>, Local<'i32'>, Local<'i32'>, Local<'i32'>,
    ]; // prettier-ignore
    const operands = names.map(({ step }, position) => {
      const [address, bytes] = locals.slice(6 + 2 * position) as [Local<'i32'>, Local<'i32'>];
      return { step, address, bytes };
    });
    const [row, at] = [f.local('row', 'i32'), f.local('at', 'i32')];
    const end = f.let('end', i32.shl(columns, 2));
    const apply = (value: Local<'v128'> | Local<'f32'>): void => {
      emitEpilogue(
        f,
        kernel,
        operands.map(({ step, address }) => ({ step, address: i32.add(address, at) })),
        value,
      );
      f.store(i32.add(result, at), value);
    };
    f.for(row, 0, rows, 1, () => {
      f.for(at, 0, i32.and(end, -16), 16, () => apply(f.let('vector', v128.load(i32.add(sums, at)))));
      f.for(at, at, end, 4, () => apply(f.let('element', f32.load(i32.add(sums, at)))));
      f.increment(sums, sumsBytes);
      f.increment(result, resultBytes);
      for (const { step, address, bytes } of operands) if (step === 'residual') f.increment(address, bytes);
    });
  };
  return { name: `${kernelName}_epilogue`, parameters, result: null, emit };
}

function panelsOf({ schedule }: GemmKernel): PanelSchedule {
  if ('panelWidth' in schedule) return schedule;
  throw new TypeError(`A gemm in WebAssembly goes over panels; its schedule is ${JSON.stringify(schedule)}.`);
}

export function renderGemm(kernel: GemmKernel, { module, name, exported }: KernelContext): void {
  const { rowTile, columnTile, panelWidth, leftBytes: mostLeftBytes } = panelsOf(kernel);
  const panelBytes = panelWidth * 4;
  const epilogue = epilogueNames(kernel);
  const residuals = epilogue.filter(({ step }) => step === 'residual');
  const shapes = tiles[module.relaxedSimd ? 'relaxed' : 'plain'].map((shape) => ({
    ...shape,
    tile: tileFunction(shape, panelWidth),
  }));
  const applyEpilogue = epilogueFunction(kernel, name);
  const parameters = {
    exported,
    operands: ['left', 'right', ...epilogue.map((operand) => operand.name), 'result'],
    integers: ['M', 'N', 'K', 'left_stride', 'result_stride', ...residuals.map((operand) => `${operand.name}_stride`)],
  };
  module.kernel(name, parameters, (f, { begin, end, scratch, operand, integer }) => {
    const [M, N, K] = [integer('M'), integer('N'), integer('K')];
    const leftBytes = f.let('left_bytes', i32.shl(integer('left_stride'), 2));
    const resultBytes = f.let('result_bytes', i32.shl(integer('result_stride'), 2));
    const rowBytes = epilogue.map(({ step, name: operandName }) =>
      step === 'bias' ? i32.const(0) : f.let(`${operandName}_bytes`, i32.shl(integer(`${operandName}_stride`), 2)),
    );
    const panelOf = f.let('panel_bytes', i32.mul(K, panelBytes));
    const rowTiles = f.let('row_tiles', i32.div_u(i32.add(M, rowTile - 1), rowTile));
    const fittingTiles = i32.div_u(i32.const(Math.floor(mostLeftBytes / (rowTile * 4))), K);
    const groupRows = f.let('group_rows', i32.mul(f.maximum(1, fittingTiles), rowTile));
    const [group, span, spanEnd] = [f.local('group', 'i32'), f.local('span', 'i32'), f.local('span_end', 'i32')];
    const [row, rows, panel] = [f.local('row', 'i32'), f.local('rows', 'i32'), f.local('panel', 'i32')];
    const [column, columns, step] = [f.local('column', 'i32'), f.local('columns', 'i32'), f.local('step', 'i32')];
    const panelApart = f.local('panel_apart', 'i32');

    /** The value of the shape at hand, which is the first one that a condition holds for, or the last. */
    const ofShape = (holds: (shape: TileShape) => Code<'i32'>, value: (shape: TileShape) => number): Code<'i32'> =>
      shapes
        .slice(0, -1)
        .reduceRight<Code<'i32'>>(
          (others, shape) => select(holds(shape), i32.const(value(shape)), others),
          i32.const(value(shapes.at(-1) as TileShape)),
        );
    /** Calls the function of the tile of `rows` rows. */
    const callTile = ([first, ...others]: typeof shapes): void => {
      if (first === undefined) return;
      const left = i32.add(operand('left'), i32.mul(row, leftBytes));
      const call = (): void => f.run(first.tile, left, leftBytes, panel, panelApart, K, scratch);
      if (others.length === 0) call();
      else f.if(i32.eq(rows, first.rows), call, () => callTile(others));
    };
    /** The place of (row, column) in a matrix with rows of `bytes` bytes. */
    const at = (base: Code<'i32'>, bytes: Code<'i32'>): Code<'i32'> =>
      f.element(bytes.constant === 0 ? base : i32.add(base, i32.mul(row, bytes)), column);

    const item = f.let('item', begin);
    f.while(
      () => i32.lt_s(item, end),
      () => {
        f.comment('the items at hand that share a column tile');
        const rowItem = f.let('row_item', i32.rem_u(item, rowTiles));
        const count = f.let('count', f.minimum(i32.sub(rowTiles, rowItem), i32.sub(end, item)));
        const firstColumn = f.let('first_column', i32.mul(i32.div_u(item, rowTiles), columnTile));
        const lastColumn = f.let('last_column', f.minimum(N, i32.add(firstColumn, columnTile)));
        const lastRow = f.let('last_row', f.minimum(M, i32.mul(i32.add(rowItem, count), rowTile)));
        f.for(group, i32.mul(rowItem, rowTile), lastRow, groupRows, () => {
          const groupEnd = f.let('group_end', f.minimum(lastRow, i32.add(group, groupRows)));
          f.set(span, group);
          f.while(
            () => i32.lt_s(span, groupEnd),
            () => {
              f.comment('as many rows as make up tiles of one shape');
              const rest = f.let('rest', i32.sub(groupEnd, span));
              f.set(
                rows,
                ofShape(
                  (shape) => i32.ge_s(rest, shape.rows),
                  (shape) => shape.rows,
                ),
              );
              const width = f.let(
                'width',
                ofShape(
                  (shape) => i32.eq(rows, shape.rows),
                  ({ panels }) => panels * panelWidth,
                ),
              );
              f.set(spanEnd, i32.add(span, i32.mul(i32.div_u(rest, rows), rows)));
              f.set(panel, i32.add(operand('right'), i32.shl(i32.mul(firstColumn, K), 2)));
              f.for(column, firstColumn, lastColumn, step, () => {
                f.set(columns, i32.sub(lastColumn, column));
                const fits = f.let('fits', i32.ge_s(columns, width));
                f.set(step, select(fits, width, i32.const(panelWidth)));
                f.set(panelApart, select(fits, panelOf, i32.const(0)));
                f.set(columns, f.minimum(columns, step));
                f.for(row, span, spanEnd, rows, () => {
                  callTile(shapes);
                  const operands = epilogue.flatMap(({ name: operandName }, position) => {
                    const bytes = rowBytes[position] as Code<'i32'>;
                    return [at(operand(operandName), bytes), bytes];
                  });
                  const sums = [scratch, i32.shl(width, 2), rows, columns];
                  f.run(applyEpilogue, ...sums, at(operand('result'), resultBytes), resultBytes, ...operands);
                });
                f.increment(panel, i32.shl(i32.mul(step, K), 2));
              });
              f.set(span, spanEnd);
            },
          );
        });
        f.increment(item, count);
      },
    );
  });
}

/** The sums of one tile; the same in every build. */
export function gemmScratch(kernel: GemmKernel): Size {
  return mostTileSums * panelsOf(kernel).panelWidth * 4;
}
