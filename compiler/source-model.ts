/** What a person points at, as a graph with its weights: a model file in the DSL, or a Hugging Face folder. */
import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { graphNodes, isOp, type Graph } from '../ir/graph.ts';
import { AtpcError } from '../runtime/errors.ts';
import type { Task } from '../runtime/format/manifest.ts';
import { describedTensors } from './import/absent-weights.ts';
import { openCheckpointTensors } from './import/checkpoint-tensors.ts';
import { isHubLocation } from './hub/hub-location.ts';
import type { HubProgress } from './hub/hub-model.ts';
import { refuseContextOptions, type ContextOptions } from './import/context-length.ts';
import { openGguf } from './import/gguf-model.ts';
import { openHuggingFace } from './import/hugging-face.ts';
import type { Family, Imported, ImportedContext, ImportedModel } from './import/imported-model.ts';
import type { ModelLicense } from './import/license.ts';
import { hashModel } from './import/model-hash.ts';
import type { ImportedTokenizer } from './import/tokenizer-files.ts';
import { loadFamily, loadModelFile } from './model-file/index.ts';
import { buildGraph } from './model/build-graph.ts';
import type { Model } from './model/define-model.ts';
import type { WeightType } from './compile-options.ts';
import { checkParameters, unusedTensors } from './weights/check-parameters.ts';
import { storedAs } from './weights/stored-as.ts';
import type { TensorSource } from './weights/tensor-source.ts';

export interface SourceModel {
  readonly name: string;
  readonly family: string;
  readonly graph: Graph;
  /** Values of inputs that may be left out. */
  readonly defaults: Readonly<Record<string, number>>;
  readonly tensors: TensorSource;
  /** What is approximate in the tensors, in words: matrices that were quantised. */
  readonly approximations: readonly string[];
  readonly tokenizer: ImportedTokenizer | null;
  readonly task: Task;
  /** Literal ATP that the checkpoint was tuned with. */
  readonly tuned: { readonly ratio: number } | null;
  /** Lengths of a model that generates; null for one that keeps nothing between calls. */
  readonly context: ImportedContext | null;
  readonly license: ModelLicense | null;
  readonly unused: readonly string[];
  readonly notes: readonly string[];
  hash(signal?: AbortSignal): Promise<string>;
}

function defaultsOf(model: Model): Readonly<Record<string, number>> {
  return Object.fromEntries(
    Object.entries(model.inputs).flatMap(([name, { default: value }]) => (value === undefined ? [] : [[name, value]])),
  );
}

export interface OpenModelOptions extends ContextOptions {
  /** How weights are to be stored; as they are unless given. */
  readonly storage?: WeightType;
  /** Only the shapes of the weights are of interest: a Hugging Face folder with config.json alone will do. */
  readonly shapesOnly?: boolean;
  /** Folder with the weights, for a model file. */
  readonly weights?: string;
  readonly signal?: AbortSignal;
  /** Called while a model comes from the hub. */
  readonly onDownload?: (progress: HubProgress) => void;
}

/** Opens a model and checks that its weights fit. Throws 1xx for the model and 2xx for what is imported. */
export async function openModel(location: string, options: OpenModelOptions = {}): Promise<SourceModel> {
  if (isHubLocation(location)) return await openHubModel(location, options);
  const stats = await stat(location).catch(() => undefined);
  if (!stats) throw new AtpcError('ATPC-201', `There is no model file or folder ${location}.`);
  const isGguf = !stats.isDirectory() && location.endsWith('.gguf');
  if (!stats.isDirectory() && !isGguf) return await openModelFile(location, options);
  if (options.weights !== undefined) {
    throw new AtpcError('ATPC-301', `${location} brings its own weights; --weights is for model files.`);
  }
  return await checkpointModel(await (isGguf ? openGguf : openHuggingFace)(location, options), options);
}

