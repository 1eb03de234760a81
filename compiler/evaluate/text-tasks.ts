/** Tasks of models that read a text at once: labels, and the similarity of sentences. */
import type { Task } from '../../runtime/format/manifest.ts';
import { denseBelowTokens } from '../../passes/atp/site.ts';
import type { Encode } from '../calibrate/calibrate.ts';
import { shareInterval } from '../quality/interval.ts';
import { cosineDistanceFrom, labelOf, losses, type RowDistance } from '../quality/loss.ts';
import type { ScoredDocument } from '../quality/measure.ts';
import { readLabelledTexts, readSentencePairs } from './evaluation-data.ts';
import type { EvaluationTask } from './evaluation-task.ts';
import { spearmanInterval } from './statistics.ts';

export interface TextTaskInput {
  readonly file: string;
  readonly encode: Encode;
  /** Longer texts are cut here. */
  readonly maxTokens: number;
  /** Lines of the file that are read at most. */
  readonly most: number;
}

/** The one position of a model that gives a row a text. */
const onlyRow = [0] as const;

function scoredTexts(texts: readonly string[], { encode, maxTokens }: TextTaskInput): readonly ScoredDocument[] {
  return texts.map((text) => ({ document: encode(text, maxTokens), positions: onlyRow }));
}

/** What a person should know of texts that no mode rewrites. */
function shortNotes(documents: readonly ScoredDocument[]): readonly string[] {
  const short = documents.filter(({ document }) => document.length < denseBelowTokens).length;
  return short <= documents.length / 10
    ? []
    : [
        `${short} of ${documents.length} texts have fewer than ${denseBelowTokens} tokens, and stay dense under every mode but svd: they lose nothing, and make the loss small.`,
      ];
}

/** Accuracy, and how often a plan decides as dense attention does. */
export async function classifyTask(
  input: TextTaskInput,
  { labels }: Pick<Extract<Task, { kind: 'classify' }>, 'labels'>,
): Promise<EvaluationTask> {
  const { items, ...data } = await readLabelledTexts(input.file, labels, input.most);
  const documents = scoredTexts(
    items.map(({ text }) => text),
    input,
  );
  let dense: readonly number[] | undefined;
  const shareEqual = (found: readonly number[], wanted: readonly number[]) =>
    shareInterval(found.filter((label, index) => label === wanted[index]).length, found.length);
  return {
    data,
    documents,
    loss: losses.classify,
    measures: [
      { name: 'accuracy', summary: 'share of texts with the right label', isShare: true },
      { name: 'agreement', summary: 'share of texts with the label that dense attention gives', isShare: true },
    ],
    notes: shortNotes(documents),
    collect() {
      const found: number[] = [];
      const reference = (dense ??= found);
      const truth = items.map(({ label }) => label);
      return {
        onRow: (document, _row, values) => void (found[document] = labelOf(values)),
        results: () => ({
          measures: {
            accuracy: shareEqual(found, truth),
            ...(reference === found ? {} : { agreement: shareEqual(found, reference) }),
          },
          loss: losses.classify.interval(found.map((label, index) => Number(label !== reference[index]))),
        }),
      };
    },
  };
}

/** How well the cosines of pairs of sentences follow what people said of them. */
export async function similarityTask(input: TextTaskInput): Promise<EvaluationTask> {
  const { items, ...data } = await readSentencePairs(input.file, input.most);
  const sentences = [...new Set(items.flatMap((item) => item.sentences))];
  const places = new Map(sentences.map((sentence, index) => [sentence, index]));
  const documents = scoredTexts(sentences, input);
  let dense: readonly RowDistance[] | undefined;
  return {
    data,
    documents,
    loss: losses.embed,
    measures: [
      {
        name: 'spearman',
        summary: "rank correlation of the cosines of pairs with people's scores (Spearman)",
        isShare: false,
      },
    ],
    notes: shortNotes(documents),
    collect() {
      // The distance to a sentence is a function of it, and the distance to itself under dense attention is the loss.
      const distances: RowDistance[] = [];
      const rows: Float32Array[] = [];
      const lost: number[] = [];
      const reference = dense;
      dense ??= distances;
      return {
        onRow(document, _row, values) {
          rows[document] = values.slice();
          distances[document] = cosineDistanceFrom(values);
          lost[document] = reference?.[document]?.(values) ?? 0;
        },
        results() {
          const cosines = items.map(({ sentences: [first, second] }) => {
            const [one, other] = [places.get(first) as number, places.get(second) as number];
            return 1 - (distances[one] as RowDistance)(rows[other] as Float32Array);
          });
          const scores = items.map(({ score }) => score);
          return { measures: { spearman: spearmanInterval(cosines, scores) }, loss: losses.embed.interval(lost) };
        },
      };
    },
  };
}
