/** Plans found under `--max-loss` on the first part of a source, and what they lose on documents of its last part. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { attentionShapes, encoderOf } from '../../compiler/compile.ts';
import { targetsNamed } from '../../compiler/codegen/targets.ts';
import { allToCheck, findBoundedPlan, measureGivenPlan, type BoundedKind } from '../../compiler/quality/bounded-plan.ts';
import { cacheKind } from '../../compiler/quality/find-cache-plan.ts';
import { forwardKind } from '../../compiler/quality/find-forward-plan.ts';
import { openModel } from '../../compiler/source-model.ts';
import type { ManifestLoss } from '../../runtime/format/manifest.ts';
import { wikiTextFile } from './language-model.ts';
import { reviewsFile } from './reviews.ts';

export interface BoundedRow {
  readonly model: string;
  readonly source: string;
  readonly typicalLength: number;
  /** Predicted seconds of attention, on wasm. */
  readonly seconds: { readonly dense: number; readonly plan: number };
  /** Plans that were measured until one met the bound. */
  readonly trials: number;
  readonly found: ManifestLoss;
  readonly heldOut: ManifestLoss;
}
export interface Bounded {
  readonly bound: number;
  readonly rows: readonly BoundedRow[];
}
/** The upper end of the interval on held-out documents may be above the bound by this factor. */
export const heldOutFactor = 1.25;
const bound = 0.02;

export interface BoundedModels {
  readonly sentiment: string;
  readonly miniLm: string;
  readonly smolLm2: string;
}
interface Case {
  readonly model: string;
  readonly location: string;
  readonly source: string;
  readonly file: string;
  readonly typicalLength: number;
  parts(bytes: Buffer): readonly [first: Buffer, last: Buffer];
}
/** A thousand reviews each. */
function halvesOfLines(bytes: Buffer): readonly [Buffer, Buffer] {
  const lines = bytes.toString('utf8').split('\n');
  const middle = lines.length >> 1;
  return [Buffer.from(lines.slice(0, middle).join('\n')), Buffer.from(lines.slice(middle).join('\n'))];
}
/** No article is in both. */
const endsOfText = (bytes: Buffer): readonly [Buffer, Buffer] => [bytes.subarray(0, 800_000), bytes.subarray(-450_000)];

function casesOf({ sentiment, miniLm, smolLm2 }: BoundedModels): readonly Case[] {
  const reviews = { source: 'IMDB reviews', file: reviewsFile, parts: halvesOfLines };
  return [
    { model: 'sentiment-mini', location: sentiment, ...reviews, typicalLength: 512 },
    { model: 'MiniLM', location: miniLm, ...reviews, typicalLength: 512 },
    {
      model: 'SmolLM2-135M',
      location: smolLm2,
      source: 'WikiText-2',
      file: wikiTextFile,
      typicalLength: 2048,
      parts: endsOfText,
    },
  ];
}

/** `only`: the names of models, all of them where it is empty. */
export async function measureBounded(
  models: BoundedModels,
  data: string,
  progress: (text: string) => void,
  only: readonly string[] = [],
): Promise<Bounded> {
  const folder = await mkdtemp(path.join(tmpdir(), 'atpc-bounded-'));
  try {
    const rows: BoundedRow[] = [];
    for (const each of casesOf(models)) {
      if (only.length > 0 && !only.includes(each.model)) continue;
      const ending = path.extname(each.file);
      const files = ['first', 'last'].map((name) => path.join(folder, `${name}${ending}`)) as [string, string];
      const parts = each.parts(await readFile(path.join(data, each.file)));
      await Promise.all(files.map((file, index) => writeFile(file, parts[index] ?? '')));
      rows.push(await measureCase(each, files, (detail) => progress(`bounded: ${each.model}: ${detail}`)));
    }
    return { bound, rows };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function measureCase(
  { model, location, source: words, typicalLength }: Case,
  [first, last]: readonly [string, string],
  report: (detail: string) => void,
): Promise<BoundedRow> {
  const source = await openModel(location);
  const encode = encoderOf(source);
  if (!encode) throw new Error(`The model ${location} has no tokenizer.`);
  const input = { source, shapes: attentionShapes(source), targets: targetsNamed(['wasm']), encode, options: { typicalLength } };
  const run = async <P, F>(kindOf: (file: string) => Promise<{ readonly kind: BoundedKind<P, F> }>): Promise<BoundedRow> => {
    const { kind } = await kindOf(first);
    const found = await findBoundedPlan(kind, bound);
    if (!found?.measured.met) throw new Error(`No plan of ${model} has a loss under ${bound}.`);
    report('held-out documents');
    const { kind: others } = await kindOf(last);
    const held = { ...others, documents: allToCheck(others.documents) };
    const { loss: heldOut } = await measureGivenPlan(held, kind.planOf(found.file), bound);
    const { seconds, trials, measured } = found;
    return { model, source: words, typicalLength, seconds, trials, found: measured.loss, heldOut };
  };
  return source.context === null
    ? await run((file) => forwardKind({ ...input, files: [file], report }))
    : await run((file) => cacheKind({ ...input, files: [file], report }));
}
