/** The roofline of a model at some lengths, dense and under its plan. */
import { stateBytes, type CacheSpec } from '../../ir/cache.ts';
import type { CachePlan } from '../../passes/atp/cache-plan.ts';
import type { AttentionShape } from '../../passes/atp/site.ts';
import { pastDim, seqDim } from '../../passes/cache.ts';
import { AtpcError } from '../../runtime/errors.ts';
import { evaluateExpression } from '../../runtime/format/expression.ts';
import type { EntryPointName, Program } from '../../runtime/format/program.ts';
import type { Built } from '../build.ts';
import type { Precision } from '../codegen/cuda/target.ts';
import type { Target } from '../codegen/target.ts';
import { assumptionsOf } from './assumptions.ts';
import { devices, type Device, type DeviceName } from './devices.ts';
import { EntryRoofline, type CallRoofline } from './entry-roofline.ts';

export interface RooflineReport {
  readonly device: DeviceName;
  readonly title: string;
  readonly precision: Precision;
  readonly assumptions: readonly string[];
  readonly lengths: readonly RooflineLength[];
}
/**
 * forward: one sequence. prompt: all of it, read in chunks from the start; prefill: the last of those chunks; decode: the token after
 * it, the last of so many.
 */
export type RooflineCallName = 'forward' | 'prompt' | 'prefill' | 'decode';
export interface RooflineLength {
  readonly tokens: number;
  readonly calls: readonly RooflineCall[];
  /** Bytes on the device: weights, workspace, and the state of one session of so many tokens. */
  readonly denseBytes: number;
  readonly planBytes: number;
  readonly deviceBytes: number;
}
export interface RooflineCall {
  readonly call: RooflineCallName;
  /** Tokens of one call; of `prompt`, of all calls. */
  readonly callTokens: number;
  readonly dense: CallRoofline;
  readonly plan: CallRoofline;
}

export interface RooflineSettings {
  readonly device: DeviceName;
  readonly precision: Precision;
  readonly target: Target;
  /** Of the kernels of the plan, by name (footprint.ts, registersOfPtxas). */
  readonly registers?: ReadonlyMap<string, number>;
}

/** Lengths that are shown unless others are asked for. */
export const rooflineLengths: readonly number[] = [2048, 8192, 32768, 131072];

/** Throws ATPC-301 for a length that the model does not take. */
function lengthsWithin(most: number, asked: readonly number[] | undefined): readonly number[] {
  const beyond = asked?.find((length) => length > most);
  if (beyond !== undefined) {
    throw new AtpcError('ATPC-301', `A roofline at ${beyond} tokens was asked for, and the model takes ${most}.`, {
      hint: 'Of a model that generates, --max-seq makes sessions longer.',
    });
  }
  const fitting = rooflineLengths.filter((length) => length <= most);
  return asked ?? (fitting.length > 0 ? fitting : [most]);
}

interface Programs {
  readonly dense: Built;
  readonly plan: Built;
}
type Dims = Readonly<Record<string, number>>;

/** Entry points of a program that were asked about before. */
class Rooflines {
  readonly #known = new Map<string, EntryRoofline>();
  readonly #programs: Programs;
  readonly #settings: RooflineSettings;