/** The one form of a model that uses the network. */
async function openHubModel(location: string, { onDownload, ...options }: OpenModelOptions): Promise<SourceModel> {
  const { fetchHubModel } = await import('./hub/hub-model.ts');
  const found = await fetchHubModel(location, {
    ...(options.signal ? { signal: options.signal } : {}),
    ...(onDownload ? { onProgress: onDownload } : {}),
  });
  const source = await openModel(found.path, options);
  // Its folder is named for the commit.
  return { ...source, name: found.name, notes: [...found.notes, ...source.notes] };
}

function familyModel<F extends Family>({ family, config }: Imported<F>): Promise<Model> {
  return loadFamily(family, config);
}

async function checkpointModel(imported: ImportedModel, { storage }: OpenModelOptions): Promise<SourceModel> {
  const model = await familyModel(imported);
  const graph = buildGraph(model);
  const { absentStorage } = imported;
  const tensors = absentStorage === undefined ? imported.tensors : describedTensors(imported.folder, graph, absentStorage);
  checkParameters(graph, tensors);
  return {
    name: imported.name,
    family: imported.family,
    graph,
    defaults: defaultsOf(model),
    ...storedAs(tensors, graph, storage),
    tokenizer: imported.tokenizer,
    task: imported.task,
    tuned: imported.atpBlock && { ratio: imported.atpBlock.ratio },
    context: imported.context,
    license: imported.license,
    unused: imported.unused,
    notes: imported.notes,
    hash: (signal) => hashModel(imported.folder, imported.files, signal),
  };
}

async function openModelFile(file: string, { weights, storage, ...context }: OpenModelOptions): Promise<SourceModel> {
  const model = await loadModelFile(file);
  const graph = buildGraph(model);
  const folder = weights ?? path.dirname(file);
  // A folder of a known architecture also brings tokenizer, labels and canonical names; any other brings its tensors.
  const described = existsSync(path.join(folder, 'config.json')) || existsSync(path.join(folder, 'modules.json'));
  const imported = !described
    ? null
    : await openHuggingFace(folder, context).catch((error: unknown): ImportedModel | null => {
        if (error instanceof AtpcError && error.code === 'ATPC-203') return null;
        throw error;
      });
  const raw = imported ? null : await openCheckpointTensors(folder);
  if (!imported) refuseContextOptions(file, context);
  const tensors = imported?.tensors ?? (raw as NonNullable<typeof raw>).tensors;
  checkParameters(graph, tensors);
  const outputs = new Set(graph.outputs.map((output) => output.name));
  const task: Task =
    imported && imported.task.kind !== 'tensors' && outputs.has(imported.task.output) ? imported.task : { kind: 'tensors' };
  return {
    name: model.name,
    family: 'model file',
    graph,
    defaults: defaultsOf(model),
    ...storedAs(tensors, graph, storage),
    tokenizer: imported?.tokenizer ?? null,
    task,
    tuned: imported?.atpBlock ? { ratio: imported.atpBlock.ratio } : null,
    context: task.kind === 'generate' && imported?.context ? contextWithin(graph, imported.context) : null,
    license: imported?.license ?? null,
    unused: unusedTensors(graph, tensors),
    notes: imported?.notes ?? [],
    hash: (signal) => hashModel(folder, [file, ...(imported?.files ?? raw?.files ?? [])], signal),
  };
}

/** A model of the person's own may have rope tables of any length: a session ends where the shortest does. */
function contextWithin(graph: Graph, { trainedLength, maxLength }: ImportedContext): ImportedContext {
  const tables = graphNodes(graph).flatMap((node) => (isOp(node, 'rope') ? [node.attributes.maxPositions] : []));
  return { trainedLength, maxLength: Math.min(maxLength, ...tables) };
}

/** Longest sequence: the largest value of the dim `seq`, or of the largest symbolic dim but `batch`. */
export function longestSequence(graph: Graph): number {
  const lengths = graph.dims.filter((dim) => dim.name !== 'batch');
  return lengths.find((dim) => dim.name === 'seq')?.max ?? Math.max(1, ...lengths.map((dim) => dim.max));
}
