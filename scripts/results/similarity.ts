/** MiniLM's sentence embeddings under each mode, against the dense ones. */
import { median } from '../../compiler/evaluate/statistics.ts';
import { describeSetting, measuredModel, untunedSettings, type Setting } from './measured-model.ts';
import type { Review } from './reviews.ts';

export interface SimilarityRow {
  readonly tokens: number;
  readonly setting: Setting;
  readonly meanCosine: number;
  readonly minCosine: number;
  readonly keys: { readonly mean: number; readonly max: number } | null;
  /** Median of the texts; all have the same length. */
  readonly milliseconds: number;
}
export interface Similarity {
  readonly texts: number;
  readonly sample: number;
  /** Mean cosine of two different texts under dense attention: what "unrelated" means on this scale. */
  readonly unrelated: number;
  readonly rows: readonly SimilarityRow[];
}

const lengths = [512, 256];
const texts = 12;
const sampleSize = 2;

function cosine(a: readonly number[], b: readonly number[]): number {
  const dot = (x: readonly number[], y: readonly number[]): number =>
    x.reduce((sum, value, index) => sum + value * (y[index] ?? 0), 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}
function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

export async function measureSimilarity(
  folder: string,
  reviews: readonly Review[],
  progress: (text: string) => void,
): Promise<Similarity> {
  const rows: SimilarityRow[] = [];
  const [longest = 0] = lengths;
  const longModel = await measuredModel(folder, longest);
  const long = reviews.filter(({ text }) => longModel.encode(text).length === longest).slice(0, texts);
  let unrelated = 0;
  for (const tokens of lengths) {
    const model = await measuredModel(folder, tokens);
    const encoded = long.map(({ text }) => model.encode(text));
    const sample = encoded.slice(0, sampleSize);
    let exact: readonly (readonly number[])[] | undefined;
    for (const setting of untunedSettings) {
      progress(`similarity: ${describeSetting(setting)} at ${tokens} tokens`);
      const compiled = await model.compile(setting);
      const times: number[] = [];
      const embeddings = encoded.map((ids) => {
        const before = performance.now();
        const embedding = compiled.run(ids);
        times.push(performance.now() - before);
        return embedding;
      });
      exact ??= embeddings;
      const reference = exact;
      if (setting.mode === 'dense' && tokens === longest) {
        const others = embeddings.flatMap((a, index) => embeddings.slice(index + 1).map((b) => cosine(a, b)));
        unrelated = mean(others);
      }
      const cosines = embeddings.map((embedding, index) => cosine(embedding, reference[index] ?? []));
      rows.push({
        tokens,
        setting,
        meanCosine: mean(cosines),
        minCosine: Math.min(...cosines),
        keys: await compiled.keysRead(sample),
        milliseconds: median(times),
      });
    }
  }
  return { texts: long.length, sample: sampleSize, unrelated, rows };
}
