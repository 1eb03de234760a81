/** From a graph and a plan to a program with its kernels: the middle of the compiler, without files or weights. */
import type { Graph, Node } from '../ir/graph.ts';
import { printGraph } from '../ir/print.ts';
import { verifyGraph } from '../ir/verify.ts';
import type { CachePlan } from '../passes/atp/cache-plan.ts';
import { densePlan, type AttentionPlan } from '../passes/atp/plan.ts';
import { withCaches } from '../passes/cache.ts';
import { entryGraph, statefulEntries } from '../passes/entry-points.ts';
import type { Stage } from '../passes/pass.ts';
import { pipeline, runPipeline } from '../passes/pipeline.ts';
import { nativeOps } from './codegen/native-ops.ts';
import type { EmitOptions, FinishedFiles, Target, TargetFile } from './codegen/target.ts';
import type { DispatchList } from './kernel/dispatch.ts';
import { lower, type LowerOptions } from './kernel/lower.ts';
import { AtpcError } from '../runtime/errors.ts';
import type { EntryPointName } from '../runtime/format/program.ts';
import { withCodes } from './pass-fault.ts';
import { blockParameters, plainNumbers, withoutPlainReads, type FormatOf } from './program/block-parameters.ts';
import { halfParameters } from './program/half-parameters.ts';
import { buildProgram, type BuiltProgram } from './program/build-program.ts';
import { formatBlockFormat, type BlockFormat } from './weights/block-format.ts';

interface CommonOptions {
  readonly target: Target;
  readonly verify: boolean;
  /** Blocks that a parameter of the checkpoint is stored in; without it all are plain numbers. */
  readonly formatOf?: FormatOf;
  /** Whether the package will store a parameter of the checkpoint as F16; without it none. */
  readonly isHalf?: (parameter: string) => boolean;
  /** Receives a file name and the text of every stage. */
  readonly dump?: (name: string, text: string) => void;
}
export interface BuildOptions extends CommonOptions {
  readonly plan: AttentionPlan;
}
export interface StatefulOptions extends CommonOptions {
  readonly plan: CachePlan;
  /** Tokens that the state has room for. */
  readonly maxTokens: number;
}
/** One entry point on its way. */
export interface BuiltEntry {
  readonly name: EntryPointName;
  readonly stage: Stage;
  readonly list: DispatchList;
}
export interface Built extends BuiltProgram {
  readonly entries: readonly BuiltEntry[];
  /** Of the entry point that gives all that the model gives; the derived parameters are those of every entry point. */
  readonly stage: Stage;
  readonly list: DispatchList;
  /** Parameters that the program reads in blocks. */
  readonly formats: ReadonlyMap<string, BlockFormat>;
}

const formatKey = (format: BlockFormat | null): string | null => format && formatBlockFormat(format);
const slug = (name: string): string => name.replaceAll(/[^a-z0-9]+/g, '-');

/** A model without state. Throws the coded faults of the passes, and ATPC-307 for what the target has no kernel for. */
export function build(graph: Graph, { plan, ...options }: BuildOptions): Built {
  return buildEntries(graph.name, [{ name: 'forward', graph }], plan, options);
}

/** A causal model with a state: its entry points over the caches of the plan. Throws as `build` does. */
export function buildStateful(graph: Graph, { plan, maxTokens, ...options }: StatefulOptions): Built {
  const cached = withCodes(() => withCaches(graph, plan, maxTokens));
  if (options.verify) verifyGraph(cached);
  options.dump?.('00-cache.ir', printGraph(cached, { provenance: true }));
  const graphs = statefulEntries.map((name) => ({ name, graph: entryGraph(cached, name) }));
  return buildEntries(graph.name, graphs, densePlan, options);
}

/** A program of several entry points over graphs that share parameters and state. */
export function buildEntries(
  modelName: string,
  graphs: readonly { readonly name: EntryPointName; readonly graph: Graph }[],
  plan: AttentionPlan,
  { target, verify, dump, formatOf = plainNumbers, isHalf = () => false }: CommonOptions,
): Built {
  const keptInBlocks = withoutPlainReads(
    graphs.map(({ graph }) => graph),
    formatOf,
  );
  const stages = graphs.map(({ name, graph }) => {
    const prefix = graphs.length === 1 ? '' : `${name}-`;
    const stage = withCodes(() =>
      runPipeline(graph, pipeline, {
        plan,
        queriesPerChoice: target.queriesPerChoice,
        nativeOps,
        verify,
        storageOf: (parameter) => formatKey(keptInBlocks(parameter)),
        onStage: (index, pass, { graph: current }) =>
          dump?.(`${prefix}${String(index).padStart(2, '0')}-${slug(pass)}.ir`, printGraph(current, { provenance: true })),
      }),
    );
    return { name, stage };
  });
  const derived = allDerived(stages);
  const formats = blockParameters(
    stages.map(({ stage }) => stage.graph),
    derived,
    keptInBlocks,
  );
  const halves = halfParameters(
    stages.map(({ stage }) => stage.graph),
    derived,
    isHalf,
  );
  const lowerOptions: LowerOptions = {
    formatOf: (parameter) => formats.get(parameter) ?? null,
    isHalf: (parameter) => halves.has(parameter),
  };
  const entries = stages.map(({ name, stage }): BuiltEntry => ({ name, stage, list: lower(stage, target, lowerOptions) }));
  const built = buildProgram(
    modelName,
    entries.map(({ name, stage, list }) => ({ name, dims: stage.graph.dims, list })),
    target,
  );
  dump?.('kernels.json', `${JSON.stringify(built.kernels, null, 1)}\n`);
  dump?.('program.json', `${JSON.stringify(built.program, null, 1)}\n`);
  const whole = entries.at(-1) as BuiltEntry;
  return { ...built, entries, stage: { ...whole.stage, derived }, list: whole.list, formats };
}

/** Derived parameters have one name in every entry point, and one meaning. */
function allDerived(entries: readonly Pick<BuiltEntry, 'name' | 'stage'>[]): Stage['derived'] {
  const derived = new Map<string, Node>();
  for (const { name, stage } of entries) {
    for (const [parameter, node] of stage.derived) {
      const known = derived.get(parameter);
      if (known && known !== node)
        throw new AtpcError(
          'ATPC-399',
          `The parameter '${parameter}' of the entry point ${name} means something else elsewhere.`,
        );
      derived.set(parameter, node);
    }
  }
  return derived;
}

/** The kernels of a program as files, without what other compilers than this one make of them. */
export async function emit(
  built: BuiltProgram,
  target: Target,
  options?: EmitOptions,
): Promise<{ readonly files: readonly TargetFile[] }> {
  return { files: await target.emit(built.kernels, options) };
}
/** All files of a package's target. Throws as `finish` of the target does. */
export async function emitFinished(
  built: BuiltProgram,
  target: Target,
  options: { readonly signal?: AbortSignal },
): Promise<FinishedFiles> {
  const { files } = await emit(built, target);
  return target.finish ? await target.finish(files, options) : { files, notes: [] };
}

/** The binary module among emitted files that needs exactly these features. */
export function moduleOf(files: readonly TargetFile[], features: readonly string[] = ['simd128']): Uint8Array {
  const binary = files.find((file) => String(file.features) === String(features))?.content;
  if (!(binary instanceof Uint8Array)) throw new TypeError(`The target gave no binary module for ${features.join(' and ')}.`);
  return binary;
}
