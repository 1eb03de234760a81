import type { MapKernel, MapsKernel, Scalar } from '../../kernel/kernel.ts';
import { indented, type NativeKernel } from './kernel-text.ts';
import {
  elementName,
  ExpressionWriter,
  indicesOfItem,
  integerNames,
  operandDeclarations,
  rowStart,
  rowStarts,
  storeAlong,
  vectorType,
  type LoopNest,
} from './loop-nest.ts';

/** A loop nest around an expression, with a reduction or without one. */
export function renderMap(kernel: MapKernel): NativeKernel {
  const { rank, operands, reduction, body, epilogue, result } = kernel;
  const nest: LoopNest = { rank, operands, reduces: reduction !== null };
  const writer = new ExpressionWriter(nest);
  const last = `extent_${rank - 1}`;
  const type = elementName(result.elementType);
  const store = (value: string): string => storeAlong('result', result.elementType, result.lastStride, rank - 1, value);
  const perRow = [
    ...indicesOfItem(nest),
    ...rowStarts(nest),
    `${type} *const result_row = ${rowStart(nest, 'result')};`,
    ...writer.hoist(body),
    ...(epilogue === null ? [] : writer.hoist(epilogue)),
  ];
  const lines = reduction === null ? plain(writer, body, store) : reduced(writer, kernel, store);
  return {
    operands: [...operandDeclarations(nest), `${type} *result`],
    integers: [...integerNames(nest), ...Array.from({ length: rank }, (_, axis) => `result_stride_${axis}`)],
    body: [
      'for (i64 item = begin; item < end; item++) {',
      indented(perRow.join('\n')),
      `  for (i64 at = 0; at < ${last}; at += LANES) {`,
      `    const i64 count = ${last} - at;`,
      indented(lines.join('\n'), 2),
      '  }',
      '}',
    ].join('\n'),
  };
}

/**
 * Several nests: of the items of the kernel each takes those that are its own. Within its block a part has the names that it would have
 * as a kernel of its own.
 */
export function renderMaps({ parts }: MapsKernel): NativeKernel {
  const nameOf = (declaration: string): string => /\w+$/.exec(declaration)?.[0] ?? declaration;
  const rendered = parts.map((part, index) => {
    const { operands, integers, body } = renderMap(part);
    const prefixed = (declaration: string): string => declaration.replace(/\w+$/, (name) => `part_${index}_${name}`);
    const extents = Array.from({ length: part.rank - 1 }, (_, axis) => `extent_${axis}`);
    const lines = [
      ...operands.map((declaration) => `${declaration.replace(/(\w+)$/, 'const $1')} = ${nameOf(prefixed(declaration))};`),
      ...integers.map((name) => `const i64 ${name} = ${prefixed(name)};`),
      `const i64 items = ${['1', ...extents].join(' * ')};`,
      'const i64 part_begin = maximum(begin - first, 0);',
      'const i64 part_end = minimum(end - first, items);',
      '{',
      '  const i64 begin = part_begin;',
      '  const i64 end = part_end;',
      indented(body),
      '}',
      'first += items;',
    ];
    return { operands: operands.map(prefixed), integers: integers.map(prefixed), lines };
  });
  return {
    operands: [
      ...rendered.flatMap(({ operands }) => operands.slice(0, -1)),
      ...rendered.flatMap(({ operands }) => operands.slice(-1)),
    ],
    integers: rendered.flatMap(({ integers }) => integers),
    body: ['i64 first = 0;', ...rendered.flatMap(({ lines }) => ['{', indented(lines.join('\n')), '}'])].join('\n'),
  };
}

function plain(writer: ExpressionWriter, body: Scalar, store: (value: string) => string): readonly string[] {
  const { lines, value } = writer.write(body, { inReduction: false, reduced: null });
  return [...lines, store(value)];
}

const starts = { sum: { f32: 'splat(0.0f)', i32: 'splat_i(0)' }, max: { f32: 'splat(-INFINITY)', i32: 'splat_i(INT32_MIN)' } };
function reduced(
  writer: ExpressionWriter,
  { reduction, body, epilogue }: MapKernel,
  store: (value: string) => string,
): readonly string[] {
  const kind = reduction ?? 'sum';
  const { type } = body;
  const start = kind === 'max' && type === 'bool' ? 'splat_i(0)' : starts[kind][type === 'f32' ? 'f32' : 'i32'];
  const inside = writer.write(body, { inReduction: true, reduced: null });
  const larger = type === 'f32' ? 'maximum_f' : 'maximum_i';
  const combined = kind === 'sum' ? `total + ${inside.value}` : `${larger}(total, ${inside.value})`;
  const after = epilogue && writer.write(epilogue, { inReduction: false, reduced: 'total' });
  return [
    `${vectorType(type)} total = ${start};`,
    'for (i64 r = 0; r < extent_r; r++) {',
    indented([...inside.lines, `total = ${combined};`].join('\n')),
    '}',
    ...(after ? after.lines : []),
    store(after ? after.value : 'total'),
  ];
}
