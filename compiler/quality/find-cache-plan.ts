/** Plans under a bound for models that generate: streams of several sizes, principal keys and dense caches, head by head. */
import {
  causalModes,
  uniformCachePlan,
  type CachePlan,
  type CacheSettings,
  type CausalModeName,
} from '../../passes/atp/cache-plan.ts';
import { cacheSeconds } from '../../passes/cache-cost.ts';
import { AtpcError } from '../../runtime/errors.ts';
import { cachePlanOf, type CachePlanFile } from '../attention/cache-plan-file.ts';
import { leastGain, typicalLengthOf } from '../attention/typical-length.ts';
import { measureCacheErrors } from '../calibrate/cache-errors.ts';
import { withCapacity } from '../cache-plan-report.ts';
import { hostTarget } from '../codegen/targets.ts';
import type { BoundedKind, BoundedKindInput, PreparedKind } from './bounded-plan.ts';
import { readDocuments, type TokenIds } from './documents.ts';
import { lossOf } from './loss.ts';
import { plannedCausal, readingIn } from './planned-model.ts';
import { documentCounts, qualityDefaults } from './quality-defaults.ts';
import { evenly, repeatedDocument } from './repeats.ts';

interface CacheChoice {
  readonly mode: CausalModeName;
  readonly settings: CacheSettings;
}
/** What a head may have in the place of a dense cache. */
const choices: readonly CacheChoice[] = [
  ...[64, 128, 256, 512].map((atoms) => ({ mode: 'stream', settings: { atoms } }) as const),
  { mode: 'expand', settings: {} },
  { mode: 'expand', settings: { most: 16, share: 0 } },
  { mode: 'cluster', settings: {} },
];
/** One of so many positions ranks the heads: neighbours say much the same. */
const stride = 4;

/** Throws ATPC-311 for a model without text, ATPC-608 for files that cannot be used. */
export async function cacheKind(input: BoundedKindInput): Promise<PreparedKind<CachePlan, CachePlanFile>> {
  const { source, shapes, targets, encode, files, options, report } = input;
  const { graph, tensors, context, task } = source;
  if (context === null || task.kind !== 'generate') throw new AtpcError('ATPC-399', 'A model without caches has a plan of them.');
  const [target] = targets;
  const { longestDocument, shortestDocument, firstPosition, repeatedDocuments, referenceBytes } = qualityDefaults;
  const typicalLength = Math.min(typicalLengthOf(options), context.maxLength);
  const maxTokens = Math.min(context.maxLength, longestDocument);
  const documents = await readDocuments({
    files,
    encode,
    maxTokens,
    minTokens: Math.min(shortestDocument, maxTokens),
    cut: 'stretches',
    counts: documentCounts.generate,
  });
  const heads = shapes.map(({ kvHeads }) => kvHeads);
  const taken = choices.filter(({ mode }) => targets.every(({ refusedModes }) => refusedModes[mode] === undefined));
  const repeatedFrom = documents.check.slice(0, repeatedDocuments);
  const kept = documents.search.length + documents.check.length + repeatedFrom.length;
  const rows = Math.max(64, Math.floor(referenceBytes / (kept * task.vocabulary * Uint16Array.BYTES_PER_ELEMENT)));
  const model = { source, encode, ...(options.storage === undefined ? {} : { storage: options.storage }) };
  const scoredFrom = (document: TokenIds): number => Math.min(firstPosition, document.length >> 1);

  async function errors(texts: readonly TokenIds[]): Promise<readonly (readonly (readonly number[])[])[]> {
    // Text without far repeats hides the loss of heads that copy.
    const ranked = [...texts, ...texts.slice(0, 1).map((document) => repeatedDocument(document, 0).document)];
    const found = await measureCacheErrors({
      graph,
      tensors,
      shapes,
      texts: ranked,
      caches: (capacity) => taken.map(({ mode, settings }) => causalModes[mode].cache(capacity, settings)),
      firstPosition: Math.min(...ranked.map(scoredFrom)),
      stride,
      target: hostTarget,
      onProgress: (read, total) => report(`ranking heads, ${read} of ${total} tokens`),
    });
    return found.map((errorsOf) =>
      shapes.map(({ layer }) => errorsOf.filter((head) => head.layer === layer).map(({ error }) => error)),
    );
  }

  const secondsOf = ({ mode, settings }: CacheChoice): readonly number[] =>
    shapes.map((shape) => {
      const cache = causalModes[mode].cache(typicalLength, settings);
      return cacheSeconds(shape, { mode, cache, kvHeads: [0] }, typicalLength, target);
    });
  const kind: BoundedKind<CachePlan, CachePlanFile> = {
    loss: lossOf(task),
    documents,
    positionsOf: (document) => evenly(scoredFrom(document), document.length, rows),
    repeats: repeatedFrom.map((document) => repeatedDocument(document, rows)),
    seconds: [secondsOf({ mode: 'dense', settings: {} }), ...taken.map(secondsOf)],
    errors,
    wholeLayers: new Set(),
    heads,
    choicesPerLayer: Math.min(qualityDefaults.choicesPerLayer, ...targets.map(({ attentionsPerLayer }) => attentionsPerLayer)),
    leastGain,
    fileOf: (assignment) => fileOf(assignment, taken),
    planOf: (file) => cachePlanOf(file, 'that was found', heads, context.maxLength),
    instantiate: (plan, activations = options.activations) =>
      plan === 'dense'
        ? plannedCausal(model, uniformCachePlan('dense', heads, maxTokens, ''), maxTokens)
        : plannedCausal(readingIn(model, activations), shortened(plan, maxTokens), maxTokens),
    report,
  };
  const notes =
    typicalLength > maxTokens
      ? [
          `The loss was measured on documents of ${maxTokens} tokens, and the plan is chosen for ${typicalLength}: what longer texts lose is not known.`,
        ]
      : [];
  return { kind, notes };
}

/** The same caches for sessions of `tokens` tokens. */
function shortened({ reason, layers }: CachePlan, tokens: number): CachePlan {
  const short = layers.map((groups) => groups.map((group) => ({ ...group, cache: withCapacity(group.cache, tokens) })));
  return { reason, layers: short };
}

/** The most frequent choice is the default; index 0 of an assignment is dense. */
function fileOf(assignment: readonly (readonly number[])[], taken: readonly CacheChoice[]): CachePlanFile {
  const entryOf = (index: number): { readonly mode: string } & CacheSettings => {
    const choice = taken[index - 1];
    return choice ? { mode: choice.mode, ...choice.settings } : { mode: 'dense' };
  };
  const counts = new Map<number, number>();
  for (const index of assignment.flat()) counts.set(index, (counts.get(index) ?? 0) + 1);
  const [[common] = [0]] = [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
  const layers = assignment.flatMap((heads, layer) => {
    const others = [...new Set(heads)].filter((index) => index !== common).sort((a, b) => a - b);
    if (others.length === 0) return [];
    const ofChoice = others.map((index) => ({
      kvHeads: heads.flatMap((own, head) => (own === index ? [head] : [])),
      ...entryOf(index),
    }));
    return [{ layer, heads: ofChoice }];
  });
  return { version: 1, default: entryOf(common), layers };
}
