import type { MapKernel, MapsKernel } from '../../kernel/kernel.ts';
import { NestEmitter, integerNames, operandNames } from './loop-nest.ts';
import type { LoopNest, NestParameters } from './loop-nest.ts';
import type { FunctionBuilder, KernelContext } from './wat-builder.ts';
import { i32 } from './wat-code.ts';
import type { Code } from './wat-code.ts';

const nestOf = ({ rank, operands, reduction }: MapKernel): LoopNest => ({ rank, operands, reduces: reduction !== null });
const allIntegers = (kernel: MapKernel): readonly string[] => [
  ...integerNames(nestOf(kernel)),
  ...Array.from({ length: kernel.rank }, (_, axis) => `result_stride_${axis}`),
];

/** A loop nest: every item is one row, reduced over r in order where there is a reduction. */
export function renderMap(kernel: MapKernel, { module, name }: KernelContext): void {
  const parameters = { operands: [...operandNames(nestOf(kernel)), 'result'], integers: allIntegers(kernel) };
  module.kernel(name, parameters, (f, kernelParameters) => emitRows(f, kernel, kernelParameters));
}

/** Several nests: of the items of the kernel each takes those that are its own. */
export function renderMaps({ parts }: MapsKernel, { module, name }: KernelContext): void {
  const prefixed = (names: readonly string[], part: number): readonly string[] => names.map((own) => `part_${part}_${own}`);
  const parameters = {
    operands: [
      ...parts.flatMap((part, index) => prefixed(operandNames(nestOf(part)), index)),
      ...parts.flatMap((_, index) => prefixed(['result'], index)),
    ],
    integers: parts.flatMap((part, index) => prefixed(allIntegers(part), index)),
  };
  module.kernel(name, parameters, (f, { begin, end, operand, integer }) => {
    let first: Code<'i32'> = i32.const(0);
    parts.forEach((part, index) => {
      const own: Pick<NestParameters, 'operand' | 'integer'> = {
        operand: (wanted) => operand(`part_${index}_${wanted}`),
        integer: (wanted) => integer(`part_${index}_${wanted}`),
      };
      let items: Code<'i32'> = i32.const(1);
      for (let axis = 0; axis + 1 < part.rank; axis += 1) items = i32.mul(items, own.integer(`extent_${axis}`));
      const next = f.let(`part_${index}_end`, i32.add(first, items));
      f.comment(`Part ${index}.`);
      const bounds = {
        begin: f.let('part_from', f.maximum(i32.sub(begin, first), 0)),
        end: f.let('part_to', i32.sub(f.minimum(end, next), first)),
      };
      emitRows(f, part, { ...own, ...bounds });
      first = next;
    });
  });
}

function emitRows(f: FunctionBuilder, kernel: MapKernel, parameters: NestParameters): void {
  const { reduction, body, epilogue, result } = kernel;
  const emitter = new NestEmitter(f, nestOf(kernel), parameters);
  const walker = emitter.walker('result', result.lastStride);
  emitter.overItems(() => {
    emitter.setBase(walker, 'result');
    emitter.emitRow(body, result, walker, reduction === null ? null : { kind: reduction, epilogue });
  });
}
