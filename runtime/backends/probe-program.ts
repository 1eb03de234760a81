import { evaluateExpression } from '../format/expression.ts';
import {
  dispatchSteps,
  pastDim,
  type DispatchStep,
  type EntryPointName,
  type Program,
  type ProgramBuffer,
} from '../format/program.ts';
import type { Dims } from '../inputs.ts';

/** A few dispatches of a program, to be timed on memory that is all zero. */
export interface Probe {
  readonly program: Program;
  readonly entry: EntryPointName;
  /** Without the number of rounds, the dim `rounds`. */
  readonly dims: Dims;
  /** What is timed, for people. */
  readonly what: string;
}
export const roundsDim = 'rounds';
const mostRounds = 4096;

// A text of usual length, and a conversation that has got going.
const [sampleTokens, samplePast] = [128, 512];

/**
 * The largest product with weights and the last attention of a forward pass, or of one decoded token, as a program of their own with
 * just the memory that they touch.
 */
export function probeOf(program: Program): Probe {
  const entry: EntryPointName = program.entryPoints.forward ? 'forward' : 'decode';
  const dims = Object.fromEntries(
    program.dims.map(({ name, min, max }) => {
      const sample = name === pastDim ? samplePast : name === 'batch' ? 1 : sampleTokens;
      return [name, Math.max(min, Math.min(max, sample))] as const;
    }),
  );
  const steps = stepsToTime(program, entry, dims);
  const touched = new Set(steps.flatMap(({ operands }) => operands.map(({ buffer }) => buffer)));
  const touchedSlots = new Set([...touched].map((buffer) => program.buffers[buffer]?.slot));
  let weightBytes = 0;
  const buffers = program.buffers.map((buffer, index): ProgramBuffer => {
    if (buffer.class !== 'weights') return buffer;
    if (!touched.has(index)) return { ...buffer, offset: 0, bytes: 0 };
    const offset = weightBytes;
    weightBytes += Math.ceil(Number(buffer.bytes) / 256) * 256;
    return { ...buffer, offset };
  });
  const slots = program.slots?.map((slot, index) =>
    touchedSlots.has(index) || slot.class === 'scratch' ? slot : { ...slot, bytes: 0 },
  );
  const sizes = Object.entries(dims).map(([name, value]) => `${name} ${value}`);
  return {
    entry,
    dims,
    what: `${steps.map(({ label }) => label).join(' and ')} at ${sizes.join(', ')}`,
    program: {
      ...program,
      dims: [
        ...Object.entries(dims).map(([name, value]) => ({ name, min: value, max: value })),
        { name: roundsDim, min: 1, max: mostRounds },
      ],
      buffers,
      ...(slots ? { slots } : {}),
      arenas: { ...program.arenas, weights: weightBytes },
      weights: [],
      entryPoints: {
        [entry]: { inputs: [], outputs: [], steps: [{ kind: 'repeat', variable: 'round', count: roundsDim, steps }] },
      },
    },
  };
}

function stepsToTime(program: Program, entry: EntryPointName, dims: Dims): readonly DispatchStep[] {
  // Sizes inside a repetition may depend on its variable.
  const steps = dispatchSteps((program.entryPoints[entry]?.steps ?? []).filter(({ kind }) => kind === 'dispatch')).filter(
    ({ when }) => !when || evaluateExpression(when.less[0], dims) < evaluateExpression(when.less[1], dims),
  );
  const weightBytes = (step: DispatchStep): number =>
    Math.max(
      0,
      ...step.operands.map(({ buffer }) => {
        const { class: type, bytes } = program.buffers[buffer] as ProgramBuffer;
        return type === 'weights' ? Number(bytes) : 0;
      }),
    );
  const largest = (candidates: readonly DispatchStep[]): readonly DispatchStep[] =>
    [...candidates].sort((a, b) => weightBytes(b) - weightBytes(a)).slice(0, 1);
  const products = steps.filter(({ kernel }) => kernel.startsWith('gemm'));
  const attention = steps.filter(({ kernel }) => kernel.startsWith('attention')).slice(-1);
  return [...largest(products.length > 0 ? products : steps), ...attention];
}
