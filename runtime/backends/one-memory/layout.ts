import { AtpcError } from '../../errors.ts';
import { evaluateExpression, type SizeExpression } from '../../format/expression.ts';
import type { ManifestTarget } from '../../format/manifest.ts';
import { hasState, type BufferClass, type Program } from '../../format/program.ts';
import type { Dims } from '../../inputs.ts';

/** The most that a memory can hold. */
export interface MemoryLimit {
  readonly bytes: number;
  /** What has so many: WebAssembly, or this machine. */
  readonly owner: string;
}
/** Address 0 stays unused, so that a kernel with a missing operand does not write over a weight. */
export const weightsBase = 64;

/** Arenas that all calls share; a state belongs to a session. */
export type SharedArena = Exclude<BufferClass, 'state'>;
const arenaOrder = ['weights', 'io', 'workspace', 'scratch'] as const satisfies readonly SharedArena[];

export interface Layout {
  /** Address and bytes of each arena; the scratch is that of one lane. */
  readonly arenas: { readonly [K in SharedArena]: { readonly base: number; readonly bytes: number } };
  /** From the scratch of one lane to that of the next. */
  readonly scratchStride: number;
  readonly totalBytes: number;
}

/** [64 B reserved | weights | io | workspace | scratch of every lane] for calls with these dims. */
export function layoutOf(program: Program, dims: Dims, lanes = 1): Layout {
  const none = { base: 0, bytes: 0 };
  const arenas = { weights: none, io: none, workspace: none, scratch: none };
  let end = weightsBase;
  for (const arena of arenaOrder) {
    arenas[arena] = { base: align(end), bytes: evaluateExpression(program.arenas[arena], dims) };
    end = arenas[arena].base + arenas[arena].bytes;
  }
  const scratchStride = align(arenas.scratch.bytes);
  return { arenas, scratchStride, totalBytes: end + (lanes - 1) * scratchStride };
}
/**
 * The layout of all calls of a program with state, which is that of its largest dims: the states lie behind it and stay where they
 * are. Undefined for a program without state, whose layout goes by the dims of each call.
 */
export function reservedLayout(program: Program, lanes: number): Layout | undefined {
  if (!hasState(program)) return undefined;
  return layoutOf(program, Object.fromEntries(program.dims.map(({ name, max }) => [name, max])), lanes);
}
/** The formula of `totalBytes` for a number of lanes, from the manifest's, which is for one. */
export function totalFormula(
  { total, scratch }: Pick<ManifestTarget['memory'], 'total' | 'scratch'>,
  lanes: number,
): SizeExpression {
  return lanes === 1 || scratch === 0 ? total : ['+', total, ['*', lanes - 1, ['*', 64, ['ceil/', scratch, 64]]]];
}
export const align = (bytes: number): number => Math.ceil(bytes / 64) * 64;

/** Bytes up to the end of the weights, which is what a model needs before its first run. */
export function weightsEnd(program: Program): number {
  return weightsBase + evaluateExpression(program.arenas.weights, {});
}

export function describeDims(dims: Dims): string {
  return Object.entries(dims)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ');
}
/** Throws ATPC-502 for a need above the limit. */
export function checkMemory(limit: MemoryLimit, totalBytes: number, weightBytes: number, dims: Dims): void {
  if (totalBytes <= limit.bytes) return;
  const call = describeDims(dims);
  throw new AtpcError(
    'ATPC-502',
    `A call with ${call === '' ? 'these inputs' : call} needs ${totalBytes} bytes, ${weightBytes} of them weights; ${limit.owner} has ${limit.bytes}.`,
    { hint: 'Use a smaller batch or shorter inputs.' },
  );
}
/** The same for the memory that calls and one session of a program with state need. */
export function checkReserved(limit: MemoryLimit, { arenas, totalBytes }: Layout, stateBytes: number): void {
  if (align(totalBytes) + stateBytes <= limit.bytes) return;
  const { weights, io, workspace } = arenas;
  throw new AtpcError(
    'ATPC-502',
    `The model needs ${align(totalBytes) + stateBytes} bytes: ${weights.bytes} of weights, ${io.bytes} of inputs and outputs, ${workspace.bytes} of workspace, ${stateBytes} for the state of a session, the rest scratch; ${limit.owner} has ${limit.bytes}.`,
    { hint: 'Compile it with a smaller --max-seq, with quantised weights, or with another --attn.' },
  );
}