  constructor(programs: Programs, settings: RooflineSettings) {
    this.#programs = programs;
    this.#settings = settings;
  }
  call(call: RooflineCallName, entry: EntryPointName, callTokens: number, dims: readonly Dims[]): RooflineCall {
    const [dense, plan] = (['dense', 'plan'] as const).map((which) => this.#entry(which, entry).at(dims));
    return { call, callTokens, dense: dense as CallRoofline, plan: plan as CallRoofline };
  }
  #entry(which: keyof Programs, entry: EntryPointName): EntryRoofline {
    const key = `${which} ${entry}`;
    const { registers, target } = this.#settings;
    const device: Device = devices[this.#settings.device];
    const options = { device, ...(registers && which === 'plan' ? { registers } : {}) };
    const roofline = this.#known.get(key) ?? new EntryRoofline(this.#programs[which], entry, target, options);
    this.#known.set(key, roofline);
    return roofline;
  }
}

function report(settings: RooflineSettings, lengths: readonly RooflineLength[]): RooflineReport {
  const { device, precision, registers } = settings;
  const { title } = devices[device];
  return { device, title, precision, assumptions: assumptionsOf(devices[device], registers !== undefined), lengths };
}

/** A model without state: one call a sequence. `dimsAt` are the dims of one sequence of so many tokens. */
export function forwardRoofline(
  programs: Programs,
  settings: RooflineSettings,
  { most, lengths, dimsAt }: { readonly most: number; readonly lengths?: readonly number[]; dimsAt(tokens: number): Dims },
): RooflineReport {
  const rooflines = new Rooflines(programs, settings);
  const bytes = ({ arenas }: Program, dims: Dims): number =>
    Object.values(arenas).reduce<number>((sum, size) => sum + evaluateExpression(size, dims), 0);
  return report(
    settings,
    lengthsWithin(most, lengths).map((tokens): RooflineLength => {
      const dims = dimsAt(tokens);
      return {
        tokens,
        calls: [rooflines.call('forward', 'forward', tokens, [dims])],
        denseBytes: bytes(programs.dense.program, dims),
        planBytes: bytes(programs.plan.program, dims),
        deviceBytes: devices[settings.device].memoryBytes,
      };
    }),
  );
}

/** A model that generates: the whole prompt, its last chunk, and the token after it. */
export function statefulRoofline(
  programs: Programs,
  settings: RooflineSettings,
  options: {
    readonly most: number;
    readonly lengths?: readonly number[];
    readonly shapes: readonly AttentionShape[];
    readonly plans: { readonly dense: CachePlan; readonly plan: CachePlan };
  },
): RooflineReport {
  const rooflines = new Rooflines(programs, settings);
  const chunk = programs.plan.program.dims.find(({ name }) => name === seqDim)?.max ?? 1;
  const bytes = (which: keyof Programs, tokens: number): number => {
    const { state: _capacity, ...others } = programs[which].program.arenas;
    const dims = { [seqDim]: Math.min(chunk, tokens), [pastDim]: Math.max(0, tokens - chunk) };
    const own = Object.values(others).reduce<number>((sum, size) => sum + evaluateExpression(size, dims), 0);
    return own + sessionBytes(options.plans[which], options.shapes, tokens);
  };
  return report(
    settings,
    lengthsWithin(options.most, options.lengths).map((tokens): RooflineLength => {
      const chunks = Array.from({ length: Math.ceil(tokens / chunk) }, (_, index) => ({
        [pastDim]: index * chunk,
        [seqDim]: Math.min(chunk, tokens - index * chunk),
      }));
      const last = { [pastDim]: Math.max(0, tokens - chunk), [seqDim]: Math.min(chunk, tokens) };
      return {
        tokens,
        calls: [
          rooflines.call('prompt', 'prefill', tokens, chunks),
          rooflines.call('prefill', 'prefill', Math.min(chunk, tokens), [last]),
          rooflines.call('decode', 'decode', 1, [{ [pastDim]: tokens - 1, [seqDim]: 1 }]),
        ],
        denseBytes: bytes('dense', tokens),
        planBytes: bytes('plan', tokens),
        deviceBytes: devices[settings.device].memoryBytes,
      };
    }),
  );
}

/** The state of a session that holds so many tokens. */
function sessionBytes({ layers }: CachePlan, shapes: readonly AttentionShape[], tokens: number): number {
  const held = (cache: CacheSpec): CacheSpec => (cache.kind === 'stream' ? cache : { ...cache, capacity: tokens });
  return shapes
    .flatMap(({ layer, headSize, valueSize }) =>
      (layers[layer] ?? []).map(({ cache, kvHeads }) =>
        stateBytes(held(cache), { kvHeads: kvHeads.length, headSize, valueSize }),
      ),
    )
    .reduce((sum, bytes) => sum + bytes, 0);
}
